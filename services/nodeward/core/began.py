"""With which configuration a program's present life began: noted when it first applies its file, compared by a rollout.

A program that takes in a changed file while it runs has not shown that it starts with it. What a file means is compared, not its
bytes: the revision stands in every file of a bundle, and changes with any of them.
"""

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import NamedTuple

from nodeward.core.files import write_atomic

log = logging.getLogger(__name__)

ASIDE = ("revision", "written_by")


class Began(NamedTuple):
    """The process that noted it, and what its file meant then."""

    pid: int
    meaning: str


def meaning(text: str) -> str:
    """Return the hash of what a bundle's file says, its revision aside; a file that is no JSON object means its bytes."""
    try:
        said = json.loads(text)
        text = json.dumps({key: value for key, value in said.items() if key not in ASIDE}, sort_keys=True)
    except (ValueError, AttributeError, RecursionError):
        pass  # damaged: it means something else than any valid one
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def digest(files: dict[str, str]) -> str:
    """Return the hash of a bundle's files, byte for byte: the same everywhere it is compared."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def path(var: Path, program: str) -> Path:
    """Return where a program under `var` notes it."""
    return var / "run" / f"{program}.began"


def note(var: Path, program: str, text: str) -> None:
    """Note that this process began with that file. Where that cannot be written, a rollout simply does not know."""
    try:
        write_atomic(path(var, program), json.dumps(Began(os.getpid(), meaning(text))._asdict()))
    except OSError as error:
        log.warning("%s cannot be written (%s)", path(var, program), error)


def read(var: Path, program: str) -> Began | None:
    """Return what a program noted last, or None if it has not."""
    try:
        return Began(**json.loads(path(var, program).read_text()))
    except (OSError, ValueError, TypeError):
        return None
