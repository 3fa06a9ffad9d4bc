"""The words and shapes of the pages: states, times, sizes; used by templates, mirrored in assets/lib/states.ts and times.ts."""

import re
from typing import Any
from urllib.parse import quote

from flask import Flask, g, request, url_for
from markupsafe import Markup, escape

from nodeward.core import clock, severity
from nodeward.core.words import counted, told, tried

# Told apart by shape as well as by colour; the same table is in assets/lib/states.ts.
SHAPES = {
    "OK": "ok", "UP": "ok", "RUNNING": "ok", "WARNING": "warning", "CRITICAL": "critical", "DOWN": "critical",
    "FATAL": "critical", "UNREACHABLE": "unknown", "UNKNOWN": "unknown", "BACKOFF": "warning", "EXITED": "warning",
    "STARTING": "pending", "STOPPING": "pending", "STOPPED": "pending", "PENDING": "pending",
}  # fmt: skip
THEMES = ("auto", "light", "dark")
NAVIGATION = (
    ("overview.show", "Overview", "overview"),
    ("problems.show", "Problems", "problems"),
    ("nodes.show", "Nodes", "nodes"),
    ("logs.show", "Logs", "logs"),
    ("runbooks.show", "Runbooks", "runbooks"),
    ("configuration.show", "Configuration", "configuration"),
    ("rollouts.show", "Rollouts", "rollouts"),
    ("programs.show", "Programs", "programs"),
    ("notifications.show", "Notifications", "notifications"),
    ("audit.show", "Audit", "audit"),
    ("settings.show", "Settings", "settings"),
)
OPERATORS_ONLY = {"audit.show", "rollouts.show"}


def mount(app: Flask) -> None:
    """Give templates the filters and what the frame of every page shows."""
    app.add_template_filter(state_mark, "state")
    app.add_template_filter(shape, "shape")
    app.add_template_filter(when, "when")
    app.add_template_filter(since, "since")
    app.add_template_filter(size, "size")
    app.add_template_filter(number, "number")
    app.add_template_filter(counted, "counted")
    app.add_template_filter(tried, "tried")
    app.add_template_filter(told, "told")
    app.add_template_filter(path_part, "path_part")
    app.add_template_global(icon, "icon")

    @app.context_processor
    def frame() -> dict[str, Any]:
        theme = request.cookies.get("theme", "auto")
        theme = theme if theme in THEMES else "auto"
        return {"theme": theme, "navigation": navigation(app), "blueprints": app.blueprints}


def navigation(app: Flask) -> list[dict[str, Any]]:
    """Return the entries of the rail: only what there is, and what this person may see."""
    person = g.get("person")
    here = (request.endpoint or "").partition(".")[0]
    return [
        {"url": url_for(endpoint), "name": name, "icon": drawing, "here": endpoint.partition(".")[0] == here}
        for endpoint, name, drawing in NAVIGATION
        if endpoint in app.view_functions and (endpoint not in OPERATORS_ONLY or (person and person.may_operate))
    ]


def shape(state: str) -> str:
    """Return the shape and colour that a state has: ok, warning, critical, unknown or pending."""
    return SHAPES.get(state, "unknown")


def state_mark(state: str | None, soft: bool = False) -> Markup:
    """Return a state as shape, colour and word."""
    word = state or "PENDING"
    return Markup('<span class="state {}{}"><i aria-hidden="true"></i>{}</span>').format(
        shape(word), " soft" if soft else "", word
    )


def micros(moment: str | int | None) -> int | None:
    """Return a time, as an API gives it, in microseconds since 1970; None if it is none."""
    if isinstance(moment, int) or not moment:
        return moment or None
    try:
        return clock.parse_rfc3339(moment)
    except ValueError:
        return None


def when(moment: str | int | None, suffix: str = " ago") -> Markup:
    """Return a moment as `<time>`: relative, ticking in the browser, exact when pointed at."""
    at = micros(moment)
    if at is None:
        return Markup('<span class="none">–</span>')
    exact = re.sub(r"\.\d+Z$", "Z", clock.rfc3339(at))
    return Markup('<time datetime="{}" title="{}" data-suffix="{}">{}</time>').format(
        clock.rfc3339(at), exact.replace("T", " ").replace("Z", " UTC"), suffix, ago(at, clock.now(), suffix)
    )


def since(moment: str | int | None) -> Markup:
    """Return how long something has lasted, as `<time>`."""
    return when(moment, "")


def ago(at: int, now: int, suffix: str = " ago") -> str:
    """Return the time between, in its two largest units: 12 s, 4 m, 1 h 20 m, 3 d 4 h."""
    seconds = (now - at) // 1_000_000
    if seconds < 0:
        return f"in {lasting(-seconds)}"
    return f"{lasting(seconds)}{suffix}"


def lasting(seconds: int) -> str:
    """Return a duration in its two largest units."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} m"
    hours = minutes // 60
    if hours < 24:
        return f"{hours} h {minutes % 60} m" if minutes % 60 else f"{hours} h"
    days = hours // 24
    return f"{days} d {hours % 24} h" if hours % 24 and days < 10 else f"{days} d"


def size(count: float | None) -> str:
    """Return a number of bytes with its unit: 12.4 GiB."""
    value = float(count or 0)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def number(value: float | None) -> str:
    """Return a count with its thousands apart."""
    return "–" if value is None else f"{value:,.0f}"


def path_part(text: str) -> str:
    """Return text as one part of a URL's path."""
    return quote(text, safe="")


def icon(name: str) -> Markup:
    """Return one of the drawings of static/icons.svg, which says nothing to a screen reader."""
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>').format(
        url_for("static", filename="icons.svg"), escape(name)
    )


def bars(histogram: dict[str, Any], height: int = 64) -> dict[str, Any]:
    """Given the log server's histogram, return its bars in units of a drawing: x, and heights of all and of the errors."""
    bins = histogram.get("bins", [])
    errors = [sum((each.get("levels") or {}).get(name, 0) for name in severity.NAMES[:4]) for each in bins]
    top = max((each["total"] for each in bins), default=0) or 1
    drawn = [
        {
            "x": place * 6,
            "all": round(each["total"] / top * height, 1),
            "errors": round(max(bad / top * height, 2 if bad else 0), 1),
            "title": f"{counted(each['total'], 'line')}, {counted(bad, 'error')}",
            "from": each["from"],
        }
        for place, (each, bad) in enumerate(zip(bins, errors, strict=True))
    ]
    total, wrong = sum(each["total"] for each in bins), sum(errors)
    return {"bars": drawn, "width": len(bins) * 6, "height": height, "total": total, "errors": wrong, "top": top}
