"""The wire form of a node's bundle: the files that the config server renders for a node and that its programs read.

Durations are in seconds. `verify` is how the node server looks at a bundle before any of it touches the disk.
"""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nodeward.core import checks, formats
from nodeward.core.errors import BadInput, Problem
from nodeward.core.faults import problems_of

NODESERVER, TAILFLOG = "nodeserver.json", "tailflog.json"
TOLD = "Nodeward-Running"  # the header with which a node asks: the revision in force, a blank, the digest of its files


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Node(_Part):
    """The node that a bundle is for."""

    name: str = Field(min_length=1)
    address: str | None = None
    groups: list[str] = []
    labels: dict[str, Any] = {}


class Check(_Part):
    """One check that the node runs. `node` is its target; `service` null means the target's own state.

    Exactly one of `plugin` (built in) and `command` (an argument vector, run without a shell).
    """

    node: str = Field(min_length=1)
    address: str | None = None
    service: str | None = None
    plugin: str | None = None
    command: list[str] | None = None
    args: dict[str, Any] = {}
    env: dict[str, str] = {}
    interval: float = Field(60.0, gt=0)
    retry: float = Field(15.0, gt=0)
    attempts: int = Field(3, ge=1)
    timeout: float = Field(10.0, gt=0)

    @model_validator(mode="after")
    def _runs_one_thing(self) -> "Check":
        if (self.plugin is None) == (not self.command):
            raise ValueError("a check has either a plugin or a command, not both and not neither")
        if self.command and any("\0" in word for word in [*self.command, *self.env, *self.env.values()]):
            raise ValueError("a command cannot hold a NUL character")
        return self


class NodeserverFile(_Part):
    """What `nodeserver.json` holds."""

    written_by: str = ""
    revision: int = 0
    node: Node
    logserver: str | None = None
    monitor: str | None = None
    heartbeat: float = Field(15.0, gt=0)
    checks: list[Check] = []


class Pattern(_Part):
    """A format of the operator's own."""

    pattern: str = Field(min_length=1)


class Source(_Part):
    """One log source that the node follows."""

    source: str = Field(min_length=1)
    paths: list[str]
    exclude: list[str] = []
    format: str | Pattern = "raw"
    timezone: str | None = None
    encoding: str | None = None
    fields: dict[str, Any] = {}
    multiline: formats.MultilineSetting = None


class TailflogFile(_Part):
    """What `tailflog.json` holds."""

    written_by: str = ""
    revision: int = 0
    node: str = Field(min_length=1)
    logserver: str | None = None
    sources: list[Source] = []


class Bundle(BaseModel):
    """What the config server answers to `nodes/{name}/bundle`."""

    model_config = ConfigDict(extra="ignore")

    node: str
    revision: int
    files: dict[Literal["nodeserver.json", "tailflog.json"], str]


def nodeserver_faults(text: str, where: str = "") -> list[Problem]:
    """Return every fault of a `nodeserver.json`, those of its plugins' arguments too."""
    found = _faults(NodeserverFile.model_validate_json, text, where)
    if found:
        return found
    file = NodeserverFile.model_validate_json(text)
    return [
        fault
        for index, check in enumerate(file.checks)
        if check.plugin is not None
        for fault in checks.faults(
            check.plugin, check.args, f"{where}: checks[{index}]" if where else f"checks[{index}]"
        )
    ] + _repeated(file.checks, where)


def tailflog_faults(text: str, where: str = "") -> list[Problem]:
    """Return every fault of a `tailflog.json`."""
    return _faults(TailflogFile.model_validate_json, text, where)


def read_nodeserver(text: str, where: str = NODESERVER) -> NodeserverFile:
    """Given the text of a `nodeserver.json`, return what it holds. Raise BadInput with every fault."""
    found = nodeserver_faults(text)
    if found:
        raise BadInput(f"{where} is not valid.", found)
    return NodeserverFile.model_validate_json(text)


def verify(answer: Any, node: str) -> Bundle:
    """Given the config server's answer, return the bundle of `node`. Raise BadInput with every fault of every file."""
    try:
        bundle = Bundle.model_validate(answer)
    except ValidationError as error:
        raise BadInput("What the config server sent is not a bundle.", problems_of(error)) from None
    faults_of = {NODESERVER: nodeserver_faults, TAILFLOG: tailflog_faults}
    found = [fault for name, text in bundle.files.items() for fault in faults_of[name](text, name)]
    if NODESERVER not in bundle.files:
        found.append(Problem("files", f"{NODESERVER} is missing"))
    if bundle.node != node:
        found.append(Problem("node", f"it is for node '{bundle.node}', but this is '{node}'"))
    if found:
        raise BadInput(f"Revision {bundle.revision} of this node's bundle is not valid.", found)
    return bundle


def _faults(read: Callable[[str], object], text: str, where: str) -> list[Problem]:
    try:
        read(text)
    except ValidationError as error:
        faults = problems_of(error)
        return [
            Problem(f"{where}: {fault.path}".rstrip(": ") if where else fault.path, fault.message) for fault in faults
        ]
    return []


def _repeated(listed: list[Check], where: str) -> list[Problem]:
    seen: set[tuple[str, str | None]] = set()
    found = []
    for index, check in enumerate(listed):
        if (check.node, check.service) in seen:
            path = f"{where}: checks[{index}]" if where else f"checks[{index}]"
            found.append(Problem(path, f"service '{check.service}' of node '{check.node}' is there twice"))
        seen.add((check.node, check.service))
    return found
