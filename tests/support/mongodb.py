"""A MongoDB for tests: an operator's own (NODEWARD_TEST_MONGODB), or the image `mongo:8` in a container on loopback."""

import fcntl
import functools
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from support.ports import free_port

IMAGE = "mongo:8"
OWN = "NODEWARD_TEST_MONGODB"
START_SECONDS = 120


@functools.cache
def lacking() -> str | None:
    """Return why there is no MongoDB to test with, or None."""
    if os.environ.get(OWN):
        return None
    for command in (["image", "inspect", IMAGE], ["pull", "--quiet", IMAGE]):
        try:
            subprocess.run(["docker", *command], check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError):
            continue
        return None
    return f"no MongoDB: neither a URI in {OWN} nor a Docker engine with the image {IMAGE}"


class Engine:
    """A MongoDB in a container of its own, at a port that stays the same when it is killed and started again."""

    def __init__(self, *, in_memory: bool = False) -> None:
        self.name = f"nodeward-test-mongodb-{secrets.token_hex(4)}"
        self.port = free_port()
        place = ["--tmpfs", "/data/db"] if in_memory else ["--volume", f"{self.name}:/data/db"]
        _docker("run", "--detach", "--name", self.name, "--publish", f"127.0.0.1:{self.port}:27017", *place, IMAGE)
        self.wait()

    @property
    def uri(self) -> str:
        """Where it answers."""
        return f"mongodb://127.0.0.1:{self.port}/"

    def kill(self) -> None:
        """End it by SIGKILL, as a power cut would."""
        _docker("kill", self.name)

    def start(self) -> None:
        """Start it again after `kill`, with what it had stored."""
        _docker("start", self.name)
        self.wait()

    def wait(self) -> None:
        """Return once it answers; remove it if it never does."""
        until = time.monotonic() + START_SECONDS
        with MongoClient[dict[str, Any]](self.uri, serverSelectionTimeoutMS=1000) as client:
            while True:
                try:
                    client.admin.command("ping")
                    return
                except PyMongoError:
                    if time.monotonic() > until:
                        self.remove()
                        raise
                    time.sleep(0.2)  # between two questions, not instead of one

    def remove(self) -> None:
        """Remove it with all it has stored."""
        remove(self.name)


def remove(name: str) -> None:
    """Remove a test's container and its data."""
    _docker("rm", "--force", "--volumes", name)
    _docker("volume", "rm", "--force", name)


@contextmanager
def shared(folder: Path) -> Iterator[str]:
    """Yield the URI of one engine for all who name the same `folder`: the first starts it, the last removes it."""
    own = os.environ.get(OWN)
    if own:
        yield own
        return
    with _locked(folder) as (users, about):
        if users == 0:
            engine = Engine(in_memory=True)
            about.write_text(f"{engine.name} {engine.uri}")
        _count(folder, 1)
        name, uri = about.read_text().split()
    try:
        yield uri
    finally:
        with _locked(folder) as (users, _):
            _count(folder, -1)
            if users == 1:
                remove(name)


@contextmanager
def scratch(server: str) -> Iterator[str]:
    """Yield the URI of an empty database on `server`; it is dropped at the end."""
    name = f"nodeward_test_{secrets.token_hex(6)}"
    yield with_database(server, name)
    with MongoClient[dict[str, Any]](server, serverSelectionTimeoutMS=60_000) as client:
        client.drop_database(name)


def with_database(uri: str, name: str) -> str:
    """Return a server's URI with that database in it; who may enter is still looked up where it was."""
    parts = urlsplit(uri)
    query = parts.query
    if "@" in parts.netloc and "authSource=" not in query:
        query = "&".join(filter(None, (query, f"authSource={parts.path.strip('/') or 'admin'}")))
    return urlunsplit((parts.scheme, parts.netloc, f"/{name}", query, ""))


@contextmanager
def _locked(folder: Path) -> Iterator[tuple[int, Path]]:
    with (folder / "mongodb.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _count(folder, 0), folder / "mongodb"


def _count(folder: Path, more: int) -> int:
    path = folder / "mongodb.users"
    users = int(path.read_text()) + more if path.exists() else more
    path.write_text(str(users))
    return users


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True, timeout=120).stdout
