"""What somebody types becomes a parameter's value, or a sentence; texts are filled in without ever being split."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nodeward.core import expressions, runbook_names
from nodeward.core.errors import BadInput
from nodeward.core.runbook_parameters import Parameter, values


def parameter(**keys):
    return Parameter.model_validate(keys)


@pytest.mark.parametrize(
    ("keys", "typed", "value"),
    [
        ({}, "x", "x"), ({}, 5, "5"), ({}, "", ""), ({"type": "int"}, "-7", -7), ({"type": "int"}, 7, 7),
        ({"type": "bool"}, "yes", True), ({"type": "bool"}, False, False), ({"type": "node"}, "web-1", "web-1"),
        ({"type": "choice", "choices": ["a", "b"]}, "b", "b"),
        ({"type": "node", "multiple": True}, "a, b", ["a", "b"]), ({"type": "node", "multiple": True}, ["a"], ["a"]),
        ({"pattern": "[a-z]+"}, "abc", "abc"), ({"type": "secret"}, " pass word ", " pass word "),
    ],
)  # fmt: skip
def test_what_is_typed_becomes_the_value(keys, typed, value):
    assert values({"p": parameter(**keys)}, {"p": typed}) == {"p": value}


@pytest.mark.parametrize(
    ("keys", "typed", "sentence"),
    [
        ({}, None, "is missing"), ({}, "a\0b", "NUL"), ({}, ["x"], "it must be text"), ({}, "\ud800", "half a character"),
        ({"type": "int"}, "seven", "whole number"), ({"type": "int"}, True, "whole number"),
        ({"type": "int"}, "٣", "whole number"),
        ({"type": "int", "least": 1}, 0, "0 is less than 1"), ({"type": "bool"}, "perhaps", "true or false"),
        ({"type": "choice", "choices": ["a"]}, "b", "'b' is none of a"), ({"type": "node"}, "a b", "no name of a node"),
        ({"type": "node"}, "a\n", "no name of a node"), ({"pattern": "[a-z]+"}, "abc\n", "does not match"),
        ({"pattern": "a|b"}, "ab", "does not match"), ({"type": "secret"}, "abc", "at least 4 characters"),
        ({"type": "secret", "pattern": "[a-z]+"}, "GEHEIM", "it does not match"),
        ({}, "x" * (4 * 1024 * 1024 + 1), "at most"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(keys, typed, sentence):
    with pytest.raises(BadInput) as refused:
        values({"p": parameter(**keys)}, {"p": typed})
    assert sentence in str(refused.value.problems[0])
    assert "GEHEIM" not in str(refused.value)


def test_every_fault_is_told_and_unknown_ones_too():
    with pytest.raises(BadInput) as refused:
        values({"a": parameter(), "b": parameter(type="int")}, {"b": "x", "c": 1})
    assert {each.path for each in refused.value.problems} == {"parameters.a", "parameters.b", "parameters.c"}


NAMES = {**runbook_names.FIXED, "p": frozenset(), "r": runbook_names.RESULT}


@given(some.text())
def test_a_value_stays_one_text_whatever_it_holds(value):
    assert expressions.template("<{{ p }}>", NAMES)({"p": value}) == f"<{value}>"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ p }}", 5), ("{{p}} and {{ r.code }}", "5 and 0"), ("no", "no"), ("{{ '{{' }}", "{{"), ("{{ r.code < 1 }}", True),
        ("{{ matches(r.output, '^o.$') }}", True), ("{{ lines(r.output) }}", ["on", "off"]), ("{{ trim('  x ') }}!", "x!"),
        ("{{ join(lines(r.output), ', ') }}", "on, off"),
    ],
)  # fmt: skip
def test_expressions_are_filled_in(text, value):
    values_ = {"p": 5, "r": {"code": 0, "output": "on\noff", "answer": None}}
    assert runbook_names.template(text, NAMES)(values_) == value


@pytest.mark.parametrize("text", ["a {{ r.answer }}", "a {{ lines(r.output) }}"])
def test_what_cannot_stand_in_a_text_is_told(text):
    with pytest.raises(ValueError, match=r"has no value|is a list"):
        runbook_names.template(text, NAMES)({"r": {"answer": None, "output": "x"}})


@given(some.text(max_size=80))
def test_any_text_is_understood_or_refused_with_a_value_error(text):
    try:
        runbook_names.template(text, NAMES)({"p": "x", "r": {}, "node": {}, "run": {}})
    except ValueError:
        return
