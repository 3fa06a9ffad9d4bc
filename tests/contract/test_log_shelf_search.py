"""Random records, random queries, random moments of compaction: a search finds what the plainest reading finds."""

from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodeward.core.batch import Record
from nodeward.store.base import MAX_TIME, MIN_TIME, Effort, FieldTerm, LogQuery, LogShelf, Term
from support.log_records import DAY, NOON, SECOND, Line, found, made, matches
from support.stores import STORES, empty_log_shelf

LATER = NOON + 1000 * DAY

WORDS = ["error", "Error", "err", "10.0.0.1", "10", "0", "web_1", "naïve", "größe", "a", "A-b", "[x]", "*", "\\", "%"]
words = st.sampled_from(WORDS)
raw_lines = st.one_of(
    st.lists(words, max_size=6).map(lambda parts: " ".join(parts).encode()),
    st.lists(words, max_size=4).map(lambda parts: "".join(parts).encode()),
    st.lists(st.one_of(words, st.just("\n")), max_size=6).map(lambda parts: " ".join(parts).encode()),
    st.binary(max_size=30),
)
times = st.integers(-3, 3).flatmap(lambda day: st.integers(0, 5).map(lambda step: NOON + day * DAY + step * SECOND))
lines = st.builds(
    Line,
    raw=raw_lines,
    time=times,
    level=st.sampled_from([0, 3, 6, 255]),
    host=st.sampled_from(["", "a", "b", "web-1"]),
    ident=st.sampled_from(["", "sshd", "cron"]),
    text=st.one_of(st.none(), st.none(), st.lists(words, max_size=3).map(" ".join)),
    fields=st.one_of(st.none(), st.none(), st.just({"status": 500}), st.just({"user": "Ann", "status": "ok"})),
)
batches = st.tuples(
    st.lists(lines, min_size=1, max_size=12), st.sampled_from(["n1", "n2"]), st.sampled_from(["x", "y"]), st.booleans()
)
terms = st.builds(
    Term,
    text=st.one_of(words, st.lists(words, min_size=1, max_size=2).map(" ".join), st.text("er10.a -", min_size=1)).map(
        str.encode
    ),
    exclude=st.booleans(),
    left=st.booleans(),
    right=st.booleans(),
)


def some(names: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.one_of(st.just(()), st.just(()), st.lists(st.sampled_from(names), min_size=1, max_size=2).map(tuple))


queries = st.builds(
    LogQuery,
    nodes=some(["n1", "n2", "n3"]),
    sources=some(["x", "z"]),
    hosts=some(["a", "b", "web-1"]),
    idents=some(["sshd"]),
    levels=st.one_of(st.none(), st.none(), st.frozensets(st.sampled_from([0, 3, 6, 255]), min_size=1)),
    terms=st.lists(terms, max_size=2).map(tuple),
    fields=st.one_of(
        st.just(()),
        st.just(()),
        st.builds(FieldTerm, st.just("status"), st.just("500"), st.booleans()).map(lambda f: (f,)),
    ),
    start=st.one_of(st.just(MIN_TIME), times),
    end=st.one_of(st.just(MAX_TIME), times),
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", STORES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    stored=st.lists(batches, min_size=1, max_size=8),
    asked=st.lists(queries, min_size=1, max_size=6),
    limit=st.integers(1, 20),
    effort=st.sampled_from([Effort(), Effort(bytes=1)]),
    newest_first=st.booleans(),
)
def test_a_search_finds_what_the_plainest_reading_finds(
    request: pytest.FixtureRequest,
    kind: str,
    stored: list,
    asked: list[LogQuery],
    limit: int,
    effort: Effort,
    newest_first: bool,
) -> None:
    with empty_log_shelf(kind, request) as shelf:
        _fill(shelf, stored)
        records = sorted((one.record for one in found(shelf)), key=lambda r: (r.node, r.source, r.offset))
        assert [record.raw for record in records] == _sent(stored)
        for query in asked:
            got = found(shelf, query, limit=limit, effort=effort, newest_first=newest_first)
            assert _keys(one.record for one in got) == _keys(r for r in records if matches(query, r))
            order = [one.record.time for one in got]
            assert order == sorted(order, reverse=newest_first)


def _fill(shelf: LogShelf, stored: list) -> None:
    """Store the batches, each at the end of its stream, and compact where the example wants it."""
    ends: dict[tuple[str, str], int] = {}
    for some_lines, node, source, compact in stored:
        batch = made(some_lines, node=node, source=source, first=ends.get((node, source), 0))
        ends[node, source] = batch[0].end
        shelf.append([batch], NOON + 4 * DAY)
        while compact and shelf.compact(LATER):
            pass


def _sent(stored: list) -> list[bytes]:
    streams: dict[tuple[str, str], list[bytes]] = {}
    for some_lines, node, source, _ in stored:
        streams.setdefault((node, source), []).extend(line.raw for line in some_lines)
    return [raw for key in sorted(streams) for raw in streams[key]]


def _keys(records: Iterable[Record]) -> list[tuple[str, str, int]]:
    return sorted((record.node, record.source, record.offset) for record in records)
