"""A log record as a document, and documents as the columns that a search looks through.

{"_id": "65f3…-1a2b",          time in µs and sequence number, both in hexadecimal: the id that the HTTP API gives
 "time": Date, "received": Date, "received_us": µs beyond that date's millisecond
 "node", "source", "host", "ident": text;  "level": syslog severity, 255 for none;  "pid": number, where there is one
 "raw": the line as text;  "bytes": the line itself, where it is not UTF-8
 "message": where it is not the whole line;  "slice": [from, to] in the line's bytes, where it is a part of it
 "fields": {…};  "parse_error": text;  "path", "generation", "offset": where in which file it stood
 "block": the block it belongs to}
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from bson import DatetimeMS

from nodeward.core import batch as wire
from nodeward.store import mongodb
from nodeward.store.base import Term
from nodeward.store.logblocks.moment import identifier, parsed
from nodeward.store.logblocks.rows import Names, Rows, Stream

Doc = dict[str, Any]
MAX_WORD = 64  # longer ones are known by their beginning
_WORD = re.compile(rb"[0-9A-Za-z_\x80-\xff]+")


def documents(rows: Rows, block: str) -> Iterator[Doc]:
    """Yield the documents of records that belong to a block."""
    for row in range(rows.count):
        record, seq = rows.record(row), int(rows.seqs[row])
        document: Doc = {
            "_id": identifier(record.time, seq),
            "time": DatetimeMS(record.time // 1000),
            "node": record.node,
            "source": record.source,
            "host": record.host,
            "ident": record.ident,
            "level": record.level,
            "raw": wire.text(record.raw),
            "path": record.path,
            "generation": record.generation,
            "offset": record.offset,
            "received": DatetimeMS(record.received // 1000),
            "received_us": record.received % 1000,
            "block": block,
        }
        if record.pid is not None:
            document["pid"] = record.pid
        if document["raw"].encode() != record.raw:
            document["bytes"] = record.raw
        if record.message != document["raw"] or row in rows.texts:
            document["message"] = record.message
        if row not in rows.texts:
            place = [int(rows.starts[row]), int(rows.stops[row])]
            if place != [0, len(record.raw)]:
                document |= {"slice": place, "message": record.message}
        if record.fields:
            document["fields"] = mongodb.body(record.fields)
        if record.parse_error is not None:
            document["parse_error"] = record.parse_error
        yield document


def rows(found: Sequence[Doc]) -> Rows:
    """Return documents as columns, in the order of their sequence numbers."""
    places = [parsed(one["_id"]) for one in found]
    order = sorted(range(len(found)), key=lambda number: places[number][1])
    docs, places = [found[number] for number in order], [places[number] for number in order]
    raws = [one.get("bytes") or one["raw"].encode() for one in docs]
    lengths = _numbers(map(len, raws))
    slices = [one.get("slice") or (0, len(raw)) for one, raw in zip(docs, raws, strict=True)]
    return Rows(
        raw=b"".join(raws),
        ends=np.cumsum(lengths),
        seqs=_numbers(seq for _, seq in places),
        times=_numbers(time for time, _ in places),
        received=_numbers(int(one["received"]) * 1000 + one["received_us"] for one in docs),
        offsets=_numbers(one["offset"] for one in docs),
        levels=_numbers(one["level"] for one in docs),
        pids=_numbers(one.get("pid", wire.NO_PID) for one in docs),
        starts=_numbers(place[0] for place in slices),
        stops=_numbers(place[1] for place in slices),
        hosts=_names(one["host"] for one in docs),
        idents=_names(one["ident"] for one in docs),
        streams=_names(Stream(one["node"], one["source"], one["generation"], one["path"]) for one in docs),
        texts={row: one["message"] for row, one in enumerate(docs) if "message" in one and "slice" not in one},
        fields={row: mongodb.unpacked(one["fields"]) for row, one in enumerate(docs) if "fields" in one},
        errors={row: one["parse_error"] for row, one in enumerate(docs) if "parse_error" in one},
    )


def words(some: Rows) -> set[str]:
    """Return the words of records, lowered, as the index has them."""
    text = b"\n".join([_separated(some), *(other.encode() for other in some.texts.values())])
    return {_indexed(word) for word in set(_WORD.findall(text.lower()))}


def needed(terms: Iterable[Term]) -> list[str]:
    """Return words that a block must have for a record in it to match all terms."""
    found: set[str] = set()
    for term in terms:
        for match in () if term.exclude else _WORD.finditer(term.text.lower()):
            if (match.start() > 0 or term.left) and (match.end() < len(term.text) or term.right):
                found.add(_indexed(match.group()))
    return sorted(found)


def _indexed(word: bytes) -> str:
    return wire.text(word[:MAX_WORD])


def _separated(some: Rows) -> bytes:
    """Return the lines with something between them that is in no word."""
    ends = some.ends.tolist()
    return b"\n".join([some.raw[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)])


def _numbers(values: Iterable[int]) -> Any:
    return np.fromiter(values, np.int64)


def _names(values: Iterable[Any]) -> Names[Any]:
    known: dict[Any, int] = {}
    codes = np.fromiter((known.setdefault(value, len(known)) for value in values), np.uint32)
    return Names(list(known), codes)
