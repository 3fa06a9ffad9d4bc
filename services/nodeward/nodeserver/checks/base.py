"""What a built-in check is given, and what is wanted of it.

A check is a function `run(args, context)` that returns an Outcome. `args` are its arguments, verified. It keeps to
`context.timeout` itself where it can; one that does not is given up by the pool, which costs a thread until it returns.
What it cannot find out it says as UNKNOWN, by raising `CannotTell`; any other exception becomes UNKNOWN too.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nodeward.nodeserver.output import Outcome


class CannotTell(Exception):
    """The check could not be made; the text says why and what to do."""


@dataclass(frozen=True)
class Standing:
    """How the node server itself is doing: what `alive` reports."""

    revision: int | None
    checks: int
    uptime: float
    faults: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Context:
    """For one run of a check: its target, its time limit in seconds, when it began, and where this node server stands."""

    node: str
    address: str | None
    timeout: float
    var: Path
    standing: Callable[[], Standing]
    began: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Return the seconds left of the time limit. Raise TimeoutError if there are none."""
        left = self.began + self.timeout - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def host(self, given: str | None) -> str:
        """Return the host that was given, else the target's address, else its name."""
        return given or self.address or self.node


@dataclass(frozen=True)
class BuiltIn:
    """A built-in plugin: `quick` ones never wait for a disk, a network or another process, and run one after another."""

    run: Callable[[Any, Context], Outcome]
    quick: bool = False


def why(error: BaseException) -> str:
    """Return the reason of a failed system or network call in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
