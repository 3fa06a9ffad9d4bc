"""logfmt: ``time=2026-11-23T09:05:00Z level=info msg="started in 3 s" port=7402``."""

import re
from typing import Any

from nodeward.tailflog.formats.base import Parse, Unfit, text
from nodeward.tailflog.formats.named import parser_of
from nodeward.tailflog.formats.times import Times

# A name, then maybe a value, quoted or bare. Every branch begins differently and is possessive: linear time.
_PAIR = re.compile(rb'([^\s="]++)(?:=(?:"((?:[^"\\]|\\.)*+)"|([^\s"]*+)))?+(?:\s++|$)', re.DOTALL)


def parser(times: Times) -> Parse:
    """Return the parser."""
    return parser_of("logfmt", _pairs, times)


def _pairs(line: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    place = len(line) - len(line.lstrip())
    valued = False
    while place < len(line):
        pair = _PAIR.match(line, place)
        if pair is None:
            raise Unfit(f"it is not logfmt at byte {place}")
        quoted, bare = pair[2], pair[3]
        if quoted is None and bare is None:
            fields[text(pair[1])] = True
        else:
            valued = True
            fields[text(pair[1])] = text(_unescaped(quoted) if quoted is not None else bare)
        place = pair.end()
    if not valued:
        raise Unfit("it has no name=value")
    return fields


def _unescaped(value: bytes) -> bytes:
    if b"\\" not in value:
        return value
    return value.replace(b'\\"', b'"').replace(b"\\n", b"\n").replace(b"\\t", b"\t").replace(b"\\\\", b"\\")
