"""Is a value one that JSON can have? YAML knows more: dates, numbers without end, keys that are no texts."""

from collections.abc import Iterator
from typing import Any

from nodeward.core.errors import Problem

MAX_DEPTH = 50
MAX_NUMBER = 2**63


def faults(value: Any, path: str = "", depth: int = 0) -> Iterator[Problem]:
    """Yield every part of a value that JSON cannot have, with its path."""
    if depth > MAX_DEPTH:
        yield Problem(path[:80], f"it is nested more than {MAX_DEPTH} levels deep")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _key_faults(key, path)
            yield from faults(each, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from faults(each, f"{path}[{place}]", depth + 1)
    elif why := _why_not(value):
        yield Problem(path, why)


def _key_faults(key: Any, path: str) -> Iterator[Problem]:
    if not isinstance(key, str):
        yield Problem(path, f"the key {key!r} must be text: write it in quotes")
    elif why := _why_not(key):
        yield Problem(path, f"of a key: {why}")


def _why_not(value: Any) -> str | None:
    if isinstance(value, str):
        return None if _is_whole(value) else "it holds half a character, which cannot be stored"
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return None if abs(value) <= MAX_NUMBER else f"{value} is no number that can be kept: write it in quotes"
    return f"{str(value)!r} is read as a {type(value).__name__}: write it in quotes if it is a text"


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
