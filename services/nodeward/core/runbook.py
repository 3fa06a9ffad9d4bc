"""What a runbook may say: declared once, for the config server that verifies it and the node server that carries it out.

`Plan` is the object's own keys. What is asked before it begins is in `runbook_parameters`; where expressions may stand and which
names they have in `runbook_names`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    model_validator,
)

from nodeward.core import runbook_paths
from nodeward.core.checks import Duration, Port
from nodeward.core.runbook_parameters import Parameter, Part, Pattern, Text
from nodeward.core.sizes import Size

MOST_STEPS = 200
MOST_PARAMETERS = 50
_DAY = 86400.0


def _lasting(seconds: float) -> float:
    if not 0 < seconds <= 7 * _DAY:
        raise ValueError("it must be more than 0 seconds and at most a week")
    return seconds


def _copy_path(given: str) -> str:
    if (fault := runbook_paths.fault(given)) is not None:
        raise ValueError(fault)
    return given


Word = Annotated[str, StringConstraints(max_length=65536, pattern=r"^[^\x00]*$")]
CopyPath = Annotated[Word, AfterValidator(_copy_path)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
Span = Annotated[Duration, AfterValidator(_lasting)]
Words = Annotated[list[Word], Field(min_length=1, max_length=1000)]
Environment = dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Word]


class Case(Part):
    """What may come in a dialogue, and what is answered."""

    pattern: Pattern = Field(
        description="An RE2 pattern, looked for in the text as a person sees it: without colours.",
        examples=["[Pp]assword: "],
    )
    send: Text | None = Field(None, description="The line that is typed then.", examples=["{{ password }}"])
    enter: bool = Field(True, description="Whether the line is followed by the enter key.")
    secret: bool = Field(
        False, description="Whether what is sent is a secret, though it comes from no secret parameter."
    )
    key: Literal["enter", "tab", "escape", "ctrl-c", "ctrl-d", "ctrl-z", "up", "down", "space"] | None = Field(
        None, description="A key that is pressed instead.", examples=["ctrl-d"]
    )
    then: Name = Field(
        "next", description="Where the dialogue goes on: next, again (the same turn), done, or a turn's name."
    )
    fail: Text | None = Field(
        None, description="The step fails, with this sentence.", examples=["the password was refused"]
    )

    @model_validator(mode="after")
    def _does_one_thing(self) -> "Case":
        if sum(given is not None for given in (self.send, self.key, self.fail)) > 1:
            raise ValueError("give one of send, key and fail")
        return self


class Turn(Case):
    """One turn of a dialogue: one pattern with its answer, or several `cases` of which the first to come counts."""

    pattern: Pattern | None = Field(None, description="What is waited for.")  # type: ignore[assignment]
    cases: list[Case] = Field([], max_length=50, description="Several patterns, each with its answer.")
    name: Name | None = Field(None, description="A name to go on at.")
    timeout: Span = Field(30.0, description="How long it may take until it comes.", examples=["30s"])
    optional: bool = Field(False, description="Whether the dialogue goes on with the next turn if it does not come.")

    @model_validator(mode="after")
    def _waits_for_something(self) -> "Turn":
        if (self.pattern is None) != bool(self.cases):
            raise ValueError("give either a pattern or cases")
        if self.cases and (self.send is not None or self.key is not None or self.fail is not None):
            raise ValueError("with cases, the answer stands in each case")
        return self

    def all_cases(self) -> list[Case]:
        """Return what may come."""
        if self.cases:
            return self.cases
        own = self.model_dump(include=set(Case.model_fields), exclude_unset=True)
        return [Case.model_validate(own)]


class Ssh(Part):
    """A program on another machine, by ssh; its host key is learnt at the first time and must be the same after."""

    node: Word | None = Field(None, description="A node; its address is looked up.", examples=["web-1"])
    host: Word | None = Field(None, description="Or any host, by name or address.", examples=["switch-1.example.net"])
    user: Word | None = Field(None, description="As whom.", examples=["admin"])
    port: Port | Word = Field(22, description="Where.", examples=[22])
    password: Word | None = Field(None, description="A secret parameter.", examples=["{{ password }}"])
    identity: Word | None = Field(
        None, description="The path of a private key on the node.", examples=["/root/.ssh/id_ed25519"]
    )
    known_hosts: Word | None = Field(
        None, description="The path of a file of host keys; by default the node server's own."
    )
    command: list[Word] = Field(
        [], max_length=1000, description="The program and its arguments, each quoted for the far shell; none: a log-in shell.",
        examples=[["uptime"]],
    )  # fmt: skip

    @model_validator(mode="after")
    def _goes_somewhere(self) -> "Ssh":
        if (self.node is None) == (self.host is None):
            raise ValueError("give either a node or a host")
        return self


class Place(Part):
    """A file on a node."""

    node: Word | None = Field(None, description="The node; by default the one that runs the step.", examples=["db-1"])
    path: CopyPath = Field(
        description="The file's absolute path; it begins with a fixed directory.",
        examples=["/var/backups/{{ name }}.sql"],
    )


class Copy(Part):
    """A file from one node to another, whole or not at all, its checksum compared at both ends."""

    source: Place = Field(alias="from", description="Which file.")
    to: Place = Field(description="Where to.")
    mode: Annotated[str, StringConstraints(pattern=r"^0?[0-7]{3}$")] | None = Field(
        None, description="Its permissions there; by default those it has here.", examples=["0640"]
    )
    max_size: Size | None = Field(
        None, description="How large it may be; by default what the nodes' settings say, 1 GiB.", examples=["20GiB"]
    )


class Call(Part):
    """Another runbook, on one or more nodes."""

    runbook: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] = Field(
        description="Its name.", examples=["open-zone-here"]
    )
    nodes: Annotated[Word | list[Word], Field()] = Field(
        description="The nodes: names, or a parameter that holds them.", examples=[["db-1", "db-2"]]
    )
    parameters: dict[Name, str | int | bool] = Field(
        {}, alias="with", description="What its parameters are.", examples=[{"zone": "{{ zone }}"}]
    )
    at_once: int = Field(1, ge=1, le=50, description="On how many nodes at the same time.", examples=[1])


class Ask(Part):
    """A question to the operator; the run waits for the answer."""

    question: Text = Field(description="What is asked.", examples=["The backup is 3 days old. Go on?"])
    type: Literal["choice", "string", "secret"] = Field("choice", description="What the answer is.")
    choices: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(
        ["yes", "no"], max_length=20, description="What may be answered."
    )
    default: str | None = Field(None, description="The answer if nobody gives one in time; without it the step fails.")
    timeout: Span = Field(3600.0, description="How long it waits.", examples=["1h"])
    go_on: list[str] | None = Field(
        None, description="The choices with which the run goes on; any other makes the step fail.", examples=[["yes"]]
    )

    @model_validator(mode="after")
    def _has_answers(self) -> "Ask":
        allowed = set(self.choices) if self.type == "choice" else None
        if allowed is None and self.go_on is not None:
            raise ValueError("`go_on` is for a question with choices")
        if allowed is not None and not {*(self.go_on or []), *([self.default] if self.default else [])} <= allowed:
            raise ValueError("`default` and `go_on` are among the choices")
        if self.type == "secret" and self.default is not None:
            raise ValueError("a secret has no default")
        return self


class WaitFor(Part):
    """A condition that is looked at again and again until it holds, or the step's timeout is over."""

    program: Word | None = Field(None, description="A program of this node's supervisor runs.", examples=["web"])
    url: Word | None = Field(
        None, description="A URL answers with `status`.", examples=["http://127.0.0.1:8080/healthz"]
    )
    status: int = Field(200, ge=100, le=599, description="The status that a URL answers with.")
    port: Port | Word | None = Field(None, description="A TCP port accepts connections.", examples=[5432])
    host: Word = Field("127.0.0.1", description="Where the port is.")
    path: Word | None = Field(None, description="A file or directory is there.", examples=["/run/db.pid"])
    run: Words | None = Field(None, description="A program ends with exit code 0.", examples=[["pg_isready"]])
    gone: bool = Field(False, description="Wait until it does not hold any more.")
    every: Span = Field(1.0, description="The time between two looks.", examples=["1s"])

    @model_validator(mode="after")
    def _waits_for_one_thing(self) -> "WaitFor":
        if sum(getattr(self, name) is not None for name in ("program", "url", "port", "path", "run")) != 1:
            raise ValueError("give one of program, url, port, path and run")
        return self


class Retry(Part):
    """A step that failed is tried again."""

    attempts: int = Field(3, ge=1, le=1000, description="How often it is tried at most.", examples=[5])
    delay: Span = Field(5.0, description="The time between two.", examples=["5s"])
    until: Text | None = Field(
        None, description="An expression that must be true as well; the step's result is `result`.",
        examples=["result.output == 'ready'"],
    )  # fmt: skip


ACTIONS = ("run", "shell", "ssh", "copy", "call", "ask", "wait_for")
_PROGRAMS = ("run", "shell", "ssh")


class Step(Part):
    """One step: exactly one of run, shell, ssh, copy, call, ask and wait_for, and what goes with it."""

    name: Text | None = Field(None, description="What it does, for people.", examples=["stop the old server"])
    run: Words | None = Field(
        None, description="A program and its arguments, on a terminal; no shell reads them.",
        examples=[["systemctl", "restart", "{{ service }}"]],
    )  # fmt: skip
    shell: Text | None = Field(
        None, description="A script for /bin/sh. Nothing is filled in: what it needs is handed over by `env`.",
        examples=['df -h "$TARGET" | tail -1'],
    )  # fmt: skip
    ssh: Ssh | None = Field(None, description="A program on another machine.")
    copy_: Copy | None = Field(None, alias="copy", description="A file from one node to another.")
    call: Call | None = Field(None, description="Another runbook on other nodes.")
    ask: Ask | None = Field(None, description="A question to the operator.")
    wait_for: WaitFor | None = Field(None, description="Something that must become true.")
    expect: list[Turn] = Field([], max_length=200, description="The dialogue with the program, turn by turn.")
    env: Environment = Field({}, description="Environment variables of the program.", examples=[{"LANG": "C"}])
    stdin: Text | None = Field(
        None, description="What the program reads; it then has no terminal to ask on.", examples=["select 1;"]
    )
    cwd: Word | None = Field(None, description="The directory it runs in.", examples=["/srv/app"])
    ok: list[Annotated[int, Field(ge=0, le=255)]] = Field(
        [0], min_length=1, description="The exit codes that are well."
    )
    timeout: Span = Field(600.0, description="How long the step may take, each time.", examples=["10m"])
    when: Text | None = Field(
        None, description="An expression; the step is skipped unless it is true.", examples=["probe.ok"]
    )
    register_: Name | None = Field(
        None, alias="register", description="The name of its result from here on.", examples=["probe"]
    )
    retry: Retry | None = Field(None, description="How a failed step is tried again.")
    on_error: Literal["fail", "continue"] = Field("fail", description="Whether the run goes on if it fails.")

    @property
    def action(self) -> str:
        """Which of ACTIONS it is."""
        return next(name for name in ACTIONS if self.does(name) is not None)

    def does(self, action: str) -> Any:
        """Return what stands at an action's key."""
        return self.copy_ if action == "copy" else getattr(self, action)

    @property
    def title(self) -> str:
        """What people see of it."""
        if self.name:
            return self.name
        what = self.does(self.action)
        match self.action:
            case "run":
                return " ".join(what)
            case "shell":
                return str(what).strip().partition("\n")[0]
            case "call":
                return f"call {what.runbook}"
            case "ask":
                return str(what.question)
            case "ssh":
                return " ".join(["ssh", what.node or what.host, *what.command])
            case "copy":
                return f"copy {what.source.path} to {what.to.node or 'this node'}"
        return "wait for " + next(n for n in ("program", "url", "port", "path", "run") if getattr(what, n) is not None)

    @model_validator(mode="after")
    def _does_one_thing(self) -> "Step":
        given = [name for name in ACTIONS if self.does(name) is not None]
        if len(given) != 1:
            raise ValueError(f"a step does one thing; give exactly one of {', '.join(ACTIONS)}")
        if given[0] not in _PROGRAMS:
            for key in ("expect", "env", "stdin", "cwd", "ok"):
                if key in self.model_fields_set and not (given[0] == "wait_for" and key in ("env", "cwd")):
                    raise ValueError(f"`{key}` goes with {', '.join(_PROGRAMS)}, not with {given[0]}")
        if self.stdin is not None and (self.expect or self.ssh):
            raise ValueError("`stdin` is for a program that is asked nothing: it goes neither with expect nor with ssh")
        names = [turn.name for turn in self.expect if turn.name]
        if len(names) != len(set(names)):
            raise ValueError("two turns of the dialogue have the same name")
        for turn in self.expect:
            for case in turn.all_cases():
                if case.then not in ("next", "again", "done", *names):
                    raise ValueError(f"the dialogue cannot go on at '{case.then}': there is no such turn")
        return self


class Plan(Part):
    """A runbook's own keys."""

    parameters: dict[Name, Parameter] = Field(
        {}, max_length=MOST_PARAMETERS, description="What is asked before it runs.",
        examples=[{"program": {"description": "which one"}}],
    )  # fmt: skip
    steps: list[Step] = Field(
        min_length=1, max_length=MOST_STEPS, description="What it does, one after the other.",
        examples=[[{"run": ["uptime"]}]],
    )  # fmt: skip
    always: list[Step] = Field(
        [], max_length=MOST_STEPS, description="Steps for the end, whether it went well, failed or was stopped.",
    )  # fmt: skip
    timeout: Span = Field(_DAY, description="How long a run may take altogether.", examples=["1h"])


def plan(body: Mapping[str, Any]) -> Plan:
    """Return the plan of a runbook object."""
    return Plan.model_validate({key: value for key, value in body.items() if key in Plan.model_fields})
