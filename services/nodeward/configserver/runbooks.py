"""What holds between runbooks, and between them and the nodes: what is called is there, and gets what it needs."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from nodeward.configserver.circles import circle
from nodeward.core import expressions, runbook, runbook_names
from nodeward.core.errors import Problem
from nodeward.core.faults import problems_of
from nodeward.core.runbook import Call, Plan
from nodeward.store.base_registry import Key

Bodies = Mapping[Key, dict[str, Any]]


def between(bodies: Bodies, refused: Collection[Key], name: str) -> Iterator[Problem]:
    """Yield what is wrong with a runbook among the others. One that was refused itself is not looked into."""
    body = bodies[Key("runbook", name)]
    try:
        plan = runbook.plan(body)
    except ValidationError as error:
        for each in problems_of(error):
            yield Problem(each.path, f"{each.message}. It was kept before this was verified: change it, or delete it")
        return
    hidden = runbook_names.secrets_of(body)
    for path, step in _steps(plan):
        if step.call is not None:
            yield from _nodes(bodies, f"{path}.call.nodes", step.call.nodes)
            called = Key("runbook", step.call.runbook)
            if called in bodies:
                if (theirs := _called(bodies, called.name)) is not None:
                    yield from _arguments(theirs, step.call, hidden, f"{path}.call")
            elif called not in refused:
                yield Problem(f"{path}.call.runbook", f"there is no runbook '{called.name}'")
        for where, node in _named(step, path):
            yield from _nodes(bodies, where, node)
    if way := circle(name, lambda each: sorted(calls(bodies, each))):
        yield Problem("steps", f"it calls itself: {' → '.join(way)}")


def calls(bodies: Bodies, name: str) -> set[str]:
    """Return the runbooks that a runbook calls itself."""
    body = bodies.get(Key("runbook", name))
    steps = [step for _, step in runbook_names.steps_of(body or {})]
    return {str(step["call"]["runbook"]) for step in steps if isinstance(step.get("call"), dict)}


def _steps(plan: Plan) -> Iterator[tuple[str, runbook.Step]]:
    for part, steps in (("steps", plan.steps), ("always", plan.always)):
        for place, step in enumerate(steps):
            yield f"{part}[{place}]", step


def _named(step: runbook.Step, path: str) -> Iterator[tuple[str, str]]:
    """Yield the nodes that a step names."""
    if step.copy_ is not None:
        for key, place in (("from", step.copy_.source), ("to", step.copy_.to)):
            if place.node is not None:
                yield f"{path}.copy.{key}.node", place.node
    if step.ssh is not None and step.ssh.node is not None:
        yield f"{path}.ssh.node", step.ssh.node


def _nodes(bodies: Bodies, path: str, named: str | list[str]) -> Iterator[Problem]:
    for name in [named] if isinstance(named, str) else named:
        if "{{" not in name and Key("node", name) not in bodies:
            yield Problem(path, f"there is no node '{name}'")


def _called(bodies: Bodies, name: str) -> Plan | None:
    """Return the plan of a runbook that is called; None if it is not valid, which is told of itself."""
    try:
        return runbook.plan(bodies[Key("runbook", name)])
    except ValidationError:
        return None


def _arguments(called: Plan, call: Call, hidden: set[str], path: str) -> Iterator[Problem]:
    for name, given in call.parameters.items():
        where = f"{path}.with.{name}"
        parameter = called.parameters.get(name)
        if parameter is None:
            there = ", ".join(called.parameters) or "none"
            yield Problem(where, f"runbook '{call.runbook}' has no such parameter; there are {there}")
            continue
        used = {word for each in expressions.insertions(str(given)) for word in expressions.names_in(each)}
        if used & hidden and parameter.type != "secret":
            yield Problem(where, "a secret can only be handed to a parameter of type secret")
        if not used:
            try:
                parameter.value(given)
            except ValueError as error:
                yield Problem(where, str(error))
    for name, parameter in called.parameters.items():
        if parameter.must_be_given and name not in call.parameters:
            yield Problem(f"{path}.with", f"'{name}' is missing: runbook '{call.runbook}' needs it")
    if any(step.ask for _, step in _steps(called)):
        yield Problem(
            f"{path}.runbook",
            f"'{call.runbook}' asks the operator, whom it has not; ask before, hand the answer on",
        )
