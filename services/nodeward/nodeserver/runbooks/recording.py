"""A run as asciinema plays it: asciicast, version 2."""

import json
from collections.abc import Iterator

from nodeward.nodeserver.runbooks.program import COLUMNS, ROWS
from nodeward.nodeserver.runbooks.record import Record, events


def asciicast(kept: Record) -> Iterator[str]:
    """Yield a run's recording line by line: a head, then what was printed, each at its time."""
    began = kept.about["started"]
    head = {
        "version": 2,
        "width": COLUMNS,
        "height": ROWS,
        "timestamp": began // 1_000_000,
        "title": kept.about["runbook"],
    }
    yield json.dumps(head) + "\n"
    for event, _ in events(kept.journal, 0):
        if event["type"] == "output":
            yield json.dumps([round((event["at"] - began) / 1e6, 6), "o", event["text"]], ensure_ascii=False) + "\n"
