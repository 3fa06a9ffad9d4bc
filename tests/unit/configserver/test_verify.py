"""Is the registry still right with these documents in it? Every fault at once, each with its place."""

import pytest

from nodeward.configserver import documents, verify
from nodeward.configserver.fleet import Fleet
from nodeward.core.errors import BadInput
from nodeward.store.base_registry import Key

FLEET = """
- {kind: node, name: web-1, address: 10.0.0.1, groups: [linux]}
- {kind: contact, name: ada, email: ada@example.org}
"""


def applied(text, present=None):
    return verify.applied(present or {}, documents.read(text, "f"))


def faults(text, present=None):
    with pytest.raises(BadInput) as refused:
        applied(text, present)
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- 7", "it is no object: give it a kind"),
        ("name: a", "it is no object: give it a kind"),
        ("kind: nod", "'nod' is no kind; it may be misspelt. There are: node, "),
        ("{kind: node, name: a b}", "'a b' is no name"),
        ("{kind: node}", "name': is missing"),
        ("{kind: node, name: a, adress: x}", "adress': is not known here; it may be misspelt"),
        ("{kind: node, name: a, address: '-x'}", "'-x' is neither an address nor a host name"),
        ("{kind: node, name: a, agent: false}", "needs `checked_from`"),
        ("{kind: node, name: a, agent: false, checked_from: web-1}", "needs an `address`"),
        ("{kind: node, name: a, checked_from: web-1}", "has a node server of its own"),
        ("{kind: node, name: a, parents: [b]}", "there is no node 'b'"),
        ("{kind: node, name: a, parents: [a]}", "lead back to itself: a → a"),
        ("{kind: node, name: a, contacts: [bob]}", "there is no contact 'bob'"),
        ("{kind: node, name: a, check: {plugin: nope}}", "there is no built-in plugin 'nope'"),
        ("{kind: node, name: a, check: {plugin: tcp}}", "check.args.port"),
        ("{kind: check, name: c, assign: {groups: [linux]}}", "give either a plugin or a command"),
        ("{kind: check, name: c, assign: {groups: [linux]}, plugin: load, command: x}", "give either a plugin or a command"),
        ("{kind: check, name: c, plugin: load}", "assign': is missing"),
        ("{kind: check, name: c, assign: {}, plugin: load}", "say which nodes"),
        ("{kind: check, name: c, assign: {expression: 'x y'}, plugin: load}", "is not understood"),
        ("{kind: check, name: c, assign: {groups: [linux]}, plugin: disk, args: {warnin: 1}}", "args.warnin'"),
        ("{kind: check, name: c, assign: {groups: [linux]}, plugin: load, interval: soon}", "'soon' is not a duration"),
        ("{kind: check, name: c, assign: {groups: [linux]}, plugin: load, interval: 0}", "interval'"),
        ("{kind: check, name: c, assign: {groups: [linux]}, plugin: load, interval: .inf}", "inf is no number that can be kept"),
        ("{kind: check, name: c, assign: {groups: [linux]}, plugin: load, timeout: 20000w}", "at most a year"),
        ("{kind: node, name: a, description: 2026-01-01}", "is read as a date: write it in quotes"),
        ("{kind: node, name: a, labels: {1: x}}", "the key 1 must be text"),
        ("{kind: node, name: a, labels: {x: 99999999999999999999}}", "no number that can be kept"),
        ("{kind: check, name: c, assign: {groups: [linux]}, plugin: load, attempts: 0}", "attempts'"),
        ("{kind: check, name: c, assign: {groups: [linux]}, command: 'x {{ node.adress }}'}", "a node has no 'adress'"),
        ("{kind: check, name: c, assign: {groups: [linux]}, command: 'x {{ 1/0 }}'}", "cannot be filled in"),
        ("{kind: check, name: c, assign: {groups: [linux]}, command: \"x '\"}", "cannot be split into words"),
        ("{kind: check, name: c, assign: {groups: [linux]}, command: 'x {{ node.name * 9 }}'}", "'*' is not allowed"),
        ("{kind: check, name: c, assign: {groups: [linux]}, command: 'x {{ node.__class__ }}'}", "cannot be filled in"),
        ("{kind: log, name: l, assign: {groups: [linux]}, paths: [var/x]}", "'var/x' is not an absolute path"),
        ("{kind: log, name: l, assign: {groups: [linux]}, paths: [/x], format: sylog}", "'sylog' is no format"),
        ("{kind: log, name: l, assign: {groups: [linux]}, paths: [/x], format: {pattern: '('}}", "cannot be used"),
        ("{kind: log, name: l, assign: {groups: [linux]}, paths: [/x], timezone: Mars}", "'Mars' is not a time zone"),
        ("{kind: log, name: l, assign: {groups: [linux]}, paths: [/x], encoding: ebcdic-x}", "cannot be followed"),
        ("{kind: log, name: l, assign: {groups: [linux]}, paths: [/x], encoding: utf-32}", "cannot be followed"),
        ("{kind: log, name: l, assign: {groups: [linux]}, paths: [/x], exclude: ['*.gz']}", "is not an absolute path"),
        ("{kind: contact, name: c}", "nobody can be told"),
        ("{kind: contact, name: c, email: x}", "email"),
        ("{kind: contact, name: c, email: a@b, period: never}", "there is no period 'never'"),
        ("{kind: period, name: p, ranges: {monday: ['9-5']}}", "'9-5' is not a range of hours"),
        ("{kind: period, name: p, ranges: {monday: ['17:00-17:00']}}", "begins where it ends"),
        ("{kind: period, name: p, ranges: {mon: []}}", "ranges.mon"),
        ("{kind: route, name: r, contacts: []}", "contacts"),
        ("{kind: user, name: u, role: root}", "role"),
        ("{kind: user, name: u, password: x}", "password': is not known here"),
    ],
)  # fmt: skip
def test_a_fault_is_told_in_a_sentence(text, fault):
    present = applied(FLEET)
    assert any(fault in found for found in faults(text, present)), faults(text, present)


def test_every_fault_of_every_document_is_told_at_once_with_its_place():
    found = faults(
        "kind: node\nname: a\nadress: x\n---\nkind: check\nname: c\nassign: {nodes: [a]}\nplugin: disk\n"
        "args: {warning: eighty, foo: 1}\ninterval: soon\n---\nkind: contact\nname: ada\n---\n"
        "kind: check\nname: d\nassign: {nodes: ['*']}\nplugin: tcp\ncontacts: [bob, ada]\n"
    )
    assert [fault.partition(":")[2].partition("'")[0] for fault in found] == [
        "1: node a: adress", "5: check c: interval", "5: check c: args.warning", "5: check c: args.foo", "12: contact ada",
        "15: check d: contacts", "15: check d: args.port",
    ]  # fmt: skip


def test_what_names_a_refused_object_is_not_at_fault_itself():
    assert len(faults("- {kind: node, name: a, x: 1}\n- {kind: node, name: b, parents: [a]}")) == 1


def test_a_loop_of_parents_is_told_as_the_way_it_goes():
    found = faults("\n".join(f"- {{kind: node, name: {a}, parents: [{b}]}}" for a, b in ("ab", "bc", "ca")))
    assert "lead back to itself: a → b → c → a" in found[0]


def test_an_object_that_is_there_twice_names_both_places():
    assert "there twice; first at f:1" in faults("{kind: node, name: a}\n---\n{kind: node, name: a}")[0]


def test_an_argument_that_depends_on_the_node_is_tried_on_every_node():
    nodes = "- {kind: node, name: a, labels: {port: 22}}\n- {kind: node, name: b, labels: {port: many}}\n"
    check = "- {kind: check, name: c, assign: {nodes: ['*']}, plugin: tcp, args: {port: '{{ node.labels.port }}'}}"
    assert "args.port" in faults(nodes + check)[0]
    assert applied(nodes.replace("many", "80") + check)


def test_what_others_need_cannot_be_removed():
    present = applied("- {kind: contact, name: ada, email: a@b}\n- {kind: node, name: a, contacts: [ada]}")
    with pytest.raises(BadInput) as refused:
        verify.removed(present, Key("contact", "ada"))
    assert str(refused.value.problems[0]) == "At 'node a: contacts': there is no contact 'ada'"


def test_objects_are_kept_as_they_were_given():
    bodies = applied("{kind: check, name: c, assign: {groups: linux}, plugin: load, interval: 1m, retry: 15}")
    assert bodies[Key("check", "c")] == {
        "kind": "check", "name": "c", "assign": {"groups": ["linux"]}, "plugin": "load", "interval": "1m", "retry": 15,
    }  # fmt: skip


def test_a_check_that_nobody_has_is_odd_and_not_wrong():
    found = verify.warnings(Fleet(applied("{kind: check, name: c, assign: {groups: [web]}, plugin: load}")))
    assert [str(each) for each in found] == [
        "At 'check c: assign': no node matches, so nothing comes of it yet",
        "At 'check c: assign.groups': no node is in group 'web' yet",
    ]
