"""The one file of a backup: whole, or not there; damaged, and refused."""

import gzip
import io
import tarfile

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


def test_whatever_byte_is_altered_the_file_is_refused_or_gives_what_was_written(tmp_path):
    path, rows = tmp_path / "file", [{"kind": "logs", "version": 1}, {"row": "x", "n": 1}, {"end": {"records": 3}}]
    with Writer(path, "now") as archive:
        list(archive.add("logs", iter(rows)))
    whole = path.read_bytes()
    want = Reader(path)
    pieces = list(want.pieces("logs"))
    refused = 0
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= 1 << place % 8
        path.write_bytes(altered)
        try:
            got = Reader(path)
        except BadInput:
            refused += 1
            continue
        assert (got.counts, got.digests, list(got.pieces("logs"))) == (want.counts, want.digests, pieces)
    assert refused > len(whole) * 0.8


@pytest.mark.parametrize(
    "manifest", [b"[]", b"{", b"[" * 100_000, b"\xff", b'{"version": 1}', b'{"version": 2, "parts": []}']
)
def test_a_manifest_that_is_none_is_refused(tmp_path, manifest):
    with tarfile.open(tmp_path / "file", "w:gz") as tar:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(manifest)
        tar.addfile(member, io.BytesIO(manifest))
    with pytest.raises(BadInput, match="manifest"):
        Reader(tmp_path / "file")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_an_entry_that_leads_elsewhere_is_refused_with_a_sentence(tmp_path, kind):
    with tarfile.open(tmp_path / "file", "w:gz") as tar:
        about = tarfile.TarInfo("logs/../../000000.ndjson")
        about.type, about.linkname = kind, "/etc/passwd"
        tar.addfile(about)
    with pytest.raises(BadInput, match="no backup"):
        Reader(tmp_path / "file")
