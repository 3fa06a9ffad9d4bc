"""Assigning: lists, labels, and the language of expressions."""

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from nodeward.configserver.assign import Assign, compiled, matcher

WEB = {
    "name": "web-1", "address": "10.0.0.1", "agent": True, "groups": ["linux", "web"],
    "labels": {"dc": "sh", "rack": "7", "os-name": "debian"}, "parents": ["switch-1"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("'web' in groups and labels.dc == 'sh'", True),
        ("'db' in groups or labels.dc == 'sh'", True),
        ("not 'db' in groups", True),
        ("'db' not in groups", True),
        ("labels.rack == 7", True),
        ("labels['os-name'] in ['debian', 'ubuntu']", True),
        ("labels.missing == 'x'", False),
        ("labels.missing != 'x'", True),
        ("like(name, 'web-*')", True),
        ("like(labels.missing, '?*')", False),
        ("'eb-' in name", True),
        ("agent == true", True),
        ("parents == ['switch-1']", True),
        ("'dc' in labels", True),
        ("labels['dc'] != 'sh'", False),
        ("true", True),
        ("false", False),
        ("not (true and (false or not true))", True),
    ],
)
def test_an_expression_says_which_nodes_match(expression, wanted):
    assert bool(compiled(expression)(WEB)) is wanted


@pytest.mark.parametrize(
    "expression",
    [
        "", "web", "groups.append('x')", "__import__('os').system('id')", "name.__class__", "labels.dc.upper()",
        "(lambda: 1)()", "[x for x in groups]", "name == 'a' == 'b'", "1 < 2", "f'{name}'", "like(name)", "like(name, 'a', 'b')",
        "groups[0]", "name if true else name", "'a' + 'b'", "name := 'x'", "in in", "None", "b'x' in groups",
        "(" * 300 + ")" * 300, "a" * 501,
    ],
)  # fmt: skip
def test_what_is_not_of_the_language_is_refused_with_a_sentence(expression):
    with pytest.raises(ValidationError) as refused:
        Assign(expression=expression)
    assert refused.value.errors()[0]["type"] == "value_error"


names = some.sampled_from(["web", "db", "linux", "x y", "", "Köln"])
atoms = some.one_of(
    names.map(lambda name: (f"{name!r} in groups", lambda node: name in node["groups"])),
    names.map(lambda name: (f"labels.dc == {name!r}", lambda node: node["labels"].get("dc") == name)),
    some.booleans().map(lambda value: (str(value).lower(), lambda _node: value)),
)
expressions = some.recursive(
    atoms,
    lambda inner: some.one_of(
        some.tuples(inner, inner).map(lambda two: (f"({two[0][0]} and {two[1][0]})", lambda n: two[0][1](n) and two[1][1](n))),
        some.tuples(inner, inner).map(lambda two: (f"({two[0][0]} or {two[1][0]})", lambda n: two[0][1](n) or two[1][1](n))),
        inner.map(lambda one: (f"not {one[0]}", lambda n: not one[1](n))),
    ),
    max_leaves=8,
)  # fmt: skip
nodes = some.fixed_dictionaries(
    {"groups": some.lists(names), "labels": some.dictionaries(some.just("dc"), names)}
).map(lambda given: {**WEB, **given})  # fmt: skip


@given(expression=expressions.filter(lambda pair: len(pair[0]) <= 500), node=nodes)
def test_an_expression_means_what_logic_says(expression, node):
    text, wanted = expression
    assert bool(compiled(text)(node)) is bool(wanted(node))


@given(some.text(max_size=60))
def test_any_text_is_understood_or_refused_with_a_value_error(text):
    try:
        test = compiled(text)
    except ValueError:
        return
    bool(test(WEB))


def test_everything_given_must_match():
    assert matcher({"groups": ["web"], "labels": {"dc": "sh"}, "nodes": ["web-*"]})(WEB)
    assert not matcher({"groups": ["web"], "labels": {"dc": "ber"}})(WEB)
    assert not matcher({"groups": ["db"], "expression": "true"})(WEB)
    assert not matcher({"nodes": []})(WEB)


def test_an_assign_that_says_nothing_is_refused():
    with pytest.raises(ValidationError, match="say which nodes"):
        Assign()
