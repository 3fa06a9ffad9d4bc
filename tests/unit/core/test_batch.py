import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeward.core import batch, severity
from nodeward.core.errors import BadInput


def _built(*lines):
    builder = batch.Builder("web-1", "auth", "g1", path="/var/log/auth.log", format="syslog")
    for number, line in enumerate(lines):
        builder.add(line, number * 10)
    return builder.build(len(lines) * 10)


def _rows(data):
    return [record for one, _ in batch.decode(data) for record in batch.records(one, received=7)]


def test_a_batch_survives_the_wire():
    builder = batch.Builder("web-1", "auth", "g1")
    builder.add(b"Nov 3 sshd[7]: hello", 100, time=5, level=4, host="h", ident="sshd", pid=7, message=(15, 20))
    builder.add(b'{"m":"a\\nb"}', 121, text="a\nb", fields={"m": "a\nb"})
    builder.add(b"odd", 140, error="no time")
    first, second, third = _rows(batch.encode(builder.build(144)))
    assert (first.message, first.time, first.level, first.host, first.ident, first.pid) == (
        "hello",
        5,
        4,
        "h",
        "sshd",
        7,
    )
    assert (second.message, second.fields, second.pid, second.host) == ("a\nb", {"m": "a\nb"}, None, "")
    assert (third.message, third.parse_error, third.time, third.level) == ("odd", "no time", 7, severity.NONE)
    assert [record.offset for record in (first, second, third)] == [100, 121, 140]


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=30))
def test_every_byte_comes_back(lines):
    assert [record.raw for record in _rows(batch.encode(_built(*lines)))] == lines


def test_several_batches_come_one_after_the_other_each_with_its_own_bytes():
    one, two = batch.encode(_built(b"a")), batch.encode(_built(b"b", b"c"))
    assert [data for _, data in batch.decode(one + two)] == [one, two]


def test_bytes_that_are_no_utf8_are_shown_and_kept_exactly():
    (record,) = _rows(batch.encode(_built(b"caf\xe9")))
    row = record.row("id")
    assert row["message"] == "caf\\xe9"
    assert row["raw_base64"] == "Y2Fm6Q=="
    assert "raw_base64" not in _rows(batch.encode(_built("café".encode())))[0].row("id")


@given(st.binary(max_size=200))
def test_what_is_no_batch_is_refused_with_a_sentence(data):
    if data:
        with pytest.raises(BadInput):
            list(batch.decode(data))


def _spoilt(**changes):
    body = msgpack.unpackb(batch.encode(_built(b"a", b"b")), strict_map_key=False)
    body.update(changes)
    return msgpack.packb({key: value for key, value in body.items() if value is not ...})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"v": 2}, "version 1"),
        ({"count": 3}, "column"),
        ({"count": 0}, "records"),
        ({"count": 10**9}, "records"),
        ({"node": ""}, "node is empty"),
        ({"source": 5}, "source must be text"),
        ({"times": b"1234"}, "times"),
        ({"raw": "text"}, "raw must be bytes"),
        ({"hosts": {"table": ["", "a"], "codes": b"\x05\x00\x00\x00"}}, "code without a text"),
        ({"hosts": {"table": ["a"], "codes": b"\x00\x00\x00\x00"}}, "empty text"),
        ({"hosts": []}, "table of texts"),
        ({"errors": {9: "x"}}, "record indexes"),
        ({"fields": {"a": 1}}, "record indexes"),
        ({"pids": ...}, "lacks"),
        ({"extra": 1}, "unknown"),
        ({"end": -1}, "offset"),
    ],
)
def test_a_spoilt_batch_names_what_is_wrong(changes, says):
    with pytest.raises(BadInput, match=says):
        list(batch.decode(_spoilt(**changes)))


@pytest.mark.parametrize("bomb", [b"\x91" * 100_000, b"\x81\x91\x01\x01", b"\x81\x80\x01"])
def test_nested_bombs_and_keys_that_are_no_keys_are_refused(bomb):
    with pytest.raises(BadInput):
        list(batch.decode(bomb))
