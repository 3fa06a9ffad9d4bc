"""What a value looks like in a table."""

import pytest

from nodeward.cli.output import text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        ([], "-"),
        ({}, "-"),
        (True, "yes"),
        (0, "0"),
        (["web", "db"], "web, db"),
        ({"dc": "sh", "rack": 7}, "dc=sh, rack=7"),
        ({"groups": ["web", "db"], "labels": {"dc": "sh"}}, "groups=web|db, labels=dc=sh"),
        ("\x1b[2Jgone\n", "\\x1b[2Jgone\\x0a"),
        ({"groups": ["\x1b"]}, "groups=\\x1b"),
    ],
)
def test_a_value_is_one_line_that_harms_no_terminal(value: object, shown: str) -> None:
    assert text(value) == shown
