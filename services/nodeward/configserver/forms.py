"""What the config server's routes take: paths, queries, bodies. One declaration checks them and documents them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator

from nodeward.configserver.schema import KINDS, Address
from nodeward.core import clock
from nodeward.core.http import Body, Query

PAGE = 100
MOST = 10_000
HIGHEST = 2**53  # of what is numbered
_LAST = clock.parse_rfc3339("2999-12-31")


def _pairs(given: list[str]) -> list[str]:
    for each in given:
        if "=" not in each:
            raise ValueError(f"{each!r} is not KEY=VALUE")
    return given


Pairs = Annotated[list[str], AfterValidator(_pairs)]


class KindPath(BaseModel):
    """A kind of object."""

    kind: str = Field(pattern=f"^({'|'.join(KINDS)})$", description=", ".join(KINDS))


class ObjectPath(KindPath):
    """One object."""

    name: str = Field(max_length=63)


class NodePath(BaseModel):
    """One node."""

    name: str = Field(max_length=63)


class NumberPath(BaseModel):
    """One revision."""

    number: int = Field(ge=1, le=HIGHEST)


class TokenPath(BaseModel):
    """One credential."""

    id: str = Field(pattern="^[0-9a-f]{12}$")


class Page(Query):
    """A page of a list."""

    cursor: str | None = Field(None, max_length=200, description="`next` of the page before.")
    limit: int = Field(PAGE, ge=1, le=MOST)


class NumberedPage(Query):
    """A page of a list, newest first."""

    cursor: int | None = Field(None, ge=0, le=HIGHEST, description="`next` of the page before.")
    limit: int = Field(PAGE, ge=1, le=1000)


class ObjectsQuery(Page):
    """Which objects."""

    q: str | None = Field(None, max_length=200, description="Text that the name or description holds.")
    group: str | None = Field(None, max_length=63, description="Nodes in that group; checks and logs assigned to it.")
    label: Pairs = Field([], description="KEY=VALUE; nodes that have them all.")


class FindQuery(Query):
    """Which nodes; everything given must match."""

    name: str | None = Field(None, max_length=63, description="* and ? stand for any text.")
    address: str | None = Field(None, max_length=255)
    group: str | None = Field(None, max_length=63)
    label: Pairs = Field([], description="KEY=VALUE; nodes that have them all.")


class BundleQuery(Query):
    """Which bundle."""

    revision: int | None = Field(None, ge=1, le=HIGHEST, description="As it was at that revision; by default as it is.")


class ApplyQuery(Query):
    """How to apply."""

    dry_run: bool = Field(False, description="Change nothing; say what would.")
    why: str = Field("", max_length=500, description="A word for the history.")
    file: str = Field("", max_length=200, description="The file's name, for the errors' sake.")


class Login(Body):
    """Who somebody says to be. `address` is where the person comes from."""

    name: str = Field(max_length=63)
    password: str = Field(max_length=500)
    address: str = Field("", max_length=255)


class Enrolment(Body):
    """A node that shows the enrolment key."""

    key: str = Field(max_length=200)
    node: str = Field(max_length=63)
    address: Address | None = Field(None, description="Where others reach it, if the registry does not say.")


class Deed(Body):
    """What somebody did on a node or to a program, told by its node server or by that program's server."""

    who: str = Field(min_length=1, max_length=200)
    action: Literal["run", "stop run", "answer run", "start program", "stop program", "restart program"]
    what: str = Field(min_length=1, max_length=500)
    at: int | None = Field(None, ge=0, le=2**62, description="When, in µs since 1970; by default now, and never later.")
    via: str | None = Field(
        None, max_length=200, description="The server that was asked; by default the one that tells."
    )
    address: str | None = Field(None, max_length=100, description="Where they were, if that is known.")
    ticket: str | None = Field(
        None,
        max_length=4096,
        description="What a node server was shown for it: it proves who, by way of what, and from where.",
    )


class Wanted(Body):
    """A ticket that somebody wants."""

    node: str = Field(max_length=63, description="The node whose server it is for.", examples=["web-1"])
    may: str = Field(
        "GET", max_length=600, description="GET, to look; or a single deed: a method and a path.",
        examples=["POST /api/v1/runs"],
    )  # fmt: skip


class Refusal(Body):
    """Somebody whom another server refused."""

    who: str = Field(min_length=1, max_length=200)
    address: str | None = Field(None, max_length=255)
    what: str = Field(min_length=1, max_length=500)


class NewToken(Body):
    """A token to be."""

    name: Annotated[str, Field(pattern=r"^[\w][\w .@-]{0,99}$")]
    role: Literal["viewer", "operator", "admin", "node"]
    node: str | None = Field(None, max_length=63, description="For role node: the one it speaks for.")
    expires: str | None = Field(None, max_length=40, description="A time, or how long it lasts, such as 90d.")

    @field_validator("expires")
    @classmethod
    def _is_a_time(cls, given: str | None) -> str | None:
        if given is not None:
            expiry(given, clock.now())
        return given


class Password(Body):
    """A user's new password."""

    password: str = Field(max_length=500)


class Released(Body):
    """The bundle that a node is to be handed from now on."""

    revision: int = Field(ge=0, le=HIGHEST)
    files: dict[str, str] = Field(min_length=1, description="Text by name.")
    refused: str | None = Field(
        None, max_length=64, description="The digest of the bundle that the node was rolled back from."
    )
    why: str = Field("", max_length=2000, description="And the reason.")


class Order(Body):
    """A rollout to be."""

    action: Literal["rollout", "rollback"] = "rollout"
    limit: str = Field(
        "",
        max_length=500,
        pattern=r"^([A-Za-z0-9*!&][\w.,:*!&\[\]-]*)?$",
        description="Which nodes: names or groups, with commas between (Ansible's pattern).",
    )
    canary: int = Field(1, ge=1, le=MOST, description="How many nodes go first, and must be well before the others.")
    wait: float = Field(
        300.0,
        ge=0,
        le=86_400,
        description="So many seconds for runs of runbooks to end on a node whose node server starts anew; then it stops there.",
    )
    now: bool = Field(False, description="Do not wait for runs of runbooks: cut them off.")
    by_hand: bool = Field(
        False, description="Only take the lease: the one who asks runs the playbook and tells how it goes."
    )


class EventsQuery(Query):
    """Which events."""

    after: int | None = Field(None, ge=0, le=HIGHEST, description="`cursor` of the answer before.")
    wait: float = Field(0.0, ge=0, le=30, description="Wait so many seconds for one.")


class ToldEvent(Body):
    """How far a node is; or, with `ended`, that it is over, and whether all went well."""

    node: str | None = Field(None, max_length=63)
    state: (
        Literal["due", "current", "waiting", "cutting off", "staged", "applied", "healthy", "failed", "rolled back"]
        | None
    ) = None
    batch: int | None = Field(None, ge=0, le=MOST)
    revision: int | None = Field(None, ge=0, le=HIGHEST)
    detail: str | None = Field(None, max_length=20_000)
    diff: str | None = Field(None, max_length=200_000)
    ended: bool | None = None
    reason: str | None = Field(None, max_length=20_000)

    @model_validator(mode="after")
    def _says_something(self) -> "ToldEvent":
        if (self.node is None or self.state is None) == (self.ended is None):
            raise ValueError("give a node and its state, or ended")
        return self


class Told(Body):
    """What the one who rolls out tells; nothing is a sign of life."""

    events: list[ToldEvent] = Field([], max_length=2000)


class HealthQuery(Query):
    """What makes a node well."""

    revision: int | None = Field(None, ge=0, le=HIGHEST, description="The one that its node server must run.")
    heard_after: str | None = Field(
        None, max_length=40, description="The monitor must have heard from it since (`heard`)."
    )
    own: bool = Field(True, description="Whether to ask its node server, too.")

    @field_validator("heard_after")
    @classmethod
    def _is_a_time(cls, given: str | None) -> str | None:
        if given is not None:
            _moment(given)
        return given


def labels(given: list[str]) -> dict[str, str]:
    """Return labels given as KEY=VALUE."""
    return dict(each.split("=", 1) for each in given)


def expiry(given: str, at: int) -> int:
    """Given a time, or how long from `at`, return the moment in microseconds since 1970. Raise ValueError if it is neither."""
    try:
        seconds = clock.parse_duration(given)
    except ValueError:
        moment = _moment(given)
    else:
        moment = at + int(min(seconds, 1e12) * 1_000_000)
    if not at < moment <= _LAST:
        raise ValueError(f"{given!r} is not a time to come, within the next thousand years or so")
    return moment


def _moment(given: str) -> int:
    try:
        return clock.parse_rfc3339(given)
    except (ValueError, OverflowError):
        raise ValueError(f"{given!r} is neither a time nor a duration; write for example 90d or 2027-01-31") from None
