"""What the monitor needs to know of the fleet: the config server's `monitoring` document, kept on disk for hard times."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from nodeward.core.client import Client
from nodeward.core.errors import NodewardError
from nodeward.core.files import write_atomic
from nodeward.core.http import problems_of
from nodeward.core.trouble import Trouble
from nodeward.core.words import counted
from nodeward.monitor.settings import Duration
from nodeward.store.base_states import Key

log = logging.getLogger(__name__)

_BREATH = 1.0  # seconds until a revision that the config server did not have is asked for again

ALL_PROBLEMS = ("WARNING", "CRITICAL", "UNKNOWN", "DOWN", "UNREACHABLE")


class _Definition(BaseModel):
    """Keys that this version does not know are left aside: the config server may be newer."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Node(_Definition):
    """A watched machine. `agent` says that it reports by itself; else `checked_from` names the node that checks it."""

    name: str
    address: str = ""
    agent: bool = True
    groups: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    parents: tuple[str, ...] = ()
    checked_from: str | None = None
    interval: Duration = 60.0
    retry: Duration = 15.0
    timeout: Duration = 10.0
    attempts: int = Field(1, ge=1)
    contacts: tuple[str, ...] = ()
    notify: tuple[str, ...] = ALL_PROBLEMS

    @property
    def reporter(self) -> str | None:
        """The node whose reports tell of this one, if any does."""
        return self.name if self.agent else self.checked_from


class Service(_Definition):
    """One check of one node."""

    node: str
    service: str
    interval: Duration = 60.0
    retry: Duration = 15.0
    attempts: int = Field(3, ge=1)
    timeout: Duration = 10.0
    volatile: bool = False
    contacts: tuple[str, ...] = ()
    notify: tuple[str, ...] = ALL_PROBLEMS


class Contact(_Definition):
    """Somebody to tell: an e-mail address, Apprise URLs, or both, within the hours of `period` (always, if none)."""

    name: str
    email: str | None = None
    urls: tuple[str, ...] = ()
    period: str | None = None


class Period(_Definition):
    """Hours of the week in a time zone, e.g. {"monday": ["09:00-12:00", "13:00-17:30"]}."""

    name: str
    timezone: str = "UTC"
    ranges: dict[str, tuple[str, ...]] = {}


class Match(_Definition):
    """What a route is for; everything given must fit. Names of nodes and services may hold * and ?."""

    groups: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    nodes: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    states: tuple[str, ...] = ()

    @field_validator("groups", "nodes", "services", "states", mode="before")
    @classmethod
    def _absent_is_empty(cls, given: Any) -> Any:
        return () if given is None else (given,) if isinstance(given, str) else given


class Route(_Definition):
    """Sends what matches to contacts, within the hours of `period`."""

    name: str
    match: Match = Match()
    contacts: tuple[str, ...] = ()
    period: str | None = None


class Monitoring(_Definition):
    """The document as it comes."""

    revision: int = 0
    nodes: tuple[Node, ...] = ()
    services: tuple[Service, ...] = ()
    contacts: tuple[Contact, ...] = ()
    periods: tuple[Period, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True)
class Fleet:
    """The same, ready to look things up in."""

    revision: int = 0
    nodes: dict[str, Node] = field(default_factory=dict)
    services: dict[Key, Service] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    periods: dict[str, Period] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()

    def definition(self, key: Key) -> Node | Service | None:
        """Return what defines a node or service, or None if nothing does."""
        return self.nodes.get(key[0]) if key[1] is None else self.services.get(key)

    def may_report(self, reporter: str, key: Key) -> bool:
        """Say whether `reporter` is the one whose results of `key` count."""
        node = self.nodes.get(key[0])
        return node is not None and self.definition(key) is not None and reporter in (node.name, node.checked_from)

    def keys(self) -> Iterable[Key]:
        """Return every node (service None) and service."""
        yield from ((name, None) for name in self.nodes)
        yield from self.services

    @cached_property
    def services_of(self) -> dict[str, list[Key]]:
        """The services by their node."""
        found: dict[str, list[Key]] = {}
        for key in self.services:
            found.setdefault(key[0], []).append(key)
        return found

    @cached_property
    def reported_by(self) -> dict[str, list[Key]]:
        """What a node server is the one to report, by its node; a node's own state is not in it, any report tells that."""
        found: dict[str, list[Key]] = {}
        own = ((node.name, None) for node in self.nodes.values() if not node.agent)
        for key in (*own, *self.services):
            if reporter := self.nodes[key[0]].reporter:
                found.setdefault(reporter, []).append(key)
        return found

    @cached_property
    def behind(self) -> dict[str, list[str]]:
        """The nodes that depend on a node: as their parent, or as the one that checks them."""
        found: dict[str, list[str]] = {}
        for node in self.nodes.values():
            for other in {*node.parents, *((node.checked_from,) if node.checked_from and not node.agent else ())}:
                found.setdefault(other, []).append(node.name)
        return found


def fleet(document: Any) -> Fleet:
    """Given the `monitoring` document, return the fleet. Raise ValueError if it is no such document.

    A service of a node that is not in it is left out: it could never be reported.
    """
    try:
        read = Monitoring.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(map(str, problems_of(error)[:3]))
        raise ValueError(f"The monitoring document of the config server cannot be read. {faults}") from None
    nodes = {node.name: node for node in read.nodes}
    return Fleet(
        read.revision,
        nodes,
        {(each.node, each.service): each for each in read.services if each.node in nodes},
        {each.name: each for each in read.contacts},
        {each.name: each for each in read.periods},
        read.routes,
    )


class Definitions:
    """Fetches the document, and keeps the last good one on disk (0600: contacts' URLs hold secrets)."""

    def __init__(self, config: Client, cache: Path, apply: Callable[[Fleet], None]) -> None:
        self._config, self._cache, self._apply = config, cache, apply
        self._etag: str | None = None
        self._lock = threading.Lock()
        self._asked = float("-inf")
        self._sought = -1
        self.loaded = False
        self.revision = -1
        self._trouble = Trouble(log)

    @property
    def failure(self) -> str:
        """Why the definitions could not be refreshed, or nothing."""
        return self._trouble.text

    def unit(self) -> bool:
        """Begin with the document on disk, then ask the config server, each time anew. A worker's piece of work."""
        if not self.loaded:
            self._load_cache()
        with self._lock:
            self._refresh()
        return False

    def catch_up(self, revision: int | None) -> None:
        """A node server reports under `revision`: get the definitions of that revision, so that no new check is unknown."""
        if revision is None or revision <= self.revision or not self.loaded:
            return
        with self._lock:
            if revision > self.revision and not self._was_sought(revision):
                self._sought = revision
                self._refresh()

    def _was_sought(self, revision: int) -> bool:
        """Whether it was asked for only just, and in vain. What was asked before anybody reported under it does not count."""
        return revision <= self._sought and time.monotonic() - self._asked < _BREATH

    def _refresh(self) -> None:
        """Ask once. A failure is remembered, said once, and leaves the last document in force."""
        self._asked = time.monotonic()
        try:
            answer = self._config.get_if_changed("/api/v1/monitoring", self._etag)
            if answer is not None:
                self._take(answer[0])
                write_atomic(self._cache, json.dumps(answer[0]), mode=0o600)
                self._etag = answer[1]
            self._trouble.end()
        except (NodewardError, ValueError) as error:
            self._trouble.meet(error, "The definitions could not be refreshed, the last ones stay in force: %s")

    def _load_cache(self) -> None:
        try:
            self._take(json.loads(self._cache.read_text()))
        except (OSError, ValueError):
            pass  # none yet, or damaged: the config server brings it

    def _take(self, document: Any) -> None:
        read = fleet(document)
        self._apply(read)
        self.revision = read.revision
        self.loaded = True
        nodes, services = counted(len(read.nodes), "node"), counted(len(read.services), "service")
        log.info("revision %d: %s, %s", read.revision, nodes, services)
