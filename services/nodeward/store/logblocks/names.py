"""Names as a query gives them: plain, or with ``*`` for any run of characters."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def fitting(table: Sequence[Any], kind: str, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return which entries of a table are one of `names`; an entry is a name, or a stream that has one as its `kind`."""
    values = table if kind in ("host", "ident") else [getattr(entry, kind) for entry in table]
    return np.array(list(map(one_of(names), values)), np.bool_)


@functools.lru_cache(256)
def one_of(names: tuple[str, ...]) -> Callable[[str], bool]:
    """Return the test whether a name is one of `names`, in which ``*`` stands for any run of characters; none: always."""
    plain = frozenset(name for name in names if "*" not in name)
    patterns = [name.split("*") for name in names if "*" in name]
    if not names:
        return lambda name: True
    if not patterns:
        return plain.__contains__
    return lambda name: name in plain or any(_fits(parts, name) for parts in patterns)


def _fits(parts: list[str], name: str) -> bool:
    """Say whether `name` is the parts with anything between them; each part is taken as early as possible."""
    first, *middle, last = parts
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    position, end = len(first), len(name) - len(last)
    for part in middle:
        position = name.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True
