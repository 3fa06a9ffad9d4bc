"""Which bundle a node is handed: the newest, or the one released to it; and what a rollout took back stays back."""

import json

import pytest

from nodeward.configserver import documents
from nodeward.configserver.bundles import Bundles
from nodeward.configserver.fleet import Fleet
from nodeward.configserver.registry import Registry
from nodeward.configserver.render import Files
from nodeward.configserver.rollout.delivery import Delivery
from nodeward.configserver.rollout.releases import Releases
from nodeward.configserver.verify import applied
from nodeward.core import began
from nodeward.core.errors import BadInput, NotFound
from nodeward.core.settings import Settings
from nodeward.store.sqlite_registry import SqliteRegistryShelf

FLEET = """
- {kind: node, name: web-1, groups: [web]}
- {kind: node, name: db-1, groups: [db]}
- {kind: group, name: web, delivery: rollout}
- {kind: check, name: load, assign: {labels: {}}, plugin: load}
"""
SERVERS = {"logserver": "http://l", "monitor": "http://m"}
CHANGED = "{kind: check, name: load, assign: {labels: {}}, plugin: load, interval: 5m}"


@pytest.fixture
def registry(tmp_path):
    shelf = SqliteRegistryShelf(tmp_path / "registry.db")
    registry = Registry(shelf)
    apply(registry, FLEET)
    yield registry
    shelf.close()


@pytest.fixture
def delivery(registry, tmp_path):
    return made(registry, tmp_path)


def made(registry, tmp_path, default="pull"):
    bundles = Bundles(registry, Files(Settings().home / "config" / "templates"), SERVERS, 15.0)
    return Delivery(registry, bundles, Releases(tmp_path / "releases"), default)


def apply(registry, text):
    return registry.apply(documents.read(text), "ada")


def handed(delivery, node):
    return json.loads(delivery.handed(node)[0])


def newest(delivery, node):
    return json.loads(delivery._bundles.get(node).body)


def test_a_node_on_pull_is_handed_the_newest_and_one_on_rollout_what_was_released(registry, delivery):
    assert (handed(delivery, "web-1")["revision"], handed(delivery, "db-1")["revision"]) == (1, 1)
    apply(registry, CHANGED)
    assert (handed(delivery, "web-1")["revision"], handed(delivery, "db-1")["revision"]) == (1, 2)
    assert delivery.row("web-1")["waiting"] and not delivery.row("db-1")["waiting"]
    delivery.release("web-1", newest(delivery, "web-1"))
    assert handed(delivery, "web-1") == newest(delivery, "web-1")
    assert not delivery.row("web-1")["waiting"]


def test_what_was_released_is_remembered_through_a_restart(registry, delivery, tmp_path):
    before = delivery.handed("web-1")
    apply(registry, CHANGED)
    assert made(registry, tmp_path).handed("web-1") == before


def test_what_a_node_has_stays_released_when_it_is_put_on_rollout_together_with_a_change(registry, delivery):
    before = handed(delivery, "db-1")
    apply(registry, CHANGED + "\n---\n{kind: node, name: db-1, groups: [db], delivery: rollout}")
    newest(delivery, "db-1")  # somebody looks at it first
    assert handed(delivery, "db-1") == before


def test_what_was_rolled_back_is_not_handed_out_again_until_there_is_another(registry, delivery):
    good = handed(delivery, "db-1")
    apply(registry, CHANGED)
    bad = handed(delivery, "db-1")
    delivery.release("db-1", good, refused=began.digest(bad["files"]), why="it was not well")
    assert handed(delivery, "db-1") == good
    assert delivery.row("db-1")["refused"] == "it was not well"
    apply(registry, CHANGED.replace("5m", "6m"))
    assert handed(delivery, "db-1") == newest(delivery, "db-1")
    delivery.release("db-1", newest(delivery, "db-1"))
    assert delivery.row("db-1")["refused"] is None


def test_a_node_that_is_no_more_leaves_nothing(registry, delivery, tmp_path):
    handed(delivery, "web-1")
    delivery.forget("web-1")
    assert list((tmp_path / "releases").iterdir()) == []
    with pytest.raises(NotFound):
        delivery.handed("none")


def test_a_damaged_release_is_as_good_as_none(registry, delivery, tmp_path):
    handed(delivery, "web-1")
    (tmp_path / "releases" / "web-1.json").write_text("{")
    apply(registry, CHANGED)
    assert handed(made(registry, tmp_path), "web-1")["revision"] == 2


def test_what_is_no_bundle_of_that_node_is_not_released(delivery):
    with pytest.raises(BadInput):
        delivery.release("web-1", {"revision": 1, "files": {"nodeserver.json": "{}"}})
    with pytest.raises(BadInput):
        delivery.release("web-1", {"revision": 1, "files": {"passwd": "root"}})


def test_a_node_that_says_so_has_drifted(delivery):
    files = handed(delivery, "db-1")["files"]
    delivery.hear("db-1", f"1 {began.digest(files)}")
    assert delivery.row("db-1")["drift"] is False
    delivery.hear("db-1", "1 0123")
    assert delivery.row("db-1")["drift"] is True
    delivery.hear("db-1", "0 0123")
    assert delivery.row("db-1")["drift"] is None
    assert delivery.row("db-1")["running"] is None
    delivery.hear("db-1", "3 0123")
    delivery.hear("db-1", "nonsense")
    assert delivery.row("db-1")["running"] == 3


@pytest.mark.parametrize(
    ("groups", "own", "default", "wanted"),
    [
        ([], None, "pull", "pull"),
        ([], None, "rollout", "rollout"),
        (["a"], None, "pull", "rollout"),
        (["a", "b"], None, "pull", "rollout"),
        (["b"], None, "rollout", "pull"),
        (["a"], "pull", "rollout", "pull"),
        (["unknown"], None, "pull", "pull"),
    ],
)
def test_the_node_itself_says_how_changes_reach_it_else_its_groups_else_the_appliance(groups, own, default, wanted):
    node = {"kind": "node", "name": "n", "groups": groups, **({"delivery": own} if own else {})}
    texts = [
        node,
        {"kind": "group", "name": "a", "delivery": "rollout"},
        {"kind": "group", "name": "b", "delivery": "pull"},
    ]
    fleet = Fleet(applied({}, [documents.Document("", 1, text) for text in texts]))
    assert fleet.delivery("n", default) == wanted
