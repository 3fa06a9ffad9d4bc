"""What supervisor needs on disk before it starts."""

import os
from pathlib import Path

from nodeward.core.errors import ConfigError

_SOCKET_LIMIT = 107  # bytes in a unix socket's address
_PID_DIGITS = 8  # supervisor binds <socket>.<pid> first
_PROBE = 1024 * 1024


def prepare(var: Path) -> None:
    """Make the directories that supervisor and the programs share under `var`. Raise ConfigError if it cannot be used."""
    socket = var / "run" / "supervisor.sock"
    if len(os.fsencode(socket)) + _PID_DIGITS > _SOCKET_LIMIT:
        raise ConfigError(
            f"NODEWARD_VAR={var} is too long a path: supervisor's socket would lie at {socket}, and the system allows "
            f"{_SOCKET_LIMIT - _PID_DIGITS} bytes there. Choose a shorter one."
        )
    try:
        var.mkdir(parents=True, exist_ok=True, mode=0o750)
        for name, mode in (("run", 0o700), ("secrets", 0o700), ("log", 0o750)):
            (var / name).mkdir(exist_ok=True, mode=mode)
            _probe(var / name / ".probe")
    except OSError as error:
        raise ConfigError(
            f"NODEWARD_VAR={var} cannot be written by user {os.geteuid()}: {error.strerror} ({error.filename or var}). "
            "Make room there, give it to that user, or set NODEWARD_VAR to another directory."
        ) from None


def _probe(path: Path) -> None:
    """Write as much as tells a full disk, durably, and take it away."""
    try:
        with path.open("wb") as file:
            file.write(b"\0" * _PROBE)
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)
