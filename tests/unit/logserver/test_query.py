import pytest

from nodeward.core.errors import BadInput
from nodeward.logserver import query
from nodeward.store.base import FieldTerm, Term

NOW = 1_795_521_600_000_000


@pytest.mark.parametrize(
    ("q", "terms"),
    [
        ("", []),
        ("   ", []),
        ("failed", [Term(b"failed")]),
        ("Failed  ROOT ", [Term(b"Failed"), Term(b"ROOT")]),
        ('"no such file"', [Term(b"no such file")]),
        (r'"say \"hi\" \\"', [Term(b'say "hi" \\')]),
        ("conn*", [Term(b"conn", right=False)]),
        ("*timeout", [Term(b"timeout", left=False)]),
        ("*out*", [Term(b"out", left=False, right=False)]),
        ("-debug", [Term(b"debug", exclude=True)]),
        ('-"a b"', [Term(b"a b", exclude=True)]),
        ("-*x*", [Term(b"x", True, False, False)]),
        ("10.0.0.1:443", [Term(b"10.0.0.1:443")]),
        ("/var/log", [Term(b"/var/log")]),
        ("error:", [Term(b"error:")]),
        ("größe", [Term("größe".encode())]),
        ('"*"', [Term(b"*")]),
    ],
)
def test_what_is_typed_means_what_people_mean(q, terms):
    assert query.parse(q).terms == terms


def test_names_and_fields_can_be_typed_too():
    parsed = query.parse('host:web-1,web-2 node:n source:"my app" fields.status:500 -fields.user:"a b" x')
    assert parsed.names == {"host": ["web-1", "web-2"], "node": ["n"], "source": ["my app"]}
    assert parsed.fields == [FieldTerm("status", "500"), FieldTerm("user", "a b", True)]
    assert parsed.terms == [Term(b"x")]


@pytest.mark.parametrize(
    ("q", "says"),
    [
        ('"open', "not closed"),
        ("-", "something is missing"),
        ("host:", "something is missing"),
        ('""', "something is missing"),
        ("*", "everywhere"),
        ("**", "everywhere"),
        ("fo*ar", "in the middle"),
        ('"a"b', "put a space there"),
        ("-host:a", "not possible"),
        ("x" * 5000, "at most"),
        ("x " * 60, "conditions"),
    ],
)
def test_what_cannot_be_understood_gets_a_sentence(q, says):
    with pytest.raises(ValueError, match=says):
        query.parse(q)


def test_one_level_means_that_and_worse_and_several_mean_those():
    assert query.levels("warning") == {0, 1, 2, 3, 4}
    assert query.levels("WARN") == {0, 1, 2, 3, 4}
    assert query.levels("info,none") == {6, 255}
    assert query.levels("error,") == {3}
    assert query.levels("none") == {255}


def test_levels_in_the_words_and_beside_them_must_both_hold():
    assert query.build(level="warning", q="level:info,error", now=NOW).levels == {3}


def test_every_fault_is_told_at_once():
    with pytest.raises(BadInput) as error:
        query.build(q='"open', regex="(", level="loud", from_="yesterday", to="never", now=NOW)
    assert [problem.path for problem in error.value.problems] == ["q", "level", "regex", "from", "to"]


def test_a_range_may_be_told_from_now():
    built = query.build(from_="15m", to="2026-11-24T12:00:00Z", now=NOW)
    assert (built.start, built.end) == (NOW - 15 * 60 * 1_000_000, NOW)
    with pytest.raises(BadInput, match="before it begins"):
        query.build(from_="1h", to="2h", now=NOW)
