"""Hours of a day as periods write them: ``09:00-17:30``; ``22:00-06:00`` ends on the next day, ``00:00-24:00`` is all of it."""

import re

DAY = 24 * 60
_RANGE = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-(?:([01]?\d|2[0-3]):([0-5]\d)|24:00)")


def parse(text: str) -> tuple[int, int]:
    """Return a range as minutes from the day's midnight; an end past 1440 lies on the next day.

    Raise ValueError with a sentence if it is none.
    """
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} is not a range of hours; write for example 09:00-17:30, or 22:00-06:00 over midnight"
        )
    start = int(found[1]) * 60 + int(found[2])
    end = DAY if found[3] is None else int(found[3]) * 60 + int(found[4])
    if start == end:
        raise ValueError(f"{text!r} begins where it ends; the whole day is 00:00-24:00")
    return start, end if end > start else end + DAY
