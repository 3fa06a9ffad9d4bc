"""What a message says."""

import pytest

from nodeward.monitor.definitions import Fleet
from nodeward.monitor.flips import Flip
from nodeward.monitor.messages import _paragraph


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("CRITICAL", "disk on web-1 is CRITICAL since "),  # soft before, now confirmed
        ("WARNING", "disk on web-1 is CRITICAL (was WARNING) since "),
    ],
)
def test_the_state_before_is_told_if_it_was_another(before: str, said: str) -> None:
    flip = Flip(1, "web-1", "disk", "problem", "CRITICAL", before, 1_700_000_000_000_000, "full", 1, 0)
    assert _paragraph(flip, Fleet(), lambda key: None).startswith(said)
