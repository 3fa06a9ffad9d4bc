"""All that a shelf keeps goes into a backup and comes out of it, on every store and from each kind to the other."""

from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from nodeward.core.auth import Credential
from nodeward.core.backup import checked
from nodeward.core.errors import BadInput
from nodeward.store import backup, choose_logs
from nodeward.store.base_registry import BundleMark, Change, Deed, Key, Revision
from nodeward.store.base_states import Change as StateChange
from nodeward.store.base_states import EventQuery, Point
from nodeward.store.choose_registry import empty_registry, open_registry
from nodeward.store.choose_states import empty_states, open_states
from support.log_records import DAY, NOON, SECOND, Line, found, made
from support.mongodb import scratch
from support.stores import log_shelf

HOUR = 3600 * SECOND
PAIRS = [
    pytest.param(pair, marks=[pytest.mark.mongodb] if "mongodb" in pair else [], id="-to-".join(pair))
    for pair in product(("sqlite", "mongodb"), repeat=2)
]


@pytest.fixture(params=PAIRS)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[tuple[str, Path]]]:
    """Two empty stores: one to back up, one to restore to."""
    uris, kept = [], []
    for kind in request.param:
        if kind == "mongodb":
            kept.append(scratch(request.getfixturevalue("mongodb_server")))
            uris.append(kept[-1].__enter__())
        else:
            uris.append("sqlite:")
    yield [(uri, tmp_path / str(number)) for number, uri in enumerate(uris)]
    for one in kept:
        one.__exit__(None, None, None)


def test_a_registry_is_the_same_after_it_was_restored(stores: list[tuple[str, Path]]) -> None:
    (old, old_place), (new, new_place) = stores
    user = {"kind": "user", "name": "ada", "labels": {"a.b/c": "$x", "n": 2**70}}
    own = Credential(id="c" * 12, name="cli", role="admin", hash="h" * 64, created=2)
    with closing(open_registry(old, old_place)) as shelf:
        shelf.commit(0, Revision(1, 5, "ada", "", [Change(Key("user", "ada"), None, user)]))
        shelf.commit(1, Revision(2, 6, "ada", "why", [Change(Key("user", "ada"), user, {**user, "x": 1})]))
        shelf.put_credential(Credential(id="a" * 12, name="n", role="node", hash="h" * 64, node="n", created=1))
        shelf.put_credential(
            Credential(id="b" * 12, name="n", role="node", hash="h" * 64, node="n", created=1), ["a" * 12], 9
        )
        shelf.note_use("b" * 12)
        shelf.put_password("ada", "digest")
        shelf.put_bundle_marks([BundleMark("n", "x", 2)])
        shelf.note(*(Deed(number, "ada", None, "::1", "do", f"{number}") for number in range(1200)))
        rows = list(backup.registry_rows(shelf))
        want = shelf.objects(), shelf.revisions(None, 9), shelf.credentials(), [d.what for d in shelf.deeds(None, 2000)]
        counts = backup.registry_counts(shelf)
    with closing(open_registry(new, new_place)) as shelf:
        shelf.commit(0, Revision(1, 1, "eve", "", [Change(Key("user", "eve"), None, user)]))
    empty_registry(new, new_place)
    with closing(open_registry(new, new_place)) as shelf:
        done = backup.put_registry(shelf, iter(rows), [own])
        got = shelf.objects(), shelf.revisions(None, 9), shelf.credentials(), [d.what for d in shelf.deeds(None, 2000)]
        assert (got[0], got[1], got[2][:-1], got[3]) == want
        assert got[2][-1] == own
        assert (shelf.used(), shelf.password("ada")) == ({"b" * 12}, "digest")
        assert shelf.bundle_marks() == [BundleMark("n", "x", 2)]
        assert backup.registry_counts(shelf) == {**counts, "credentials": 3}
    assert done == {"revisions": 2, "credentials": 2, "passwords": 1, "bundles": 1, "deeds": 1200}


def test_states_history_and_series_are_the_same_after_they_were_restored(stores: list[tuple[str, Path]]) -> None:
    (old, old_place), (new, new_place) = stores
    start = NOON - 5 * HOUR
    points = [
        Point("w", service, label, "s", "1", "2", start + n * 60 * SECOND, n / 3 if n % 7 else None)
        for service, label in (("load", "b"), ("load", "a"), (None, "rta"))
        for n in range(200)
    ]
    with closing(open_states(old, old_place)) as shelf:
        shelf.write(
            StateChange(
                states={("w", s): {"node": "w", "service": s, "output": "☂"} for s in (None, "load")},
                events=[{"id": n, "at": n, "type": "state", "node": "w", "service": None} for n in range(1, 1201)],
                flips={7: {"id": 7, "node": "w", "service": None, "status": "told"}},
                deliveries={3: {"id": 3, "flip": 7, "contact": "a", "status": "sent", "lease": None}},
                downtimes={2: {"id": 2, "until": NOON}},
                cursors={("w", "g"): (9, NOON)},
                points=points,
                meta={"alive": NOON},
            )
        )
        for _ in range(2):
            shelf.compact(NOON)
        shelf.write(StateChange(points=[Point("w", "load", "a", "s", "1", "2", NOON, 5.0)]))
        rows, want = list(backup.state_rows(shelf)), _everything(shelf)
    empty_states(new, new_place)
    with closing(open_states(new, new_place)) as shelf:
        counts = backup.put_states(shelf, iter(rows))
        assert _everything(shelf) == want
    assert counts["events"] == 1200
    assert (counts["flips"], counts["deliveries"], counts["series"]) == (1, 1, 3)


def _everything(shelf):
    series = [
        shelf.series(("w", service), 0, NOON + HOUR, step) for service in ("load", None) for step in (None, 300, 3600)
    ]
    return shelf.load(), shelf.events(EventQuery(limit=5000)), shelf.flips(None, None, None, 9), series


def test_log_records_are_the_same_after_they_were_restored_and_sending_again_repeats(
    stores: list[tuple[str, Path]],
) -> None:
    (old, old_place), (new, new_place) = stores
    odd = Line(b"caf\xe9 \x00", NOON - DAY, 3, "h", "i", 7, (0, 3), None, {"a.b": 2**63, "$c": {"d": None}}, "odd")
    batches = [
        made([Line(b"%d %d" % (part, n), NOON + part * SECOND - (n % 3) * DAY) for n in range(50)], first=part * 1000)
        for part in range(6)
    ]
    batches.append(made([odd, Line(b'{"m":"x"}', text="x")], node="b"))
    with closing(log_shelf(old, old_place)) as shelf:
        for number, batch in enumerate(batches):
            shelf.append([batch], NOON + number)
            if number == 3:
                shelf.compact(NOON + 1000 * DAY)
        rows, want = list(backup.log_rows(shelf)), [one.record for one in found(shelf)]
        totals = shelf.sources()
    with closing(log_shelf(new, new_place)) as shelf:
        shelf.append([made([b"what was here before"], node="old")], NOON)
    choose_logs.empty_logs(new, new_place)
    with closing(log_shelf(new, new_place)) as shelf:
        counts = backup.put_logs(shelf, iter(rows), lambda: shelf.compact(NOON + 1000 * DAY))
        assert sorted((one.record for one in found(shelf)), key=_key) == sorted(want, key=_key)
        assert shelf.sources() == totals
        assert counts == {"records": 302}
        assert [one.repeated for one in shelf.append(batches, NOON)] == [batch.count for batch, _ in batches]


def _key(record):
    return record.node, record.source, record.offset


def test_a_backup_that_breaks_off_is_refused() -> None:
    head = {"kind": "logs", "version": 1}
    assert list(checked(iter([head, {"row": "batch"}, {"end": {}}]), "logs")) == [{"row": "batch"}]
    for lines in ([], [head], [head, {"row": "batch"}], [{"kind": "states", "version": 1}, {"end": {}}]):
        with pytest.raises(BadInput):
            list(checked(iter(lines), "logs"))
