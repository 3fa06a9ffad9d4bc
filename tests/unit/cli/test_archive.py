"""The one file of a backup: whole, or not there; damaged, and refused."""

import gzip

import pytest

from nodeward.cli.archive import Reader, Writer
from nodeward.core.errors import BadInput, Unavailable

BATCHES = [{"row": "batch", "n": n, "text": "x" * 1000} for n in range(10_000)]
ROWS = [{"kind": "logs", "version": 1}, *BATCHES, {"end": {"records": 3}}]


def written(path):
    with Writer(path, "2026-11-24T12:00:00Z") as archive:
        list(archive.add("logs", iter(ROWS)))
    return path


def test_what_was_written_is_read(tmp_path):
    archive = Reader(written(tmp_path / "file"))
    pieces = list(archive.pieces("logs"))
    assert len(pieces) > 1
    assert b"".join(pieces).count(b"\n") == len(ROWS)
    assert archive.counts == {"logs": {"records": 3}}
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert list(archive.pieces("states")) == []


def test_what_breaks_off_leaves_nothing(tmp_path):
    def broken():
        yield ROWS[0]
        raise Unavailable("gone")

    for rows, error in ((iter(ROWS[:-1]), BadInput), (broken(), Unavailable)):
        with pytest.raises(error), Writer(tmp_path / "file", "now") as archive:
            list(archive.add("logs", rows))
        assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_refused_with_a_sentence(tmp_path):
    path = written(tmp_path / "file")
    whole = path.read_bytes()
    plain = bytearray(gzip.decompress(whole))
    plain[5000] ^= 1
    for data in (
        whole[: len(whole) // 2],
        b"no archive",
        b"",
        gzip.compress(bytes(plain)),
        gzip.compress(bytes(10240)),
    ):
        path.write_bytes(data)
        with pytest.raises(BadInput):
            Reader(path)
