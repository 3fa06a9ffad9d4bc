"""Which lines are one record: a stack trace belongs to the line that it explains.

A record is complete when the next one begins, when it has grown as far as it may, or when nothing came for a while. Until
then it stays in its file and the offset before it, so that a restart or a rotation finds it whole. What belongs together
is told by the lines from the record's first one on, by nothing before it: read again, they give the same records.

A line without a beginning before it (after a record was cut at its limit, or where the rule fits nothing) is a record of its
own: a wrong rule glues nothing together.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from nodeward.core.formats import TIME, TRACES, Multiline
from nodeward.tailflog.formats.base import Parse, Row
from nodeward.tailflog.formats.pattern import compiled
from nodeward.tailflog.lines import Lines

BY_FORMAT = {"log4j": TIME}
_WHOLE = ("json", "pattern")  # formats that make use of a record's further lines

# A line's first characters, where they are a time as programs write it.
_TIME = re.compile(
    rb"(?:[^\s\[]{1,200}\.log\S{0,60} (?=\d{4}-))?"  # OpenStack's collected logs name the file first
    rb"(?:<\d{1,3}>)?\[?(?:"
    rb"\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d"
    rb"|\d\d/\d\d/\d\d \d\d:\d\d:\d\d"
    rb"|\d{6} \d{6} "
    rb"|\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:"
    rb"|(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
    rb"|\d\d:\d\d:\d\d[.,: ]"
    rb")"
)
_JAVA = re.compile(rb"Caused by: |Suppressed: |\.\.\. \d+ (?:more|common frames)")
_PYTHON = b"Traceback (most recent call last):"
_CHAINED = re.compile(
    rb"During handling of the above exception|The above exception was the direct cause|Traceback \(most"
)
_PANIC = re.compile(rb"panic: |fatal error: |runtime: |SIG[A-Z]+: ")
_GO = re.compile(rb"goroutine \d|created by |exit status \d|\[signal |panic: ")
_CALL = re.compile(rb"[\w./*()\[\]{}~%-]{1,256}\(")

# a record's first line, the last that may be behind it → the line behind it, whether it may go on
Reach: TypeAlias = Callable[[int, int], tuple[int, bool]]


@dataclass(frozen=True, slots=True)
class Rule:
    """How to tell records. `reach`, given lines, returns what tells how far a record reaches that begins at one of them."""

    reach: Callable[[list[bytes]], Reach]
    lines: int = Multiline.model_fields["lines"].default
    bytes: int = Multiline.model_fields["bytes"].default
    wait: float = Multiline.model_fields["wait"].default  # seconds


def rule(setting: "Multiline | str | bool | None", format_: str) -> Rule | None:
    """Return the rule of a source, None where each line is a record."""
    if setting is None:
        setting = BY_FORMAT.get(format_, False)
    if isinstance(setting, Multiline):
        matches = compiled(setting.pattern).search
        reach = _from_starts(lambda line: bool(matches(line))) if setting.start else _continued(matches)
        return Rule(reach, setting.lines, setting.bytes, setting.wait)
    return {TIME: Rule(_from_starts(lambda line: bool(_TIME.match(line)))), TRACES: Rule(_traces)}.get(str(setting))


def records(lines: Lines, rule: Rule, behind: int, whole: bool) -> Lines | None:
    """Given whole lines, and how many bytes of an unfinished one are behind them, return them as records, None if none is whole.

    With `whole`, what is there is complete: nothing more is waited for.
    """
    if lines.cut:
        return lines  # a piece of an overlong line
    spans = list(_spans(lines.lines, rule))
    first, stop, goes_on = spans[-1]
    room = rule.bytes - sum(map(len, lines.lines[first:])) - (stop - first)
    if goes_on and not whole and stop - first < rule.lines and behind <= room:
        spans.pop()
    if not spans:
        return None
    end = lines.offsets[spans[-1][1]] if spans[-1][1] < len(lines.lines) else lines.end
    made = [
        lines.lines[first] if stop - first == 1 else b"\n".join(lines.lines[first:stop]) for first, stop, _ in spans
    ]
    offsets = array("Q", [lines.offsets[first] for first, _, _ in spans])
    return Lines(made, offsets, array("I", accumulate(map(len, made))), end, 0, _errors(lines, spans, rule))


def headed(parse: Parse, format_: str) -> Parse:
    """Return a parse that reads the first line of a record; a message that goes to that line's end goes to the record's."""
    if format_ in _WHOLE:
        return parse

    def parse_head(record: bytes) -> Row:
        end = record.find(b"\n")
        if end < 0:
            return parse(record)
        row = parse(record[:end])
        *columns, stop, extra = row
        return row if stop != end or (extra and extra.text is not None) else (*columns, len(record), extra)  # type: ignore[return-value]

    return parse_head


def _spans(lines: list[bytes], rule: Rule) -> Iterator[tuple[int, int, bool]]:
    """Yield where each record begins and ends, and whether another line could still belong to it."""
    reach, first = rule.reach(lines), 0
    while first < len(lines):
        stop, goes_on = reach(first, min(len(lines), first + rule.lines))
        if stop - first > 1:
            stop = _fitting(lines, first, stop, rule.bytes)
        yield first, stop, goes_on and stop == len(lines)
        first = stop


def _fitting(lines: list[bytes], first: int, stop: int, most: int) -> int:
    """Return how far a record may reach that has at most so many bytes; one line is always a record."""
    size = len(lines[first]) + 1
    for index in range(first + 1, stop):
        size += len(lines[index]) + 1
        if size > most:
            return index
    return stop


def _errors(lines: Lines, spans: list[tuple[int, int, bool]], rule: Rule) -> dict[int, str]:
    errors = {}
    if lines.errors:
        for index, (first, stop, _) in enumerate(spans):
            if said := [lines.errors[line] for line in range(first, stop) if line in lines.errors]:
                errors[index] = said[0]
    for index, (first, stop, _) in enumerate(spans):
        if stop - first == rule.lines:
            errors.setdefault(
                index, f"it has {rule.lines} lines, the most that one record may have; it may go on in the next"
            )
    return errors


def _from_starts(begins: Callable[[bytes], bool]) -> Callable[[list[bytes]], Reach]:
    def reach(lines: list[bytes]) -> Reach:
        flags = [begins(line) for line in lines]

        def stop(first: int, last: int) -> tuple[int, bool]:
            if not flags[first]:
                return first + 1, False
            try:
                return flags.index(True, first + 1, last), True
            except ValueError:
                return last, True

        return stop

    return reach


def _continued(matches: Callable[[bytes], object]) -> Callable[[list[bytes]], Reach]:
    def reach(lines: list[bytes]) -> Reach:
        def stop(first: int, last: int) -> tuple[int, bool]:
            behind = first + 1
            while behind < last and matches(lines[behind]):
                behind += 1
            return behind, True

        return stop

    return reach


def _traces(lines: list[bytes]) -> Reach:
    def stop(first: int, last: int) -> tuple[int, bool]:
        trace, behind = _Trace(lines[first]), first + 1
        while behind < last and trace.takes(lines[behind]):
            behind += 1
        return behind, True

    return stop


class _Trace:
    """What has been seen of a record without a time to tell where it begins: Java's, Python's and Go's traces, indented lines."""

    def __init__(self, line: bytes) -> None:
        self._python, self._go = line.startswith(_PYTHON), bool(_PANIC.match(line))
        self._framed = False  # the line before was a frame

    def takes(self, line: bytes) -> bool:
        """Say whether the next line belongs to it."""
        framed, self._framed = self._framed, line[:1] in (b" ", b"\t")
        if self._framed or _JAVA.match(line):
            return True
        if self._python:  # `ValueError: …` ends the frames; a blank line and another traceback may follow
            return framed or not line or bool(_CHAINED.match(line))
        return self._go and (not line or bool(_GO.match(line)) or (line.endswith(b")") and bool(_CALL.match(line))))
