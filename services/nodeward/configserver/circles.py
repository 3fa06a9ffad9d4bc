"""Circles: what leads back to itself, over runbooks that call others or nodes that lie behind others."""

from collections.abc import Callable, Iterable


def circle(start: str, onward: Callable[[str], Iterable[str]]) -> list[str]:
    """Return the way from `start` back to it, over the names that `onward` leads to from each, or nothing."""
    ways, seen = [[start]], set[str]()
    while ways:
        way = ways.pop()
        for name in onward(way[-1]):
            if name == start:
                return [*way, start]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []
