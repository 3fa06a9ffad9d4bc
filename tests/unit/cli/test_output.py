"""What a value looks like in a table."""

import pytest

from nodeward.cli.output import LAST, LEAST, fit, printed, show, text


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
        ("2026-11-26T22:08:51.123456Z", "2026-11-26 22:08:51Z"),
        ("\x1b[2Jgone\n", "\\x1b[2Jgone\\x0a"),
        ({"groups": ["\x1b"]}, "groups=\\x1b"),
    ],
)
def test_a_value_is_one_line_that_harms_no_terminal(value: object, shown: str) -> None:
    assert text(value) == shown


@pytest.mark.parametrize(
    ("widths", "room", "fitting"),
    [
        ([4, 10, 20], 80, [4, 10, 20]),
        ([4, 10, 200], 80, [4, 10, 62]),  # the last one gets what is left, and goes on below itself
        ([30, 40, 200], 60, [18, 18, LAST]),
        ([4, 40, 10], 40, [4, 22, 10]),
        ([60, 60, 60], 10, [LEAST, LEAST, LAST]),  # no terminal is that narrow
        ([100], 80, [80]),
    ],
)
def test_a_table_fits_its_terminal(widths: list[int], room: int, fitting: list[int]) -> None:
    assert fit(widths, room) == fitting


def test_a_time_is_shown_whole_or_not_at_all() -> None:
    assert fit([20, 30, 100], 60, rigid={0}) == [20, 16, LAST]
    assert fit([20, 30, 100], 10, rigid={0, 1}) == [20, 30, LAST]


def test_where_there_is_no_terminal_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"node": "n" * 90, "output": "word " * 60}], "table", ["node", "output"])
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2 and "…" not in out[1] and out[1].count("word") == 60


def test_a_line_can_be_made_of_a_row_and_programs_still_get_the_row(capsys: pytest.CaptureFixture[str]) -> None:
    for output, shown in (("table", "A\n2\n"), ("json", '[\n  {\n    "a": 1\n  }\n]\n'), ("yaml", "- a: 1\n")):
        show([{"a": 1}], output, lambda row: {"a": row["a"] + 1})
        assert capsys.readouterr().out == shown
    show([], "table", lambda row: row, "There is none.")
    assert capsys.readouterr() == ("", "There is none.\n")


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("\x1b[31mred\x1b[0m\r\n\x1b[2J", "\x1b[31mred\x1b[0m\r\n\x1b[2J"),
        ("\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\x07"),
        ("\x1bP$q\x1b\\", "\\x1bP$q\x1b\\"),
        ("\x9d0;title\x9c", "\\x9d0;title\x9c"),
        ("torn\x1b", "torn\\x1b"),
    ],
)
def test_what_a_program_printed_reaches_nothing_beyond_the_screen(output: str, shown: str) -> None:
    assert printed(output) == shown
