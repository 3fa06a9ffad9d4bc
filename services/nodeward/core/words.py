"""Words that people read, the same on a page, in a message and on the command line."""

import re
from typing import Any


def escaped(harmful: re.Pattern[str], text: str) -> str:
    """Return text in which each character that is harmful stands as its number."""
    return harmful.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def whole_text(given: str) -> str:
    """Return text in which each byte that is none (a file's name, an argument of a process) stands as \\xNN."""
    try:
        data = given.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = given.encode("utf-8", "surrogatepass")
    return data.decode("utf-8", "backslashreplace")


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun: 1 node, 2 nodes, 3 batches ("s" is added where no other plural is given)."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def named(number: int, plural: str) -> str:
    """The same, of a noun that is known in its plural: "1 password" of ``passwords``; an underscore stands for a blank."""
    several = plural.replace("_", " ")
    return counted(number, _ONE.get(several) or several.removesuffix("s"), several)


_ONE = {"deliveries": "delivery", "series": "series"}


def again(event: dict[str, Any]) -> str:
    """Return what a state event is where the state was known before: a problem that is tried again, and then confirmed."""
    if event["before"] != event["state"]:
        return ""
    if event["state_type"] == "soft":
        return "still"
    return "confirmed" if event["attempts"] > 1 else "once more"


_TOLD = {"sent": "told to", "retrying": "not told yet to", "dropped": "not told to", "failed": "could not be told to"}


def told(event: dict[str, Any]) -> str:
    """Return what a notification event says beside the state: of what kind it is, to whom it went, what became of it."""
    kind = event.get("kind") or "change"  # events of earlier versions do not have it
    outcome = _TOLD.get(event["status"], f"{event['status']}:")
    by = f" by {event['channel']}" + (f" ({event['target']})" if event["target"] else "")
    more = {"retrying": ", tried again"}.get(event["status"], "")
    return f"{kind} {outcome} {event['contact']}{by}{more}"


def tried(event: dict[str, Any]) -> str:
    """Return what a state event says beside the state: whether the state was known before, and which attempt it was."""
    known = again(event)
    attempt = f"attempt {event['attempt']} of {event['attempts']}" if event["attempts"] > 1 else ""
    shown = attempt if event["state_type"] == "soft" or known else ""
    return ", ".join(part for part in (known, shown) if part)
