"""RFC 5424: ``<34>1 2026-11-23T22:14:15.003Z web-1 su 412 ID47 [x@1 a="b"] message``."""

import re

from nodeward.core.batch import NO_TIME
from nodeward.tailflog.formats.base import Extra, Known, Parse, Row, Unfit, named, number, text
from nodeward.tailflog.formats.times import Times

_NAME = re.compile(rb'\[([^\s="\]]{1,64})')
_PAIR = re.compile(rb' ([^\s="\]]{1,64})="((?:[^"\\\]]|\\.)*+)"', re.DOTALL)
_BOM = b"\xef\xbb\xbf"


def parser(times: Times) -> Parse:
    """Return the parser."""
    names: Known[str] = Known(_name)

    def parse(line: bytes) -> Row:
        parts = line.split(b" ", 6)
        head, priority = parts[0], parts[0][1:-2]
        if len(parts) != 7 or head != b"<%s>1" % priority or not priority.isdigit() or int(priority) > 191:
            raise Unfit("it does not begin as RFC 5424 has it, '<34>1 TIME HOST APP PID ID '")
        moment = NO_TIME if parts[1] == b"-" else times.iso(parts[1])
        start = len(line) - len(parts[6])
        data, skip = _structured(parts[6])
        if parts[5] != b"-":
            data["msgid"] = text(parts[5])
        start += skip + (3 if line.startswith(_BOM, start + skip) else 0)
        extra = Extra(fields=data) if data else None
        return (moment, int(priority) % 8, names[parts[2]], names[parts[3]], number(parts[4]), start, len(line), extra)

    return parse


def _name(part: bytes) -> str:
    return "" if part == b"-" else named(part)


def _structured(rest: bytes) -> tuple[dict[str, object], int]:
    """Return the structured data as {id: {name: value}}, and where the message begins."""
    if rest[:1] == b"-":
        return {}, min(2, len(rest))
    data: dict[str, object] = {}
    place = 0
    while opening := _NAME.match(rest, place):
        place = opening.end()
        pairs: dict[str, str] = {}
        while pair := _PAIR.match(rest, place):
            pairs[text(pair[1])] = text(_unescaped(pair[2]))
            place = pair.end()
        if rest[place : place + 1] != b"]":
            raise Unfit("its structured data is not closed")
        place += 1
        data[text(opening[1])] = pairs
    if not data:
        raise Unfit("it has neither '-' nor structured data before its message")
    return data, min(place + 1, len(rest))


def _unescaped(value: bytes) -> bytes:
    if b"\\" not in value:
        return value
    return value.replace(b'\\"', b'"').replace(b"\\]", b"]").replace(b"\\\\", b"\\")
