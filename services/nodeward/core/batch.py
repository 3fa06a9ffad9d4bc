"""The wire form of log records: a batch of one source, column by column.

One batch carries consecutive records of one stream: (node, source, generation). A generation is one life of a file, or of a
process that writes its own records; within it every record has an offset that only grows, so (node, source, generation,
offset) is the record's key and a repeat can be cut off by comparing numbers.

A column is a little-endian array as bytes, so that building one costs no work per record beyond appending to an array, and
the store can take it over without touching a record in Python. A message is a slice of the raw line wherever possible.

| key | value |
| --- | --- |
| v | 1 |
| node, source, generation, path, format | text; path is what was read ("" if no file) |
| count | number of records n |
| end | offset just behind the last record: the cursor once this batch is accepted |
| raw | the records' bytes one after the other, without line ends |
| ends | u32[n]: where each record ends in raw |
| offsets | u64[n]: strictly growing |
| times | i64[n]: microseconds since 1970, NO_TIME where none was found |
| levels | u8[n]: syslog severity, 255 where none |
| hosts, idents | {table: [text, …], codes: u16[n]}; code 0 is always "" (none) |
| pids | i32[n]: −1 where none |
| message_starts, message_ends | u32[n]: the message as a slice of the record's raw bytes |
| texts | {record index: text}: the message where it is no slice of raw (an unescaped JSON string) |
| fields | {record index: {name: value}} |
| errors | {record index: sentence}: why the format did not fit; such a record is kept raw |

A request's body is one or more batches, one after the other, as msgpack (content type `CONTENT_TYPE`).
"""

import base64
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgpack

from nodeward.core import clock, severity
from nodeward.core.errors import BadInput

CONTENT_TYPE = "application/vnd.nodeward.batches+msgpack"
VERSION = 1
NO_TIME = -(2**63)
NO_PID = -1
MAX_RECORDS = 65536  # per batch: bounds what one decode may cost
MAX_TABLE = 65535

_WIDTHS = {
    "ends": 4, "offsets": 8, "times": 8, "levels": 1, "pids": 4, "message_starts": 4, "message_ends": 4,
}  # fmt: skip
_TYPES = {
    "ends": "I", "offsets": "Q", "times": "q", "levels": "B", "pids": "i", "message_starts": "I", "message_ends": "I",
}  # fmt: skip
_TEXTS = ("node", "source", "generation", "path", "format")

if sys.byteorder != "little":  # pragma: no cover - the arrays go to the wire as they lie in memory
    raise ImportError("Nodeward's wire form needs a little-endian machine")


@dataclass(slots=True)
class Batch:
    """A batch as it stands on the wire; columns are bytes, see the table above."""

    node: str
    source: str
    generation: str
    path: str = ""
    format: str = "raw"
    count: int = 0
    end: int = 0
    raw: bytes = b""
    ends: bytes = b""
    offsets: bytes = b""
    times: bytes = b""
    levels: bytes = b""
    hosts: tuple[list[str], bytes] = ([], b"")
    idents: tuple[list[str], bytes] = ([], b"")
    pids: bytes = b""
    message_starts: bytes = b""
    message_ends: bytes = b""
    texts: dict[int, str] = field(default_factory=dict)
    fields: dict[int, dict[str, Any]] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The offset of the first record."""
        return int.from_bytes(self.offsets[:8], "little")


@dataclass(slots=True)
class Record:
    """One log record as people and APIs see it. `time` is the record's own, or `received` where it had none."""

    time: int
    received: int
    node: str
    source: str
    host: str
    ident: str
    pid: int | None
    level: int
    message: str
    raw: bytes
    fields: dict[str, Any]
    parse_error: str | None
    path: str
    generation: str
    offset: int

    def row(self, identifier: str) -> dict[str, Any]:
        """Return the row that the HTTP API gives. Bytes that are not UTF-8 show as \\xNN, and `raw_base64` has them exactly."""
        row: dict[str, Any] = {
            "id": identifier,
            "time": clock.rfc3339(self.time),
            "received": clock.rfc3339(self.received),
            "node": self.node,
            "source": self.source,
            "host": self.host or None,
            "ident": self.ident or None,
            "pid": self.pid,
            "level": severity.name(self.level),
            "message": self.message,
            "raw": text(self.raw),
            "fields": self.fields,
            "parse_error": self.parse_error,
            "path": self.path or None,
        }
        if not _is_utf8(self.raw):
            row["raw_base64"] = base64.b64encode(self.raw).decode()
        return row


class Builder:
    """Gathers records of one stream into a batch."""

    def __init__(self, node: str, source: str, generation: str, path: str = "", format: str = "raw") -> None:  # noqa: A002
        self._head = (node, source, generation, path, format)
        self._raw: list[bytes] = []
        self._size = 0
        self._columns = {name: array(code) for name, code in _TYPES.items()}
        self._hosts, self._idents = _Table(), _Table()
        self._texts: dict[int, str] = {}
        self._fields: dict[int, dict[str, Any]] = {}
        self._errors: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._raw)

    @property
    def size(self) -> int:
        """How many bytes of raw records it holds."""
        return self._size

    def add(
        self,
        raw: bytes,
        offset: int,
        *,
        time: int = NO_TIME,
        level: int = severity.NONE,
        host: str = "",
        ident: str = "",
        pid: int | None = None,
        message: tuple[int, int] | None = None,
        text: str | None = None,
        fields: dict[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Add one record. `message` is the slice of `raw` that is the message (all of it if None); `text` replaces it."""
        index = len(self._raw)
        self._raw.append(raw)
        self._size += len(raw)
        columns = self._columns
        columns["ends"].append(self._size)
        columns["offsets"].append(offset)
        columns["times"].append(time)
        columns["levels"].append(level)
        columns["pids"].append(NO_PID if pid is None else pid)
        start, end = message or (0, len(raw))
        columns["message_starts"].append(start)
        columns["message_ends"].append(end)
        self._hosts.add(host)
        self._idents.add(ident)
        if text is not None:
            self._texts[index] = text
        if fields:
            self._fields[index] = fields
        if error:
            self._errors[index] = error

    def build(self, end: int) -> Batch:
        """Return the batch; `end` is the offset just behind its last record."""
        node, source, generation, path, format_ = self._head
        return Batch(
            node=node,
            source=source,
            generation=generation,
            path=path,
            format=format_,
            count=len(self._raw),
            end=end,
            raw=b"".join(self._raw),
            hosts=self._hosts.column(),
            idents=self._idents.column(),
            texts=self._texts,
            fields=self._fields,
            errors=self._errors,
            **{name: column.tobytes() for name, column in self._columns.items()},
        )


class _Table:
    """A column of texts as codes into a table; code 0 is the empty text."""

    def __init__(self) -> None:
        self._codes = array("H")
        self._known = {"": 0}

    def add(self, value: str) -> None:
        code = self._known.setdefault(value, len(self._known))
        if code > MAX_TABLE:
            raise BadInput(f"A batch holds more than {MAX_TABLE} different names; send it in smaller pieces.")
        self._codes.append(code)

    def column(self) -> tuple[list[str], bytes]:
        return list(self._known), self._codes.tobytes()


def encode(batch: Batch) -> bytes:
    """Return the batch as it goes over the wire and into a spool."""
    body: dict[str, Any] = {"v": VERSION}
    for name in Batch.__slots__:
        value = getattr(batch, name)
        body[name] = {"table": value[0], "codes": value[1]} if name in ("hosts", "idents") else value
    return msgpack.packb(body)


def decode(data: bytes) -> Iterator[tuple[Batch, bytes]]:
    """Yield each batch of a body, with the bytes it came as. Raise BadInput that names the first thing wrong.

    Lengths and types are checked here; that offsets and ends grow is checked by whoever relies on it.
    """
    unpacker = msgpack.Unpacker(
        None, raw=False, strict_map_key=False, max_buffer_size=max(len(data), 1), max_array_len=MAX_TABLE + 1
    )
    unpacker.feed(data)
    start = 0
    while start < len(data):
        try:
            body = unpacker.unpack()
        except (msgpack.UnpackException, ValueError, TypeError, RecursionError) as error:  # TypeError: a list as key
            raise BadInput(
                f"The batch at byte {start} is not msgpack that can be read ({type(error).__name__})."
            ) from None
        yield _batch(body, start), data[start : unpacker.tell()]
        start = unpacker.tell()


def _batch(body: Any, start: int) -> Batch:
    where = f"The batch at byte {start}"
    if not isinstance(body, dict) or body.get("v") != VERSION:
        raise BadInput(f"{where} is not a version {VERSION} batch.")
    unknown = body.keys() - {"v", *Batch.__slots__}
    missing = set(Batch.__slots__) - body.keys()
    if unknown or missing:
        raise BadInput(f"{where} lacks {sorted(missing)} or has unknown keys {sorted(map(str, unknown))}.")
    count = body["count"]
    if not isinstance(count, int) or not 0 < count <= MAX_RECORDS:
        raise BadInput(f"{where} says it has {count!r} records; 1 to {MAX_RECORDS} are allowed.")
    for name in _TEXTS:
        if not isinstance(body[name], str) or len(body[name]) > 4096:
            raise BadInput(f"{where}: {name} must be text of at most 4096 characters.")
    for name in ("node", "source", "generation"):
        if not body[name]:
            raise BadInput(f"{where}: {name} is empty.")
    for name, width in _WIDTHS.items():
        if not isinstance(body[name], bytes) or len(body[name]) != count * width:
            raise BadInput(f"{where}: column {name} must be {count * width} bytes for {count} records.")
    if not isinstance(body["raw"], bytes) or not isinstance(body["end"], int) or not 0 <= body["end"] < 2**64:
        raise BadInput(f"{where}: raw must be bytes and end an offset.")
    for name in ("texts", "fields", "errors"):
        if not isinstance(body[name], dict) or not all(isinstance(key, int) and 0 <= key < count for key in body[name]):
            raise BadInput(f"{where}: {name} must be a map from record indexes.")
    tables = {name: _table(body[name], count, f"{where}: {name}") for name in ("hosts", "idents")}
    return Batch(**{**{name: body[name] for name in Batch.__slots__}, **tables})


def _table(column: Any, count: int, where: str) -> tuple[list[str], bytes]:
    if (
        not isinstance(column, dict)
        or column.keys() != {"table", "codes"}
        or not isinstance(column["table"], list)
        or not all(isinstance(entry, str) for entry in column["table"])
        or not isinstance(column["codes"], bytes)
        or len(column["codes"]) != 2 * count
    ):
        raise BadInput(f"{where} must be a table of texts and {2 * count} bytes of codes.")
    codes = array("H", column["codes"])
    if max(codes) >= len(column["table"]) or column["table"][0] != "":
        raise BadInput(f"{where} has a code without a text, or a table that does not begin with the empty text.")
    return column["table"], column["codes"]


def column(batch: Batch, name: str) -> "array[int]":
    """Return a numeric column of the batch as an array."""
    return array(_TYPES[name], getattr(batch, name))


def records(batch: Batch, received: int) -> Iterator[Record]:
    """Yield the batch's records one by one: for reading a few, and as the reference for every faster way."""
    columns = {name: column(batch, name) for name in _TYPES}
    hosts, idents = array("H", batch.hosts[1]), array("H", batch.idents[1])
    start = 0
    for index in range(batch.count):
        end = columns["ends"][index]
        raw = batch.raw[start:end]
        start = end
        time, pid = columns["times"][index], columns["pids"][index]
        message = batch.texts.get(index)
        if message is None:
            message = text(raw[columns["message_starts"][index] : columns["message_ends"][index]])
        yield Record(
            time=received if time == NO_TIME else time,
            received=received,
            node=batch.node,
            source=batch.source,
            host=batch.hosts[0][hosts[index]],
            ident=batch.idents[0][idents[index]],
            pid=None if pid == NO_PID else pid,
            level=columns["levels"][index],
            message=message,
            raw=raw,
            fields=batch.fields.get(index, {}),
            parse_error=batch.errors.get(index),
            path=batch.path,
            generation=batch.generation,
            offset=columns["offsets"][index],
        )


def text(data: bytes) -> str:
    """Return bytes as text; what is not UTF-8 shows as \\xNN, so that nothing is hidden."""
    return data.decode("utf-8", errors="backslashreplace")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
