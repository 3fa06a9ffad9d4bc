"""What a fleet becomes on a node: each `<case>.given.yaml` in tests/golden/bundle, and the files wanted for node web-1 beside it.

`NODEWARD_GOLDEN=write` writes the wanted files anew; read their diff before committing it.
"""

import json
import os
from pathlib import Path

import pytest

from nodeward.configserver import bundle, documents, verify
from nodeward.configserver.fleet import Fleet
from nodeward.configserver.render import Files
from nodeward.core.bundle import verify as as_the_node_sees_it
from nodeward.tailflog.config import verified

ROOT = Path(__file__).resolve().parents[3]
CASES = sorted((ROOT / "tests" / "golden" / "bundle").glob("*.given.yaml"))
SERVERS = {"logserver": "http://logserver:7402", "monitor": "http://monitor:7403"}


def rendered(given: Path) -> dict[str, str]:
    fleet = Fleet(verify.applied({}, documents.read(given.read_text(), given.name)))
    files = Files(ROOT / "config" / "templates")
    return files.render({**bundle.context(fleet, "web-1", SERVERS, 15.0), "revision": 12})


@pytest.mark.parametrize("given", CASES, ids=lambda path: path.name)
def test_a_fleet_becomes_the_files_that_are_wanted(given):
    for name, text in rendered(given).items():
        wanted = given.with_name(given.name.replace("given.yaml", name))
        if os.environ.get("NODEWARD_GOLDEN") == "write":
            wanted.write_text(text)
        assert text == wanted.read_text()


@pytest.mark.parametrize("given", CASES, ids=lambda path: path.name)
def test_the_programs_that_read_the_files_take_them(given):
    files = rendered(given)
    assert as_the_node_sees_it({"node": "web-1", "revision": 12, "files": files}, "web-1").revision == 12
    assert verified(json.loads(files["tailflog.json"]), "tailflog.json").node == "web-1"
