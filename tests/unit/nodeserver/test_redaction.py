"""A secret is found wherever it stands and however it comes; what is visible is what a person sees."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nodeward.nodeserver.runbooks.redact import BLOT, Redactor, Stream
from nodeward.nodeserver.runbooks.visible import Visible, visible

SECRET = "s3cr3t-Wörd!"


def redactor(*secrets):
    made = Redactor()
    for each in secrets or (SECRET,):
        made.add(each)
    return made


@pytest.mark.parametrize(
    "shown",
    [
        SECRET, f"password={SECRET};", "\x1b[1ms3cr\x1b[0m3t-\x1b[31mWörd!", "s3cr3t-\r\nWörd!", "s3cr3t \r-Wörd!",
        "s\b*3\b*" + SECRET,
        "".join(f"{each}\b*" for each in SECRET), "s3cr3t\x07-Wörd!",
        json.dumps(SECRET), base64.b64encode(SECRET.encode()).decode(),
        "s3cr3t-W%C3%B6rd%21", SECRET.encode().hex(), "s3cr3t-W\x1b]0;title\x07örd!",
    ],
)  # fmt: skip
def test_a_secret_is_blotted_out_however_it_is_shown(shown):
    told = redactor().text(f"before {shown} after")
    assert told.startswith("before ") and told.endswith(" after")
    assert BLOT in told
    assert "Wörd" not in visible(told)


def in_pieces(text, data):
    cuts = sorted(data.draw(some.lists(some.integers(0, len(text)), max_size=8)))
    stream = Stream(redactor())
    return "".join(stream.feed(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)) + stream.end()


@given(some.lists(some.text(alphabet="s3cr\x1b[0m\r\n -Wörd!t", max_size=12), max_size=12), some.data())
def test_no_cut_lets_a_secret_through(pieces, data):
    told = in_pieces(SECRET.join(pieces), data)
    assert SECRET not in told
    assert SECRET not in redactor().text(told)


@given(some.text(alphabet="s3cr\x1b[0m\r\n -W\b", max_size=60), some.data())
def test_what_is_no_secret_comes_through_whole(text, data):
    assert in_pieces(text, data) == text


def test_a_secret_cut_anywhere_is_not_shown():
    for cut in range(1, len(SECRET)):
        stream = Stream(redactor())
        told = [stream.feed("x" + SECRET[:cut]), stream.feed(SECRET[cut:] + "y"), stream.end()]
        assert "".join(told) == f"x{BLOT}y"


def test_without_secrets_nothing_is_held_back():
    stream = Stream(Redactor())
    assert stream.feed("\x1b") == "\x1b"


def test_keys_and_values_of_any_depth_are_looked_through():
    assert redactor().value({SECRET: [1, {"a": f"-{SECRET}-"}]}) == {BLOT: [1, {"a": f"-{BLOT}-"}]}


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("\x1b[1;31mred\x1b[0m\r\n", "red\n"), ("a\b \bb", "b"), ("\x1b]0;title\x07x", "x"), ("tab\tstays", "tab\tstays"),
        ("\x1b(B\x1b[?2004hx\x07", "x"), ("a\r\r\nb", "a\nb"), ("10%\r20%", "10%\n20%"),
    ],
)  # fmt: skip
def test_what_is_visible_is_what_a_person_sees(raw, seen):
    assert visible(raw) == seen


@given(some.integers(1, 5))
def test_a_control_sequence_may_come_in_pieces(size):
    raw, seen = "\x1b[1mPass\x1b[0mwort: \x1b]0;t\x07é☃\r\n", Visible()
    assert "".join(seen.feed(raw[at : at + size]) for at in range(0, len(raw), size)) + seen.end() == "Passwort: é☃\n"
