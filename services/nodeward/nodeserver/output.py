"""The plugin API's words: what an exit code means, how output is divided, what perfdata looks like.

The grammar is Nagios Core 4's: the first line is the text, after `|` perfdata; the next lines are long output until one with a
`|`; what follows that is perfdata to the end.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from nodeward.core.ranges import Range
from nodeward.core.states import CRITICAL, OK, SERVICE_STATES, UNKNOWN, WARNING

__all__ = [
    "CRITICAL",
    "OK",
    "UNKNOWN",
    "WARNING",
    "Metric",
    "Outcome",
    "divide",
    "from_plugin",
    "judge",
    "perf",
    "worst",
]

_WANTS_QUOTES = re.compile(r"[\s']")
_BADNESS = {OK: 0, WARNING: 1, UNKNOWN: 2, CRITICAL: 3}
_CONTROL = {code: f"\\x{code:02x}" for code in [*range(9), 11, 12, *range(14, 32), *range(127, 160)]}


class Outcome(NamedTuple):
    """What a check said: exit code 0 to 3, first line, further lines, perfdata."""

    code: int
    output: str
    long_output: str = ""
    perfdata: str = ""


class Metric(NamedTuple):
    """A measured value, with the thresholds it is judged by."""

    label: str
    value: float | None
    unit: str = ""
    warning: Range | None = None
    critical: Range | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def code(self) -> int:
        """What this value means."""
        return judge(self.value, self.warning, self.critical)


def judge(value: float | None, warning: Range | None, critical: Range | None) -> int:
    """Return the code that a value means. A value that is not known is UNKNOWN."""
    if value is None:
        return UNKNOWN
    if critical is not None and critical.alerts(value):
        return CRITICAL
    return WARNING if warning is not None and warning.alerts(value) else OK


def worst(codes: Iterable[int]) -> int:
    """Return the worst of `codes`, by OK < WARNING < UNKNOWN < CRITICAL; OK if there are none."""
    found = OK
    for code in codes:
        if _BADNESS[code] > _BADNESS[found]:
            found = code
    return found


def said(name: str, metrics: Iterable[Metric], text: str, long_output: str = "", code: int | None = None) -> Outcome:
    """Return the outcome of a built-in check in the plugins' style, e.g. ``LOAD OK - 0.31 per CPU``.

    The code is the metrics' worst, unless it is given.
    """
    measured = list(metrics)
    found = worst([metric.code for metric in measured]) if code is None else code
    return Outcome(
        found, f"{name} {SERVICE_STATES[found]} - {text}", long_output, " ".join([perf(one) for one in measured])
    )


def perf(metric: Metric) -> str:
    """Return a metric as a perfdata item, without the semicolons that would end it."""
    label = metric.label
    if not label.isidentifier() and _WANTS_QUOTES.search(label):
        label = "'" + label.replace("'", "''") + "'"
    value = "U" if metric.value is None else number(metric.value) + metric.unit
    return f"{label}={value}{_limits(_text(metric.warning), _text(metric.critical), metric.minimum, metric.maximum)}"


@lru_cache(maxsize=1024)
def _limits(warning: str, critical: str, minimum: float | None, maximum: float | None) -> str:
    """The part of a perfdata item that is the same in every run of a check."""
    least, most = ("" if limit is None else number(limit) for limit in (minimum, maximum))
    return f";{warning};{critical};{least};{most}".rstrip(";")


def _text(limit: Range | None) -> str:
    return "" if limit is None else limit.text


def number(value: float) -> str:
    """Write a number as perfdata wants it: no exponent, at most six decimals, no needless zeros."""
    whole = int(value)
    return str(whole) if value == whole else f"{value:.6f}".rstrip("0").rstrip(".")


def divide(text: str) -> tuple[str, str, str]:
    """Given what a plugin printed, return (first line, long output, perfdata)."""
    first, _, rest = text.partition("\n")
    output, _, perfdata = first.partition("|")
    lines: list[str] = []
    pieces = [perfdata.strip()]
    if rest:
        long_text, bar, more = rest.partition("|")
        lines = long_text.rstrip().split("\n") if bar else rest.rstrip().split("\n")
        pieces += [line.strip() for line in more.split("\n")]
    return output.strip(), "\n".join(line.rstrip() for line in lines), " ".join(filter(None, pieces))


def readable(data: bytes) -> str:
    """Return what a plugin printed as text; what is not UTF-8, and control characters, show as \\xNN."""
    text = data.decode("utf-8", "backslashreplace").replace("\r\n", "\n").replace("\r", "\n")
    return text.translate(_CONTROL)


def from_plugin(status: int, stdout: bytes, stderr: bytes = b"", truncated: bool = False) -> Outcome:
    """Given how a plugin ended (exit code, or minus the signal) and what it printed, return the outcome.

    stdout alone counts; where it is empty, stderr is shown so that the reason is not lost.
    """
    output, long_output, perfdata = divide(readable(stdout).strip("\n"))
    complaint = readable(stderr).strip()
    if not output and not long_output and not perfdata:
        output, _, long_output = complaint.partition("\n")
        output = f"(No output on stdout) stderr: {output}" if complaint else "(No output returned from plugin)"
    if truncated:
        long_output = f"{long_output}\n(The rest of the output was left out: it is too long.)".lstrip("\n")
    code, remark = _meaning(status)
    if remark:
        output = f"{remark} {output}"
    return Outcome(code, output, long_output, perfdata)


def _meaning(status: int) -> tuple[int, str]:
    if 0 <= status <= 3:
        return status, ""
    if status == 126:
        return CRITICAL, "(Return code of 126 is out of bounds. Check if plugin is executable)"
    if status == 127:
        return CRITICAL, "(Return code of 127 is out of bounds. Check if plugin exists)"
    if status < 0:
        return CRITICAL, f"(The plugin did not exit properly: it was ended by signal {-status})"
    return CRITICAL, f"(Return code of {status} is out of bounds)"
