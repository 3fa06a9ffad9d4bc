"""Columns and texts as bytes and back.

A column is kept as differences or distances from its least value, divided by what they have in common, in the fewest bytes that
hold them, lowest bytes of all together, compressed. A text is kept in two parts: the lines with every digit as ``0``, which
repeat each other far better than the lines themselves, and the digits one after the other, which mostly are noise.
"""

import functools
import struct
import threading
from typing import NamedTuple

import numpy as np
import zstandard
from numpy.typing import NDArray

from nodeward.store.logblocks.rows import NEWLINE, Numbers
from nodeward.store.logblocks.words import Bytes

LEVEL = 1
_HEAD = struct.Struct("<BBqqq")  # differences?, bytes per value, first or least value, least difference, divisor
_ZERO = ord("0")

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
    """Return a column as bytes; `differences` where neighbours are close to each other."""
    if not len(values):
        return _HEAD.pack(differences, 0, 0, 0, 1)
    if differences:
        first, values = int(values[0]), np.diff(values)
    else:
        first = 0
    least = int(values.min()) if len(values) else 0
    distances = values - least
    divisor = int(np.gcd.reduce(distances)) or 1 if len(distances) else 1
    if divisor > 1:
        distances //= divisor
    size = _size(int(distances.max()) if len(distances) else 0)
    head = _HEAD.pack(differences, size, first, least, divisor)
    if not size:
        return head
    return head + compress(distances.astype(f"<u{size}").view(np.uint8).reshape(-1, size).T.tobytes())


def unpack(data: bytes, count: int) -> Numbers:
    """Return a column of `count` values. Raise Damaged."""
    if not count:
        return np.empty(0, np.int64)
    try:
        differences, size, first, least, divisor = _HEAD.unpack_from(data)
        stored = count - 1 if differences else count
        if size:
            shuffled = np.frombuffer(decompress(data[_HEAD.size :]), np.uint8).reshape(size, stored)
            values = np.ascontiguousarray(shuffled.T).view(f"<u{size}").ravel().astype(np.int64)
        else:
            values = np.zeros(stored, np.int64)
    except (struct.error, ValueError, TypeError) as error:
        raise Damaged(str(error)) from None
    if divisor != 1:
        values *= divisor
    values += least
    return np.cumsum(np.concatenate(([first], values))) if differences else values


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
