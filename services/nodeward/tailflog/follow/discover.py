"""Which files there are: globs, excludes, and where an inode has gone."""

import fnmatch
import glob
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from nodeward.tailflog.config import Source
from nodeward.tailflog.life import Key

COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".Z", ".lzma")
_COMPRESSED_HEADS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")
_TURN = r"[._-]\d[\dT:._-]*"  # what rotation puts into a name: a number or a date
_ANY = re.compile(r"[*?[]")

Found = dict[Key, tuple[str, os.stat_result]]  # the files that there are: a path to each, and its status


def found(source: Source, never: tuple[str, ...] = ()) -> Found:
    """Return the regular files of a source.

    A file that several paths lead to (links, overlapping globs) appears once. `never` are paths that nobody may follow.
    """
    excluded = [re.compile(fnmatch.translate(pattern)) for pattern in (*source.exclude, *never)]
    files: Found = {}
    for pattern in source.paths:
        for path in sorted(glob.iglob(pattern, recursive=True)):
            if path.endswith(COMPRESSED) or any(one.match(path) for one in excluded):
                continue
            try:
                status = os.stat(path)
            except OSError:
                continue  # gone again, or a link that leads nowhere
            if stat.S_ISREG(status.st_mode):
                files.setdefault((source.source, status.st_dev, status.st_ino), (path, status))
    return files


def roots(source: Source) -> set[str]:
    """Return the directories to watch even while they hold no file of the source: the nearest ones that exist."""
    directories = set()
    for pattern in source.paths:
        head = pattern[: match.start()] if (match := _ANY.search(pattern)) else pattern
        directory = Path(head).parent if not head.endswith("/") else Path(head)
        while not directory.is_dir() and directory != directory.parent:
            directory = directory.parent
        directories.add(str(directory))
    return directories


def directories_of(path: str) -> set[str]:
    """Return the directories in which a write to `path` shows: its own, and where its links lead."""
    return {os.path.dirname(path), os.path.dirname(os.path.realpath(path))}


def inodes(directory: str) -> dict[int, str]:
    """Return the names in a directory by inode; none if it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            return {entry.inode(): entry.name for entry in entries}
    except OSError:
        return {}


def leads_to(path: str, key: Key) -> bool:
    """Say whether the file at `path` is that inode."""
    return status_of(path, key) is not None


def status_of(path: str, key: Key) -> os.stat_result | None:
    """Return the status of the file at `path`, None if that is another one, or none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status if (status.st_dev, status.st_ino) == key[1:] else None


class Listings:
    """The names in directories, for one look at many files: each directory is read once."""

    def __init__(self) -> None:
        self._read: dict[str, dict[int, str]] = {}

    def of(self, directory: str) -> dict[int, str]:
        """Return the names in a directory by inode; none if it cannot be read."""
        if directory not in self._read:
            self._read[directory] = inodes(directory)
        return self._read[directory]

    def where(self, key: Key, directory: str) -> tuple[str, os.stat_result] | None:
        """Return the path at which an inode lies in a directory, and its status; None if it does not."""
        if (name := self.of(directory).get(key[2])) is None:
            return None
        status = status_of(f"{directory}/{name}", key)
        return None if status is None else (f"{directory}/{name}", status)


def rotations(path: str, names: Iterable[str]) -> list[str]:
    """Return those of the names that a rotation may have given the file at `path` (app.log → app.log.1, app-20261124.log)."""
    base = os.path.basename(path)
    stem, dot, extension = base.rpartition(".")
    forms = [rf"{re.escape(base)}(?:{_TURN}|\.old|\.prev|\.bak)"]
    if stem:
        forms.append(rf"{re.escape(stem)}{_TURN}{re.escape(dot + extension)}")
    form, begin = re.compile("|".join(forms)), stem or base
    return [name for name in names if name.startswith(begin) and form.fullmatch(name) and not name.endswith(COMPRESSED)]


def is_excluded(path: str, source: Source) -> bool:
    """Say whether the source wants `path` left alone."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in source.exclude)


def is_compressed(head: bytes) -> bool:
    """Say whether a file that begins like this is a compressed one, whatever its name."""
    return head.startswith(_COMPRESSED_HEADS)
