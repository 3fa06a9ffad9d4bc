"""Columns and texts as bytes and back.

A column is kept as differences or distances from its least value, divided by what they have in common, in the fewest bytes that
hold them, lowest bytes of all together; columns that are read together are compressed together. A text is kept in two parts:
the lines with every digit as ``0``, which repeat each other far better than the lines themselves, and the digits one after the
other, which mostly are noise.
"""

import functools
import struct
import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import zstandard
from numpy.typing import NDArray

from nodeward.store.logblocks.rows import NEWLINE, Numbers
from nodeward.store.logblocks.words import Bytes

LEVEL = 1
_HEAD = struct.Struct("<BBqqq")  # differences?, bytes per value, first or least value, least difference, divisor
_ZERO = ord("0")
FEW = 4  # rows of a column that are cheaper to get one by one: a rare word mostly stands once in a piece

# A context is reused by its thread: making one costs more than compressing a small column.
_local = threading.local()


class Damaged(Exception):
    """Bytes are not what was written."""


class Text(NamedTuple):
    """A piece of text in its two parts, compressed."""

    template: bytes
    digits: bytes


def compress(data: bytes) -> bytes:
    """Return `data` compressed, with a checksum."""
    context = getattr(_local, "compressor", None)
    if context is None:
        context = _local.compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    return bytes(context.compress(data))


def decompress(data: bytes) -> bytes:
    """Return what was compressed. Raise Damaged if it is not that any more."""
    context = getattr(_local, "decompressor", None)
    if context is None:
        context = _local.decompressor = zstandard.ZstdDecompressor()
    try:
        return bytes(context.decompress(data))
    except zstandard.ZstdError as error:
        raise Damaged(str(error)) from None


def pack(values: Numbers, differences: bool = False) -> bytes:
    """Return a column as bytes, not compressed yet; `differences` where neighbours are close to each other."""
    first = 0
    if differences and len(values):
        first, values = int(values[0]), np.diff(values)
    if not len(values):
        return _HEAD.pack(differences, 0, first, 0, 1)
    least = int(values.min())
    distances = values - least
    largest = int(distances.max())
    divisor = int(np.gcd.reduce(distances)) if largest else 1
    if divisor > 1:
        distances //= divisor
        largest //= divisor
    size = _size(largest)
    head = _HEAD.pack(differences, size, first, least, divisor)
    return head + distances.astype(f"<u{size}").view(np.uint8).reshape(-1, size).T.tobytes() if size else head


class Columns:
    """Packed columns, one after the other, each unpacked when it is asked for. Raise Damaged where they do not fit `count`."""

    def __init__(self, data: bytes, names: Sequence[str], count: int) -> None:
        self._data, self._count = data, count
        self._unpacked: dict[str, Numbers] = {}
        self._places: dict[str, int] = {}
        at = 0
        try:
            for name in names:
                self._places[name] = at
                differences, size, _, _, _ = _HEAD.unpack_from(data, at)
                at += _HEAD.size + size * (count - 1 if differences and count else count)
        except struct.error as error:
            raise Damaged(str(error)) from None
        if at != len(data):
            raise Damaged("the columns have not the length they should have")

    def get(self, name: str) -> Numbers:
        """Return a column."""
        found = self._unpacked.get(name)
        if found is None:
            found = self._unpacked[name] = self._unpack(self._places[name])
        return found

    def at(self, name: str, rows: Numbers) -> Numbers:
        """Return a column of these rows; where they are few, without unpacking the others."""
        found = self._unpacked.get(name)
        if found is not None:
            return found[rows]
        at = self._places[name]
        differences, size, first, least, divisor = _HEAD.unpack_from(self._data, at)
        if not size:
            return first + least * rows if differences else np.full(len(rows), least)
        if len(rows) <= FEW:
            return np.array([self.value(name, row) for row in rows.tolist()], np.int64)
        if differences or len(rows) * 8 > self._count:
            return self.get(name)[rows]
        shuffled = np.frombuffer(self._data, np.uint8, size * self._count, at + _HEAD.size).reshape(size, self._count)
        values = np.ascontiguousarray(shuffled[:, rows].T).view(f"<u{size}").ravel().astype(np.int64)
        return values * divisor + least

    def value(self, name: str, row: int) -> int:
        """Return one value, without unpacking the others."""
        found = self._unpacked.get(name)
        if found is not None:
            return int(found[row])
        at, count = self._places[name], self._count
        differences, size, first, least, divisor = _HEAD.unpack_from(self._data, at)
        begin = at + _HEAD.size
        if not differences:
            distance = int.from_bytes(self._data[begin + row : begin + size * count : count], "little")
            return int(distance * divisor + least)
        total = 0
        if size:  # the sum of the differences before it, byte by byte
            shuffled = np.frombuffer(self._data, np.uint8, size * (count - 1), begin).reshape(size, count - 1)
            sums = np.add.reduce(shuffled[:, :row], axis=1, dtype=np.int64).tolist()
            total = sum(part << 8 * place for place, part in enumerate(sums))
        return int(first + least * row + divisor * total)

    def _unpack(self, at: int) -> Numbers:
        differences, size, first, least, divisor = _HEAD.unpack_from(self._data, at)
        stored = self._count - 1 if differences and self._count else self._count
        if size:
            shuffled = np.frombuffer(self._data, np.uint8, size * stored, at + _HEAD.size).reshape(size, stored)
            values = np.ascontiguousarray(shuffled.T).view(f"<u{size}").ravel().astype(np.int64)
            if divisor != 1:
                values *= divisor
            if least:
                values += least
        else:
            values = np.full(stored, least)
        return np.cumsum(np.concatenate(([first], values))) if differences and self._count else values


def pack_text(text: Bytes) -> Text:
    """Return a text in its two parts; `text` is changed on the way."""
    is_digit = (text - _ZERO) < 10
    digits = text[is_digit].tobytes()
    np.putmask(text, is_digit, _ZERO)
    return Text(compress(text.tobytes()), compress(digits))


def unpack_template(text: Text) -> bytes:
    """Return the text with each digit as ``0``. Raise Damaged."""
    return decompress(text.template)


def fill_in(template: bytes, text: Text) -> bytes:
    """Return the text itself. Raise Damaged."""
    digits = np.frombuffer(decompress(text.digits), np.uint8)
    filled = np.frombuffer(template, np.uint8).copy()
    places = filled == _ZERO
    try:
        filled[places] = digits
    except ValueError as error:
        raise Damaged(str(error)) from None
    return filled.tobytes()


def cut_out(template: bytes, text: Text, spans: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return these parts of the text, which must follow one another, without filling in the rest. Raise Damaged."""
    digits = np.frombuffer(decompress(text.digits), np.uint8)
    places = np.frombuffer(template, np.uint8) == _ZERO
    found, at, used = [], 0, 0
    for begin, end in spans:
        used += int(np.count_nonzero(places[at:begin]))
        part = np.frombuffer(template, np.uint8, end - begin, begin).copy()
        own = places[begin:end]
        count = int(np.count_nonzero(own))
        if used + count > len(digits):
            raise Damaged("there are fewer digits than there should be")
        part[own] = digits[used : used + count]
        found.append(part.tobytes())
        at, used = end, used + count
    return found


def separate(raw: bytes, ends: Numbers) -> Bytes:
    """Return the records of `raw` with a newline behind each."""
    count = len(ends)
    text = np.empty(len(raw) + count, np.uint8)
    kept = np.ones(len(text), np.bool_)
    kept[ends + np.arange(count)] = False
    text[kept] = np.frombuffer(raw, np.uint8)
    text[~kept] = NEWLINE
    return text


@functools.lru_cache(64)
def _size(largest: int) -> int:
    return 0 if largest == 0 else 1 if largest < 2**8 else 2 if largest < 2**16 else 4 if largest < 2**32 else 8


def lowered(text: bytes) -> bytes:
    """Return the text with bit 5 of every byte set: letters in lower case, at the speed of memory.

    Other bytes change too, so what is found in it is checked against the text itself.
    """
    array: NDArray[np.uint8] = np.frombuffer(text, np.uint8) | np.uint8(0x20)
    return array.tobytes()
