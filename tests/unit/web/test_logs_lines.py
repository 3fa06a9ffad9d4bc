from nodeward.web.log_lines import FRAME_LINES, MESSAGE_CHARS, Frame, as_text, line

BARE = {
    "id": "1", "time": "2026-11-24T12:00:00.000001Z", "node": "web-1", "source": "app", "host": None, "ident": None,
    "pid": None, "level": "info", "message": "hello", "raw": "hello", "parse_error": None,
}  # fmt: skip


def _lines(count, size=10):
    return [
        line({**BARE, "id": str(number), "time": f"2026-11-24T12:00:00.{number:06}Z", "message": "x" * size})
        for number in range(count)
    ]


def test_a_long_message_is_cut_and_says_by_how_much():
    found = line({**BARE, "message": "x" * (MESSAGE_CHARS + 7)})
    assert len(found[8]) == MESSAGE_CHARS
    assert found[9] == 7


def test_a_line_that_did_not_fit_its_format_shows_as_it_was_read():
    assert line({**BARE, "message": "", "raw": "as read", "parse_error": "no time"})[8:] == ("as read", 0, 1)


def test_a_frame_keeps_the_newest_lines_and_counts_the_others():
    frame = Frame()
    frame.add(_lines(FRAME_LINES + 3))
    assert len(frame.lines) == FRAME_LINES
    assert frame.gap() == {"skipped": 3, "from": "2026-11-24T12:00:00.000000Z", "to": "2026-11-24T12:00:00.000003Z"}


def test_a_frame_is_capped_by_bytes_but_never_empty():
    frame = Frame()
    frame.add(_lines(5, size=4000), most_bytes=9000)
    assert [one[0] for one in frame.lines] == ["3", "4"]
    frame.add(_lines(6, size=4000)[5:], most_bytes=1)
    assert [one[0] for one in frame.lines] == ["5"]
    assert frame.skipped == 5


def test_what_was_missed_elsewhere_widens_the_gap():
    frame = Frame()
    assert frame.gap() is None
    frame.miss(10, "2026-11-24T12:00:05.000000Z", "2026-11-24T12:00:06.000000Z")
    frame.miss(1, "2026-11-24T12:00:04.000000Z", "2026-11-24T12:00:04.000000Z")
    assert frame.gap() == {"skipped": 11, "from": "2026-11-24T12:00:04.000000Z", "to": "2026-11-24T12:00:06.000001Z"}


def test_a_downloaded_line_cannot_act_on_the_terminal_that_shows_it():
    text = as_text({**BARE, "message": "\x1b[31mred\x1b[0m\x1b]0;title\x07 a\nb\tc"})
    assert text == "2026-11-24T12:00:00.000001Z web-1 app info: red\\x1b]0;title\\x07 a\\x0ab\tc\n"
