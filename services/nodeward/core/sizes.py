"""Sizes of files, disks and memory: bytes inside, `500MB` or `4GiB` outside."""

import re
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([kmgt]i?)?b?", re.IGNORECASE)
_PREFIXES = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4,
             "ki": 1024, "mi": 1024**2, "gi": 1024**3, "ti": 1024**4}  # fmt: skip
MOST = 2**60


def parse(given: object) -> int:
    """Given bytes as a number, or text such as ``500MB`` or ``4GiB``, return bytes. Raise ValueError if it is neither."""
    if isinstance(given, int) and not isinstance(given, bool):
        size: float = given
    else:
        found = _SIZE.fullmatch(given.strip()) if isinstance(given, str) else None
        if found is None:
            raise ValueError(f"{str(given)[:40]!r} is not a size; write for example 500MB or 4GiB")
        size = float(found[1]) * _PREFIXES[(found[2] or "").lower()]
    if not 1 <= size <= MOST:
        raise ValueError("a size is at least one byte, and at most 1024 PiB")
    return int(size)


def text(size: float, ones: str = "bytes") -> str:
    """Return a size for people, e.g. ``7.7 GiB``; below 1 KiB, a number of `ones`."""
    for unit in (ones, "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {ones}" if unit == ones else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


Size = Annotated[
    int,
    PlainValidator(parse),
    PlainSerializer(int, return_type=int),
    WithJsonSchema({"type": ["integer", "string"], "title": "Size"}),
]
