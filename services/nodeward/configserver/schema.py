"""The kinds of objects and what each may say: one declaration verifies it, documents it and gives its defaults.

What holds between objects (a contact that is named but not there) is `verify`'s.
"""

import re
import zoneinfo
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from nodeward.configserver.assign import Assign, as_text
from nodeward.core import checks, formats, hours, runbook
from nodeward.core.checks import Duration
from nodeward.core.errors import BadInput
from nodeward.store import patterns

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_ADDRESS = r"[A-Za-z0-9:][A-Za-z0-9._:%-]{0,254}"


def _named(given: str) -> str:
    if not re.fullmatch(_NAME, given):
        raise ValueError(
            f"{given!r} is no name; use letters, digits, '.', '_' and '-', begin with a letter or digit, 63 at most"
        )
    return given


def _reached_at(given: str) -> str:
    if not re.fullmatch(_ADDRESS, given):
        raise ValueError(f"{given!r} is neither an address nor a host name")
    return given


def _lasting(seconds: float) -> float:
    if not 0 < seconds <= _LONGEST:
        raise ValueError("it must be more than 0 seconds and at most a year")
    return seconds


Span = Annotated[Duration, AfterValidator(_lasting)]
Name = Annotated[str, AfterValidator(_named), Field(json_schema_extra={"pattern": f"^{_NAME}$"})]
Names = Annotated[list[Name], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)]
Labels = Annotated[
    dict[Name, str],
    BeforeValidator(
        lambda given: {key: as_text(value) for key, value in given.items()} if isinstance(given, dict) else given
    ),
]
Address = Annotated[str, AfterValidator(_reached_at), Field(json_schema_extra={"pattern": f"^{_ADDRESS}$"})]
Text = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\x00]*$")]
State = Literal["WARNING", "CRITICAL", "UNKNOWN", "DOWN", "UNREACHABLE"]
STATES: tuple[State, ...] = ("WARNING", "CRITICAL", "UNKNOWN", "DOWN", "UNREACHABLE")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LONGEST = 366 * 86400.0


class Object(BaseModel):
    """What every object has. An unknown key is an error, not silence."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    name: Name = Field(description="Its name, unique within the kind.", examples=["web-1"])
    description: Text = Field("", description="For people.", examples=["the front door"])


class Probe(BaseModel):
    """What is run: a built-in plugin with arguments, or a command (a program and its arguments, no shell)."""

    model_config = ConfigDict(extra="forbid")

    plugin: str | None = Field(None, description="A built-in plugin (docs/checks).", examples=["disk"])
    args: dict[str, Any] = Field({}, description="The plugin's arguments.", examples=[{"path": "/", "warning": 80}])
    command: Text | list[Text] | None = Field(
        None,
        description="An external plugin, as a line or a list of words; {{ node.address }} and the like are filled in.",
        examples=["check_http -H {{ node.address }}"],
    )
    env: dict[str, Text] = Field({}, description="Environment variables of the command.", examples=[{"LANG": "C"}])
    timeout: Span = Field(10.0, description="How long it may take before it is ended.", examples=["10s"])

    @model_validator(mode="after")
    def _runs_one_thing(self) -> "Probe":
        if (self.plugin is None) == (not self.command):
            raise ValueError("give either a plugin or a command")
        if self.plugin is not None and self.plugin not in checks.ARGUMENTS:
            raise ValueError(f"there is no built-in plugin '{self.plugin}'; there are {', '.join(checks.ARGUMENTS)}")
        return self


Delivery = Literal["pull", "rollout"]


class Node(Object):
    """A watched machine."""

    kind: Literal["node"] = "node"
    address: Address | None = Field(
        None, description="Where others reach it: an address or a host name.", examples=["10.0.0.11"]
    )
    agent: bool = Field(
        True, description="Whether a node server runs there; false for a switch, a printer, a web site."
    )
    checked_from: Name | None = Field(
        None, description="The node that runs the checks of a machine without a node server.", examples=["web-1"]
    )
    groups: Names = Field([], description="The groups it is in.", examples=[["linux", "web"]])
    parents: Names = Field(
        [], description="What lies between it and the monitor: with all of them down it is UNREACHABLE, not DOWN.",
        examples=[["switch-1"]],
    )  # fmt: skip
    labels: Labels = Field({}, description="Anything else to choose it by.", examples=[{"dc": "sh"}])
    contacts: Names = Field([], description="Who is told about it and all its services.", examples=[["on-call"]])
    notify: list[State] = Field(["DOWN", "UNREACHABLE"], description="The states that somebody is told of.")
    check: Probe | None = Field(
        None, description="How it is found to be up: by default its node server's own sign of life, else a ping."
    )
    interval: Span = Field(60.0, description="Time between two looks at whether it is up.", examples=["60s"])
    retry: Span = Field(15.0, description="The same while it is not certain that it is down.", examples=["15s"])
    attempts: int = Field(3, ge=1, le=100, description="How many looks make it certain.", examples=[3])
    delivery: Delivery | None = Field(
        None,
        description="How a change reaches it: pull, at once and by itself; rollout, when one is rolled out to it. By default its "
        "groups say, else NODEWARD_CONFIGSERVER_DELIVERY.",
        examples=["rollout"],
    )

    @model_validator(mode="after")
    def _is_checked_by_somebody(self) -> "Node":
        if not self.agent and not self.checked_from:
            raise ValueError("a node with `agent: false` needs `checked_from`: the node that runs its checks")
        if not self.agent and not self.address:
            raise ValueError("a node with `agent: false` needs an `address` to be checked at")
        if self.agent and self.checked_from:
            raise ValueError("`checked_from` is for nodes with `agent: false`; this one has a node server of its own")
        return self


class Group(Object):
    """A group of nodes. Naming a group in a node is enough to have it; an object of its own describes it."""

    kind: Literal["group"] = "group"
    contacts: Names = Field([], description="Who is told about its nodes and their services.", examples=[["on-call"]])
    delivery: Delivery | None = Field(
        None,
        description="How a change reaches its nodes; with several groups that say, rollout goes before pull.",
        examples=["rollout"],
    )


class Check(Probe, Object):
    """A service of every node it is assigned to."""

    kind: Literal["check"] = "check"
    assign: Assign = Field(
        description="Which nodes it is for; everything given must match.", examples=[{"groups": ["linux"]}]
    )
    interval: Span = Field(60.0, description="Time between two runs.", examples=["60s"])
    retry: Span | None = Field(
        None,
        description="The same while a problem is not certain yet; by default 15 s or the interval.",
        examples=["15s"],
    )
    attempts: int = Field(3, ge=1, le=100, description="How many runs make a problem certain (hard).", examples=[3])
    volatile: bool = Field(False, description="Tell of every problem result, not only of the first.")
    contacts: Names = Field([], description="Who is told, beside the node's and groups' contacts.", examples=[["dba"]])
    notify: list[State] = Field(["WARNING", "CRITICAL", "UNKNOWN"], description="The states that somebody is told of.")


class Pattern(BaseModel):
    """A format of one's own."""

    model_config = ConfigDict(extra="forbid")

    pattern: Text = Field(
        min_length=1, description="An RE2 pattern with named groups.", examples=["(?P<time>\\S+) (?P<message>.*)"]
    )

    @field_validator("pattern")
    @classmethod
    def _is_re2(cls, given: str) -> str:
        return _re2(given)


class Log(Object):
    """A log source of every node it is assigned to."""

    kind: Literal["log"] = "log"
    assign: Assign = Field(
        description="Which nodes it is for; everything given must match.", examples=[{"groups": ["linux"]}]
    )
    paths: Annotated[list[Text], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)] = Field(
        min_length=1, description="The files, as absolute paths or globs.", examples=[["/var/log/auth.log"]]
    )
    exclude: list[Text] = Field([], description="Globs of files to leave out.", examples=[["/var/log/*.gz"]])
    format: str | Pattern = Field("raw", description=f"{', '.join(formats.NAMES)}, or a pattern.", examples=["syslog"])
    timezone: str | None = Field(None, description="The zone of times that name none.", examples=["Europe/Berlin"])
    encoding: str | None = Field(
        None, description="The files' encoding, where it is not UTF-8.", examples=["utf-16-le"]
    )
    fields: dict[str, Any] = Field({}, description="Fields that every record gets.", examples=[{"tier": "front"}])
    multiline: formats.MultilineSetting = Field(
        None,
        description="Which lines belong to one record (docs/formats.md); by default the format knows: log4j goes by `time`.",
        examples=[{"start": "^\\d{4}-"}],
    )

    @field_validator("paths", "exclude")
    @classmethod
    def _are_absolute(cls, given: list[str]) -> list[str]:
        relative = [path for path in given if not path.startswith("/")]
        if relative:
            raise ValueError(
                f"{relative[0]!r} is not an absolute path: a node server has no place of its own to start from"
            )
        return given

    @field_validator("format")
    @classmethod
    def _is_known(cls, given: str | Pattern) -> str | Pattern:
        if isinstance(given, str) and given not in formats.NAMES:
            raise ValueError(f"{given!r} is no format; there are {', '.join(formats.NAMES)} and {{pattern: '…'}}")
        return given

    @field_validator("multiline")
    @classmethod
    def _tells_by_re2(cls, given: bool | str | formats.Multiline | None) -> bool | str | formats.Multiline | None:
        if isinstance(given, formats.Multiline):
            _re2(given.pattern)
        return given

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, given: str | None) -> str | None:
        return _zone(given) if given is not None else None

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, given: str | None) -> str | None:
        if given is not None and not _tells_lines_apart(given):
            raise ValueError(f"{given!r} cannot be followed; write for example utf-16-le, latin-1 or shift_jis")
        return given


class Runbook(runbook.Plan, Object):
    """Steps that a node server carries out, dialogues with programs among them."""

    kind: Literal["runbook"] = "runbook"


class Contact(Object):
    """Somebody to tell."""

    kind: Literal["contact"] = "contact"
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")] | None = Field(
        None, description="An e-mail address.", examples=["on-call@example.org"]
    )
    urls: list[Text] = Field(
        [], description="Other ways to tell, as Apprise URLs.", examples=[["json://localhost:8080/"]]
    )
    period: Name | None = Field(None, description="When it may be told; always, by default.", examples=["office-hours"])

    @model_validator(mode="after")
    def _can_be_told(self) -> "Contact":
        if not self.email and not self.urls:
            raise ValueError("give an email or at least one of urls: else nobody can be told")
        return self


class Match(BaseModel):
    """What a route is for; everything given must match."""

    model_config = ConfigDict(extra="forbid")

    groups: Names = Field([], description="In one of these groups.", examples=[["web"]])
    labels: Labels = Field({}, description="With all of these labels.", examples=[{"dc": "sh"}])
    nodes: list[Text] = Field([], description="* and ? stand for any text.", examples=[["web-*"]])
    services: list[Text] = Field([], description="* and ? stand for any text.", examples=[["disk-*"]])
    states: list[State] = Field([], description="In one of these states.", examples=[["CRITICAL", "DOWN"]])


class Route(Object):
    """Tells contacts about whatever matches, wherever it is defined."""

    kind: Literal["route"] = "route"
    match: Match = Field(
        default_factory=lambda: Match.model_validate({}),
        description="What it is for: groups, labels, nodes, services, states.",
    )
    contacts: Names = Field(min_length=1, description="Who is told.", examples=[["on-call"]])
    period: Name | None = Field(None, description="When; always, by default.", examples=["office-hours"])


class Period(Object):
    """Hours of the week."""

    kind: Literal["period"] = "period"
    timezone: str = Field("UTC", description="The time zone of the hours.", examples=["Europe/Berlin"])
    ranges: dict[Literal[DAYS], list[str]] = Field(  # type: ignore[valid-type]
        description="Per weekday, the hours; 22:00-06:00 ends on the next day.",
        examples=[{"monday": ["09:00-12:00", "13:00-17:30"]}],
    )

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, given: str) -> str:
        return _zone(given)

    @field_validator("ranges")
    @classmethod
    def _are_hours(cls, given: dict[str, list[str]]) -> dict[str, list[str]]:
        for text in (text for ranges in given.values() for text in ranges):
            hours.parse(text)
        return given


class User(Object):
    """Somebody who logs in. The password is kept apart: `nodeward user passwd NAME`."""

    kind: Literal["user"] = "user"
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.@-]{0,62}$")] = Field(
        description="The name to log in with.", examples=["ada"]
    )
    role: Literal["viewer", "operator", "admin"] = Field(
        "viewer", description="viewer looks; operator acts on problems and configures; admin also manages people."
    )
    email: str | None = Field(None, description="For people.", examples=["ada@example.org"])
    disabled: bool = Field(
        False, description="Not let in for now: logins end, the password stays for later.", examples=[True]
    )


KINDS: dict[str, type[Object]] = {
    "node": Node,
    "group": Group,
    "check": Check,
    "log": Log,
    "runbook": Runbook,
    "contact": Contact,
    "route": Route,
    "period": Period,
    "user": User,
}


def _zone(given: str) -> str:
    try:
        zoneinfo.ZoneInfo(given)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{given!r} is not a time zone; write for example Europe/Berlin or UTC") from None
    return given


def _re2(given: str) -> str:
    try:
        patterns.pattern(given)
    except BadInput as error:
        raise ValueError(error.detail) from None
    return given


def _tells_lines_apart(encoding: str) -> bool:
    """tailflog cuts bytes at line ends before it decodes: what has line ends of its own, it cannot read."""
    try:
        "".encode(encoding)
    except (LookupError, UnicodeError, ValueError):
        return False
    return not encoding.strip().lower().replace("_", "-").startswith(("utf-32", "utf32", "utf-7"))
