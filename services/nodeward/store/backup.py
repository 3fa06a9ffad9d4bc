"""All that a shelf keeps as rows, and back: through the contracts alone, so that a backup of one kind of store fits any other.

`…_rows` gives rows as they are at the moment it begins; `put_…` puts them onto an empty shelf and returns how many of each there
were. A row that stands for several things says so in `count`.
"""

import base64
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Any

from nodeward.core import batch as wire
from nodeward.core.auth import Credential
from nodeward.core.batch import Batch, Builder, Record
from nodeward.store.base import LogShelf
from nodeward.store.base_registry import BundleMark, Change, Deed, Key, RegistryShelf, Revision
from nodeward.store.base_states import Change as StateChange
from nodeward.store.base_states import EventQuery, StateShelf

Row = dict[str, Any]
Counts = dict[str, int]
_PAGE = 500
_BATCH_RECORDS = 8192
_BATCHES_AT_ONCE = 64


def registry_rows(shelf: RegistryShelf) -> Iterator[Row]:
    """Yield everything of the registry. What was changed after the first row is not in it."""
    head = shelf.head()
    for number in range(1, head + 1):
        found = shelf.revision(number)
        if found is not None:
            changes = [[*one.key, one.before, one.after] for one in found.changes]
            yield {
                "row": "revision",
                "number": number,
                "at": found.at,
                "who": found.who,
                "why": found.why,
                "changes": changes,
            }
    used, objects = shelf.used(), shelf.objects()
    for credential in shelf.credentials():
        yield {"row": "credential", "used": credential.id in used, **credential.model_dump()}
    for name in sorted({one.key.name for one in objects if one.key.kind == "user"}):
        if digest := shelf.password(name):
            yield {"row": "password", "name": name, "hash": digest}
    for mark in shelf.bundle_marks():
        yield {"row": "bundle", **asdict(mark)}
    for deed in _deeds(shelf):
        yield {"row": "deed", **{name: value for name, value in asdict(deed).items() if name != "id"}}


def put_registry(shelf: RegistryShelf, rows: Iterator[Row], keeping: list[Credential]) -> Counts:
    """Put a registry onto an empty shelf; `keeping` are credentials that stay in force here: of servers, and of nodes it has."""
    counter, known, deeds = _Counter(), set[str](), list[Deed]()
    for row in rows:
        kind = counter.take(row)
        if kind == "revision":
            changes = [Change(Key(kind_, name), before, after) for kind_, name, before, after in row.pop("changes")]
            shelf.commit(row["number"] - 1, Revision(**row, changes=changes))
        elif kind == "credential":
            used = row.pop("used")
            known.add(row["id"])
            shelf.put_credential(Credential(**row))
            if used:
                shelf.note_use(row["id"])
        elif kind == "password":
            shelf.put_password(row["name"], row["hash"])
        elif kind == "bundle":
            shelf.put_bundle_marks([BundleMark(**row)])
        elif kind == "deed":
            deeds.append(Deed(**row))
            if len(deeds) >= _PAGE:
                shelf.note(*deeds)
                deeds.clear()
    shelf.note(*deeds)
    nodes = {one.key.name for one in shelf.objects() if one.key.kind == "node"}
    for credential in keeping:
        if credential.id not in known and (credential.node is None or credential.node in nodes):
            shelf.put_credential(credential)
    return counter.counts


def registry_counts(shelf: RegistryShelf) -> Counts:
    """Return what the registry has, counted."""
    return {
        "revisions": shelf.head(),
        "credentials": len(shelf.credentials()),
        "objects": len(shelf.objects()),
    }


def state_rows(shelf: StateShelf) -> Iterator[Row]:
    """Yield everything the monitor keeps."""
    loaded = shelf.load()
    for doc in loaded.states:
        yield {"row": "state", "doc": doc}
    for doc in loaded.downtimes:
        yield {"row": "downtime", "doc": doc}
    for key, value in loaded.cursors.items():
        yield {"row": "cursor", "key": list(key), "value": list(value)}
    yield {"row": "meta", "meta": loaded.meta, "count": {}}
    for doc in _flips(shelf, loaded.last_event):
        deliveries = doc.pop("deliveries")
        yield {
            "row": "flip",
            "doc": doc,
            "deliveries": deliveries,
            "count": {"flips": 1, "deliveries": len(deliveries)},
        }
    after = 0
    while events := shelf.events(EventQuery(after=after, limit=_PAGE)):
        events = [event for event in events if event["id"] <= loaded.last_event]
        for event in events:
            yield {"row": "event", "doc": event}
        if not events:
            break
        after = events[-1]["id"]
    yield from shelf.series_rows()


def put_states(shelf: StateShelf, rows: Iterator[Row]) -> Counts:
    """Put what a monitor kept onto an empty shelf."""
    counter = _Counter()
    change, size = StateChange(), 0
    series: list[Row] = []
    for row in rows:
        kind = counter.take(row)
        if kind in ("series", "points", "chunk"):
            series.append(row)
        else:
            _into(change, kind, row)
        size += 1
        if size >= _PAGE:
            shelf.write(change)
            shelf.put_series_rows(series)
            change, size, series = StateChange(), 0, []
    shelf.write(change)
    shelf.put_series_rows(series)
    return counter.counts


def state_counts(shelf: StateShelf) -> Counts:
    """Return what the monitor keeps, counted."""
    loaded = shelf.load()
    return {"states": len(loaded.states), "downtimes": len(loaded.downtimes), "last_event": loaded.last_event}


def log_rows(shelf: LogShelf) -> Iterator[Row]:
    """Yield the log records that are there when this begins, as batches in their order of arrival."""
    for (received, *_), records in groupby(shelf.records(), key=_stream):
        for batch in _batches(received, records):
            packed = base64.b64encode(zlib.compress(wire.encode(batch), 1)).decode()
            yield {"row": "batch", "received": received, "batch": packed, "count": {"records": batch.count}}


def put_logs(shelf: LogShelf, rows: Iterator[Row], compact: Callable[[], bool]) -> Counts:
    """Put log records onto an empty shelf; `compact` does a unit of its upkeep between them."""
    records = received = 0
    waiting: list[tuple[Batch, bytes]] = []
    for row in rows:
        if waiting and (row["received"] != received or len(waiting) >= _BATCHES_AT_ONCE):
            records += sum(one.accepted for one in shelf.append(waiting, received))
            waiting = []
            compact()
        received = row["received"]
        waiting += wire.decode(zlib.decompress(base64.b64decode(row["batch"])))
    if waiting:
        records += sum(one.accepted for one in shelf.append(waiting, received))
    while compact():
        pass
    return {"records": records}


def log_counts(shelf: LogShelf) -> Counts:
    """Return what the log shelf has, counted."""
    return {"records": sum(one.records for one in shelf.sources())}


class _Counter:
    """Counts rows by what they are."""

    def __init__(self) -> None:
        self.counts: Counts = {}

    def take(self, row: Row) -> str:
        """Count a row, and take out of it what it is."""
        kind: str = row.pop("row")
        counted = {"meta": {}, "flip": {"flips": 1, "deliveries": len(row.get("deliveries", ()))}, "series": {"series": 1},
                   "points": {"points": len(row.get("points", ()))}}.get(kind, {f"{kind}s": 1})  # fmt: skip
        for name, count in counted.items():
            self.counts[name] = self.counts.get(name, 0) + count
        return kind


def _into(change: StateChange, kind: str, row: Row) -> None:
    if kind == "state":
        change.states[row["doc"]["node"], row["doc"]["service"]] = row["doc"]
    elif kind == "downtime":
        change.downtimes[row["doc"]["id"]] = row["doc"]
    elif kind == "cursor":
        change.cursors[row["key"][0], row["key"][1]] = (row["value"][0], row["value"][1])
    elif kind == "meta":
        change.meta |= row["meta"]
    elif kind == "event":
        change.events.append(row["doc"])
    elif kind == "flip":
        change.flips[row["doc"]["id"]] = row["doc"]
        change.deliveries |= {one["id"]: one for one in row["deliveries"]}


def _deeds(shelf: RegistryShelf) -> list[Deed]:
    """Return the audit list, oldest first."""
    found: list[Deed] = []
    while page := shelf.deeds(found[-1].id if found else None, _PAGE):
        found += page
    return found[::-1]


def _flips(shelf: StateShelf, last: int) -> Iterator[Row]:
    before: int | None = last + 1
    while page := shelf.flips(before, None, None, _PAGE):
        yield from page
        before = page[-1]["id"]


def _stream(record: Record) -> tuple[int, str, str, str, str]:
    return record.received, record.node, record.source, record.generation, record.path


def _batches(received: int, records: Iterator[Record]) -> Iterator[Batch]:
    """Yield records of one stream, in its order, as batches."""
    builder: Builder | None = None
    last = 0
    for record in records:
        if builder is not None and (len(builder) >= _BATCH_RECORDS or record.offset <= last or builder.size > 2**20):
            yield builder.build(last + 1)
            builder = None
        builder = builder or Builder(record.node, record.source, record.generation, record.path)
        last = record.offset
        builder.add(record.raw, last, **_more(record))
    if builder is not None:
        yield builder.build(last + 1)


def _more(record: Record) -> dict[str, Any]:
    """Return what a record says besides its line; the message as a part of the line, where it is one."""
    message = record.message.encode()
    begin = record.raw.find(message) if wire.text(message) == record.message else -1
    place: dict[str, Any] = {"message": (begin, begin + len(message))} if begin >= 0 else {"text": record.message}
    if record.message == wire.text(record.raw):
        place = {}
    return {
        "time": record.time, "level": record.level, "host": record.host, "ident": record.ident, "pid": record.pid,
        "fields": record.fields, "error": record.parse_error, **place,
    }  # fmt: skip
