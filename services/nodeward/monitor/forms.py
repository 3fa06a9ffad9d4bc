"""What the monitor's routes take: queries and bodies, each checked before anything is done."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, RootModel, model_validator

from nodeward.core import clock
from nodeward.core import states as words
from nodeward.core.http import Body, Query

_MOST = 2**62  # what every store can count to
_STATES = (*words.SERVICE_STATES, *words.NODE_STATES, words.PENDING)


def _state_names(text: Any) -> tuple[str, ...]:
    given = text if isinstance(text, list | tuple) else [text]
    names = tuple(part.strip().upper() for one in given for part in str(one).split(",") if part.strip())
    if unknown := [name for name in names if name not in _STATES]:
        raise ValueError(f"{', '.join(unknown)} is no state; there are {', '.join(_STATES)}")
    return names


def _later(text: Any) -> int:
    """A moment to come: a duration means from now on, not before now."""
    cleaned = str(text).strip()
    try:
        return clock.parse_rfc3339(cleaned)
    except ValueError:
        pass
    try:
        return clock.now() + int(clock.parse_duration(cleaned.removeprefix("+")) * 1_000_000)
    except (ValueError, OverflowError):
        raise ValueError(f"{cleaned!r} is not a time; write for example 2026-11-23T09:05:00Z, 30m or 2h") from None


def _expiry(given: Any) -> Any:
    return given if given in (None, "never") else _within_reach(_later(given))


def _within_reach(moment: int) -> int:
    if not 0 <= moment < 253_402_300_800_000_000:
        raise ValueError("a time lies between the years 1970 and 9999")
    return moment


def _whole(text: str) -> str:
    """Half a character (a lone surrogate) can be written in JSON, but nowhere else."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half a character, which cannot be stored") from None
    return text


Past = Annotated[int, BeforeValidator(lambda text: clock.parse_moment(str(text))), AfterValidator(_within_reach)]
Later = Annotated[int, BeforeValidator(_later), AfterValidator(_within_reach)]
Expiry = Annotated[int | Literal["never"] | None, BeforeValidator(_expiry)]
States = Annotated[tuple[str, ...], BeforeValidator(_state_names)]
Name = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_whole)]
Comment = Annotated[str, Field(max_length=2000), AfterValidator(_whole)]


class StatesQuery(Query):
    """Which states. With `after`, the rows changed since that sequence number, as they are now."""

    node: str | None = None
    service: str | None = None
    state: States | None = Field(None, description="One or more, by commas.", json_schema_extra={"type": "string"})
    problems: bool | None = None
    acknowledged: bool | None = None
    in_downtime: bool | None = None
    handled: bool | None = Field(None, description="Acknowledged, in downtime, or behind another problem.")
    kind: Literal["node", "service"] | None = None
    group: str | None = None
    q: str | None = Field(None, description="Part of a node's or service's name, or of the output.")
    sort: Literal["worst", "node", "service", "since", "last_check"] = "worst"
    cursor: str | None = None
    limit: int = Field(200, ge=1, le=5000)
    after: int | None = Field(None, ge=0, le=_MOST)
    wait: float = Field(0.0, ge=0, le=30)


class EventsQuery(Query):
    """Which events. With `after`, those behind that id, oldest first; else newest first, before `before`."""

    after: int | None = Field(None, ge=0, le=_MOST)
    before: int | None = Field(None, ge=0, le=_MOST)
    wait: float = Field(0.0, ge=0, le=30)
    node: str | None = None
    service: str | None = None
    own: bool = Field(False, description="Of the node itself alone, none of its services'.")
    type: str | None = Field(
        None, description="state, acknowledgement, downtime, flapping, notification, …: by commas."
    )
    since: Past | None = Field(None, json_schema_extra={"type": "string"})
    until: Past | None = Field(None, json_schema_extra={"type": "string"})
    limit: int = Field(100, ge=1, le=5000)

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if self.after is not None and self.before is not None:
            raise ValueError("give `after` or `before`, not both")
        return self


class NotificationsQuery(Query):
    """Which notifications, newest first."""

    before: int | None = Field(None, ge=0, le=_MOST)
    node: str | None = None
    service: str | None = None
    limit: int = Field(100, ge=1, le=1000)


class RangeQuery(Query):
    """A range of time; without it, the last 24 hours."""

    node: str | None = None
    service: str | None = None
    since: Past | None = Field(None, alias="from", json_schema_extra={"type": "string"})
    until: Past | None = Field(None, alias="to", json_schema_extra={"type": "string"})

    def range(self, now: int) -> tuple[int, int]:
        """Return (since, until) in µs since 1970."""
        until = now if self.until is None else self.until
        return (until - 86_400_000_000 if self.since is None else self.since), until


class PerfdataQuery(RangeQuery):
    """Which series. Without `step`, as fine as some 2,000 points allow."""

    node: Name
    label: str | None = None
    step: Literal["raw", "5m", "1h"] | None = None


class AvailabilityQuery(RangeQuery):
    """Of one service or node; without either, of every node."""

    group: str | None = None


class AckBody(Body):
    """A problem to acknowledge. `expires` is a time, a duration from now, or `never`."""

    node: Name
    service: Name | None = None
    comment: Comment = ""
    expires: Expiry = Field(None, json_schema_extra={"type": "string"})
    sticky: bool = Field(True, description="Holds until the problem is over; else until its state changes.")

    @property
    def key(self) -> tuple[str, str | None]:
        """What is meant."""
        return self.node, self.service


class KeyQuery(Query):
    """One node (without `service`) or service; several are given in the body instead."""

    node: Name | None = None
    service: Name | None = None


class KeyBody(Body):
    """One node or service."""

    node: Name
    service: Name | None = None


class DowntimeBody(Body):
    """Planned work. `from` is now if it is left out; `to` is a time, or a duration from now."""

    node: Name
    service: Name | None = None
    begin: Later | None = Field(None, alias="from", json_schema_extra={"type": "string"})
    until: Later = Field(alias="to", json_schema_extra={"type": "string"})
    comment: Comment = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.begin is not None and self.until <= self.begin:
            raise ValueError("`to` must lie behind `from`")
        return self


def _as_list(given: Any) -> Any:
    return given if isinstance(given, list) else [given]


class AckBodies(RootModel[Annotated[list[AckBody], BeforeValidator(_as_list), Field(min_length=1, max_length=5000)]]):
    """One, or a list."""


class KeyBodies(RootModel[Annotated[list[KeyBody], BeforeValidator(_as_list), Field(min_length=1, max_length=5000)]]):
    """One, or a list."""


class DowntimeBodies(
    RootModel[Annotated[list[DowntimeBody], BeforeValidator(_as_list), Field(min_length=1, max_length=5000)]]
):
    """One, or a list."""


class DowntimePath(BaseModel):
    """Which downtime."""

    id: int = Field(ge=0, le=_MOST)
