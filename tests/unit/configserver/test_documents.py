"""Fleet files as they come: YAML and JSON, good, broken and hostile."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nodeward.configserver import documents
from nodeward.core.errors import BadInput


def test_each_document_knows_the_line_where_it_begins():
    found = documents.read("# a fleet\nkind: node\nname: a\n---\n\nkind: node\nname: b\n", "fleet.yaml")
    assert [(each.where, each.body["name"]) for each in found] == [("fleet.yaml:2", "a"), ("fleet.yaml:6", "b")]


def test_a_list_of_objects_and_json_are_as_good_as_documents():
    objects = [{"kind": "node", "name": "a"}, {"kind": "node", "name": "b"}]
    assert [each.body for each in documents.read(json.dumps(objects))] == objects
    assert documents.read("---\n---\n") == []


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("a: [1\nb: 2", "line 2, column 2", "expected ',' or ']'"),
        ("a: 1\na: 2", "line 2", "'a' is there twice"),
        ("x:\n  - {b: 1, b: 2}", "line 2", "'b' is there twice"),
        ("a: !!python/object/apply:os.system [id]", "line 1", "could not determine a constructor"),
        ("a: \x00", "", "unacceptable character"),
        ("a: *nobody", "line 1", "undefined alias"),
        ("a: " + "[" * 60 + "]" * 60, "", "nested more than 50"),
        ("? {a: 1}\n: 2", "line 1", "unhashable key"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text, where, why):
    with pytest.raises(BadInput) as refused:
        documents.read(text, "fleet.yaml")
    assert "fleet.yaml is not YAML" in refused.value.detail
    (problem,) = refused.value.problems
    assert problem.path.startswith(where)
    assert why in problem.message


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "- " * 50_000, "? " * 50_000])
def test_what_is_nested_without_end_is_refused_and_the_process_lives(text):
    with pytest.raises(BadInput) as refused:
        documents.read(text)
    assert "nested more than 50" in refused.value.problems[0].message


def test_a_billion_laughs_are_refused_before_they_are_laughed():
    levels = ["a: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    levels += [f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    began = time.monotonic()
    with pytest.raises(BadInput, match="not YAML that can be read") as refused:
        documents.read("\n".join(levels))
    assert "stand for too much" in refused.value.problems[0].message
    assert time.monotonic() - began < 60  # they would be laughing yet


def test_an_alias_to_itself_is_refused():
    with pytest.raises(BadInput):
        documents.read("&a [*a]")
    with pytest.raises(BadInput):
        documents.read("a: &a {b: *a}")


def test_an_ordinary_alias_is_fine():
    (first, second) = documents.read("- &one {kind: node, name: a}\n- <<: *one\n  name: b\n")
    assert (first.body["name"], second.body) == ("a", {"kind": "node", "name": "b"})


def test_a_file_of_any_size_is_not_read():
    with pytest.raises(BadInput, match="MiB"):
        documents.read("#" * (documents.MAX_BYTES + 1))


@given(some.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    try:
        documents.read(text)
    except BadInput:
        pass
