"""Records and counts as the HTTP API gives them."""

import math
from typing import Any

from nodeward.core import clock, severity
from nodeward.store.base import Arrivals, Bin, Damage, Found, Histogram, Page, Scanned, SourceTotals, Top


def record(found: Found) -> dict[str, Any]:
    """Return a record's row."""
    row = found.record.row(found.id)
    row["fields"] = _plain(row["fields"])
    return row


def page(found: Page) -> dict[str, Any]:
    """Return a page of records."""
    return {
        "items": [record(one) for one in found.items],
        "next": found.next,
        "complete": found.complete,
        "scanned": scanned(found.scanned),
    }


def arrivals(found: Arrivals) -> dict[str, Any]:
    """Return records as they arrived."""
    return {"items": [record(one) for one in found.items], "cursor": found.cursor, "skipped": found.skipped}


def scanned(what: Scanned) -> dict[str, Any]:
    """Return what answering took."""
    return {
        "records": what.records,
        "bytes": what.bytes,
        "blocks": what.blocks,
        "passed_over": what.passed_over,
        "damaged": [damage(one) for one in what.damaged],
    }


def damage(one: Damage) -> dict[str, Any]:
    """Return where records cannot be read."""
    return {
        "where": one.where,
        "from": clock.rfc3339(one.start),
        "to": clock.rfc3339(one.end),
        "records": one.records,
        "reason": one.reason,
    }


def histogram(found: Histogram) -> dict[str, Any]:
    """Return counts over time."""
    return {"bins": [_bin(one) for one in found.bins], "exact": found.exact}


def top(found: Top) -> dict[str, Any]:
    """Return the most frequent values."""
    return {"items": [{"value": value, "count": count} for value, count in found.values], "exact": found.exact}


def source(one: SourceTotals) -> dict[str, Any]:
    """Return what a source has stored."""
    return {
        "node": one.node,
        "source": one.source,
        "records": one.records,
        "bytes": one.bytes,
        "first": clock.rfc3339(one.first),
        "last": clock.rfc3339(one.last),
        "parse_errors": one.parse_errors,
    }


def _bin(one: Bin) -> dict[str, Any]:
    levels: dict[str, int] = {}
    for level, count in one.levels.items():
        name = severity.name(level) or "none"
        levels[name] = levels.get(name, 0) + count
    return {
        "from": clock.rfc3339(one.start),
        "to": clock.rfc3339(one.end),
        "total": sum(one.levels.values()),
        "levels": levels,
    }


def _plain(value: Any) -> Any:
    """Return the value as JSON can hold it: it knows no infinity and no NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
