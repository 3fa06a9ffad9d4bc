"""Whether a batch that has the right form is in accord with itself: what is stored is never looked at so closely again."""

import numpy as np

from nodeward.core.batch import Batch
from nodeward.core.errors import BadInput
from nodeward.store.logblocks import rows


def check(batch: Batch) -> None:
    """Raise BadInput if a batch contradicts itself."""
    where = f"The batch of {batch.node}/{batch.source} at offset {batch.first}"
    _check_positions(batch, where)
    for name, kinds in (("texts", str), ("fields", dict), ("errors", str)):
        if not all(isinstance(value, kinds) for value in getattr(batch, name).values()):
            raise BadInput(f"{where}: {name} must map records to {'text' if kinds is str else 'names and values'}.")
    for fields in batch.fields.values():
        for name, value in fields.items():
            if type(name) is not str or not _can_be_shown(value):
                raise BadInput(f"{where}: field {name!r} has a value that is neither text, number, list nor map.")


def _check_positions(batch: Batch, where: str) -> None:
    offsets, ends = rows.column(batch, "offsets"), rows.column(batch, "ends")
    starts, stops = rows.column(batch, "message_starts"), rows.column(batch, "message_ends")
    if (offsets < 0).any() or batch.end >= 2**63:
        raise BadInput(f"{where}: an offset is 2^63 or more.")
    if (offsets[1:] <= offsets[:-1]).any() or batch.end <= offsets[-1]:
        raise BadInput(f"{where}: the offsets do not grow, or its end is not behind the last of them.")
    if (ends[1:] < ends[:-1]).any() or ends[-1] != len(batch.raw):
        raise BadInput(f"{where}: ends do not grow up to the {len(batch.raw)} bytes of raw.")
    lengths = np.diff(ends, prepend=0)
    if (starts > stops).any() or (stops > lengths).any():
        raise BadInput(f"{where}: a message is not a slice of its record.")


def _can_be_shown(value: object, depth: int = 0) -> bool:
    kind = type(value)
    if kind in (str, int, float, bool, type(None)):
        return True
    if depth > 8:
        return False
    if kind is list:
        return all(_can_be_shown(item, depth + 1) for item in value)  # type: ignore[attr-defined]
    if kind is dict:
        items = value.items()  # type: ignore[attr-defined]
        return all(type(name) is str and _can_be_shown(item, depth + 1) for name, item in items)
    return False
