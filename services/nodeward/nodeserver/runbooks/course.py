"""The course of a run: its steps one after the other, what each results in, what is tried again, what is done at the end."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nodeward.core import runbook_names
from nodeward.core.errors import NodewardError
from nodeward.core.expressions import Names
from nodeward.core.runbook import Plan, Step
from nodeward.nodeserver.runbooks import tree
from nodeward.nodeserver.runbooks.control import Control, Gone, Stopped
from nodeward.nodeserver.runbooks.dialogue import Failed
from nodeward.nodeserver.runbooks.journal import Journal
from nodeward.nodeserver.runbooks.redact import Redactor

Result = dict[str, Any]

SUCCEEDED, FAILED, STOPPED, INTERRUPTED = "succeeded", "failed", "stopped", "interrupted"
ENDS = (SUCCEEDED, FAILED, STOPPED, INTERRUPTED)


def result(**known: Any) -> Result:
    """Return a step's result: every field, also where it says nothing."""
    empty: Result = dict.fromkeys(sorted(runbook_names.RESULT))
    return {**empty, "ok": True, "skipped": False, "output": "", **known}


@dataclass
class Course:
    """A run under way: what its steps know and what they tell."""

    job: dict[str, Any]
    plan: Plan
    names: Names
    values: dict[str, Any]
    journal: Journal
    control: Control
    redactor: Redactor
    until: float = 0.0  # when the whole run must be over

    def fill(self, text: str) -> str:
        """Return a text with its expressions filled in. Raise Failed if that cannot be."""
        made = self.value(text)
        if made is None or isinstance(made, list | dict):
            raise Failed(f"{text!r} gives {'nothing' if made is None else 'a list'} here, where a text is wanted.")
        return str(made).lower() if isinstance(made, bool) else str(made)

    def value(self, text: str) -> Any:
        """Return what a text gives: a text, or the value of the one expression that it is."""
        try:
            return runbook_names.template(text, self.names)(self.values)
        except ValueError as error:
            raise Failed(f"{text!r} cannot be filled in: {error}.") from None

    def words(self, given: Sequence[str]) -> list[str]:
        """Return an argument vector filled in, each word as one. Raise Failed if a secret would get into it."""
        made = [self.fill(word) for word in given]
        if any(self.redactor.holds(word) for word in made):
            raise Failed("an argument would hold a secret, and everybody can read a program's arguments.")
        if any("\0" in word for word in made):
            raise Failed("an argument would hold a NUL character, which none can.")
        return made

    def holds(self, expression: str, more: Result | None = None) -> bool:
        """Whether a condition is true; `more` is what it knows as `result`."""
        names = self.names if more is None else {**self.names, "result": None}
        try:
            return bool(runbook_names.condition(expression, names)({**self.values, "result": more}))
        except ValueError as error:
            raise Failed(f"the condition {expression!r} cannot be told: {error}.") from None


Act = Callable[[Course, Step, float], Result]


def run(course: Course, act: Act) -> tuple[str, str]:
    """Carry out a plan. Return how it ended, and a sentence. Where it was cut short, everything that it started is ended."""
    course.journal.tell("begin", steps=[{"path": path, "title": step.title} for path, step in _all(course.plan)])
    try:
        state, detail = _phase(course, act, "steps", course.plan.steps)
        course.values["run"] |= {"ok": state == SUCCEEDED}
        if course.plan.always:
            course.until = max(course.until, time.monotonic() + sum(step.timeout for step in course.plan.always))
            after, why = _phase(course, act, "always", course.plan.always)
            state, detail = (after, why) if state == SUCCEEDED else (state, detail)
    except Gone:
        state, detail = INTERRUPTED, "The node server ended while it ran, so it was ended as well."
        _end_everything(course)
    return state, detail


def _phase(course: Course, act: Act, part: str, steps: Sequence[Step]) -> tuple[str, str]:
    for place, step in enumerate(steps):
        path = f"{part}[{place}]"
        try:
            _step(course, act, path, step)
        except Stopped as stopped:
            course.journal.tell("stopping", by=str(stopped))
            _end_everything(course)
            course.journal.tell(
                "step", path=path, title=_title(course, step), state="stopped", detail=f"Stopped by {stopped}."
            )
            return STOPPED, f"Stopped by {stopped}."
        except (Failed, NodewardError) as failure:
            detail = _sentence(str(failure))
            course.journal.tell("step", path=path, title=_title(course, step), state="failed", detail=detail)
            if step.on_error == "fail":
                return FAILED, f"{_title(course, step)[:100]}: {detail}"
    return SUCCEEDED, ""


def _step(course: Course, act: Act, path: str, step: Step) -> None:
    """Carry out one step, as often as it takes. Raise Failed if it did not go well in the end."""
    course.control.check()
    if step.when is not None and not course.holds(step.when):
        course.journal.tell("step", path=path, title=_title(course, step), state="skipped")
        _keep(course, step, result(ok=False, skipped=True))
        return
    attempts = step.retry.attempts if step.retry else 1
    for attempt in range(1, attempts + 1):
        course.journal.tell("step", path=path, title=_title(course, step), state="running", attempt=attempt)
        found = _attempt(course, act, step)
        _keep(course, step, found)
        if found["ok"]:
            course.journal.tell("step", path=path, title=_title(course, step), state="ok", attempt=attempt)
            return
        if step.retry is None or attempt == attempts:
            raise Failed(str(found["error"]))
        course.journal.tell("note", text=f"Attempt {attempt} of {attempts}: {found['error']}")
        course.control.wait(min(step.retry.delay, max(0.0, course.until - time.monotonic())))


def _attempt(course: Course, act: Act, step: Step) -> Result:
    until = min(time.monotonic() + step.timeout, course.until)
    try:
        if time.monotonic() >= course.until:
            raise Failed(f"the run's {course.plan.timeout:g} s are over.")
        found = act(course, step, until)
    except NodewardError as error:
        return result(ok=False, error=str(error))
    except Failed as failure:
        return {**(failure.args[1] if len(failure.args) > 1 else result()), "ok": False, "error": str(failure.args[0])}
    if found["ok"] and step.retry and step.retry.until and not course.holds(step.retry.until, found):
        return {**found, "ok": False, "error": f"{step.retry.until} is not true."}
    return found


def _title(course: Course, step: Step) -> str:
    """Return what people see of a step, its values filled in where that can be."""
    if step.name or step.shell:
        return step.title
    try:
        return course.fill(step.title)
    except Failed:
        return step.title


def _keep(course: Course, step: Step, found: Result) -> None:
    if step.register_:
        course.values[step.register_] = found


def _end_everything(course: Course) -> None:
    if not tree.end(tree.below):
        course.journal.tell("note", text="Something that it started cannot be ended; the kernel does not let go of it.")
    tree.reap()


def _all(plan: Plan) -> list[tuple[str, Step]]:
    return [(f"{part}[{place}]", step) for part, steps in (("steps", plan.steps), ("always", plan.always))
            for place, step in enumerate(steps)]  # fmt: skip


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
