"""Receives a report: what was seen before is left out, the rest is judged, in one draft with the reporter's cursor."""

from collections import Counter
from typing import NamedTuple

from nodeward.core import states as words
from nodeward.core.results import Report, Result
from nodeward.monitor import perfdata
from nodeward.monitor.board import Draft
from nodeward.monitor.observe import Observer
from nodeward.monitor.states import SECOND, Seen
from nodeward.store.base_states import Point

_SKEW = 2 * SECOND  # clocks that differ less are left alone
_OLDEST = 366 * 86_400 * SECOND  # nothing was measured longer ago, or is planned further ahead
_LONG = 65_536  # characters of output and perfdata kept; the plugin API's own limit is 8 KiB


class Receipt(NamedTuple):
    """What became of a report's results. `undefined` ones are of checks that are not (or no longer) defined."""

    accepted: int
    repeated: int
    undefined: int


def receive(draft: Draft, observer: Observer, report: Report) -> Receipt:
    """Take a report into `draft`. One that is sent again changes nothing but the sign of life."""
    name = (report.reporter, report.generation)
    following, _ = draft.cursors.get(name, (0, 0))
    end = report.first + len(report.results)
    repeated = min(max(following - report.first, 0), len(report.results))
    observer.alive(draft, report.reporter)
    offset = draft.now - report.sent
    if abs(offset) < _SKEW:
        offset = 0
    seen = Counter(_take(draft, observer, report.reporter, result, offset) for result in report.results[repeated:])
    if report.results and end > following:
        draft.cursors[name] = (end, draft.now)
    return Receipt(seen[True], repeated, seen[False])


def _take(draft: Draft, observer: Observer, reporter: str, result: Result, offset: int) -> bool:
    key = (result.node, result.service)
    if not draft.fleet.may_report(reporter, key):
        return False
    at = max(min(result.started + offset, draft.now), draft.now - _OLDEST)
    written = _text(result.perfdata)
    measures, unread = perfdata.parse(written) if written else ([], [])
    observer.observe(
        draft,
        key,
        Seen(
            state=words.node_state(result.code) if result.service is None else words.service_state(result.code),
            at=at,
            output=_text(result.output),
            long_output=_text(result.long_output),
            perfdata=written,
            unparsed=" ".join(unread),
            duration=_seconds(result.duration),
            latency=_seconds(result.latency),
            next_check=_planned(draft, result.next_check, offset),
        ),
    )
    draft.points += [Point(*key, m.label, m.unit, m.warning, m.critical, at, m.value) for m in measures]
    return True


def _text(written: str) -> str:
    """Return what a plugin wrote, cut to a bearable length; half characters, which JSON can hold and a store cannot, as `?`."""
    return written[:_LONG].encode("utf-8", "replace").decode()


def _seconds(given: float) -> float:
    return given if 0 <= given <= 86_400 else 0.0


def _planned(draft: Draft, moment: int | None, offset: int) -> int | None:
    if moment is None or not 0 <= moment + offset - draft.now <= _OLDEST:
        return None
    return moment + offset
