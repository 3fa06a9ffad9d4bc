"""Checks that are run now, each on its node, and what they found."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from nodeward.core.errors import NodewardError
from nodeward.core.states import WORST_FIRST, is_problem
from nodeward.web import backends

NODE_ITSELF = "-"  # the node server's word for the check without a service
SECONDS = 70.0
MOST_NAMED = 5


class Outcome(NamedTuple):
    """What a check found: its state and first line; or, without a state, why it could not be run."""

    name: str
    state: str
    output: str


def running(node: str, service: str | None, name: str) -> Callable[[], Outcome]:
    """Return what runs the check of a node (service None) or service, and waits for its result."""

    def run() -> Outcome:
        try:
            row = _run(node, service)
        except NodewardError as error:
            return Outcome(name, "", error.detail)
        return Outcome(name, row["state"], row["output"])

    return run


def _run(node: str, service: str | None) -> dict[str, Any]:
    found = backends.config().get(f"/api/v1/objects/node/{node}")
    runner = found.get("object", found).get("checked_from") or node
    path = f"/api/v1/checks/{service or NODE_ITSELF}/run"
    row: dict[str, Any] = backends.node(runner).post(path, query={"node": node}, timeout=SECONDS)
    return row


def worst(outcomes: Iterable[Outcome]) -> str:
    """Return the worst state that was found, nothing if none was."""
    found = {outcome.state for outcome in outcomes}
    return next((state for state in WORST_FIRST if state in found), "")


def sentence(outcomes: list[Outcome]) -> str:
    """Say what came back: one result in full, of several how many there are of each state and which are problems."""
    checked = [outcome for outcome in outcomes if outcome.state]
    parts = [_results(checked)] if checked else []
    if failed := [outcome for outcome in outcomes if not outcome.state]:
        parts.append(f"Not checked: {_some([outcome.output for outcome in failed])}")
    return " ".join(parts)


def _results(checked: list[Outcome]) -> str:
    if len(checked) == 1:
        return _stopped(_one(checked[0]))
    counts = Counter(outcome.state for outcome in checked)
    shares = ", ".join(f"{counts[state]} {state}" for state in WORST_FIRST if counts[state])
    problems = [_one(outcome) for outcome in checked if is_problem(outcome.state)]
    return f"Checked: {shares}." + (f" {_some(problems)}" if problems else "")


def _one(outcome: Outcome) -> str:
    return f"{outcome.name} is {outcome.state}" + (f": {outcome.output}" if outcome.output else "")


def _some(sentences: list[str]) -> str:
    more = len(sentences) - MOST_NAMED
    return _stopped(
        "; ".join(each.rstrip(".") for each in sentences[:MOST_NAMED]) + (f"; {more} more" if more > 0 else "")
    )


def _stopped(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else text + "."
