"""The disk queue: order, repeats, damage, a full disk, a killed process."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodeward.core.errors import ConfigError, Unavailable
from nodeward.core.spool import Spool, SpoolFull


def _drain(spool, limit=1000):
    found = []
    while (got := spool.read(limit)) is not None:
        found += [(got.generation, got.first + index, record) for index, record in enumerate(got.records)]
        spool.acknowledge(got)
    return found


def test_what_was_appended_comes_in_order_and_numbered(tmp_path):
    spool = Spool(tmp_path)
    spool.append([b"a", b"", b"c" * 5000])
    spool.append([b"d"])
    assert [(number, record[:1]) for _, number, record in _drain(spool, limit=2)] == [
        (0, b"a"), (1, b""), (2, b"c"), (3, b"d"),
    ]  # fmt: skip
    assert spool.read() is None
    assert spool.figures.pending == 0


def test_what_was_not_acknowledged_comes_again_under_the_same_numbers_even_after_a_restart(tmp_path):
    spool = Spool(tmp_path)
    spool.append([b"a", b"b", b"c"])
    first = spool.read(2)
    spool.acknowledge(first)
    second = spool.read()
    assert spool.read() == second
    spool.close()
    again = Spool(tmp_path)
    again.append([b"d"])
    got = again.read()
    assert (got.generation, got.first, got.records) == (second.generation, 2, [b"c"])
    again.acknowledge(got)
    new = again.read()
    assert (new.generation, new.first, new.records) == (again.generation, 0, [b"d"])
    assert new.generation != got.generation


def test_acknowledging_twice_does_no_harm(tmp_path):
    spool = Spool(tmp_path)
    spool.append([b"a", b"b"])
    got = spool.read(1)
    spool.acknowledge(got)
    spool.acknowledge(got)
    assert [record for _, _, record in _drain(spool)] == [b"b"]


def test_segments_that_were_read_leave_the_disk(tmp_path):
    spool = Spool(tmp_path, segment_bytes=1000)
    for _ in range(50):
        spool.append([b"x" * 100])
    assert len(list(tmp_path.glob("*.seg"))) > 4
    assert len(_drain(spool)) == 50
    assert len(list(tmp_path.glob("*.seg"))) <= 1


def test_a_full_spool_refuses_or_gives_up_its_oldest_as_it_was_told(tmp_path):
    refusing = Spool(tmp_path / "a", max_bytes=4000)
    for _ in range(37):
        refusing.append([b"x" * 100])
    with pytest.raises(SpoolFull, match="is full"):
        refusing.append([b"x" * 100])
    kept = refusing.figures.pending
    assert len(_drain(refusing)) == kept
    dropping = Spool(tmp_path / "b", max_bytes=4000, drop_oldest=True)
    for number in range(100):
        dropping.append([b"%04d" % number + b"x" * 96])
    figures = dropping.figures
    assert figures.size <= 4000
    assert figures.dropped + figures.pending == 100
    found = _drain(dropping)
    assert [int(record[:4]) for _, _, record in found] == list(range(figures.dropped, 100))
    assert [number for _, number, _ in found] == list(range(figures.dropped, 100))


def test_what_is_dropped_while_it_is_being_sent_may_still_be_acknowledged(tmp_path):
    spool = Spool(tmp_path, max_bytes=4000, drop_oldest=True)
    spool.append([b"x" * 100] * 5)
    sending = spool.read()
    for _ in range(60):
        spool.append([b"y" * 100])
    spool.acknowledge(sending)
    assert {record[:1] for _, _, record in _drain(spool)} == {b"y"}


def test_a_torn_end_is_left_out_and_all_before_it_kept(tmp_path):
    spool = Spool(tmp_path)
    spool.append([b"whole", b"torn record"])
    spool.close()
    (segment,) = tmp_path.glob("*.seg")
    os.truncate(segment, segment.stat().st_size - 3)
    again = Spool(tmp_path)
    assert again.figures.damaged > 0
    assert [record for _, _, record in _drain(again)] == [b"whole"]


def test_a_damaged_cursor_means_that_records_come_again_and_nothing_worse(tmp_path):
    spool = Spool(tmp_path)
    spool.append([b"a", b"b"])
    spool.acknowledge(spool.read(1))
    spool.close()
    (tmp_path / "cursor").write_bytes(b"\xff" * 28)
    assert [record for _, _, record in _drain(Spool(tmp_path))] == [b"a", b"b"]


def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path):
    (tmp_path / "readme.seg").write_text("hello")
    assert _drain(Spool(tmp_path)) == []
    assert (tmp_path / "readme.seg").exists()


def test_two_processes_never_share_a_spool(tmp_path):
    first = Spool(tmp_path)
    with pytest.raises(ConfigError, match="in use by another process"):
        Spool(tmp_path)
    first.close()
    Spool(tmp_path).close()


def test_a_full_disk_is_said_and_costs_nothing_that_was_taken(tmp_path):
    code = """
        import resource, sys
        from pathlib import Path
        from nodeward.core.errors import Unavailable
        from nodeward.core.spool import Spool
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        spool = Spool(Path(sys.argv[1]))
        spool.append([b"kept"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            spool.append([b"x" * 1000])
        except Unavailable as error:
            print(error)
        spool.append([b"also"])
        print(spool.read().records)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], capture_output=True, text=True, timeout=100
    )
    assert "does not take more (File too large)" in done.stdout, done.stderr
    assert "[b'kept', b'also']" in done.stdout
    assert [record for _, _, record in _drain(Spool(tmp_path))] == [b"kept", b"also"]


def test_a_killed_process_loses_nothing_that_append_took(tmp_path):
    code = """
        import sys
        from pathlib import Path
        from nodeward.core.spool import Spool
        spool = Spool(Path(sys.argv[1]), segment_bytes=4096)
        number = 0
        while True:
            spool.append([b"%d" % number])
            number += 1
            print(number, flush=True)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], stdout=subprocess.PIPE)
    taken = 0
    while taken < 2000:
        taken = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read().splitlines()
    child.wait()
    child.stdout.close()
    taken = max([taken, *(int(line) for line in rest)])
    found = [int(record) for _, _, record in _drain(Spool(tmp_path))]
    assert len(found) >= taken
    assert found == list(range(len(found)))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(st.one_of(st.binary(max_size=200), st.integers(1, 5), st.none()), max_size=40))
def test_whatever_is_appended_read_and_reopened_comes_exactly_once(tmp_path_factory, steps):
    """Bytes append, a number reads and acknowledges so many, None opens the spool anew."""
    place = tmp_path_factory.mktemp("spool")
    spool, wanted, got = Spool(place, segment_bytes=300), [], []
    for step in steps:
        if isinstance(step, bytes):
            spool.append([step])
            wanted.append(step)
        elif step is None:
            spool.close()
            spool = Spool(place, segment_bytes=300)
        elif (found := spool.read(step)) is not None:
            got += found.records
            spool.acknowledge(found)
    got += [record for _, _, record in _drain(spool)]
    spool.close()
    assert got == wanted


def test_a_record_beyond_all_measure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("nodeward.core.spool.MAX_RECORD", 10)
    with pytest.raises(ValueError, match="larger than the spool takes"):
        Spool(tmp_path).append([b"x" * 11])


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        Spool(tmp_path / "file" / "spool")
    assert issubclass(SpoolFull, Unavailable)
