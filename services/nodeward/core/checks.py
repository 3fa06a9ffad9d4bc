"""The built-in plugins and their arguments: declared once, for the config server that verifies and the node server that runs.

`ARGUMENTS` is the table. A new plugin adds its model here, a module of the same name in nodeserver/checks and a page in
docs/checks (docs/how-to/add-a-check.md has the list).
"""

import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import WithJsonSchema

from nodeward.core import clock
from nodeward.core.errors import BadInput, Problem
from nodeward.core.faults import problems_of
from nodeward.core.ranges import Threshold, TimeThreshold, parse, parse_time

Port = Annotated[int, Field(ge=1, le=65535)]
Duration = Annotated[
    float,
    PlainValidator(clock.parse_duration),
    PlainSerializer(float, return_type=float),
    WithJsonSchema({"type": ["number", "string"], "title": "Duration"}),
]
OneOrMore = Annotated[
    list[str],
    BeforeValidator(lambda given: [given] if isinstance(given, str) else given),
    Field(min_length=1),
]


def _one_line(given: str) -> str:
    """Return what goes over a wire as it is. Raise ValueError if it could end a line of the protocol, or a string in C."""
    found = next((letter for letter in given if unicodedata.category(letter) == "Cc"), None)
    if found is not None:
        raise ValueError(f"must not hold control characters such as line breaks; it holds {ascii(found)[1:-1]}")
    return given


def _header_name(given: str) -> str:
    if not _TOKEN.fullmatch(given):
        raise ValueError(f"{given!a} is no name of a header: letters, digits and !#$%&'*+-.^_`|~ alone make one")
    return given


_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
OneLine = Annotated[str, AfterValidator(_one_line)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
_HOST = Field(None, description="Name or address to ask; by default the node's address.", examples=["db-1.example.net"])
_SECONDS_WARNING = Field(None, description="Warn when the answer's time in seconds alerts.", examples=["500ms"])
_SECONDS_CRITICAL = Field(None, description="Critical when the answer's time in seconds alerts.", examples=["2s"])


class Arguments(BaseModel):
    """The base of a plugin's arguments: an unknown one is an error, not silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Alive(Arguments):
    """Is the node server at work? The check that a node's own state comes from."""


class Load(Arguments):
    """Load average, per CPU."""

    warning: Threshold | None = Field(parse(2), description="Warn when the load average alerts.", examples=[2])
    critical: Threshold | None = Field(parse(4), description="Critical when it alerts.", examples=[4])
    minutes: Literal[1, 5, 15] = Field(5, description="Which of the three averages is judged.", examples=[15])
    per_cpu: bool = Field(True, description="Divide by the number of CPUs before judging.", examples=[False])


class Memory(Arguments):
    """Memory in use, in percent of what this node may use: what cannot be had without swapping."""

    warning: Threshold | None = Field(parse(90), description="Warn when the percentage in use alerts.", examples=[80])
    critical: Threshold | None = Field(parse(95), description="Critical when it alerts.", examples=[90])


class Swap(Arguments):
    """Swap space in use, in percent. A node without swap is OK."""

    warning: Threshold | None = Field(parse(60), description="Warn when the percentage in use alerts.", examples=[40])
    critical: Threshold | None = Field(parse(90), description="Critical when it alerts.", examples=[80])


class Disk(Arguments):
    """Space and inodes of file systems."""

    path: OneOrMore | None = Field(
        None,
        description="The mount point, or any path on it; a list for several; by default every local file system.",
        examples=["/", ["/", "/srv"]],
    )
    exclude: list[str] = Field([], description="Mount points to leave out, as globs.", examples=[["/snap/*"]])
    warning: Threshold | None = Field(parse(80), description="Warn when the percentage in use alerts.", examples=[80])
    critical: Threshold | None = Field(parse(90), description="Critical when it alerts.", examples=[90])
    inodes_warning: Threshold | None = Field(
        parse(90), description="Warn when the percentage of inodes in use alerts.", examples=[90]
    )
    inodes_critical: Threshold | None = Field(parse(95), description="Critical when that alerts.", examples=[95])


class Processes(Arguments):
    """How many processes there are, how many of them are zombies."""

    warning: Threshold | None = Field(None, description="Warn when the number of processes alerts.", examples=[400])
    critical: Threshold | None = Field(None, description="Critical when it alerts.", examples=[1000])
    zombies_warning: Threshold | None = Field(
        parse(5), description="Warn when the number of zombies alerts.", examples=[5]
    )
    zombies_critical: Threshold | None = Field(parse(50), description="Critical when that alerts.", examples=[50])


class Uptime(Arguments):
    """How long ago the node (or its container) started."""

    warning: TimeThreshold | None = Field(
        None, description="Warn when the uptime alerts, e.g. `10m:` for ten minutes after a boot.", examples=["10m:"]
    )
    critical: TimeThreshold | None = Field(None, description="Critical when it alerts.", examples=["1m:"])


class Clock(Arguments):
    """Is the clock right? Without a server, whether the kernel says that something keeps it in step."""

    server: OneLine | None = Field(None, description="An NTP server to compare with.", examples=["pool.ntp.org"])
    port: Port = Field(123, description="The NTP server's UDP port.", examples=[123])
    warning: TimeThreshold | None = Field(
        parse_time("-0.5:0.5"), description="Warn when the offset in seconds alerts.", examples=["-0.1:0.1"]
    )
    critical: TimeThreshold | None = Field(
        parse_time("-5:5"), description="Critical when it alerts.", examples=["-1:1"]
    )
    unsynchronised: Literal["ok", "warning", "critical"] = Field(
        "warning", description="What it means, without a server, that nothing keeps the clock in step.", examples=["ok"]
    )


class Tcp(Arguments):
    """Does a TCP port answer, and with what?"""

    host: OneLine | None = _HOST
    port: Port = Field(description="The port.", examples=[22])
    tls: bool = Field(False, description="Speak TLS; the certificate must be valid for the host.", examples=[True])
    send: str | None = Field(
        None, description="Text to send; \\r, \\n and \\t are understood.", examples=["QUIT\\r\\n"]
    )
    expect: str | None = Field(None, description="Text the answer must contain.", examples=["SSH-2.0"])
    warning: TimeThreshold | None = _SECONDS_WARNING
    critical: TimeThreshold | None = _SECONDS_CRITICAL


class Http(Arguments):
    """Does a URL answer as it should?"""

    url: OneLine = Field(
        pattern=r"^(https?://|/)",
        description="The URL, or a path such as `/` on the node's address.",
        examples=["https://www.example.net/health"],
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "OPTIONS"] = Field(
        "GET", description="The request's method.", examples=["HEAD"]
    )
    headers: dict[HeaderName, OneLine] = Field(
        {}, description="Headers to send.", examples=[{"Host": "www.example.net"}]
    )
    body: str | None = Field(None, description="The request's body.", examples=['{"ping": 1}'])
    status: Threshold = Field(
        parse("200:399"), description="The statuses that are fine, as a range; any other is critical.", examples=["200:200"]
    )  # fmt: skip
    expect: str | None = Field(None, description="Text the answer's body must contain.", examples=["all good"])
    follow: bool = Field(False, description="Follow redirects, at most five.", examples=[True])
    verify: bool = Field(True, description="The server's certificate must be valid.", examples=[False])
    ca_file: str | None = Field(
        None, description="File with the certificates to trust instead of the system's.", examples=["/etc/ssl/own-ca.pem"]
    )  # fmt: skip
    warning: TimeThreshold | None = _SECONDS_WARNING
    critical: TimeThreshold | None = _SECONDS_CRITICAL


class Ping(Arguments):
    """Round trip time and loss of ICMP echoes."""

    host: OneLine | None = _HOST
    count: int = Field(3, ge=1, le=20, description="How many echoes to send.", examples=[5])
    pause: Duration = Field(0.2, description="Time between two echoes.", examples=["200ms"])
    warning: TimeThreshold | None = Field(
        parse_time("200ms"), description="Warn when the average round trip in seconds alerts.", examples=["100ms"]
    )
    critical: TimeThreshold | None = Field(parse_time("1s"), description="Critical when it alerts.", examples=["500ms"])
    loss_warning: Threshold | None = Field(parse(20), description="Warn when the loss in percent alerts.", examples=[0])
    loss_critical: Threshold | None = Field(parse(60), description="Critical when it alerts.", examples=[50])


class Dns(Arguments):
    """Does a name resolve, and to what?"""

    name: OneLine = Field(min_length=1, description="The name to look up.", examples=["www.example.net"])
    type: Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"] = Field(
        "A", description="The type of record.", examples=["MX"]
    )
    server: OneLine | None = Field(
        None, description="Address of the server to ask; by default those of /etc/resolv.conf.", examples=["10.0.0.53"]
    )
    port: Port = Field(53, description="The server's port.", examples=[53])
    expect: list[str] = Field([], description="Values that must all be in the answer.", examples=[["10.0.0.80"]])
    warning: TimeThreshold | None = _SECONDS_WARNING
    critical: TimeThreshold | None = _SECONDS_CRITICAL


class Certificate(Arguments):
    """How many days a certificate is still valid; that it is trusted and made for its host."""

    host: OneLine | None = _HOST
    port: Port = Field(443, description="The TLS port.", examples=[8443])
    server_name: OneLine | None = Field(
        None, description="The name to ask for and to verify; by default the host.", examples=["www.example.net"]
    )
    file: str | None = Field(
        None, description="A PEM file to look at instead of a server.", examples=["/etc/ssl/certs/web.pem"]
    )
    verify: bool = Field(True, description="A server's certificate must be trusted and fit its name.", examples=[False])
    ca_file: str | None = Field(
        None, description="File with the certificates to trust instead of the system's.", examples=["/etc/ssl/own-ca.pem"]
    )  # fmt: skip
    warning: Threshold | None = Field(parse("21:"), description="Warn when the days left alert.", examples=["30:"])
    critical: Threshold | None = Field(parse("7:"), description="Critical when they alert.", examples=["3:"])


class FileAge(Arguments):
    """How old a file is, and how big."""

    path: str = Field(
        pattern=r"^/", description="The file, or a glob: the newest of the files is judged.", examples=["/backup/*.tar.gz"]
    )  # fmt: skip
    warning: TimeThreshold | None = Field(
        None, description="Warn when the age since the last change alerts.", examples=["26h"]
    )
    critical: TimeThreshold | None = Field(None, description="Critical when it alerts.", examples=["50h"])
    size_warning: Threshold | None = Field(None, description="Warn when the size in bytes alerts.", examples=["1:"])
    size_critical: Threshold | None = Field(None, description="Critical when it alerts.", examples=["1:"])
    missing: Literal["ok", "warning", "critical"] = Field(
        "critical", description="What it means that there is no such file.", examples=["ok"]
    )


class Process(Arguments):
    """Are processes of a kind running, and how many?"""

    name: str | None = Field(None, description="The program's name, exactly.", examples=["sshd"])
    command: str | None = Field(
        None, description="A glob that the whole command line must match.", examples=["*postgres: checkpointer*"]
    )
    user: str | None = Field(None, description="The user they must run as.", examples=["www-data"])
    warning: Threshold | None = Field(None, description="Warn when their number alerts.", examples=["1:10"])
    critical: Threshold | None = Field(parse("1:"), description="Critical when it alerts.", examples=["1:"])

    @model_validator(mode="after")
    def _names_something(self) -> "Process":
        if self.name is None and self.command is None and self.user is None:
            raise ValueError("say which processes: give at least one of name, command and user")
        return self


class Programs(Arguments):
    """Do supervisor's programs run?"""

    names: list[str] = Field([], description="The programs to look at; by default all of them.", examples=[["web"]])
    exclude: list[str] = Field([], description="Programs to leave out.", examples=[["migration"]])


ARGUMENTS: dict[str, type[Arguments]] = {
    "alive": Alive,
    "certificate": Certificate,
    "clock": Clock,
    "disk": Disk,
    "dns": Dns,
    "file_age": FileAge,
    "http": Http,
    "load": Load,
    "memory": Memory,
    "ping": Ping,
    "process": Process,
    "processes": Processes,
    "programs": Programs,
    "swap": Swap,
    "tcp": Tcp,
    "uptime": Uptime,
}


def faults(plugin: str, args: dict[str, Any], where: str = "") -> list[Problem]:
    """Given a plugin's name and the arguments meant for it, return every fault; `where` goes before each fault's path."""
    dot = f"{where}." if where else ""
    if plugin not in ARGUMENTS:
        return [Problem(f"{dot}plugin", f"there is no built-in plugin '{plugin}'; there are {', '.join(ARGUMENTS)}")]
    try:
        ARGUMENTS[plugin].model_validate(args)
    except ValidationError as error:
        return [Problem(f"{dot}args.{fault.path}".rstrip("."), fault.message) for fault in problems_of(error)]
    return []


def arguments(plugin: str, args: dict[str, Any]) -> Arguments:
    """Return a plugin's arguments, verified and with defaults. Raise BadInput with every fault."""
    problems = faults(plugin, args)
    if problems:
        raise BadInput(f"The arguments of plugin '{plugin}' are not valid.", problems)
    return ARGUMENTS[plugin].model_validate(args)
