"""How a log record looks on a terminal."""

from click.testing import CliRunner

from nodeward.cli.logs import _line, logs

RECORD = {
    "time": "2026-01-02T03:04:05.678901Z", "node": "web-1", "source": "auth", "ident": "sshd", "level": "info",
    "message": "Accepted key", "raw": "Jan  2 sshd: Accepted key", "parse_error": None,
}  # fmt: skip
LINE = "2026-01-02T03:04:05.678Z web-1 auth/sshd info: "


def test_a_record_is_a_line() -> None:
    assert _line(RECORD) == LINE + "Accepted key"


def test_a_record_that_did_not_fit_its_format_is_marked_and_shown_as_it_was_read() -> None:
    unparsed = {**RECORD, "message": "", "raw": "?? \x1b[2J", "parse_error": "no time"}
    assert _line(unparsed) == LINE + "[unparsed] ?? \\x1b[2J"
    assert _line({**unparsed, "message": "said"}) == LINE + "[unparsed] said"
    assert "[unparsed]" in CliRunner().invoke(logs, ["--help"]).output
