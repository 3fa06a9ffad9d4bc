"""Refusals reach the audit list, and cannot fill it."""

from nodeward.core.errors import Unavailable
from nodeward.core.refusals import MOST, WINDOW, Refusals, Refused


class Book:
    def __init__(self) -> None:
        self.now, self.lines, self.away = 0.0, list[Refused](), False
        self.refusals = Refusals(self.tell, lambda: self.now)

    def tell(self, refused: Refused) -> None:
        if self.away:
            raise Unavailable("away")
        self.lines.append(refused)

    def hear(self, who: str = "mallory", address: str = "192.0.2.1", what: str = "GET /x") -> None:
        self.refusals.hear(Refused(who, address, what))

    def told(self) -> list[Refused]:
        while self.refusals.unit():
            pass
        found, self.lines = self.lines, []
        return found


def test_the_first_refusal_is_told_at_once_and_the_rest_in_one_line_when_the_window_ends() -> None:
    book = Book()
    for _ in range(1000):
        book.hear()
    assert book.told() == [Refused("mallory", "192.0.2.1", "GET /x")]
    book.now = WINDOW
    assert book.told() == [Refused("mallory", "192.0.2.1", "GET /x (999 more within 10 minutes)")]
    book.now = 2 * WINDOW
    assert book.told() == []
    book.hear()
    assert len(book.told()) == 1


def test_an_attacker_with_many_names_and_addresses_makes_few_lines() -> None:
    book = Book()
    for number in range(10_000):
        book.hear(f"name-{number}", f"2001:db8::{number:x}")
    assert len(book.told()) == MOST + 1
    book.now = WINDOW
    assert [line.who for line in book.told()] == ["many callers"]


def test_what_a_stranger_sends_is_short_and_plain() -> None:
    book = Book()
    book.hear("a" * 10_000, what="GET /\x1b[31m\n" + "x" * 10_000)
    (line,) = book.told()
    assert len(line.who) == 100 and len(line.what) == 300
    assert line.what.startswith("GET /?[31m?x")


def test_lines_wait_for_a_config_server_that_is_away_and_keep_their_order() -> None:
    book = Book()
    book.away = True
    for who in "abc":
        book.hear(who)
    assert not book.refusals.unit()
    book.away = False
    assert [line.who for line in book.told()] == ["a", "b", "c"]
