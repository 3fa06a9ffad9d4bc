"""The words that reach a person: the flips that are due for one contact, as one message."""

from collections.abc import Callable, Sequence

from nodeward.core import clock
from nodeward.core import states as words
from nodeward.core.words import counted
from nodeward.monitor.definitions import Fleet
from nodeward.monitor.flips import RECOVERY, REMINDER, Flip
from nodeward.monitor.notifiers.base import Message
from nodeward.monitor.states import State
from nodeward.store.base_states import Key

_LISTED = 50
_WORST = {state: place for place, state in enumerate(words.WORST_FIRST)}


def compose(
    contact: str, flips: Sequence[Flip], fleet: Fleet, look: Callable[[Key], State | None], link: str = ""
) -> Message:
    """Return one message that tells of all `flips`, the worst first."""
    ordered = sorted(flips, key=lambda flip: (flip.kind == RECOVERY, _WORST.get(flip.state, 0), flip.at))
    told = [_paragraph(flip, fleet, look) for flip in ordered[:_LISTED]]
    if len(ordered) > _LISTED:
        told.append(f"… and {len(ordered) - _LISTED} more.")
    if link:
        told.append(link.rstrip("/") + "/problems")
    name = f"flip-{'-'.join(str(flip.id) for flip in ordered[:3])}-{len(ordered)}.{contact}".replace(" ", "_")
    return Message(name, _subject(ordered), "\n\n".join(told) + "\n", _severity(ordered))


def _subject(flips: Sequence[Flip]) -> str:
    if len(flips) == 1:
        flip = flips[0]
        again = {RECOVERY: " again", REMINDER: " still"}.get(flip.kind, "")
        return f"{_name(flip)} is{again if flip.kind == REMINDER else ''} {flip.state}{again if flip.kind == RECOVERY else ''}"
    problems = [flip for flip in flips if flip.kind != RECOVERY]
    nodes = sorted({flip.node for flip in flips})
    where = nodes[0] if len(nodes) == 1 else counted(len(nodes), "node")
    if not problems:
        return f"{counted(len(flips), 'problem')} on {where} are over"
    over = f", {len(flips) - len(problems)} over" if len(problems) < len(flips) else ""
    return f"{counted(len(problems), 'problem')}{over} on {where}: {_name(problems[0])} is {problems[0].state}"


def _paragraph(flip: Flip, fleet: Fleet, look: Callable[[Key], State | None]) -> str:
    before = "" if flip.before == flip.state else f" (was {flip.before})"  # the same: what was confirmed
    said = {RECOVERY: f"is {flip.state} again{before}", REMINDER: f"is still {flip.state}"}
    node = fleet.nodes.get(flip.node)
    address = f" ({node.address})" if node and node.address and node.address != flip.node else ""
    lines = [f"{_name(flip)}{address} {said.get(flip.kind, f'is {flip.state}{before}')} since {_time(flip.at)}."]
    if flip.output:
        lines.append(f"  {flip.output}")
    if flip.service is None and flip.kind != RECOVERY:
        lines += _hidden(flip.node, fleet, look)
    return "\n".join(lines)


def _hidden(name: str, fleet: Fleet, look: Callable[[Key], State | None]) -> list[str]:
    """What is not told separately, because this node is the cause."""
    nodes = _behind(name, fleet, look, set())
    services = len(fleet.services_of.get(name, ()))
    lines = [f"  Not told separately: its {counted(services, 'service')}."] if services else []
    if nodes:
        some = ", ".join(nodes[:10]) + (", …" if len(nodes) > 10 else "")
        lines.append(f"  Unreachable behind it: {len(nodes)} ({some}).")
    return lines


def _behind(name: str, fleet: Fleet, look: Callable[[Key], State | None], passed: set[str]) -> list[str]:
    found = []
    for child in sorted(fleet.behind.get(name, ())):
        state = look((child, None))
        if child not in passed and state is not None and state.state == "UNREACHABLE":
            passed.add(child)
            found += [child, *_behind(child, fleet, look, passed)]
    return found


def _severity(flips: Sequence[Flip]) -> str:
    problems = {flip.state for flip in flips if flip.kind != RECOVERY}
    return "success" if not problems else "warning" if problems == {"WARNING"} else "failure"


def _name(flip: Flip) -> str:
    return f"{flip.service} on {flip.node}" if flip.service else f"Node {flip.node}"


def _time(at: int) -> str:
    return clock.rfc3339(at)[:19] + "Z"
