"""The stores that every contract runs on, as NODEWARD_STORE would name them."""

import pytest

STORES = ["sqlite", pytest.param("mongodb", marks=pytest.mark.mongodb)]


def uri_of(request: pytest.FixtureRequest) -> str:
    """Return the URI of an empty store of the kind that the test was given."""
    return str(request.getfixturevalue("mongodb")) if request.param == "mongodb" else "sqlite:"
