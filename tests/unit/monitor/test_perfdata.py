"""Performance data, as plugins of the real world write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nodeward.monitor.perfdata import Measure, parse


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("load1=0.5;5;10;0", Measure("load1", 0.5, "", "5", "10")),
        ("/=2643MB;5948;5958;0;5968", Measure("/", 2643, "MB", "5948", "5958")),
        ("'free space'=12%;@10:20;~:5", Measure("free space", 12, "%", "@10:20", "~:5")),
        ("'it''s'=1", Measure("it's", 1)),
        ("a=b=3", Measure("a=b", 3)),
        ("multi::check::label=4ms", Measure("multi::check::label", 4, "ms")),
        ("traffic=1e10c", Measure("traffic", 1e10, "c")),
        ("x=+5", Measure("x", 5)),
        ("x=-.5", Measure("x", -0.5)),
        ("x=U;1;2", Measure("x", None, "", "1", "2")),
        ("rate=3b/s", Measure("rate", 3, "b/s")),
        ("x=1;;;", Measure("x", 1)),
    ],
)
def test_an_item_is_read(text: str, want: Measure) -> None:
    assert parse(text) == ([want], [])


@pytest.mark.parametrize("text", ["x=1,5", "x", "=5", "x=abc", "x=1.2.3", "x=1e999", "'open=5", "x="])
def test_an_item_that_is_in_doubt_is_handed_back(text: str) -> None:
    measures, unread = parse(text)
    assert measures == [] and unread == [text]


def test_one_bad_item_leaves_the_others() -> None:
    measures, unread = parse("a=1 b=1,5 c=3s")
    assert [measure.label for measure in measures] == ["a", "c"]
    assert unread == ["b=1,5"]


def test_a_plugin_gone_wild_is_cut_off() -> None:
    measures, unread = parse(" ".join(f"x{number}=1" for number in range(1500)))
    assert (len(measures), len(unread)) == (1000, 500)


@given(some.text(max_size=300))
def test_nothing_makes_it_fail_or_get_lost(text: str) -> None:
    measures, unread = parse(text)
    assert bool(measures or unread) == bool(text.strip())
