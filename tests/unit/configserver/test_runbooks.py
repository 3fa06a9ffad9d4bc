"""Runbooks are verified when they are applied: every fault at once, each with its path and a sentence."""

import pytest

from nodeward.configserver import documents, verify
from nodeward.core import runbook
from nodeward.core.errors import BadInput
from nodeward.store.base_registry import Key

NODES = "- {kind: node, name: web-1, address: 10.0.0.1}\n"


def applied(text):
    return verify.applied({}, documents.read(NODES + text, "f"))


def faults(text):
    with pytest.raises(BadInput) as refused:
        applied(text)
    return [str(problem) for problem in refused.value.problems]


def of(steps, parameters="{}", more=""):
    return f"- {{kind: runbook, name: r, parameters: {parameters}, steps: {steps}{more}}}\n"


def test_a_runbook_is_kept_as_it_was_given():
    body = "{kind: runbook, name: r, parameters: {p: {default: x}}, steps: [{run: [echo, '{{ p }}'], timeout: 5m, register: e}]}"
    kept = applied("- " + body)[Key("runbook", "r")]
    assert kept["steps"] == [{"run": ["echo", "{{ p }}"], "timeout": "5m", "register": "e"}]
    assert runbook.plan(kept).steps[0].timeout == 300


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (of("[]"), "steps': List should have at least 1 item"),
        (of("[{}]"), "steps[0]': a step does one thing; give exactly one of run, shell"),
        (of("[{run: [a], shell: b}]"), "steps[0]': a step does one thing"),
        (of("[{run: []}]"), "steps[0].run'"),
        (of("[{run: echo}]"), "steps[0].run'"),
        (of("[{run: [a], exspect: []}]"), "steps[0].exspect': is not known here"),
        (
            of("[{run: [echo, '{{ nam }}']}]", "{name: {}}"),
            "steps[0].run[1]': there is no 'nam'; there are node, run, name",
        ),
        (of("[{run: [echo, '{{ name']}]", "{name: {}}"), "has '{{' without '}}'"),
        (of("[{run: [echo, '{{ node.adress }}']}]"), "'node' has no 'adress'; it has address, groups, labels, name"),
        (of("[{run: [echo, '{{ name.upper() }}']}]", "{name: {}}"), "is not part of the language"),
        (of("[{run: [a], when: 'probe.ok'}]"), "steps[0].when': there is no 'probe'"),
        (of("[{run: [a], register: p}, {run: [b], when: p.okay}]"), "steps[1].when': 'p' has no 'okay'"),
        (of("[{run: [a], register: node}]"), "steps[0].register': 'node' means something else already"),
        (of("[{run: [a]}]", "{run: {}}"), "parameters.run': a parameter cannot have this name"),
        (of("[{run: [a]}]", "{pass: {}}"), "parameters.pass': a parameter cannot have this name"),
        (of("[{shell: 'echo {{ name }}'}]", "{name: {}}"), "steps[0].shell': nothing is filled in within a shell"),
        (
            of("[{run: [su, '{{ pw }}']}]", "{pw: {type: secret}}"),
            "steps[0].run[1]': the secret 'pw' must not stand here",
        ),
        (
            of("[{run: [a], when: \"pw == 'x'\"}]", "{pw: {type: secret}}"),
            "steps[0].when': the secret 'pw' must not stand here",
        ),
        (
            of("[{copy: {from: {path: '/{{ pw }}'}, to: {path: /x}}}]", "{pw: {type: secret}}"),
            "copy.from.path': the secret",
        ),
        (of("[{copy: {from: {path: x}, to: {path: /x}}}]"), "steps[0].copy.from.path'"),
        (
            of("[{copy: {from: {node: a, path: '{{ p }}'}, to: {path: /x}}}]", "{p: {}}"),
            "steps[0].copy.from.path': it begins with what is filled in, which would let a run copy any file of the node: "
            "write the directory first, such as /var/backups/",
        ),
        (
            of("[{copy: {from: {path: /x}, to: {path: '/{{ p }}'}}}]", "{p: {}}"),
            "steps[0].copy.to.path': it must begin with a directory that is fixed",
        ),
        (of("[{ask: {question: q}, stdin: x}]"), "`stdin` goes with run, shell, ssh, not with ask"),
        (of("[{run: [a], expect: [{send: x}]}]"), "steps[0].expect[0]': give either a pattern or cases"),
        (of("[{run: [a], expect: [{pattern: '('}]}]"), "It must be an RE2 expression"),
        (of("[{run: [a], expect: [{pattern: x, then: y}]}]"), "the dialogue cannot go on at 'y'"),
        (of("[{run: [a], expect: [{pattern: x, send: a, fail: b}]}]"), "give one of send, key and fail"),
        (of("[{run: [a], stdin: x, expect: [{pattern: x}]}]"), "`stdin` is for a program that is asked nothing"),
        (of("[{ssh: {command: [a]}}]"), "steps[0].ssh': give either a node or a host"),
        (of("[{ssh: {node: web-2}}]"), "steps[0].ssh.node': there is no node 'web-2'"),
        (of("[{wait_for: {port: 5, path: /x}}]"), "give one of program, url, port, path and run"),
        (of("[{run: [a], retry: {attempts: 0}}]"), "steps[0].retry.attempts'"),
        (of("[{run: [a], retry: {until: 'result.x'}}]"), "'result' has no 'x'"),
        (of("[{run: [a], timeout: 9w}]"), "at most a week"),
        (of("[{run: [a]}]", "{p: {type: choice}}"), "`choices` are for a parameter of type choice"),
        (of("[{run: [a]}]", "{p: {type: int, default: x}}"), "parameters.p': it must be a whole number"),
        (of("[{run: [a]}]", "{p: {pattern: '[', default: x}}"), "parameters.p.pattern'"),
        (of("[{run: [a]}]", "{p: {pattern: 'b+', default: x}}"), "'x' does not match 'b+'"),
        (of("[{run: [a]}]", "{p: {type: secret, default: geheim}}"), "a secret has no default"),
        (of("[{run: [a]}]", "{p: {type: int, required: false}}"), "it needs a default"),
        (of("[{call: {runbook: s, nodes: web-1}}]"), "steps[0].call.runbook': there is no runbook 's'"),
        (of("[{call: {runbook: r, nodes: web-1}}]"), "it calls itself: r → r"),
        (of("[{call: {runbook: r, nodes: [web-1, web-3]}}]"), "steps[0].call.nodes': there is no node 'web-3'"),
    ],
)
def test_a_fault_is_told_with_its_place(text, fault):
    assert any(fault in each for each in faults(text)), faults(text)


CALLED = """
- kind: runbook
  name: s
  parameters: {word: {}, secret: {type: secret, required: false}, n: {type: int, default: 1}}
  steps: [{run: [echo, '{{ word }}']}]
"""


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("{}", "call.with': 'word' is missing: runbook 's' needs it"),
        ("{word: x, wort: y}", "call.with.wort': runbook 's' has no such parameter; there are word, secret, n"),
        ("{word: '{{ pw }}'}", "call.with.word': a secret can only be handed to a parameter of type secret"),
        ("{word: x, n: many}", "call.with.n': it must be a whole number"),
    ],
)
def test_what_a_call_hands_over_must_fit(given, fault):
    calling = of(f"[{{call: {{runbook: s, nodes: web-1, with: {given}}}}}]", "{pw: {type: secret}}")
    assert any(fault in each for each in faults(CALLED + calling))


def test_a_runbook_that_asks_cannot_be_called():
    asking = "- {kind: runbook, name: s, steps: [{ask: {question: well?}}]}\n"
    assert "asks the operator, whom it has not" in faults(asking + of("[{call: {runbook: s, nodes: web-1}}]"))[0]


def test_every_fault_is_told_at_once():
    told = faults(of("[{run: [echo, '{{ x }}'], until: 3}, {shell: a, retry: {attempts: no}}]", "{p: {type: number}}"))
    assert len(told) >= 4
    assert all(each.startswith("At 'f:2: runbook r: ") for each in told)


def test_a_called_runbook_is_not_deleted():
    bodies = applied(CALLED + of("[{call: {runbook: s, nodes: web-1, with: {word: x}}}]"))
    with pytest.raises(BadInput, match="1 fault"):
        verify.removed(bodies, Key("runbook", "s"))


def test_words_of_a_dialogue_are_fields_of_the_result():
    applied(of("[{run: [a], register: v, expect: [{pattern: 'v(?P<major>[0-9]+)'}]}, {run: [b, '{{ v.major }}']}]"))


def test_names_of_handed_over_values_may_be_anything():
    called = "- {kind: runbook, name: s, parameters: {name: {}, pattern: {}}, steps: [{run: [echo, '{{ name }}']}]}\n"
    calling = of("[{call: {runbook: s, nodes: web-1, with: {name: '{{ nam }}', pattern: '('}}}]")
    assert any("call.with.name': there is no 'nam'" in each for each in faults(called + calling))
