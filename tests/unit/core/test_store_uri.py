"""Where the password of a mongodb:// URI comes from."""

import pytest

from nodeward.core.errors import ConfigError
from nodeward.core.settings import Settings


@pytest.mark.parametrize(
    ("store", "want"),
    [
        ("sqlite:", "sqlite:"),
        ("mongodb://mongodb/nodeward", "mongodb://nodeward:p%2Fw%40@mongodb/nodeward?authSource=admin"),
        ("mongodb://mongodb", "mongodb://nodeward:p%2Fw%40@mongodb/?authSource=admin"),
        ("mongodb://a:1,b:2/x?w=1", "mongodb://nodeward:p%2Fw%40@a:1,b:2/x?w=1&authSource=admin"),
        ("mongodb://ada@host/x", "mongodb://ada:p%2Fw%40@host/x"),
        ("mongodb://ada:own@host/x", "mongodb://ada:own@host/x"),
    ],
)
def test_a_password_file_completes_a_uri_that_has_no_password(tmp_path, store, want):
    path = tmp_path / "password"
    path.write_text("p/w@\n")
    assert Settings(store=store, store_password_file=path).store_uri == want
    assert Settings(store=store).store_uri == store


def test_a_named_file_that_is_not_there_stops_the_program(tmp_path):
    with pytest.raises(ConfigError, match="NODEWARD_STORE_PASSWORD_FILE"):
        assert Settings(store="mongodb://host/x", store_password_file=tmp_path / "none").store_uri
