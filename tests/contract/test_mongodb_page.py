"""The page on MongoDB: each of its examples is asked of a real engine, and finds something."""

import re
from contextlib import closing
from pathlib import Path

import pytest
from bson import json_util
from pymongo import MongoClient

from nodeward.store.base_registry import Change, Key, Revision
from nodeward.store.base_states import Change as StateChange
from nodeward.store.choose_logs import log_shelf
from nodeward.store.choose_registry import open_registry
from nodeward.store.choose_states import open_states
from support.log_records import DAY, NOON, SECOND, Line, made

pytestmark = pytest.mark.mongodb
PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "mongodb.md"
EXAMPLES = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_each_example_finds_what_it_says(mongodb: str, tmp_path: Path) -> None:
    lines = [Line(b"Failed password %d" % n, NOON + n * SECOND, n % 8, "web-1") for n in range(50)]
    with closing(log_shelf(mongodb, tmp_path)) as logs:
        logs.append([made(lines)], NOON)
        logs.compact(NOON + DAY)
    with closing(open_states(mongodb, tmp_path)) as states:
        event = {"id": 1, "at": NOON, "type": "state", "node": "web-1", "service": "disk", "state": "CRITICAL"}
        row = {"node": "web-1", "service": "disk", "state": "CRITICAL"}
        states.write(StateChange(states={("web-1", "disk"): row}, events=[event]))
    with closing(open_registry(mongodb, tmp_path)) as registry:
        registry.commit(0, Revision(1, NOON, "ada", "why", [Change(Key("node", "a"), None, {"name": "a"})]))
    with MongoClient(mongodb) as client:
        database = client.get_default_database()
        found = [database.command(json_util.loads(example))["cursor"]["firstBatch"] for example in EXAMPLES]
    assert [len(rows) for rows in found] == [10, 26, 50, 8, 1, 1, 1]
    assert found[0][0]["raw"] == "Failed password 49"
    assert sum(row["lines"] for row in found[3]) == 50


def test_every_collection_has_a_line_on_the_page(mongodb: str, tmp_path: Path) -> None:
    test_each_example_finds_what_it_says(mongodb, tmp_path)
    text = PAGE.read_text()
    with MongoClient(mongodb) as client:
        for name in client.get_default_database().list_collection_names():
            assert f"`{name}`" in text or name.endswith(("_marks", "_pieces")), name
