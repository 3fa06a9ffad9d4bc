"""Reads performance data as plugins write it: `'label'=value[unit];[warning];[critical];[minimum];[maximum] …`.

Lenient where a value is beyond doubt (any unit, exponents, labels with =, U for unknown), strict where it is not (a
decimal comma): what cannot be read is handed back, to be shown rather than dropped.
"""

import math
import re
from dataclasses import dataclass

_ITEM = re.compile(r"\s*((?:'(?:[^']|'')*'|[^\s'])+)")
_QUOTED = re.compile(r"'((?:[^']|'')*)'=(.*)", re.DOTALL)
_VALUE = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)([^\d;,.+-][^;,]*)?$")
_MOST = 1000  # labels of one result: a plugin gone wild must not fill the store


@dataclass(frozen=True, slots=True)
class Measure:
    """One item. `value` is None for U; `warning` and `critical` are ranges as written."""

    label: str
    value: float | None
    unit: str = ""
    warning: str = ""
    critical: str = ""


def parse(text: str) -> tuple[list[Measure], list[str]]:
    """Return the items that can be read, one per label (the last wins), and those that cannot, as they are."""
    found: dict[str, Measure] = {}
    unread: list[str] = []
    position = 0
    while match := _ITEM.match(text, position):
        position = match.end()
        measure = _measure(match[1])
        if measure is None or len(found) >= _MOST:
            unread.append(match[1])
        else:
            found[measure.label] = measure
    if rest := text[position:].strip():
        unread.append(rest)
    return list(found.values()), unread


def _measure(item: str) -> Measure | None:
    quoted = _QUOTED.fullmatch(item)
    label, rest = (quoted[1].replace("''", "'"), quoted[2]) if quoted else _split(item)
    value, *ranges = rest.split(";")
    warning, critical = (*ranges, "", "")[:2]
    if not label:
        return None
    if value == "U":
        return Measure(label, None, "", warning, critical)
    number = _VALUE.match(value)
    if number is None or not math.isfinite(float(number[1])):
        return None
    return Measure(label, float(number[1]), number[2] or "", warning, critical)


def _split(item: str) -> tuple[str, str]:
    label, _, rest = item.rpartition("=")
    return label, rest
