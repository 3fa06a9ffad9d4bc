"""What a store must be able to do, tried on a server of an operator's own: the substance of the contracts, in a scratch database.

Every check is a sentence and a function that raises AssertionError, or a NodewardError, where it does not hold.
"""

import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from nodeward.core.auth import Credential
from nodeward.core.batch import Batch, Builder, encode
from nodeward.core.errors import BadInput, Conflict, NodewardError
from nodeward.store.base import Effort, LogQuery, Outcome, Term
from nodeward.store.base_registry import Change, Key, Revision
from nodeward.store.base_states import Change as StateChange
from nodeward.store.base_states import EventQuery, Point
from nodeward.store.choose_logs import log_shelf
from nodeward.store.choose_registry import open_registry
from nodeward.store.choose_states import open_states

SECOND = 1_000_000
NOON = 1_795_521_600 * SECOND
LATER = NOON + 1000 * 86_400 * SECOND
NODE = Key("node", "web-1")
PATIENT = Effort(seconds=60)  # a slow server is no fault


@dataclass(frozen=True)
class Outcomes:
    """What became of a check; `fault` is empty where it holds."""

    sentence: str
    fault: str


def run(uri: str) -> Iterator[Outcomes]:
    """Try everything on a scratch database (or a scratch directory) of that store; yield what became of each; clean up."""
    with scratch(uri) as (store, place):
        for sentence, check in CHECKS:
            try:
                check(store, place)
            except AssertionError:
                yield Outcomes(sentence, "it does not hold")
            except (NodewardError, ImportError) as error:
                yield Outcomes(sentence, str(error))
            else:
                yield Outcomes(sentence, "")


@contextmanager
def scratch(uri: str) -> Iterator[tuple[str, Path]]:
    """Yield an empty store of that kind, on that server, and remove it at the end."""
    with tempfile.TemporaryDirectory() as place:
        if not uri.startswith("mongodb"):
            if uri.partition(":")[0] != "sqlite":
                raise BadInput(f"{uri.partition(':')[0]}: is no kind of store; there are sqlite: and mongodb://…")
            yield uri, Path(place)
            return
        from nodeward.store.mongodb import drop

        own = _with_database(uri, f"nodeward_selftest_{secrets.token_hex(6)}")
        try:
            yield own, Path(place)
        finally:
            drop(own)


def _with_database(uri: str, name: str) -> str:
    parts = urlsplit(uri)
    query = parts.query
    if "@" in parts.netloc and "authSource=" not in query:
        query = "&".join(filter(None, (query, f"authSource={parts.path.strip('/') or 'admin'}")))
    return urlunsplit((parts.scheme, parts.netloc, f"/{name}", query, ""))


def _revisions(store: str, place: Path) -> None:
    body = {"kind": "node", "name": "web-1", "labels": {"a.b": "$c ☂", "n": 2**70}}
    with closing(open_registry(store, place)) as shelf:
        shelf.commit(0, Revision(1, 1, "ada", "", [Change(NODE, None, body)]))
    with closing(open_registry(store, place)) as shelf:
        assert [one.body for one in shelf.objects()] == [body]
        shelf.commit(1, Revision(2, 2, "ada", "", [Change(NODE, body, None)]))
        assert (shelf.objects(), shelf.head()) == ([], 2)


def _one_writer(store: str, place: Path) -> None:
    def write(name: str) -> None:
        try:
            shelf.commit(2, Revision(3, 3, name, "", [Change(Key("node", name), None, {"name": name})]))
            won.append(name)
        except Conflict:
            pass

    won: list[str] = []
    with closing(open_registry(store, place)) as shelf:
        writers = [threading.Thread(target=write, args=(name,)) for name in ("a", "b", "c", "d")]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert [one.key.name for one in shelf.objects()] == won
        assert len(won) == 1


def _credentials(store: str, place: Path) -> None:
    with closing(open_registry(store, place)) as shelf:
        for number, name in enumerate(("a", "b")):
            row = Credential(id=name * 12, name="n", role="node", hash="0" * 64, node="n", created=number)
            shelf.put_credential(row, replacing=["a" * 12] if name == "b" else [], at=7)
        assert [one.revoked for one in shelf.credentials()] == [7, None]
        assert shelf.revoke("b" * 12, 8)
        assert not shelf.revoke("b" * 12, 9)


def _states(store: str, place: Path) -> None:
    change = StateChange(
        states={("w", None): {"node": "w", "service": None, "output": "☂", "perfdata": {"a.b": 1}}},
        events=[{"id": n, "at": NOON + n, "type": "state", "node": "w", "service": None} for n in range(1, 6)],
        flips={6: {"id": 6, "node": "w", "service": None, "status": "waiting"}},
    )
    with closing(open_states(store, place)) as shelf:
        shelf.write(change)
        shelf.write(change)
    with closing(open_states(store, place)) as shelf:
        loaded = shelf.load()
        assert loaded.states == list(change.states.values())
        assert [flip["id"] for flip in loaded.flips] == [6]
        assert [event["id"] for event in shelf.events(EventQuery(after=3))] == [4, 5]


def _series(store: str, place: Path) -> None:
    begin = NOON - 4 * 3600 * SECOND
    points = [Point("w", "load", "load1", "", "", "", begin + n * 60 * SECOND, float(n)) for n in range(150)]
    with closing(open_states(store, place)) as shelf:
        shelf.write(StateChange(points=points))
        before = [shelf.series(("w", "load"), 0, NOON, step) for step in (None, 300, 3600)]
        assert len(before[0][0].points) == 150
        while shelf.compact(NOON):
            pass
        assert [shelf.series(("w", "load"), 0, NOON, step) for step in (None, 300, 3600)] == before


def _batch(lines: list[str], first: int = 0, source: str = "app") -> tuple[Batch, bytes]:
    builder = Builder("w", source, "g")
    for number, line in enumerate(lines):
        builder.add(line.encode(), first + number, time=NOON + number * SECOND, level=number % 7, host="w")
    batch = builder.build(first + len(lines))
    return batch, encode(batch)


def _logs_once(store: str, place: Path) -> None:
    with closing(log_shelf(store, place / "logs")) as shelf:
        batch = _batch([f"line {n}" for n in range(500)])
        assert shelf.append([batch, batch], NOON) == [Outcome(500, 0), Outcome(0, 500)]
    with closing(log_shelf(store, place / "logs")) as shelf:
        assert shelf.append([batch, _batch(["needle in it"], 1000)], NOON) == [Outcome(0, 500), Outcome(1, 0)]
        while shelf.compact(LATER):
            pass
        assert shelf.append([batch], NOON) == [Outcome(0, 500)]


def _logs_found(store: str, place: Path) -> None:
    with closing(log_shelf(store, place / "logs")) as shelf:
        for query in (
            LogQuery(terms=(Term(b"needle"),)),
            LogQuery(regex="need.e"),
            LogQuery(nodes=("w",), start=NOON + 10**15),
        ):
            found = shelf.search(query, effort=PATIENT).items
            assert len(found) == (0 if query.start > NOON else 1)
        (one,) = shelf.search(LogQuery(terms=(Term(b"needle"),)), effort=PATIENT).items
        assert shelf.get(one.id) == one
        before, _, _ = shelf.context(one.id, 2, 2)
        assert [each.record.message for each in before] == ["line 498", "line 499"]


def _logs_followed(store: str, place: Path) -> None:
    with closing(log_shelf(store, place / "logs")) as shelf:
        start = shelf.follow(LogQuery(), None, 1).cursor
        shelf.append([_batch([f"new {n}" for n in range(20)], 2000)], NOON)
        found = shelf.follow(LogQuery(), start, 100)
        assert [one.record.message for one in found.items] == [f"new {n}" for n in range(20)]


def _logs_counted(store: str, place: Path) -> None:
    with closing(log_shelf(store, place / "logs")) as shelf:
        query = LogQuery(start=NOON - SECOND, end=NOON + 600 * SECOND)
        assert sum(sum(one.levels.values()) for one in shelf.histogram(query, 20, PATIENT).bins) == 521
        assert shelf.top(query, "host", 3, PATIENT).values == [("w", 521)]
        assert [one.records for one in shelf.sources()] == [521]


def _logs_removed(store: str, place: Path) -> None:
    with closing(log_shelf(store, place / "logs")) as shelf:
        while shelf.compact(LATER):
            pass
        assert list(shelf.verify()) == []
        while shelf.retain(LATER, 2**62).days:
            pass
        assert shelf.search(LogQuery(), effort=PATIENT).items == []


CHECKS: list[tuple[str, Callable[[str, Path], None]]] = [
    ("the configuration is kept, whatever its names and numbers, and a removal is kept", _revisions),
    ("of four who write at once, one succeeds", _one_writer),
    ("credentials are kept, replaced and revoked once", _credentials),
    ("states, events and flips are kept, and writing them again changes nothing", _states),
    ("series read the same before and after they are packed", _series),
    ("log records are stored once, also after opening anew and after compaction", _logs_once),
    ("words, patterns and neighbours are found", _logs_found),
    ("following gives records in their order of arrival", _logs_followed),
    ("counters and totals are right", _logs_counted),
    ("retention removes what is too old", _logs_removed),
]
