"""What each of many node servers tells, looked at before it stands in one list: one that tells nonsense spoils no other's rows.

Nor does a node tell of another one: whose a run is says who was asked.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from nodeward.core import clock
from nodeward.core.errors import Unavailable
from nodeward.core.faults import problems_of

Row = dict[str, Any]


def _time(given: str) -> str:
    clock.parse_rfc3339(given)
    return given


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Time = Annotated[str, AfterValidator(_time)]


class _Told(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Run(_Told):
    id: Name
    runbook: Name
    by: str
    state: str
    started: Time
    detail: str = ""
    parameters: Row = {}


class _Runs(_Told):
    items: list[_Run]
    next: str | None = None


class _Program(_Told):
    name: str
    state: str
    pid: int | None
    since: Time | None
    spawn_error: str
    exit_status: int | None


class _Programs(_Told):
    items: list[_Program]
    supervisor: str = ""


def runs(node: str, answer: Any) -> Row:
    """Return what a node server answered to `GET runs`: `items`, and `next`. Raise Unavailable if that is no list of runs."""
    found = _checked(_Runs, node, answer)
    return {**found, "items": [{**row, "node": node} for row in found["items"]]}


def programs(place: str, answer: Any) -> Row:
    """Return what a server answered to `GET programs`: `items`, and `supervisor`, which has them, if it is new enough to say so.

    Raise Unavailable if that is no list of programs.
    """
    return _checked(_Programs, place, answer)


def _checked(form: type[_Told], place: str, answer: Any) -> Row:
    try:
        form.model_validate(answer)
    except ValidationError as error:
        raise Unavailable(f"'{place}' answers what is none of ours: {problems_of(error)[0]}.") from None
    found: Row = answer
    return found
