"""Log records for tests, and the plainest possible answer to what a search must find."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from nodeward.core import batch as wire
from nodeward.core.batch import Batch, Builder, Record
from nodeward.store.base import Effort, FieldTerm, Found, LogQuery, LogShelf, Page, Term

NOON = 1_795_521_600_000_000  # 2026-11-24T12:00:00Z
SECOND = 1_000_000
DAY = 86_400 * SECOND
PATIENT = Effort(seconds=600)  # for an answer that is to be whole, however long the machine stands still meanwhile


@dataclasses.dataclass(frozen=True)
class Line:
    """One line to be stored; what is not said is nothing special."""

    raw: bytes
    time: int = NOON
    level: int = 6
    host: str = "web-1"
    ident: str = ""
    pid: int | None = None
    message: tuple[int, int] | None = None
    text: str | None = None
    fields: dict[str, Any] | None = None
    error: str | None = None


def made(
    lines: Iterable[Line | bytes], *, node: str = "web-1", source: str = "app", generation: str = "g1", first: int = 0
) -> tuple[Batch, bytes]:
    """Return a batch of these lines, whose offsets run like those of a file, and its bytes."""
    builder = Builder(node, source, generation, path=f"/var/log/{source}.log")
    offset = first
    for line in lines:
        one = line if isinstance(line, Line) else Line(line)
        builder.add(
            one.raw, offset, time=one.time, level=one.level, host=one.host, ident=one.ident, pid=one.pid,
            message=one.message, text=one.text, fields=one.fields, error=one.error,
        )  # fmt: skip
        offset += len(one.raw) + 1
    batch = builder.build(offset)
    return batch, wire.encode(batch)


def pages(shelf: LogShelf, query: LogQuery, limit: int = 1000, **more: Any) -> list[Page]:
    """Return every page of a search."""
    found = [shelf.search(query, limit=limit, **more)]
    while found[-1].next:
        found.append(shelf.search(query, limit=limit, cursor=found[-1].next, **more))
        assert len(found) < 10_000, "a search that does not end"
    return found


def found(shelf: LogShelf, query: LogQuery | None = None, **more: Any) -> list[Found]:
    """Return everything a search finds, over all its pages."""
    return [one for page in pages(shelf, query or LogQuery(), **more) for one in page.items]


def raws(items: Iterable[Found]) -> list[bytes]:
    """Return the lines themselves."""
    return [one.record.raw for one in items]


def matches(query: LogQuery, record: Record) -> bool:
    """Say whether a record matches, one condition after the other, without any cleverness."""
    return (
        _named(query.nodes, record.node)
        and _named(query.sources, record.source)
        and _named(query.hosts, record.host)
        and _named(query.idents, record.ident)
        and (query.levels is None or record.level in query.levels)
        and query.start <= record.time < query.end
        and all(_has_term(term, record) != term.exclude for term in query.terms)
        and all(_has_field(condition, record) != condition.exclude for condition in query.fields)
    )


def _named(names: tuple[str, ...], name: str) -> bool:
    return not names or name in names


def _has_term(term: Term, record: Record) -> bool:
    texts = [record.raw]
    if record.message not in wire.text(record.raw):  # it was unescaped; else it is a slice of raw
        texts.append(record.message.encode())
    return any(_occurs(term, text.lower(), at) for text in texts for at in range(len(text)))


def _occurs(term: Term, text: bytes, at: int) -> bool:
    wanted = term.text.lower()
    end = at + len(wanted)
    if text[at:end] != wanted:
        return False
    splits_left = at > 0 and _is_word(text[at - 1]) and _is_word(wanted[0])
    splits_right = end < len(text) and _is_word(text[end]) and _is_word(wanted[-1])
    return not (term.left and splits_left) and not (term.right and splits_right)


def _is_word(byte: int) -> bool:
    return (chr(byte).isascii() and (chr(byte).isalnum() or byte == ord("_"))) or byte > 127


def _has_field(condition: FieldTerm, record: Record) -> bool:
    return condition.name in record.fields and str(record.fields[condition.name]).lower() == condition.value.lower()
