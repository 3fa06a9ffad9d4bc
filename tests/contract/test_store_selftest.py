"""`nodeward selftest --store`: it tries everything, tells what fails, and leaves nothing behind."""

import pytest
from pymongo import MongoClient

from nodeward.core.errors import BadInput
from nodeward.store.selftest import CHECKS, run
from support.stores import STORES, uri_of


@pytest.mark.parametrize("request_", STORES, indirect=True)
def test_a_store_that_keeps_the_contracts_passes_and_is_left_as_it_was(request_: str) -> None:
    outcomes = list(run(request_))
    assert [one.fault for one in outcomes] == [""] * len(CHECKS)
    if request_.startswith("mongodb"):
        with MongoClient(request_) as client:
            assert not [name for name in client.list_database_names() if name.startswith("nodeward_selftest_")]


@pytest.fixture
def request_(request: pytest.FixtureRequest) -> str:
    """The URI of a store."""
    return uri_of(request)


def test_a_server_that_does_not_answer_is_told_in_a_sentence_each() -> None:
    with pytest.raises(BadInput, match="no kind of store"):
        list(run("redis://x"))
