"""From lines to a batch: every line parsed, every column filled, nothing lost whatever a line holds.

A format that fits no line and is slow at finding that out (a wrong pattern on long lines) is rested: it is tried on one
line in a slice until it fits again, and the others are kept raw and say so. So a wrong pattern costs neither CPU nor a line.
"""

import logging
import os
import time
from array import array
from typing import Any

import msgpack

from nodeward.core import batch
from nodeward.core.batch import Batch
from nodeward.tailflog import multiline
from nodeward.tailflog.config import Source
from nodeward.tailflog.formats import name, parser
from nodeward.tailflog.formats.base import Extra, Row, Unfit, unparsed
from nodeward.tailflog.formats.times import Times, zone
from nodeward.tailflog.lines import Lines

log = logging.getLogger(__name__)

SLICE = 512
REST_AFTER = 1000  # lines in a row that did not fit
SLOW = 10e-6  # seconds a line: what no built-in format takes to say no
RESTED = "not tried: the format fitted none of the lines before and is slow, so it is tried on few until it fits again"
_DEEPEST = 16


class Parser:
    """Parses the lines of one source."""

    def __init__(self, source: Source, node: str, reference: int) -> None:
        self.source = source
        self._node = node
        self._format = name(source.format)
        self._times = Times(zone(source.timezone or ""), reference)
        self.rule = multiline.rule(source.multiline, self._format)
        parse = parser(source.format, self._times)
        self._parse = multiline.headed(parse, self._format) if self.rule else parse
        self._misses = 0
        self._resting = False
        self.errors = 0

    def batch(self, lines: Lines, generation: str, path: str, reference: int) -> Batch:
        """Return the batch of `lines`, read from `path` at the moment `reference` (µs)."""
        self._times.at(reference)
        made = columns(self._rows(lines.lines), lines, self.source.fields)
        self.errors += len(made.errors)
        made.node, made.source, made.generation = self._node, self.source.source, generation
        made.path = os.fsencode(path).decode("utf-8", "backslashreplace")[:4096]
        made.format = self._format
        return made

    def _rows(self, lines: list[bytes]) -> list[Row]:
        rows: list[Row] = []
        for start in range(0, len(lines), SLICE):
            part = lines[start : start + SLICE]
            if self._resting and self._still_unfit(part[0]):
                rows += [unparsed(line, RESTED) for line in part]
            else:
                rows += self._tried(part)
        return rows

    def _tried(self, part: list[bytes]) -> list[Row]:
        began = time.perf_counter()
        rows: list[Row] = []
        parse, append, failed = self._parse, rows.append, 0
        for line in part:
            try:
                append(parse(line))
            except Unfit as reason:
                append(unparsed(line, str(reason)) if line else unparsed(line, None))
                failed += 1
            except Exception as fault:  # a fault in a format must not cost the line
                append(unparsed(line, f"the format failed on it ({type(fault).__name__})"))
                failed += 1
        self._misses = self._misses + failed if failed == len(part) else 0
        if self._misses >= REST_AFTER and (time.perf_counter() - began) / len(part) > SLOW:
            self._rest()
        return rows

    def _rest(self) -> None:
        self._resting = True
        log.warning(
            "The format of source '%s' fitted none of the last %d lines and is slow; it rests, and lines are kept raw. "
            "Check the pattern against the file.",
            self.source.source,
            self._misses,
        )

    def _still_unfit(self, line: bytes) -> bool:
        try:
            self._parse(line)
        except Exception:
            return True
        log.info("The format of source '%s' fits again.", self.source.source)
        self._resting, self._misses = False, 0
        return False


def columns(rows: list[Row], lines: Lines, constant: dict[str, Any]) -> Batch:
    """Given a row for each line, return the batch without its names. `constant` fields are added to every record."""
    times, levels, hosts, idents, pids, starts, ends, extras = zip(*rows, strict=True)
    texts: dict[int, str] = {}
    fields: dict[int, dict[str, Any]] = dict.fromkeys(range(len(rows)), constant) if constant else {}
    errors: dict[int, str] = {}
    for index, extra in enumerate(extras):
        if extra is not None:
            _spread(index, extra, constant, texts, fields, errors)
    errors.update(lines.errors)
    return Batch(
        node="",
        source="",
        generation="",
        count=len(rows),
        end=lines.end,
        raw=b"".join(lines.lines),
        ends=lines.ends.tobytes(),
        offsets=lines.offsets.tobytes(),
        times=array("q", times).tobytes(),
        levels=bytes(levels),
        hosts=_coded(hosts),
        idents=_coded(idents),
        pids=array("i", pids).tobytes(),
        message_starts=array("I", starts).tobytes(),
        message_ends=array("I", ends).tobytes(),
        texts=texts,
        fields=fields,
        errors=errors,
    )


def encoded(made: Batch) -> bytes:
    """Return the batch as it goes over the wire. Fields that msgpack cannot carry are first made plain."""
    try:
        return batch.encode(made)
    except (OverflowError, ValueError):  # an integer over 64 bits, half a surrogate pair, endless nesting
        for index, value in made.fields.items():
            made.fields[index] = value if _carried(value) else plain(value)
        made.texts = {index: _whole(value) for index, value in made.texts.items()}
        made.hosts, made.idents = (
            ([_whole(name) for name in table], codes) for table, codes in (made.hosts, made.idents)
        )
        made.errors = {index: _whole(value) for index, value in made.errors.items()}
        return batch.encode(made)


def plain(value: Any, depth: int = 0) -> Any:
    """Return `value` with nothing that msgpack, or JSON behind it, cannot carry; what is nested too deep becomes its text."""
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    if depth >= _DEEPEST and isinstance(value, dict | list):
        return "…"
    if isinstance(value, dict):
        return {_whole(str(key)): plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one, depth + 1) for one in value]
    return value


def _spread(
    index: int,
    extra: Extra,
    constant: dict[str, Any],
    texts: dict[int, str],
    fields: dict[int, dict[str, Any]],
    errors: dict[int, str],
) -> None:
    text, more, error = extra
    if text is not None:
        texts[index] = text
    if more:
        fields[index] = {**constant, **more} if constant else more
    if error:
        errors[index] = error


def _coded(names: tuple[str, ...]) -> tuple[list[str], bytes]:
    codes = _Codes({"": 0})
    column = array("H", map(codes.__getitem__, names))
    return list(codes), column.tobytes()


class _Codes(dict[str, int]):
    def __missing__(self, name: str) -> int:
        code = self[name] = len(self)
        return code


def _carried(value: Any) -> bool:
    try:
        msgpack.packb(value)
    except (OverflowError, ValueError):
        return False
    return True


def _whole(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
