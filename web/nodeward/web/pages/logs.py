"""The log page: live lines and search as one. The page itself is a shell; its script asks the routes under /logs/api."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request, stream_with_context

from nodeward.core import clock, severity
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, NodewardError, Problem
from nodeward.web import backends
from nodeward.web.log_lines import as_text, line

blueprint = Blueprint("logs", __name__)

FILTERS = ("node", "source", "host", "ident", "level", "q", "regex")
RANGE = ("from", "to")
FIELDS = ("node", "source", "host", "ident", "level")
MOST_LINES = 1000  # of one answer
MOST_CONTEXT = 500
DOWNLOAD_LINES = 100_000  # of one file
DOWNLOAD_PAGE = 1000
SLICE_SECONDS = 30.0  # the log server cuts long searches into slices shorter than this


@blueprint.get("/logs")
@blueprint.get("/logs/<line_id>")
def show(line_id: str | None = None) -> str:
    """Show the page; its address says what it shows (assets/logs/view.ts)."""
    return render_template("logs.html", line_id=line_id, levels=severity.NAMES, download_lines=DOWNLOAD_LINES)


@blueprint.get("/logs/split")
def split() -> str:
    """Show several logs side by side; the address says which (assets/logs/layout.ts)."""
    return render_template("split.html")


@blueprint.get("/logs/api/search")
def search() -> Response:
    """Answer one page of lines, in the order asked for."""
    asked = _query(*FILTERS, *RANGE, "cursor", "order", "limit")
    asked["limit"] = _number("limit", 200, MOST_LINES)
    answer = backends.logs().get("/api/v1/logs", asked, timeout=SLICE_SECONDS)
    return jsonify(
        lines=[line(row) for row in answer["items"]],
        next=answer["next"],
        complete=answer["complete"],
        scanned=answer["scanned"],
    )


@blueprint.get("/logs/api/lines/<line_id>")
def record(line_id: str) -> Response:
    """Answer the whole record."""
    return jsonify(backends.logs().get(_of(line_id)))


@blueprint.get("/logs/api/lines/<line_id>/context")
def context(line_id: str) -> Response:
    """Answer the lines before and after one in its stream, with itself, in their order."""
    around = {name: _number(name, 100, MOST_CONTEXT) for name in ("before", "after")}
    answer = backends.logs().get(f"{_of(line_id)}/context", around)
    return jsonify(lines=[line(row) for row in (*answer["before"], answer["record"], *answer["after"])])


@blueprint.get("/logs/api/histogram")
def histogram() -> Response:
    """Answer the counts over the range."""
    asked = {**_query(*FILTERS, *RANGE, "bins"), "bins": _number("bins", 120, 500)}
    return jsonify(backends.logs().get("/api/v1/histogram", asked, timeout=SLICE_SECONDS))


@blueprint.get("/logs/api/top")
def top() -> Response:
    """Answer the most frequent values of a field."""
    asked = _query(*FILTERS, *RANGE, "field")
    if asked.get("field") not in FIELDS:
        raise BadInput(
            "The field is not one of those that have top values.", [Problem("field", f"use {', '.join(FIELDS)}")]
        )
    return jsonify(backends.logs().get("/api/v1/top", asked, timeout=SLICE_SECONDS))


@blueprint.get("/logs/api/sources")
def sources() -> Response:
    """Answer which sources there are, and how many records they have in all: an empty page says why it is empty."""
    rows = backends.items(backends.logs().get("/api/v1/sources"))
    return jsonify(items=rows, records=sum(row["records"] for row in rows))


@blueprint.get("/logs/download")
def download() -> Response:
    """Stream what a search finds as a file, oldest first, at most DOWNLOAD_LINES lines; the last line says if there are more."""
    kind = request.args.get("format", "text")
    if kind not in WRITERS:
        raise BadInput("There is no such format.", [Problem("format", "use text or ndjson")])
    asked = {**_query(*FILTERS, *RANGE, "format"), "order": "asc", "limit": DOWNLOAD_PAGE}
    del asked["format"]
    client = backends.logs()
    first = client.get("/api/v1/logs", asked, timeout=SLICE_SECONDS)  # a fault shows as one, before the file begins
    content, write, note = WRITERS[kind]
    name = f"logs-{clock.rfc3339(clock.now())[:19].replace(':', '')}.{'log' if kind == 'text' else 'ndjson'}"
    return Response(
        stream_with_context(_rows(client, asked, first, write, note)),
        content_type=content,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _rows(
    client: Client,
    asked: dict[str, Any],
    answer: dict[str, Any],
    write: Callable[[dict[str, Any]], str],
    note: Callable[[str], str],
) -> Iterator[str]:
    """Yield the file, a page at a time."""
    sent = 0
    while True:
        rows = answer["items"][: DOWNLOAD_LINES - sent]
        sent += len(rows)
        yield "".join(map(write, rows))
        if answer["next"] is None:
            return
        if sent >= DOWNLOAD_LINES:
            yield note(
                f"There are more lines; a download ends after {DOWNLOAD_LINES}. Narrow the range or the filters."
            )
            return
        try:
            answer = client.get("/api/v1/logs", {**asked, "cursor": answer["next"]}, timeout=SLICE_SECONDS)
        except NodewardError as error:  # the file has begun: its last line is the only place left to say so
            yield note(f"The download broke off after {sent} lines: {error.detail}")
            return


WRITERS: dict[str, tuple[str, Callable[[dict[str, Any]], str], Callable[[str], str]]] = {
    "text": ("text/plain; charset=utf-8", as_text, lambda sentence: f"# {sentence}\n"),
    "ndjson": (
        "application/x-ndjson",
        lambda row: json.dumps(row, ensure_ascii=False) + "\n",
        lambda sentence: json.dumps({"note": sentence}) + "\n",
    ),
}


def _query(*allowed: str) -> dict[str, Any]:
    """Return the request's parameters. Raise BadInput that names every one that is not known."""
    unknown = [name for name in request.args if name not in allowed]
    if unknown:
        raise BadInput("The request is not valid.", [Problem(name, "there is no such parameter") for name in unknown])
    return {name: value for name, value in request.args.items() if value != ""}


def _number(name: str, default: int, most: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or int(text[:9]) > most:
        raise BadInput("The request is not valid.", [Problem(name, f"a whole number up to {most} is needed")])
    return int(text)


def _of(line_id: str) -> str:
    if not all(one.isalnum() or one in "-_.:~=" for one in line_id) or len(line_id) > 200:
        raise BadInput(f"{line_id[:50]!r} is not the id of a line; the link may have been cut off.")
    return f"/api/v1/logs/{line_id}"
