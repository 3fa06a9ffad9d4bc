"""Which revision a node's bundle has, and that an unchanged one costs nothing."""

import pytest

from nodeward.configserver import documents
from nodeward.configserver.bundles import Bundles
from nodeward.configserver.registry import Registry
from nodeward.core.errors import Conflict, NotFound
from nodeward.store.base_registry import Key
from nodeward.store.sqlite_registry import SqliteRegistryShelf

FLEET = """
- {kind: node, name: web-1, groups: [web]}
- {kind: node, name: db-1, groups: [db]}
- {kind: node, name: switch, agent: false, address: 10.0.0.1, checked_from: db-1}
- {kind: check, name: load, assign: {groups: [web]}, plugin: load}
"""
SERVERS = {"logserver": "http://l", "monitor": "http://m"}


class CountedFiles:
    """Renders, and counts how often."""

    def __init__(self):
        self.times = 0

    def render(self, context):
        self.times += 1
        return {"nodeserver.json": repr(context)}


@pytest.fixture
def shelf(tmp_path):
    shelf = SqliteRegistryShelf(tmp_path / "registry.db")
    yield shelf
    shelf.close()


@pytest.fixture
def registry(shelf):
    registry = Registry(shelf)
    apply(registry, FLEET)
    return registry


def apply(registry, text, **more):
    return registry.apply(documents.read(text), "ada", **more)


def bundles(registry, files=None):
    return Bundles(registry, files or CountedFiles(), SERVERS, 15.0)


def test_a_bundle_has_the_revision_that_last_changed_it(registry):
    given = bundles(registry)
    assert given.get("web-1").revision == 1
    apply(registry, "{kind: check, name: load, assign: {groups: [web]}, plugin: load, interval: 5m}")
    apply(registry, "{kind: contact, name: ada, email: a@b}")
    apply(registry, "{kind: node, name: db-1, groups: [db, linux]}")
    assert (given.get("web-1").revision, given.get("db-1").revision) == (2, 4)


def test_a_change_that_does_not_show_in_the_files_is_none(registry):
    given = bundles(registry)
    before = given.get("web-1")
    apply(registry, "{kind: node, name: web-1, groups: [web], description: the front door}")
    assert given.get("web-1").etag == before.etag


def test_what_was_taken_from_a_node_changes_its_bundle(registry):
    given = bundles(registry)
    before = given.get("web-1")
    registry.remove(Key("check", "load"), "ada")
    after = given.get("web-1")
    assert (before.revision, after.revision) == (1, 2)
    assert before.etag != after.etag


def test_a_node_without_a_node_server_is_in_the_bundle_of_the_one_that_checks_it(registry):
    given = bundles(registry)
    assert b"10.0.0.1" in given.get("db-1").body
    apply(registry, "{kind: node, name: switch, agent: false, address: 10.0.0.9, checked_from: db-1}")
    assert b"10.0.0.9" in given.get("db-1").body
    with pytest.raises(NotFound, match="agent: false"):
        given.get("switch")
    with pytest.raises(NotFound, match="no node 'x'"):
        given.get("x")


def test_an_unchanged_bundle_is_rendered_once(registry):
    files = CountedFiles()
    given = bundles(registry, files)
    for _ in range(3):
        given.get("web-1")
        apply(registry, f"{{kind: contact, name: c{files.times}, email: a@b}}")
    assert files.times == 1


def test_revisions_are_remembered_over_a_restart(registry, shelf):
    given = bundles(registry)
    apply(registry, "{kind: check, name: load, assign: {groups: [web]}, plugin: load, interval: 5m}")
    registry.remove(Key("check", "load"), "ada")
    before = given.get("web-1")
    assert given.flush() is True
    assert given.flush() is False
    assert bundles(Registry(shelf)).get("web-1").etag == before.etag


def test_a_bundle_of_an_earlier_revision_is_what_it_was(registry):
    given = bundles(registry)
    apply(registry, "{kind: check, name: load, assign: {groups: [web]}, plugin: load, interval: 5m}")
    assert b"'interval': 60.0, 'retry': 15.0, 'attempts': 3, 'timeout': 10.0}]" in given.as_of("web-1", 1)
    assert b"300.0" in given.as_of("web-1", 2)
    with pytest.raises(NotFound, match="no revision 9"):
        given.as_of("web-1", 9)


def test_an_apply_from_a_revision_that_is_past_is_refused(registry):
    apply(registry, "{kind: contact, name: ada, email: a@b}", expected=1)
    with pytest.raises(Conflict, match="revision 2 by now, not 1"):
        apply(registry, "{kind: contact, name: bob, email: a@b}", expected=1)


def test_a_restored_revision_leaves_the_history_as_it_was(registry):
    before = dict(registry.snapshot.fleet.bodies)
    registry.remove(Key("check", "load"), "ada")
    apply(registry, "{kind: node, name: new}")
    outcome = registry.restore(1, "ada")
    assert (outcome.revision, dict(registry.snapshot.fleet.bodies)) == (4, before)
    assert [each.number for each in registry.shelf.revisions(None, 9)] == [4, 3, 2, 1]
    assert registry.restore(4, "ada").changes == []
