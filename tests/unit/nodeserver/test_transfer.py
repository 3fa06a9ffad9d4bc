"""A file from another node has an end, and leaves room on the disk that it comes to; what does not fit leaves nothing behind."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from nodeward.core.errors import Conflict
from nodeward.nodeserver.runbooks import transfer

MB = 1024 * 1024
GB = 1024 * MB


def write(path: Path, content: bytes, most: int = GB, size: int | None = None) -> int:
    pieces = (content[at : at + 65536] for at in range(0, len(content), 65536))
    return transfer.write(str(path), pieces, hashlib.sha256(content).hexdigest(), 0o640, most, size)


class Disk:
    """A disk as statvfs tells it; what is written there takes away of it."""

    def __init__(self, total: int, free: int) -> None:
        self.total, self.free, self.looks = total, free, 0

    def __call__(self, _: object) -> SimpleNamespace:
        self.looks += 1
        return SimpleNamespace(f_frsize=4096, f_blocks=self.total // 4096, f_bavail=self.free // 4096)


def test_a_file_of_just_the_size_is_taken_and_one_byte_more_is_not(tmp_path: Path) -> None:
    assert write(tmp_path / "it", b"x" * 1000, most=1000, size=1000) == 1000
    for size in (None, 1000, 1001):
        with pytest.raises(transfer.TooLarge) as told:
            write(tmp_path / "other", b"x" * 1001, most=1000, size=size)
        assert f"{tmp_path}/other is larger than a copy may be" in told.value.detail
        assert "`max_size: 20GiB`" in told.value.detail and told.value.status == 413
    assert os.listdir(tmp_path) == ["it"]


def test_what_is_said_to_be_too_large_is_not_even_begun(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        raise AssertionError("it was begun")
        yield b""

    with pytest.raises(transfer.TooLarge, match=r"\(40\.0 GiB\), and 1,073,741,824 \(1\.0 GiB\) are allowed"):
        transfer.write(str(tmp_path / "it"), pieces(), "", 0o600, GB, 40 * GB)
    assert os.listdir(tmp_path) == []


def test_what_has_no_end_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(transfer.TooLarge):
        transfer.write(str(tmp_path / "it"), iter(lambda: b"x" * 65536, b""), "", 0o600, 3 * MB)
    assert os.listdir(tmp_path) == []


def test_a_large_file_leaves_room_and_a_little_one_may_take_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer.os, "statvfs", Disk(100 * GB, 512 * MB + 5 * MB))
    assert write(tmp_path / "fits", b"x" * 4 * MB, size=4 * MB) == 4 * MB
    with pytest.raises(Conflict, match=r"has 517\.0 MiB free, and a copy leaves 512\.0 MiB of them\. Make room there"):
        write(tmp_path / "it", b"x" * 6 * MB, size=6 * MB)
    monkeypatch.setattr(transfer.os, "statvfs", Disk(100 * GB, 3 * MB))
    assert write(tmp_path / "little", b"x" * MB, size=MB) == MB
    monkeypatch.setattr(transfer.os, "statvfs", Disk(100 * MB, 11 * MB))
    assert write(tmp_path / "on-a-small-disk", b"x" * 6 * MB, size=6 * MB) == 6 * MB
    with pytest.raises(Conflict, match=r"a copy leaves 5\.0 MiB of them"):
        write(tmp_path / "it", b"x" * 7 * MB, size=7 * MB)
    assert sorted(os.listdir(tmp_path)) == ["fits", "little", "on-a-small-disk"]


def test_the_disk_is_looked_at_while_the_file_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(100 * GB, GB)
    monkeypatch.setattr(transfer.os, "statvfs", disk)

    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            disk.free -= 40 * MB  # others write, too
            yield b"x" * MB

    for size in (None, 40 * MB):
        disk.free, disk.looks = GB, 0
        with pytest.raises(Conflict, match="does not fit"):
            transfer.write(str(tmp_path / "it"), pieces(), "", 0o600, GB, size)
        assert disk.looks > 1
    assert os.listdir(tmp_path) == []


def test_a_disk_that_says_nothing_of_itself_takes_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer.os, "statvfs", Disk(0, 0))
    assert write(tmp_path / "it", b"x" * 2 * MB, size=2 * MB) == 2 * MB


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"x" * 1001)
    with pytest.raises(transfer.TooLarge):
        transfer.read(str(tmp_path / "it"), 1000)
    with transfer.read(str(tmp_path / "it"), 1001) as file:
        assert b"".join(file.pieces()) == b"x" * 1001
