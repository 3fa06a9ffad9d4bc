"""What an answer of a node server must hold, in pydantic's words: what somebody here reads of it, and no more.

More keys are welcome. Each list and text has an end, so that no page is made of a million rows.
"""

import re
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, RootModel, StringConstraints, Tag

from nodeward.core import clock

Row = dict[str, Any]
MB = 1024 * 1024


def _time(given: str) -> str:
    try:
        clock.rfc3339(clock.parse_rfc3339(given))
    except OverflowError:
        raise ValueError("it is no time of ours") from None
    return given


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
ProgramName = Annotated[str, StringConstraints(pattern=r"^[\w.@:-]{1,100}$")]
State = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,40}$")]
Word = Annotated[str, StringConstraints(max_length=2000)]
Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,16}$")]
Time = Annotated[str, AfterValidator(_time)]
Number = Annotated[float, Field(ge=-(2.0**64), le=2.0**64)]
Whole = Annotated[int, Field(ge=-(2**63), le=2**64)]
Moment = Annotated[int, Field(ge=0, le=2**53)]  # µs since 1970


class Told(BaseModel):
    """Something that is told."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Anything(RootModel[Row]):
    """What nobody here reads closely."""


class Run(Told):
    """A run, as a list has it."""

    id: Name
    runbook: Name
    by: str
    state: State
    started: Time
    detail: str = ""
    parameters: Row = {}


class Runs(Told):
    """Runs, newest first."""

    items: list[Run]
    next: str | None = None


class Step(Told):
    """A step of a run."""

    path: Word
    title: str
    state: State
    detail: str = ""


class Ask(Told):
    """What a run asks."""

    ask: Word
    question: str
    kind: Word
    choices: list[str] = Field(max_length=1000)
    default: str | None


class WholeRun(Run):
    """A run with all there is to know of it."""

    parameters: Row
    steps: list[Step] = Field(max_length=10_000)
    ask: Ask | None


class _Event(Told):
    at: Moment
    type: Word


class _Begin(_Event):
    class Step(Told):
        path: Word
        title: str

    steps: list[Step] = Field(max_length=10_000)


class _Step(_Event, Step):
    attempt: Whole = 1


class _Text(_Event):
    text: str
    node: Word | None = None


class _Asked(_Event, Ask):
    until: Time


class _Answered(_Event):
    by: str | None
    answer: str | None


class _Stopping(_Event):
    by: str


class _End(_Event):
    state: State
    detail: str


_AnyEvent = (
    Annotated[_Begin, Tag("begin")]
    | Annotated[_Step, Tag("step")]
    | Annotated[_Text, Tag("output")]
    | Annotated[_Text, Tag("note")]
    | Annotated[_Asked, Tag("ask")]
    | Annotated[_Answered, Tag("answered")]
    | Annotated[_Stopping, Tag("stopping")]
    | Annotated[_End, Tag("end")]
    | Annotated[_Event, Tag("other")]
)
_KINDS = {each.__metadata__[0].tag for each in get_args(_AnyEvent)}


def _kind(event: Any) -> str:
    kind = event.get("type") if isinstance(event, dict) else None
    return kind if isinstance(kind, str) and kind in _KINDS else "other"


Event = Annotated[_AnyEvent, Discriminator(_kind)]


class Output(Told):
    """A page of a run's journal."""

    items: list[Event]
    cursor: Digits
    state: State


class Program(Told):
    """One of supervisor's programs."""

    name: ProgramName
    state: State
    pid: Whole | None
    since: Time | None
    spawn_error: str
    exit_status: Whole | None


class Programs(Told):
    """All of them; `supervisor` is new."""

    items: list[Program] = Field(max_length=5000)
    supervisor: Word = ""


class ProgramLog(Told):
    """The end of what one printed."""

    log: str


class Result(Told):
    """What a check found."""

    node: Word
    service: Word | None
    state: Literal["OK", "WARNING", "CRITICAL", "UNKNOWN", "UP", "DOWN", "UNREACHABLE", "PENDING"]
    output: str
    long_output: str
    duration: Number


class Ping(Told):
    """How far one gets."""

    class Step(Told):
        """A step of the way."""

        step: Word
        ok: bool
        seconds: Number
        detail: str

    address: Word
    reachable: bool
    answers: bool | None
    steps: list[Step] = Field(max_length=100)


class Hello(Told):
    """Who is there."""

    node: Word


class Rotated(Told):
    """The id of a new credential."""

    token: Name


class Placed(Told):
    """What lies on a node's disk, and how its programs are."""

    class Program(Told):
        """One of them."""

        name: ProgramName
        state: State

    files: dict[Name, str] = Field(max_length=100)
    before: dict[Name, str] | None = None
    digest: Word
    running: Whole | None = None
    faults: list[str] = Field([], max_length=1000)
    programs: list[Program] = Field([], max_length=5000)


class Changed(Told):
    """Which files are others now."""

    changed: list[Name] = Field(max_length=100)


class Drained(Told):
    """The runs that a rollout waits for."""

    class Run(Told):
        """One of them."""

        id: Name | None
        runbook: Name | None
        by: str | None
        started: Time

    ends_runs: bool
    runs: list[Run] = Field(max_length=10_000)


class Lifted(Told):
    """Whether new runs were refused until now."""

    lifted: bool


class Restarted(Told):
    """Which programs were started anew."""

    updated: list[ProgramName] = Field(max_length=5000)
    restarted: list[ProgramName] = Field(max_length=5000)


class Info(Told):
    """Server information: what could not be found out is null, what a node server does not know yet is left out."""

    class System(Told):
        """The machine."""

        hostname: Word | None = None
        os: Word | None = None
        kernel: Word | None = None
        architecture: Word | None = None
        model: Word | None = None
        virtualisation: Word | None = None
        timezone: Word | None = None
        uptime: Number | None = None
        booted: Time | None = None
        users: Whole | None = None

    class Cpu(Told):
        """The processors."""

        model: Word | None = None
        cpus: Whole | None = None
        usable: Whole | None = None
        cores: Whole | None = None
        mhz: Number | None = None
        percent: Number | None = None
        load: list[Number] | None = Field(None, max_length=10)

    class Memory(Told):
        """Memory and swap."""

        used: Number | None = None
        total: Number | None = None
        percent: Number | None = None
        available: Number | None = None
        cached: Number | None = None
        buffers: Number | None = None
        limited: bool | None = None
        swap_total: Number | None = None
        swap_used: Number | None = None
        swap_percent: Number | None = None

    class Disk(Told):
        """A file system."""

        path: Word | None = None
        device: Word | None = None
        type: Word | None = None
        used: Number | None = None
        available: Number | None = None
        total: Number | None = None
        percent: Number | None = None
        inodes_percent: Number | None = None

    class Interface(Told):
        """An interface."""

        name: Word | None = None
        mac: Word | None = None
        up: bool | None = None
        mbit: Number | None = None
        addresses: list[Word] | None = Field(None, max_length=1000)
        received: Number | None = None
        sent: Number | None = None
        errors: Number | None = None

    class Processes(Told):
        """The largest of so many."""

        class Process(Told):
            """A process."""

            pid: Whole | None = None
            name: Word | None = None
            user: Word | None = None
            memory: Number | None = None
            cpu_seconds: Number | None = None
            started: Time | None = None
            command: Word | None = None

        count: Whole | None = None
        top: list[Process] | None = Field(None, max_length=1000)

    class NodeServer(Told):
        """How the node server itself is doing."""

        class Executed(Told):
            """Checks that were run."""

            builtin: Whole | None = None
            external: Whole | None = None

        class Spool(Told):
            """Results that wait."""

            pending: Whole | None = None
            bytes: Number | None = None
            dropped: Whole | None = None

        revision: Whole | None = None
        uptime: Number | None = None
        checks: Whole | None = None
        timed_out: Whole | None = None
        late: Whole | None = None
        executed: Executed | None = None
        spool: Spool | None = None
        faults: list[Any] | None = Field(None, max_length=1000)

    system: System | None = None
    cpu: Cpu | None = None
    memory: Memory | None = None
    disks: list[Disk] | None = Field(None, max_length=2000)
    network: list[Interface] | None = Field(None, max_length=5000)
    processes: Processes | None = None
    services: list[Annotated[Row, Field(max_length=20)]] | None = Field(None, max_length=5000)
    nodeserver: NodeServer | None = None


class Answer(NamedTuple):
    """What a call answers, in so many bytes at most."""

    call: re.Pattern[str]
    form: type[BaseModel]
    most: int = MB


def _call(method: str, path: str, form: type[BaseModel], most: int = MB) -> Answer:
    pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(f"{method} /api/v1/{path}"))
    return Answer(re.compile(pattern, re.DOTALL), form, most)


ANSWERS = (
    _call("GET", "info", Info, 4 * MB),
    _call("GET", "programs", Programs),
    _call("GET", "programs/{name}/log", ProgramLog, 8 * MB),
    *(_call("POST", f"programs/{{name}}/{action}", Program) for action in ("start", "stop", "restart")),
    _call("GET", "runs", Runs, 32 * MB),
    _call("POST", "runs", WholeRun, 8 * MB),
    _call("GET", "runs/{id}", WholeRun, 8 * MB),
    _call("GET", "runs/{id}/output", Output, 8 * MB),
    _call("POST", "runs/{id}/stop", WholeRun, 8 * MB),
    _call("POST", "runs/{id}/answers", WholeRun, 8 * MB),
    _call("GET", "peers/{name}/ping", Ping),
    _call("GET", "peers/hello", Hello),
    _call("POST", "token/rotate", Rotated),
    _call("GET", "bundle", Placed, 32 * MB),
    _call("PUT", "bundle", Changed),
    _call("PUT", "bundle/drain", Drained, 8 * MB),
    _call("DELETE", "bundle/drain", Lifted),
    _call("POST", "bundle/programs", Restarted),
    Answer(re.compile(r"POST /api/v1/checks/.+/run", re.DOTALL), Result, 8 * MB),
)
OTHER = Answer(re.compile(""), Anything, 32 * MB)


def answer_to(method: str, path: str) -> Answer:
    """Return what a call of a node server answers."""
    call = f"{method} {path}"
    return next((each for each in ANSWERS if each.call.fullmatch(call)), OTHER)
