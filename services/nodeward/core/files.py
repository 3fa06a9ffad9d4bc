"""Files that are never seen half written."""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from nodeward.core.errors import ConfigError


def write_atomic(path: Path, content: bytes | str, mode: int = 0o640) -> None:
    """Write `content` to `path` so that a reader, or a crash, meets the old file or the new one and nothing between."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_directory(path.parent)


def write_secret(path: Path, content: str) -> None:
    """Write a secret, readable by its owner alone (0600, in a directory of mode 0700)."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(path, content, mode=0o600)


def read_secret(path: Path, what: str) -> str:
    """Return the secret in `path` without its line end. Raise ConfigError, naming `what`, if it cannot be read or is empty."""
    try:
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{what}: {path} cannot be read ({error}).") from None
    if not secret:
        raise ConfigError(f"{what}: {path} is empty.")
    return secret


class SecretFile:
    """A secret that may be replaced while the program runs: called, it returns what the file says now."""

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._what = path, what
        self._known: tuple[tuple[int, int], str] | None = None

    def __call__(self) -> str:
        """Return the secret; the one known before while the file is out of reach. Raise ConfigError if there never was one."""
        try:
            there = self._path.stat()
        except OSError:
            if self._known is not None:
                return self._known[1]
            return read_secret(self._path, self._what)
        state = (there.st_ino, there.st_mtime_ns)
        if self._known is None or self._known[0] != state:
            self._known = (state, read_secret(self._path, self._what))
        return self._known[1]


def await_secret(path: Path, what: str, seconds: float) -> str:
    """Return the secret in `path`, waiting so long for another program to write it. Raise ConfigError, naming `what`."""
    deadline = time.monotonic() + seconds
    while _absent(path) and time.monotonic() < deadline:
        time.sleep(0.1)
    return read_secret(path, what)


def _absent(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False  # it is there, and out of reach: reading it says why
    return False


@contextlib.contextmanager
def only_one(directory: Path, who: str) -> Iterator[None]:
    """Hold the lock of a role's directory. Raise ConfigError if another `who` has it: two would undo each other's work."""
    path = directory / "lock"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = path.open("a")
    except OSError as error:
        raise ConfigError(f"{directory} cannot be used ({error.strerror}). Check NODEWARD_VAR and its owner.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"Another {who} runs on {directory}: it holds {path}. Stop it first.") from None
        yield


def sync_directory(path: Path) -> None:
    """Make a rename or unlink in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
