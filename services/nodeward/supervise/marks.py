"""Marks beside supervisor's socket: what happens to a program next was asked for at one of our own doors (see `outside`)."""

import time
from pathlib import Path

FRESH_SECONDS = 10.0  # a mark counts so long: supervisor acts at once, and the listener hears of it a moment later


def mark(var: Path, name: str) -> None:
    """Say that the next change of that program is our own doing."""
    path = _place(var, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError:
        pass  # then the audit list says 'outside' beside the deed's own row, which is better than not to act


def marked(var: Path, name: str) -> bool:
    """Whether what happens to that program now was asked for at one of our doors."""
    try:
        return time.time() - _place(var, name).stat().st_mtime < FRESH_SECONDS
    except OSError:
        return False


def _place(var: Path, name: str) -> Path:
    return var / "run" / "asked" / name.rpartition(":")[2].replace("/", "_")
