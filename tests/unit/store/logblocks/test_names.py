import fnmatch

from hypothesis import given
from hypothesis import strategies as st

from nodeward.store.logblocks.names import one_of


@given(st.lists(st.text("ab*", max_size=6), min_size=1, max_size=3), st.text("ab", max_size=8))
def test_a_star_stands_for_any_run_of_characters(names, name):
    assert one_of(tuple(names))(name) == any(fnmatch.fnmatchcase(name, pattern) for pattern in names)


def test_no_names_fit_everything_and_many_stars_cost_nothing():
    assert one_of(())("anything")
    assert not one_of(("a*" * 200 + "b",))("a" * 5000)
