"""Tickets: what they say is what was signed, and they hold where and when they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nodeward.core import tickets
from nodeward.core.errors import NotAllowed, NotAuthenticated
from nodeward.core.tickets import SECOND, SKEW_SECONDS, Signer, Ticket

NOW = 1_800_000_000 * SECOND
SIGNER = Signer(tickets.new_key())


def ticket(**more):
    return Ticket.model_validate(
        {"id": "1", "name": "ada", "role": "operator", "at": "web-1", "may": "GET", "issued": NOW, "until": NOW + 300 * SECOND}
        | more
    )  # fmt: skip


def known(identifier):
    return SIGNER.public if identifier == SIGNER.id else None


@given(name=some.text(min_size=1, max_size=63), address=some.none() | some.text(max_size=40))
def test_what_was_signed_is_what_is_read(name, address):
    made = ticket(name=name, address=address, via="web", token="0123456789ab")
    assert tickets.read(SIGNER.sign(made), known) == made


def test_a_ticket_does_not_look_like_a_token_and_bears_no_secret():
    shown = SIGNER.sign(ticket())
    assert tickets.is_ticket(shown) and not shown.startswith("nw_")
    assert len(shown) < 500


@pytest.mark.parametrize("place", range(4))
def test_no_part_of_it_can_be_changed(place):
    parts = SIGNER.sign(ticket()).split(".")
    other = Signer(tickets.new_key()).sign(ticket(role="admin")).split(".")
    parts[place] = other[place] if place else "nwx"
    with pytest.raises(NotAuthenticated):
        tickets.read(".".join(parts), known)


def test_its_last_letter_can_be_no_other_either():
    shown = SIGNER.sign(ticket())
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for letter in letters.replace(shown[-1], ""):
        with pytest.raises(NotAuthenticated):
            tickets.read(shown[:-1] + letter, known)


@given(shown=some.text(max_size=300) | some.from_regex(r"nwt\.[0-9a-f]{12}\.[A-Za-z0-9_-]{1,50}\.[A-Za-z0-9_-]{86}"))
def test_what_is_made_up_is_refused_whatever_it_is(shown):
    with pytest.raises(NotAuthenticated):
        tickets.read(shown, lambda _: SIGNER.public)


def test_what_was_signed_by_us_and_is_no_ticket_is_refused():
    key = SIGNER._key
    said = f"nwt.{SIGNER.id}.{tickets._text(b'[1]')}"
    with pytest.raises(NotAuthenticated, match="not as the config server signed it"):
        tickets.read(f"{said}.{tickets._text(key.sign(said.encode()))}", known)


@pytest.mark.parametrize("seconds", [-SKEW_SECONDS, 0, 299, 299 + SKEW_SECONDS])
def test_it_holds_in_its_time_and_a_clock_may_be_a_little_off(seconds):
    tickets.must_hold(ticket(), "web-1", NOW + seconds * SECOND)


@pytest.mark.parametrize(
    ("node", "seconds", "sentence"),
    [
        ("web-2", 0, "is for node 'web-1'; this is 'web-2'"), ("web-1", 300 + SKEW_SECONDS, "The ticket ended at"),
        ("web-1", -SKEW_SECONDS - 1, "compare this node's clock"), ("WEB-1", 0, "is for node"),
    ],
)  # fmt: skip
def test_it_does_not_hold_elsewhere_nor_at_another_time(node, seconds, sentence):
    with pytest.raises(NotAuthenticated, match=sentence):
        tickets.must_hold(ticket(), node, NOW + seconds * SECOND)


@pytest.mark.parametrize(
    ("may", "method", "path", "allowed"),
    [
        ("GET", "GET", "/api/v1/info", True), ("GET", "HEAD", "/x", True), ("GET", "POST", "/api/v1/runs", False),
        ("POST /api/v1/runs", "POST", "/api/v1/runs", True), ("POST /api/v1/runs", "PUT", "/api/v1/runs", False),
        ("POST /api/v1/runs", "GET", "/api/v1/runs", False), ("POST /api/v1/runs", "POST", "/api/v1/runs/1/stop", False),
        ("POST /api/v1/runs/", "POST", "/api/v1/runs", False),
        ("POST /api/v1/checks/a%2Fb/run", "POST", "/api/v1/checks/a/b/run", True),
        ("POST /api/v1/checks/a b/run", "POST", "/api/v1/checks/a b/run", True),
    ],
)  # fmt: skip
def test_it_is_for_looking_or_for_a_single_deed(may, method, path, allowed):
    assert tickets.allows(may, method, path) is allowed
    if not allowed:
        with pytest.raises(NotAllowed, match="The ticket is for"):
            tickets.must_allow(ticket(may=may), method, path)


@pytest.mark.parametrize("key", ["", "x", "ä", "A" * 42, "A" * 44])
def test_a_key_that_is_none_is_told(key):
    with pytest.raises(ValueError):
        Signer(key)
