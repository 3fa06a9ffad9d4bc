"""Dialogues with real programs: a database's shell, Python's, passwd, ssh, an odd device. Secrets are found nowhere."""

import os
import shutil
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from fakes import odd_device, sshd
from fakes.sshd import Sshd, User

SECRET = "Sesam-öffne-dich-42"
DEVICE = Path(odd_device.__file__)
needs_users = pytest.mark.skipif(sshd.lacking() is not None, reason=sshd.lacking() or "")
needs_sqlite = pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no SQLite shell (Debian: sqlite3)")


def nowhere(node, run, *secrets):
    """Assert that no secret is in anything the node server has on disk, tells, or printed."""
    told = (repr(node.events(run)) + repr(node.row(run)) + node.said()).encode() + node.files()
    for secret in secrets:
        assert secret.encode() not in told
        assert repr(secret.encode())[2:-1].encode() not in told


def test_python_is_talked_to_at_its_prompts(node):
    printed = node.says(f"""
steps:
  - run: [{sys.executable}, -i, -q]
    env: {{PYTHON_BASIC_REPL: '1'}}
    expect:
      - {{pattern: '>>> $', send: 'n = 6 * 7'}}
      - {{pattern: '>>> $', send: 'print(f"it is {{n}}")'}}
      - {{pattern: 'it is (?P<n>[0-9]+)'}}
      - {{pattern: '>>> $', key: ctrl-d}}
    register: python
  - {{run: [echo, 'python said {{{{ python.n }}}}']}}
""")
    assert "python said 42" in printed


@needs_sqlite
def test_a_databases_shell_is_talked_to_at_its_prompts(node, tmp_path):
    node.says(f"""
parameters: {{who: {{}}}}
steps:
  - run: [sqlite3, -interactive, {tmp_path}/db]
    expect:
      - {{pattern: 'sqlite> $', send: 'create table if not exists t(x);'}}
      - {{pattern: 'sqlite> $', send: "insert into t values('{{{{ who }}}}');"}}
      - {{pattern: 'sqlite> $', send: 'select count(*) || '' rows'' from t;'}}
      - {{pattern: '(?P<rows>[0-9]+) rows'}}
      - {{pattern: 'sqlite> $', send: .quit}}
    register: db
  - {{run: [test, '{{{{ db.rows }}}}', '=', '1']}}
""", {"who": "zoë"})  # fmt: skip


def test_what_is_typed_presses_no_keys(node):
    node.has("""
parameters: {v: {}}
steps:
  - shell: 'echo ready; cat'
    expect: [{pattern: ready, send: '{{ v }}'}, {pattern: x, key: ctrl-d}]
""")
    for value in ("x\nrm -rf /", "x\x03", "x\x04"):
        assert "holds a line end or another key" in node.run(v=value)["detail"]
    assert node.run(v="x; rm -rf / $(id)")["state"] == "succeeded"


@pytest.mark.parametrize("way", ["echo", "stars", "colours"])
def test_an_odd_device_is_answered_and_its_secret_is_found_nowhere(node, way):
    node.has(f"""
parameters: {{secret: {{type: secret}}}}
steps:
  - run: [{sys.executable}, {DEVICE}, {way}]
    env: {{DEVICE_SECRET: '{{{{ secret }}}}'}}
    expect:
      - {{pattern: 'Gerät größer ☃'}}
      - {{pattern: '^Passwört: $', send: '{{{{ secret }}}}'}}
      - cases:
          - {{pattern: 'Nochmal Passwört: $', send: '{{{{ secret }}}}', then: again}}
          - {{pattern: Falsch, fail: the device refused it}}
          - {{pattern: 'Danke.*✓'}}
    register: told
  - {{run: [echo, 'code {{{{ told.code }}}}']}}
  - {{run: [echo, '{{{{ told.output }}}}'], on_error: continue}}
""")  # fmt: skip
    row = node.run(secret=SECRET)
    assert row["state"] == "succeeded", row
    assert row["steps"][2]["detail"].startswith("An argument would hold a secret")
    nowhere(node, row["id"], SECRET)
    assert "gilt ab jetzt ✓" in node.output(row["id"])
    assert "code 0" in node.output(row["id"])


def test_branches_lead_on_and_a_refusal_is_told(node):
    text = f"""
parameters: {{secret: {{type: secret}}}}
steps:
  - run: [{sys.executable}, {DEVICE}, echo]
    env: {{DEVICE_SECRET: something-else}}
    expect:
      - {{pattern: 'Passwört: $', send: '{{{{ secret }}}}'}}
      - name: outcome
        cases: [{{pattern: Falsch, fail: the device refused it}}, {{pattern: 'Nochmal', then: outcome}}]
"""
    node.has(text)
    assert node.run(secret=SECRET)["detail"].endswith("The device refused it")


def test_a_pattern_that_does_not_come_and_a_program_that_ends_are_told(node):
    node.has("steps: [{run: [sleep, '60'], expect: [{pattern: login, timeout: 300ms}]}]")
    assert "'login' did not come within 0.3 s" in node.run()["detail"]
    node.has("steps: [{run: [echo, hello], expect: [{pattern: login}]}]")
    assert "The program ended before 'login' came: hello" in node.run()["detail"]
    node.says("steps: [{run: [echo, hello], expect: [{pattern: login, optional: true}, {pattern: hello}]}]")


def test_a_secret_that_the_operator_types_is_found_nowhere(node):
    node.has("""
steps:
  - {ask: {question: 'Which password?', type: secret}, register: given}
  - {shell: 'echo "it is $P"; sleep 0.5', env: {P: '{{ given.answer }}'}}
  - {run: [cat], stdin: 'by stdin {{ given.answer }}'}
  - {run: [su, '-'], when: "given.ok", ok: [0, 1], stdin: ''}
""")
    run = node.begin()
    node.until_state(run, "asking")
    assert node.post(f"runs/{run}/answers", {"answer": "abc"})[0] == 422
    seen: set[str] = set()
    watching = threading.Event()

    def watch() -> None:
        while not watching.is_set():
            for each in psutil.process_iter(["cmdline"]):
                seen.add(" ".join(each.info["cmdline"] or []))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        node.post(f"runs/{run}/answers", {"answer": SECRET})
        node.over(run)
    finally:
        watching.set()
        watcher.join()
    assert not [line for line in seen if SECRET in line]
    nowhere(node, run, SECRET)
    assert "it is •••••" in node.output(run)
    assert "by stdin •••••" in node.output(run)


@needs_users
def test_a_password_is_changed_at_passwds_prompts(node):
    user = User(f"nw-{os.getpid() % 100000}", "before-Before-1")
    with user:
        before = user.hash()
        node.has("""
parameters: {user: {}, password: {type: secret}}
steps:
  - run: [passwd, '{{ user }}']
    expect:
      - {pattern: '(?i)new password: ?$', send: '{{ password }}'}
      - {pattern: '(?i)(retype|again)[^\\n]*: ?$', send: '{{ password }}'}
      - cases: [{pattern: 'updated successfully'}, {pattern: '(?i)do not match|BAD|failure', fail: passwd refused it}]
""")
        row = node.run(user=user.name, password=SECRET)
        assert row["state"] == "succeeded", node.output(row["id"])
        assert user.hash() != before
        nowhere(node, row["id"], SECRET)


@needs_users
def test_ssh_goes_in_with_a_password_and_with_a_key_and_knows_the_host(node, tmp_path):
    with User(f"nw-{os.getpid() % 100000}", SECRET) as user, Sshd(tmp_path) as server:
        (tmp_path / "known").unlink(missing_ok=True)
        common = f"host: 127.0.0.1, port: {server.port}, user: {user.name}, known_hosts: {tmp_path}/known"
        text = f"""
parameters: {{password: {{type: secret, required: false}}, word: {{}}}}
steps: [{{ssh: {{{common}, password: '{{{{ password }}}}', command: [printf, '<%s>', '{{{{ word }}}}']}}, register: s}}]
"""
        node.has(text)
        for word in ("; touch /tmp/nodeward-hostile", "$(id) `id` \"'\\ \n x"):
            row = node.run(password=SECRET, word=word)
            assert row["state"] == "succeeded", node.output(row["id"])
            assert f"<{word}>" in node.output(row["id"])
            nowhere(node, row["id"], SECRET)
        assert "Permission denied" in node.run(password="wrong-wrong", word="x")["detail"]
        key = server.key("user")
        user.let_in(key.with_suffix(".pub"))
        by_key = f"steps: [{{ssh: {{{common}, identity: {key}, command: [id, -un]}}}}]"
        assert user.name in node.says(by_key)
        talk = f"""
steps:
  - ssh: {{{common}, identity: {key}}}
    expect:
      - {{pattern: '\\$ $', send: 'echo on a $(tty | cut -c1-8)'}}
      - {{pattern: 'on a /dev/pts'}}
      - {{pattern: '\\$ $', key: ctrl-d}}
"""
        node.says(talk)
    with Sshd(tmp_path, server.port):  # another machine in its place: another host key
        node.has(text)
        assert "host key" in node.run(password=SECRET, word="x")["detail"].lower()


@needs_users
def test_ssh_to_what_is_no_host_is_refused(node):
    node.has("parameters: {h: {}}\nsteps: [{ssh: {host: '{{ h }}', command: [id]}}]")
    for host in ("-oProxyCommand=touch /tmp/nodeward-hostile", "a b"):
        assert "is neither an address nor a host name" in node.run(h=host)["detail"]
