"""What each kind of step does. `act` is the table's door."""

import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nodeward.core import clock, expressions
from nodeward.core.runbook import Ask, Case, Step, Turn
from nodeward.core.runbook_parameters import LEAST_SECRET
from nodeward.nodeserver.runbooks import peers, tree, wait
from nodeward.nodeserver.runbooks.course import Course, Result, result
from nodeward.nodeserver.runbooks.dialogue import Failed, Talk, hold, last_line
from nodeward.nodeserver.runbooks.program import CannotStart, Program

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OWN = ("NODEWARD_HOME", "NODEWARD_VAR", "NODEWARD_IMAGE", "NODEWARD_NODE", "TZ")
_EXIT_SECONDS = 10.0
_ASKS = r"^(\S+@\S+'s password: ?|\(\S+@\S+\) [Pp]assword: ?|Enter passphrase for key [^\n]*: ?)$"


def act(course: Course, step: Step, until: float) -> Result:
    """Carry out a step once. Raise Failed (with the result, where there is one) if it does not go well."""
    return _ACTS[step.action](course, step, until)


def _run(course: Course, step: Step, until: float) -> Result:
    assert step.run is not None
    return _program(course, step, course.words(step.run), until)


def _shell(course: Course, step: Step, until: float) -> Result:
    assert step.shell is not None
    return _program(course, step, ["/bin/sh", "-c", step.shell], until)


def _ssh(course: Course, step: Step, until: float) -> Result:
    given = step.ssh
    assert given is not None
    host = peers.address(course, course.fill(given.node)) if given.node else course.fill(given.host or "")
    if host.startswith("-") or any(each.isspace() for each in host):
        raise Failed(f"{host[:80]!r} is neither an address nor a host name.")
    known = course.fill(given.known_hosts) if given.known_hosts else str(Path(course.job["data"]) / "known_hosts")
    options = [
        "-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={known}", "-o", "ConnectTimeout=20",
        "-o", "NumberOfPasswordPrompts=1", "-o", "LogLevel=ERROR", "-p", course.fill(str(given.port)),
    ]  # fmt: skip
    options += ["-l", course.fill(given.user)] if given.user else []
    options += ["-i", course.fill(given.identity), "-o", "IdentitiesOnly=yes"] if given.identity else []
    if given.password:
        if not given.identity:
            options += ["-o", "PubkeyAuthentication=no"]
    elif not step.expect:
        options += ["-o", "BatchMode=yes"]
    options.append("-tt" if step.expect or not given.command else "-T")
    far = " ".join(shlex.quote(word) for word in course.words(given.command))
    first = [] if given.password is None else [_password_turn(given.password)]
    return _program(course, step, ["ssh", *options, "--", host, *([far] if far else [])], until, first)


def _password_turn(password: str) -> Turn:
    return Turn.model_validate({"pattern": _ASKS, "send": password, "secret": True, "timeout": 60})


def _program(course: Course, step: Step, argv: list[str], until: float, first: list[Turn] | None = None) -> Result:
    before = {each.pid for each in tree.below()}
    env = environment(course, step)
    stdin = None if step.stdin is None else course.fill(step.stdin)
    try:
        program = Program(argv, env, course.fill(step.cwd) if step.cwd else None, stdin)
    except CannotStart as error:
        raise Failed(str(error), result(ok=False)) from None
    talk = Talk(program, course.journal, course.control, until)
    try:
        hold(talk, [*(first or []), *step.expect], lambda case: _typed(course, case))
        talk.to_the_end()
        code = program.code(min(_EXIT_SECONDS, max(0.0, until - time.monotonic())))
    except Failed as failure:
        talk.hush()
        tree.end(lambda: [each for each in tree.below() if each.pid not in before])
        raise Failed(str(failure), _seen(talk, program.code(0.0), False)) from None
    finally:
        program.close()
        tree.reap(program.pid)
    found = _seen(talk, code, code in step.ok)
    if not found["ok"]:
        goes_on = "it let go of its terminal and goes on."
        raise Failed(goes_on if code is None else f"it ended with exit code {code}{last_line(talk.kept)}", found)
    return found


def _seen(talk: Talk, code: int | None, ok: bool) -> Result:
    return {**result(ok=ok, code=code, output=talk.kept.rstrip("\n")), **talk.groups}


def _typed(course: Course, case: Case) -> str:
    """Return the line that a case answers with. A value that is filled in must not press keys by itself."""
    given = case.send or ""
    for source in expressions.insertions(given):
        made = course.fill("{{" + source + "}}")
        if any(ord(each) < 32 or 127 <= ord(each) < 160 for each in made):
            raise Failed(f"what is to be typed for {source.strip()!r} holds a line end or another key.")
    text = course.fill(given)
    if case.secret:
        if len(text.strip()) < LEAST_SECRET:
            raise Failed(f"a secret has at least {LEAST_SECRET} characters.")
        course.redactor.add(text)
    return text


def environment(course: Course, step: Step) -> dict[str, str]:
    """Return a program's environment: nothing of this process's own but its place in the world, and what the step gives."""
    own = {name: os.environ[name] for name in _OWN if name in os.environ}
    given = {name: course.fill(value) for name, value in step.env.items()}
    return {
        "PATH": f"{Path(sys.executable).parent}:{_PATH}",
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        **own,
        **given,
        tree.MARK: str(course.job["run"]),
    }


def _ask(course: Course, step: Step, until: float) -> Result:
    given = step.ask
    assert given is not None
    wanted, name = min(given.timeout, until - time.monotonic()), f"{course.job['run']}-{clock.now()}"
    course.journal.tell(
        "ask", ask=name, question=course.fill(given.question), kind=given.type, default=given.default,
        choices=given.choices if given.type == "choice" else [], until=clock.rfc3339(clock.now() + int(wanted * 1e6)),
    )  # fmt: skip
    came = course.control.answer(name, wanted)
    if came is None and given.default is None:
        course.journal.tell("answered", ask=name, by=None, answer=None)
        raise Failed(f"nobody answered within {wanted:g} s.")
    who, answer = came or ("nobody", str(given.default))
    if given.type == "secret":
        course.redactor.add(answer)
    course.journal.tell("answered", ask=name, by=who, answer=answer)
    return _decided(given, answer)


def _decided(given: Ask, answer: str) -> Result:
    if given.go_on is not None and answer not in given.go_on:
        raise Failed(f"the answer was '{answer}'.", result(ok=False, answer=answer))
    return result(answer=answer)


def _wait_for(course: Course, step: Step, until: float) -> Result:
    assert step.wait_for is not None
    look = wait.look(course, step, lambda argv: _probe(course, step, argv, until))
    while True:
        why = look()
        if (why is None) != step.wait_for.gone:
            return result()
        if time.monotonic() + step.wait_for.every > until:
            raise Failed(f"{why}." if why else "it is still there.")
        course.control.wait(step.wait_for.every)


def _probe(course: Course, step: Step, argv: list[str], until: float) -> str | None:
    """Run a program that is waited for; return why it is not well yet."""
    try:
        _program(course, step, argv, until)
    except Failed as failure:
        return str(failure.args[0]).rstrip(".")
    return None


def _copy(course: Course, step: Step, until: float) -> Result:
    assert step.copy_ is not None
    return peers.copy(course, step.copy_, until)


def _call(course: Course, step: Step, until: float) -> Result:
    assert step.call is not None
    return peers.call(course, step.call, until)


_ACTS: Mapping[str, Callable[[Course, Step, float], Result]] = {
    "run": _run, "shell": _shell, "ssh": _ssh, "copy": _copy, "call": _call, "ask": _ask, "wait_for": _wait_for,
}  # fmt: skip


def given_facts(job: dict[str, Any]) -> dict[str, Any]:
    """Return what expressions know of the node and the run."""
    return {"node": job["node"], "run": {"id": job["run"], "by": job["by"], "ok": None}}
