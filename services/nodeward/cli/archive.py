"""The one file of a backup: a tar with pieces of JSON lines from each server, and a manifest of them as its last member.

It is written beside its place and renamed once it is whole, so that what was interrupted leaves nothing that looks like a backup.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from nodeward.core.errors import BadInput

VERSION = 1
MANIFEST = "manifest.json"
PIECE = 4 * 1024 * 1024
LARGEST = 64 * PIECE  # no piece comes near it: a row more than PIECE, or a manifest


class Part(BaseModel):
    """A piece, as the manifest has it."""

    name: str
    size: int
    sha256: str


class Manifest(BaseModel):
    """The manifest."""

    version: Literal[1]
    made: str
    parts: list[Part]
    counts: dict[str, dict[str, int]]


class Writer:
    """Writes an archive. As a context: whole at the end, or not there at all."""

    def __init__(self, path: Path, made: str) -> None:
        self._path, self._partial = path, path.with_name(f".{path.name}.partial")
        self._manifest: dict[str, Any] = {"version": VERSION, "made": made, "parts": [], "counts": {}}

    def __enter__(self) -> "Writer":
        try:
            descriptor = os.open(
                self._partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600
            )  # it holds hashes of secrets
        except OSError as error:
            raise BadInput(f"{self._path} cannot be written ({error.strerror}).") from None
        self._file = os.fdopen(descriptor, "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w:gz", compresslevel=3)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, where: object) -> None:
        try:
            if kind is None:
                self._member(MANIFEST, json.dumps(self._manifest, indent=2).encode())
            self._tar.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if kind is None:
                os.replace(self._partial, self._path)
        finally:
            self._partial.unlink(missing_ok=True)

    def add(self, kind: str, rows: Iterable[dict[str, Any]]) -> Iterator[int]:
        """Add the lines of one server; yield how many bytes there are so far. Raise BadInput if they break off."""
        piece, number, total, end = bytearray(), 0, 0, None
        for row in rows:
            piece += json.dumps(row, separators=(",", ":")).encode() + b"\n"
            end = row.get("end")
            if len(piece) >= PIECE:
                total += self._part(kind, number, bytes(piece))
                piece, number = bytearray(), number + 1
                yield total
        if end is None:
            raise BadInput(f"The {kind} broke off before their end; nothing was written.")
        yield total + self._part(kind, number, bytes(piece))
        self._manifest["counts"][kind] = end

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each there are, by kind."""
        found: dict[str, dict[str, int]] = self._manifest["counts"]
        return found

    def _part(self, kind: str, number: int, data: bytes) -> int:
        name = f"{kind}/{number:06d}.ndjson"
        self._manifest["parts"].append({"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        self._member(name, data)
        return len(data)

    def _member(self, name: str, data: bytes) -> None:
        about = tarfile.TarInfo(name)
        about.size, about.mode = len(data), 0o600
        self._tar.addfile(about, io.BytesIO(data))


class Reader:
    """Reads an archive, once it is known to be sound."""

    def __init__(self, path: Path) -> None:
        self._path = path
        sums: dict[str, tuple[int, str]] = {}
        digests: dict[str, Any] = {}
        ends: dict[str, Any] = {}
        manifest: Any = None
        for name, data in self._members():
            if name == MANIFEST:
                manifest = _value(data)
                continue
            sums[name] = (len(data), hashlib.sha256(data).hexdigest())
            kind = name.partition("/")[0]
            digests.setdefault(kind, hashlib.sha256()).update(data)
            ends[kind] = data
        try:
            told = Manifest.model_validate(manifest)
        except ValidationError:
            raise BadInput(
                f"{path} is no whole backup: its manifest is missing, damaged or of another version."
            ) from None
        wanted = {part.name: (part.size, part.sha256) for part in told.parts}
        if damaged := sorted(name for name in wanted.keys() | sums.keys() if wanted.get(name) != sums.get(name)):
            raise BadInput(f"{path} is damaged: {damaged[0]} is not what was written. Nothing was restored.")
        self.made, self.counts = told.made, told.counts
        if self.counts != {kind: _end(data) for kind, data in ends.items()}:
            raise BadInput(f"{path} is damaged: its counts are not those of what it holds. Nothing was restored.")
        self.digests: dict[str, str] = {kind: digest.hexdigest() for kind, digest in digests.items()}

    def pieces(self, kind: str) -> Iterator[bytes]:
        """Yield the pieces of one server's lines."""
        for name, data in self._members():
            if name.startswith(f"{kind}/"):
                yield data

    def _members(self) -> Iterator[tuple[str, bytes]]:
        try:
            with tarfile.open(self._path, "r|gz") as tar:
                for member in tar:
                    if not member.isfile() or member.size > LARGEST:
                        raise BadInput(f"{self._path} is no backup: {member.name[:100]!r} is nothing that one has.")
                    file = tar.extractfile(member)
                    yield member.name, file.read() if file is not None else b""
        except (OSError, EOFError, tarfile.TarError, ValueError) as error:
            raise BadInput(f"{self._path} cannot be read as a backup ({error}).") from None


def _value(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _end(data: bytes) -> Any:
    """Return the counts in the last line of a server's last piece."""
    end = _value(data[data[:-1].rfind(b"\n") + 1 :])
    return end.get("end") if isinstance(end, dict) else None
