"""A fleet that comes from an earlier one says the same as one looked at from scratch."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nodeward.configserver.fleet import ASSIGNED, Fleet
from nodeward.store.base_registry import Key

GROUPS = st.lists(st.sampled_from(["web", "db", "eu"]), unique=True)
NODES = st.fixed_dictionaries(
    {},
    optional={
        "groups": GROUPS,
        "labels": st.dictionaries(st.just("dc"), st.sampled_from("ab")),
        "address": st.just("h"),
    },
)
ASSIGNS = st.one_of(
    st.fixed_dictionaries({"groups": GROUPS}),
    st.fixed_dictionaries({"nodes": st.lists(st.sampled_from(["n1", "n*", "n3"]))}),
    st.sampled_from([{"expression": "labels.dc == 'a'"}, {"expression": "'web' in groups"}, {"labels": {"dc": "b"}}]),
)
BODIES = st.builds(
    lambda nodes, checks, logs: {
        **{Key("node", name): body for name, body in nodes.items()},
        **{Key("check", name): {"plugin": "load", "assign": assign} for name, assign in checks.items()},
        **{Key("log", name): {"paths": ["/a"], "assign": assign} for name, assign in logs.items()},
    },
    st.dictionaries(st.sampled_from(["n1", "n2", "n3", "n4"]), NODES),
    st.dictionaries(st.sampled_from(["c1", "c2", "c3"]), ASSIGNS),
    st.dictionaries(st.sampled_from(["l1", "l2"]), ASSIGNS),
)


def said(fleet: Fleet) -> Any:
    """Return everything that a fleet answers about who has what."""
    return (
        fleet.facts,
        {kind: {name: fleet.nodes_of(kind, name) for name in fleet.of(kind)} for kind in ASSIGNED},
        {kind: {node: fleet.for_node(kind, node) for node in fleet.facts} for kind in ASSIGNED},
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(BODIES, min_size=2, max_size=5), st.data())
def test_a_fleet_after_changes_is_the_fleet_from_scratch(steps: list[dict[Key, Any]], data: st.DataObject) -> None:
    fleet = Fleet(steps[0])
    for step in steps[1:]:
        kept = data.draw(st.sets(st.sampled_from(sorted(fleet.bodies)))) if fleet.bodies else set()
        bodies = {**step, **{key: fleet.bodies[key] for key in kept}}
        fleet = Fleet(bodies, earlier=fleet)
        assert said(fleet) == said(Fleet(bodies))


def test_a_fleet_does_not_keep_the_earlier_one_in_memory() -> None:
    first = Fleet({Key("node", "n1"): {}})
    assert first not in vars(Fleet(dict(first.bodies), earlier=first)).values()
