"""Rotation, as tailflog has to survive it: nothing lost, nothing twice, nothing torn."""

import gzip
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from torture.harness import LONG, Following, Writer, all_came, copytruncate, judge, line, source, until


def test_lines_go_through_rename_and_create(sink, writer, follow):
    with follow():
        for number in range(8):
            writer.write(200)
            writer.rotate(f"app.log.{number}")
        writer.write(10)
        all_came(sink, writer)


def test_late_lines_of_a_writer_that_keeps_the_old_file_come_too(sink, logs, writer, follow):
    with follow():
        writer.write(50)
        sink.wait_for(50)
        writer.path.rename(logs / "app.log.1")
        Path(logs / "app.log").touch()
        until(lambda: len(sink.raws()) == 50)
        writer.write(50)
        all_came(sink, writer)


def test_late_lines_come_too_when_the_file_went_to_another_directory(tmp_path, sink, writer, follow):
    (tmp_path / "old").mkdir()
    with follow():
        writer.write(50)
        sink.wait_for(50)
        writer.path.rename(tmp_path / "old" / "app.log.1")
        writer.write(50)
        all_came(sink, writer)


def test_a_chain_of_old_files_with_deletion_loses_nothing(sink, logs, writer, follow):
    with follow("app.log*"):
        for _ in range(10):
            writer.write(100)
            sink.wait_for(len(writer.written))
            for number in (2, 1):
                if (old := logs / f"app.log.{number}").exists():
                    old.rename(logs / f"app.log.{number + 1}")
            writer.rotate("app.log.1")
        all_came(sink, writer)


def test_compressed_files_are_left_alone_whatever_their_name(sink, logs, writer, follow):
    (logs / "app.log.2.gz").write_bytes(b"\x1f\x8b\x08zipped\n")
    (logs / "app.log.3").write_bytes(b"\x1f\x8b\x08zipped\n")
    with follow("app.log*"):
        writer.write(20)
        all_came(sink, writer)


def test_a_file_renamed_and_compressed_at_once_is_read_to_its_end(sink, logs, writer, follow):
    with follow("app.log*"):
        for number in range(5):
            writer.write(1)
            all_came(sink, writer)  # from here on it is open, and may be deleted
            writer.write(300)
            old = logs / f"app.log.{number}"
            writer.rotate(old.name)
            with gzip.open(f"{old}.gz", "wb") as packed:
                packed.write(old.read_bytes())
            old.unlink()
        writer.write(10)
        all_came(sink, writer)


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_a_writer_that_races_copytruncate_loses_at_most_what_lay_in_neither_file(sink, logs, writer, follow, pattern):
    def whole(path: Path) -> set[bytes]:
        return set(path.read_bytes().split(b"\n")[:-1])

    stop = threading.Event()
    readable: set[bytes] = set()

    def work() -> None:
        while not stop.is_set():
            writer.write(5)
            stop.wait(0.001)

    with follow(pattern):
        thread = threading.Thread(target=work)
        thread.start()
        try:
            for number in range(6):
                time.sleep(0.2)  # some lines to copy
                copytruncate(writer, logs / f"app.log.{number}")
                readable |= whole(logs / f"app.log.{number}")
        finally:
            stop.set()
            thread.join()
        readable |= whole(writer.path)
        until(lambda: readable <= set(sink.raws()))
        verdict = judge(writer.written, sink.raws())
        assert not verdict.duplicated and not verdict.torn, str(verdict)
        assert not {text.encode() for text in verdict.lost} & readable


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_copytruncate_ships_each_line_once_whether_the_copy_matches_or_not(sink, logs, writer, follow, pattern):
    with follow(pattern):
        for number in range(5):
            writer.write(300)
            first = writer.written[-300].encode()
            until(lambda first=first: first in set(sink.raws()), 30)  # what it never saw is not in app.log any more
            copytruncate(writer, logs / f"app.log.{number}")
        writer.write(10)
        all_came(sink, writer)


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_what_was_not_read_before_the_truncation_is_read_from_the_copy(sink, logs, writer, follow, pattern):
    following = follow(pattern)
    with following:
        writer.write(100)
        sink.wait_for(100)
        following.kill()
        writer.write(100)
        copytruncate(writer, logs / "app.log.1")
        writer.write(10)
        following.start()
        all_came(sink, writer)


def test_the_hole_that_a_stale_writer_leaves_belongs_to_no_line(sink, logs, follow):
    path = logs / "app.log"
    written = [line("app", number) for number in range(200)]
    with follow(), path.open("wb", buffering=0) as stale:
        for text in written[:100]:
            stale.write(text.encode() + b"\n")
        sink.wait_for(100)
        os.truncate(path, 0)
        for text in written[100:]:
            stale.write(text.encode() + b"\n")
        sink.wait_for(200)
        assert sink.raws() == [text.encode() for text in written]


def test_a_file_that_grows_past_the_old_offset_after_a_truncation_is_read_from_its_start(sink, writer, follow):
    following = follow()
    with following:
        writer.write(100)
        sink.wait_for(100)
        following.kill()
        os.truncate(writer.path, 0)
        writer.write(300)
        following.start()
        all_came(sink, writer)


@pytest.mark.parametrize("count", [10, 100])
def test_a_file_truncated_while_nobody_read_is_read_from_its_start_whatever_its_size(sink, writer, follow, count):
    following = follow()
    with following:
        writer.write(100)
        sink.wait_for(100)
        following.kill()
        os.truncate(writer.path, 0)
        writer.write(count)
        following.start()
        all_came(sink, writer)


def test_many_files_rotated_twenty_times_a_second_lose_nothing(sink, logs, follow):
    writers = [Writer(logs / f"app{number}.log", f"app{number}") for number in range(50)]
    with follow():
        for turn in range(60 if LONG else 15):
            for writer in writers:
                writer.write(5)
                writer.rotate(f"{writer.path.name}.{turn}")
            time.sleep(0.05)  # the rate is the case
        all_came(sink, *writers)


def test_a_link_that_is_switched_leads_to_the_new_file(tmp_path, sink, logs, follow):
    (tmp_path / "real").mkdir()
    old, new = Writer(tmp_path / "real" / "one", "one"), Writer(tmp_path / "real" / "two", "two")
    (logs / "app.log").symlink_to(old.path)
    with follow():
        old.write(30)
        sink.wait_for(30)
        (logs / "next").symlink_to(new.path)
        (logs / "next").rename(logs / "app.log")
        old.write(10)
        new.write(30)
        all_came(sink, old, new)


def test_a_file_deleted_and_made_anew_is_another_one_even_with_the_same_inode(sink, writer, follow):
    following = follow()
    with following:
        for turn in range(5):
            writer.write(50)
            sink.wait_for(len(writer.written))
            if turn == 3:
                following.kill()  # nobody holds the inode now
            writer.path.unlink()
            writer.reopen()
            writer.write(60)
            if turn == 3:
                following.start()
        all_came(sink, writer)


def test_files_named_by_date_follow_one_another(sink, logs, follow):
    with follow("app-*.log"):
        writers = []
        for day in range(5):
            writer = Writer(logs / f"app-2026-11-{day + 10}.log", f"day{day}")
            writer.write(50)
            writers.append(writer)
        all_came(sink, *writers)


def test_a_file_that_left_the_pattern_with_unread_lines_is_read_to_its_end(sink, writer, follow):
    following = follow()
    with following:
        writer.write(50)
        sink.wait_for(50)
        following.kill()
        for number in range(3):
            writer.write(50)
            writer.rotate(f"app.log.{number}") if number == 0 else writer.rotate(f"other.{number}")
        writer.write(5)
        following.start()
        sink.wait_for(105)
        stored = {raw.decode() for raw in sink.raws()}
        assert set(writer.written[:100]) <= stored  # the file it knew, to its end
        assert set(writer.written[200:]) <= stored  # nothing tells that `other.1` and `other.2` were once app.log


@pytest.mark.parametrize("rotations", [1, 2, 3])
def test_what_was_rotated_while_nobody_read_is_read_afterwards(sink, logs, writer, follow, rotations):
    following = follow("app.log")
    with following:
        writer.write(50)
        sink.wait_for(50)
        following.kill()
        for _ in range(rotations):
            writer.write(50)
            for number in (2, 1):
                if (old := logs / f"app.log.{number}").exists():
                    old.rename(logs / f"app.log.{number + 1}")
            writer.rotate("app.log.1")
        writer.write(5)
        following.start()
        all_came(sink, writer)


def test_files_that_begin_alike_are_different_files(sink, logs, follow):
    banner = [line("banner", 0, "x" * 1024)]
    with follow():
        writers = [Writer(logs / f"app.{number}.log", f"app{number}") for number in range(3)]
        for writer in writers:
            writer.raw(banner[0].encode() + b"\n")
            writer.write(20)
        sink.wait_for(63)
        written = [text for writer in writers for text in writer.written] + banner * 3
        assert judge(written, sink.raws()).good


def test_empty_files_single_bytes_and_unfinished_lines_wait_for_their_newline(sink, logs, follow):
    (logs / "empty.log").touch()
    (logs / "byte.log").write_bytes(b"x")
    with follow():
        with (logs / "part.log").open("ab", buffering=0) as file:
            for letter in b"whole\nhal":
                file.write(bytes([letter]))
        sink.wait_for(1)
        assert sink.raws() == [b"whole"]
        with (logs / "part.log").open("ab", buffering=0) as file:
            file.write(b"f\n")
        with (logs / "byte.log").open("ab", buffering=0) as file:
            file.write(b"y\n")
        assert sorted(sink.wait_for(3)) == [b"half", b"whole", b"xy"]


def test_a_file_that_several_paths_lead_to_is_shipped_once(tmp_path, sink, logs, writer):
    writer.write(20)
    os.link(logs / "app.log", logs / "twin.log")
    (logs / "link.log").symlink_to(logs / "app.log")
    with Following(
        tmp_path, sink, [source(logs) | {"paths": [f"{logs}/*.log", f"{logs}/app.log", f"{logs}/**/*.log"]}]
    ):
        writer.write(20)
        all_came(sink, writer)


def test_a_file_moved_away_truncated_and_moved_back_is_read_anew(tmp_path, sink, writer, follow):
    with follow():
        writer.write(50)
        sink.wait_for(50)
        writer.path.rename(tmp_path / "away")
        os.truncate(tmp_path / "away", 0)
        (tmp_path / "away").rename(writer.path)
        writer.write(20)
        all_came(sink, writer)


def test_a_copy_made_by_hand_is_a_file_of_its_own_after_a_while(sink, logs, writer, follow):
    with follow("app.log*"):
        writer.write(20)
        sink.wait_for(20)
        shutil.copyfile(writer.path, logs / "app.log.saved")
        writer.write(1)
        sink.wait_for(41)
