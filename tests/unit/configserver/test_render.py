"""Filling in: a value never splits a word, an undefined name is an error, a template cannot run away."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nodeward.configserver import render
from nodeward.core.errors import BadInput, ConfigError

NODE = {"name": "web-1", "address": "10.0.0.1", "agent": True, "groups": ["web"], "labels": {"dc": "sh"}, "parents": []}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("check_http -H {{ node.address }}", ["check_http", "-H", "10.0.0.1"]),
        ("x 'a b' \"c d\" e\\ f", ["x", "a b", "c d", "e f"]),
        ("x --url=http://{{ node.address }}/{{ node.name }}", ["x", "--url=http://10.0.0.1/web-1"]),
        ("x '{{ node.labels[\"dc\"] }}'", ["x", "sh"]),
        ("x {{ node.groups | join(', ') }}", ["x", "web"]),
        ("x {{ node.labels.rack | default('none at all') }}", ["x", "none at all"]),
        ("x {{ 'in' if 'web' in node.groups else 'out' }}", ["x", "in"]),
        (["x", "{{ node.name }}", "$(id)"], ["x", "web-1", "$(id)"]),
        ("x ''", ["x", ""]),
    ],
)
def test_a_command_becomes_its_words(command, words):
    assert render.argv(command, NODE) == words


@given(some.text(min_size=1, max_size=40))
def test_whatever_a_value_holds_it_stays_one_word(value):
    node = {**NODE, "labels": {"x": value}}
    assert render.argv("a -x {{ node.labels.x }} 'b{{ node.labels.x }}'", node) == ["a", "-x", value, f"b{value}"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("x {{ node.adress }}", "a node has no 'adress'"),
        ("x {{ nod.name }}", "'nod' is undefined"),
        ("x {{ node.name", "cannot be filled in"),
        ("x {{ }}", "cannot be filled in"),
        ("x {% for i in [1] %}{{ i }}{% endfor %}", "nothing else"),
        ("x {{ 'a' * 1000000000 }}", "not allowed"),
        ("x {{ node.name.ljust(1000000000) }}", "not safely callable"),
        ("x {{ node.__class__.__mro__ }}", "cannot be filled in"),
        ("x {{ 'a' | center(1000000000) }}", "cannot be filled in"),
        ("x {{ range(10) }}", "cannot be filled in"),
        ("x 'a", "cannot be split into words: no closing quotation"),
        ("x \ue0000\ue001", "private use"),
    ],
)
def test_what_cannot_be_filled_in_is_told(command, why):
    with pytest.raises(BadInput) as refused:
        render.argv(command, NODE)
    assert why in str(refused.value)


@given(some.text(max_size=60))
def test_any_text_becomes_words_or_is_refused(text):
    try:
        render.argv("x " + text, NODE)
    except BadInput:
        pass


def test_an_undefined_name_in_a_file_names_template_and_line(tmp_path):
    (tmp_path / "nodeserver").mkdir()
    (tmp_path / "nodeserver" / "nodeserver.json.j2").write_text('{\n  "node": {{ node.nam | tojson }}\n}\n')
    with pytest.raises(ConfigError) as refused:
        render.Files(tmp_path).render({"node": NODE})
    assert str(refused.value).startswith("config/templates/nodeserver/nodeserver.json.j2, line 2: ")


def test_a_folder_without_templates_is_told(tmp_path):
    with pytest.raises(ConfigError, match="NODEWARD_HOME"):
        render.Files(tmp_path)
