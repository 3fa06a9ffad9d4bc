"""What a node server says when the config server gives it no bundle."""

from pathlib import Path
from typing import Any

import pytest

from nodeward.core.errors import NodewardError, NotAuthenticated, Unavailable
from nodeward.nodeserver.bundle import Pull
from nodeward.nodeserver.place import Place


class Refusing:
    """A config server that answers with an error."""

    def __init__(self, error: NodewardError) -> None:
        self._error = error

    def get_if_changed(self, *_: Any) -> None:
        raise self._error


def pull(error: NodewardError, tmp_path: Path) -> Pull:
    made = Pull(Refusing(error), "web-1", tmp_path / "token", Place(tmp_path / "bundle"), lambda: None)  # type: ignore[arg-type]
    made.unit()
    return made


def test_a_node_whose_credential_is_refused_says_what_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    revoked = NotAuthenticated("The token 'web-1' was revoked.")
    fault = pull(revoked, tmp_path).fault
    assert fault is not None and fault.startswith("The token 'web-1' was revoked. ")
    assert f"remove {tmp_path / 'token'} and restart the node server" in fault and "ask them first" in fault
    assert fault in caplog.text


def test_a_config_server_that_is_away_is_no_fault_of_the_node(tmp_path: Path) -> None:
    assert pull(Unavailable("It is away."), tmp_path).fault is None
