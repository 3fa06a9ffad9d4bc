"""A role's part in backups: it gives all that it keeps as lines of JSON, and takes such lines in place of all that it keeps.

    GET  /api/v1/backup          the lines; the last one, {"end": {…}}, says how many of each kind there were
    PUT  /api/v1/backup?part=N   a piece of such lines; part 0 begins anew
    POST /api/v1/backup          the pieces are complete: they take the place of what is kept
    GET  /api/v1/backup/counts   what is kept, counted; and what was last restored

A restore never shows half of it: pieces gather in a file; once they are complete, the file gets another name and the program
ends. Supervisor starts it anew, and before it opens for anybody it takes over what the file holds. If that is cut off, it begins
again, until it is done.
"""

import hashlib
import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Response, jsonify, request
from flask_openapi3 import OpenAPI
from pydantic import BaseModel, Field

from nodeward.core.auth import ADMIN
from nodeward.core.errors import BadInput, Conflict
from nodeward.core.files import sync_directory, write_atomic
from nodeward.core.http import SECURITY, needs
from nodeward.core.words import named

log = logging.getLogger(__name__)

Row = dict[str, Any]
Counts = dict[str, int]
PATH = "/api/v1/backup"
CONTENT_TYPE = "application/x-ndjson"
VERSION = 1
_CHUNK = 256 * 1024


class PartQuery(BaseModel):
    """Which piece is sent."""

    part: int = Field(0, ge=0, description="The number of this piece; 0 begins anew.")


class CompleteBody(BaseModel):
    """That all pieces were sent."""

    parts: int = Field(description="How many pieces there were.", ge=1)
    sha256: str = Field(description="The SHA-256 of all of them together, in hexadecimal.")
    force: bool = Field(False, description="Also where something is kept already: it is replaced.")


@dataclass(frozen=True)
class Kept:
    """What a role keeps, for backups: how to read all of it, to count it, and to say whether a restore would destroy anything."""

    kind: str
    rows: Callable[[], Iterator[Row]]
    counts: Callable[[], Counts]
    trace: Callable[[], str]  # what there is that a restore would destroy, as words; "" if there is nothing


class Stage:
    """Where the pieces of a restore gather, in a role's own directory."""

    def __init__(self, directory: Path) -> None:
        self._coming, self._ready = directory / "restore.coming", directory / "restore.ready"
        self._done = directory / "restored.json"
        self._lock = threading.Lock()
        self._next = 0

    def add(self, part: int, data: bytes) -> None:
        """Add a piece. Raise Conflict if it is not the one that comes next."""
        with self._lock:
            if part not in (0, self._next):
                raise Conflict(f"Piece {part} of the restore came where {self._next} was awaited; begin anew with 0.")
            with self._coming.open("wb" if part == 0 else "ab") as file:
                file.write(data)
            self._next = part + 1

    def complete(self, parts: int, digest: str, kind: str) -> None:
        """All pieces are there. Raise BadInput if they are not what was sent, or no whole backup of that kind."""
        with self._lock:
            if parts != self._next or not self._coming.exists() or _digest(self._coming) != digest:
                self._coming.unlink(missing_ok=True)
                self._next = 0
                raise BadInput(
                    "The pieces of the restore are not complete, or were damaged on their way; send them again."
                )
            try:
                for _ in checked(_rows(self._coming), kind):
                    pass  # what cannot be taken over is refused here, while all that is kept is still there
            except BadInput:
                self._coming.unlink(missing_ok=True)
                self._next = 0
                raise
            with self._coming.open("rb") as file:
                os.fsync(file.fileno())
            self._done.unlink(missing_ok=True)  # whoever restores the same once more shall not take it for done
            os.replace(self._coming, self._ready)
            sync_directory(self._ready.parent)

    def waiting(self) -> bool:
        """Whether a complete restore waits to be taken over. What never became complete is forgotten."""
        self._coming.unlink(missing_ok=True)
        return self._ready.exists()

    def take(self, load: Callable[[Iterator[Row]], Counts]) -> None:
        """Take a complete restore over; where that was cut off before, begin again."""
        log.warning("taking over what is restored from %s; nobody is answered until that is done", self._ready)
        digest, counts = _digest(self._ready), load(_rows(self._ready))
        write_atomic(self._done, json.dumps({"sha256": digest, "counts": counts}))
        self._ready.unlink()
        sync_directory(self._ready.parent)
        log.warning("restored: %s", in_words(counts))

    def restored(self) -> Row | None:
        """Return what was last restored: `counts`, and the `sha256` of what was sent."""
        try:
            found: Row = json.loads(self._done.read_text())
        except (OSError, ValueError):
            return None
        return found


def mount(app: OpenAPI, kept: Kept, stage: Stage, end: Callable[[], None]) -> None:
    """Add the routes. `end` makes the program end soon, so that supervisor starts it anew."""

    @app.get(PATH, summary="All that is kept here, as lines of JSON", security=SECURITY)
    @needs(ADMIN)
    def backup() -> Response:
        return Response(_lines(kept), content_type=CONTENT_TYPE)

    @app.get(f"{PATH}/counts", summary="What is kept here, counted, and what was last restored", security=SECURITY)
    @needs(ADMIN)
    def counts() -> Response:
        return jsonify(kind=kept.kind, kept=kept.counts(), restored=stage.restored(), trace=kept.trace())

    @app.put(PATH, summary="Send a piece of what shall be restored", security=SECURITY)
    @needs(ADMIN)
    def part(query: PartQuery) -> Response:
        stage.add(query.part, request.get_data(cache=False))
        return jsonify(next=query.part + 1)

    @app.post(PATH, summary="Put what was sent in place of all that is kept here", security=SECURITY)
    @needs(ADMIN)
    def complete(body: CompleteBody) -> tuple[Response, int]:
        trace = kept.trace()
        if trace and not body.force:
            raise Conflict(
                f"The {kept.kind} here are not empty ({trace}): a restore would destroy that. Force it if it shall."
            )
        stage.complete(body.parts, body.sha256, kept.kind)
        end()
        return jsonify(restarts=True), 202


def checked(lines: Iterator[Row], kind: str) -> Iterator[Row]:
    """Yield the rows between the first line and the last. Raise BadInput if they are of another kind, or not complete."""
    first = next(lines, None)
    if first is None or first.get("kind") != kind or first.get("version") != VERSION:
        raise BadInput(f"This is no backup of {kind} that this version can read.")
    for row in lines:
        if "end" in row:
            return
        if not isinstance(row.get("row"), str):
            raise BadInput(f"The backup of {kind} has a line that does not say what it is.")
        yield row
    raise BadInput(f"The backup of {kind} breaks off before its end.")


def in_words(counts: Counts) -> str:
    """Return counts as words: ``12 objects, 3 revisions``."""
    return ", ".join(named(count, name) for name, count in counts.items()) or "nothing"


def _lines(kept: Kept) -> Iterator[bytes]:
    counts: Counts = {}
    chunk = bytearray(_line({"kind": kept.kind, "version": VERSION}))
    for row in kept.rows():
        for name, count in row.pop("count", {row["row"] + "s": 1}).items():
            counts[name] = counts.get(name, 0) + count
        chunk += _line(row)
        if len(chunk) > _CHUNK:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk + _line({"end": counts}))


def _line(row: Row) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def soon() -> None:
    """End this program, once the answer is on its way: as supervisor would."""
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()


def _rows(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise BadInput(f"Line {number} of the backup is no JSON object.")
            yield row


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
