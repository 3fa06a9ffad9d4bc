"""Runbooks carried out by a real node server: steps, values, conditions, repetition, questions, the end."""

import json
import sys
import threading

import pytest

from fakes.runbook_node import processes_of
from nodeward.core.tickets import is_ticket
from support.until import until


def test_a_program_runs_on_a_terminal_and_its_output_is_kept(node):
    assert "120\n30 120\n" in node.says("steps: [{shell: 'tput cols; stty size'}]")


def test_the_record_says_who_what_and_how_it_went(node):
    node.has("parameters: {word: {}}\nsteps: [{name: say it, run: [echo, '{{ word }}']}]", "say")
    row = node.run("say", word="hello")
    assert (row["runbook"], row["revision"], row["node"], row["by"], row["state"]) == (
        "say",
        7,
        "web-1",
        "operator",
        "succeeded",
    )
    assert row["parameters"] == {"word": "hello"}
    assert [(step["title"], step["state"]) for step in row["steps"]] == [("say it", "ok")]
    assert row["ended"] > row["started"]
    (deed,) = [deed for deed in node.config.deeds if row["id"] in deed["what"]]
    shown = deed.pop("ticket")
    assert deed == {"who": "operator", "action": "run", "what": f"say on web-1: run {row['id']}"} and is_ticket(shown)


HOSTILE = [
    "; rm -rf /", "$(touch /tmp/nodeward-hostile)", "`id`", "a\nb", "--help", "'\"", "x" * 100_000, "ünïcödé ☃",
    "{{ node.name }}",    " leading and trailing ", "", "*", "\\", "%s%n", "\x1b[31mred",
]  # fmt: skip
SHOW = "import sys,json,os; print(json.dumps([sys.argv[1:], os.environ.get('VALUE')]))"


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_value_changes_nothing_but_the_argument(node, value, tmp_path):
    script = tmp_path / "show.py"
    script.write_text(SHOW.replace("print(", f"open({str(tmp_path / 'seen')!r}, 'w').write("))
    node.says(
        f"parameters: {{v: {{required: false}}}}\n"
        f"steps: [{{run: [{sys.executable}, {script}, 'before', '{{{{ v }}}}', 'after'], env: {{VALUE: '{{{{ v }}}}'}}}}]",
        {"v": value},
    )
    assert json.loads((tmp_path / "seen").read_text()) == [["before", value, "after"], value]


def test_a_value_no_argument_can_hold_is_told(node):
    node.has("parameters: {v: {}}\nsteps: [{run: [echo, '{{ v }}']}]")
    status, answer = node.post("runs", {"runbook": "book", "parameters": {"v": "a\0b"}})
    assert (status, answer["errors"][0]["path"]) == (422, "parameters.v")
    row = node.run(v="x" * 1024 * 1024)
    assert row["state"] == "failed"
    assert "cannot be started: Argument list too long" in row["detail"]


def test_a_shell_gets_values_by_its_environment_alone(node):
    text = "parameters: {v: {}}\nsteps: [{shell: 'printf \"<%s>\" \"$V\"', env: {V: '{{ v }}'}}]"
    assert node.says(text, {"v": "$(id); `id` ' \" \\"}) == "<$(id); `id` ' \" \\>"


def test_what_a_program_reads_need_not_be_typed(node):
    assert node.says('steps: [{run: [tr, a-z, A-Z], stdin: "line one\\nline two\\n"}]') == "LINE ONE\nLINE TWO\n"


def test_results_conditions_and_captured_words_lead_on(node):
    text = """
steps:
  - {run: [echo, 'version 7 ready'], register: seen, expect: [{pattern: 'version (?P<number>[0-9]+)'}]}
  - {run: [echo, 'number {{ seen.number }} code {{ seen.code }}'], when: "seen.ok and seen.number >= 7"}
  - {run: [echo, never], when: "seen.number < 7", register: skipped}
  - {run: [echo, 'skipped is {{ skipped.skipped }}'], when: "matches(seen.output, '^version')"}
"""
    printed = node.says(text)
    assert "number 7 code 0\n" in printed
    assert "skipped is true\n" in printed
    assert "never" not in printed


def test_a_step_that_fails_ends_the_run_and_the_end_is_done_always(node):
    text = """
steps: [{run: [sh, -c, 'echo broken pipe; exit 3']}, {run: [echo, not come to]}]
always: [{run: [echo, 'clean up after {{ run.ok }}']}]
"""
    printed = node.says(text, state="failed")
    assert "clean up after false" in printed
    assert "not come to" not in printed
    row = node.post("runs", {"runbook": "book"})[1]
    assert "exit code 3: broken pipe" in node.over(row["id"])["detail"]


def test_a_failure_may_be_expected(node):
    text = """
steps:
  - {run: ['false'], on_error: continue, register: r}
  - {run: [echo, 'went on: {{ r.code }}']}
  - {run: ['false'], ok: [1]}
"""
    assert "went on: 1" in node.says(text)


def test_a_step_is_tried_again_until_it_is_as_wanted(node, tmp_path):
    count = tmp_path / "count"
    text = f"""
steps:
  - shell: 'echo x >> {count}; wc -l < {count}'
    retry: {{attempts: 5, delay: 50ms, until: "trim(result.output) == '3'"}}
"""
    node.says(text)
    assert count.read_text() == "x\n" * 3
    count.unlink()
    text = text.replace("'3'", "'99'")
    assert node.says(text, state="failed")
    assert count.read_text() == "x\n" * 5


def test_a_step_that_takes_too_long_is_ended_with_its_children(node):
    node.has("steps: [{shell: 'setsid sleep 3600 & sleep 3600', timeout: 1s}]")
    row = node.run()
    assert "took longer than the step may" in row["detail"]
    assert processes_of(row["id"]) == []


def test_a_program_that_is_not_there_is_told(node):
    row = node.over((node.has("steps: [{run: [no-such-program]}]"), node.begin())[1])
    assert "There is no program 'no-such-program' here" in row["detail"]


def test_what_is_waited_for_comes(node, tmp_path):
    flag = tmp_path / "flag"
    node.has(f"steps: [{{wait_for: {{path: {flag}, every: 50ms}}, timeout: 30s}}]")
    run = node.begin()
    node.until_state(run, "running")
    flag.write_text("x")
    assert node.over(run)["state"] == "succeeded"
    node.has("steps: [{wait_for: {path: /no/such, every: 50ms}, timeout: 300ms}]")
    assert "is not there" in node.run()["detail"]
    node.says(f"""
steps:
  - {{wait_for: {{run: [test, -f, {flag}]}}}}
  - {{wait_for: {{port: {node.port}}}}}
  - {{wait_for: {{url: 'http://127.0.0.1:{node.port}/healthz'}}}}
  - {{wait_for: {{port: 1, gone: true}}}}
""")


def test_the_operator_is_asked_and_the_answer_leads_on(node):
    node.has(
        "steps: [{ask: {question: 'Go on, {{ run.by }}?', go_on: ['yes']}, register: a}, {run: [echo, 'it was {{ a.answer }}']}]"
    )
    run = node.begin()
    ask = node.until_state(run, "asking")["ask"]
    assert (ask["question"], ask["choices"]) == ("Go on, operator?", ["yes", "no"])
    assert node.post(f"runs/{run}/answers", {"answer": "perhaps"})[0] == 422
    assert node.post(f"runs/{run}/answers", {"answer": "yes", "ask": "another"})[0] == 409
    assert node.post(f"runs/{run}/answers", {"answer": "yes", "ask": ask["ask"]}, "viewer")[0] == 403
    assert node.post(f"runs/{run}/answers", {"answer": "yes", "ask": ask["ask"]})[0] == 200
    assert node.over(run)["state"] == "succeeded"
    assert "it was yes" in node.output(run)
    assert node.post(f"runs/{run}/answers", {"answer": "yes"})[0] == 409
    run = node.begin()
    node.until_state(run, "asking")
    node.post(f"runs/{run}/answers", {"answer": "no"})
    assert "The answer was 'no'" in node.over(run)["detail"]
    until(lambda: [deed for deed in node.config.deeds if deed["action"] == "answer run"])


def test_a_question_that_nobody_answers_has_an_end(node):
    assert (
        "Nobody answered within 0.2 s"
        in (node.has("steps: [{ask: {question: q, timeout: 200ms}}]"), node.run())[1]["detail"]
    )
    node.says(
        "steps: [{ask: {question: q, timeout: 200ms, default: 'no'}, register: a}, {run: [test, '{{ a.answer }}', '=', 'no']}]"
    )


def test_late_watchers_see_it_from_the_start_and_all_see_the_same(node):
    node.has("steps: [{run: [echo, first]}, {ask: {question: q}}, {run: [echo, last]}]")
    run = node.begin()
    seen: list[list[str]] = [[], []]

    def watch(place: int) -> None:
        after = "0"
        while True:
            answer = node.ask(f"/api/v1/runs/{run}/output?after={after}&wait=10", "viewer")[1]
            seen[place] += [event["type"] for event in answer["items"]]
            after = answer["cursor"]
            if "end" in seen[place]:
                return

    early = threading.Thread(target=watch, args=(0,))
    early.start()
    node.until_state(run, "asking")
    late = threading.Thread(target=watch, args=(1,))
    late.start()
    node.post(f"runs/{run}/answers", {"answer": "yes"})
    early.join(90), late.join(90)
    assert seen[0] == seen[1] == [event["type"] for event in node.events(run)]
    assert seen[0][0] == "begin" and seen[0][-1] == "end"


def test_runs_are_listed_searched_and_played_again(node):
    node.has("steps: [{run: [echo, before]}]", "earlier")
    node.run("earlier")
    node.has("steps: [{run: [echo, a-rare-word-in-output]}]", "rare")
    row = node.run("rare")
    for query in ("q=a-RARE-word", "runbook=rare", "state=succeeded&runbook=rare", "by=operator&runbook=rare"):
        assert [each["id"] for each in node.ask(f"/api/v1/runs?{query}", "viewer")[1]["items"]] == [row["id"]], query
    assert node.ask("/api/v1/runs?q=never-printed-at-all", "viewer")[1]["items"] == []
    page = node.ask("/api/v1/runs?limit=1", "viewer")[1]
    assert page["items"][0]["id"] == row["id"]
    assert page["next"] == row["id"]
    import urllib3

    path = f"/api/v1/runs/{row['id']}/recording"
    shown = {"Authorization": f"Bearer {node.ticket('GET', path, node.config.tokens['viewer'])}"}
    answer = urllib3.request("GET", f"http://127.0.0.1:{node.port}{path}", headers=shown)
    head, *pieces = [json.loads(line) for line in answer.data.splitlines()]
    assert (head["version"], head["width"]) == (2, 120)
    assert "".join(piece[2] for piece in pieces) == "a-rare-word-in-output\r\n"


def test_who_may_do_what(node):
    node.has("parameters: {n: {type: int}}\nsteps: [{run: [echo, x]}]")
    assert node.post("runs", {"runbook": "book", "parameters": {"n": 1}}, "viewer")[0] == 403
    assert node.post("runs", {"runbook": "no-such", "parameters": {}})[0] == 404
    assert node.post("runs", {"runbook": "../x"})[0] == 422
    status, answer = node.post("runs", {"runbook": "book", "parameters": {"n": "x", "m": 1}})
    assert status == 422
    assert {fault["path"] for fault in answer["errors"]} == {"parameters.n", "parameters.m"}
    assert node.ask("/api/v1/runs/no-such", "viewer")[0] == 404
    assert node.post("runs/no-such/stop", {})[0] == 404
    row = node.run(n=1)
    assert node.post(f"runs/{row['id']}/stop", {})[0] == 409


def test_more_output_than_there_is_room_for_ends_nothing(node):
    node.has("steps: [{shell: 'yes 0123456789abcdef0123456789abcdef | head -c 30000000; echo; echo the end'}]")
    row = node.run()
    assert row["state"] == "succeeded"
    kinds = [event["type"] for event in node.events(row["id"])]
    assert kinds.count("note") == 1
    assert len(node.output(row["id"])) < 20_000_000
