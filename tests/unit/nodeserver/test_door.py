"""The node server's door: its copy of the keys, and who comes in."""

import pytest

from fakes.config import FakeConfig
from nodeward.core import clock, tokens
from nodeward.core.auth import Credential, Principal
from nodeward.core.client import Client
from nodeward.core.errors import NotAllowed, NotAuthenticated
from nodeward.core.tickets import Signer, new_key
from nodeward.nodeserver.door import Door, TicketKeys


class Credentials:
    """What this node knows of the credentials."""

    def __init__(self, config: FakeConfig) -> None:
        self._config = config

    def find(self, identifier: str) -> Credential | None:
        return next((Credential(**each) for each in self._config.credentials if each["id"] == identifier), None)


@pytest.fixture
def time():
    return [100.0]


@pytest.fixture
def keys(config, tmp_path, time):
    return TicketKeys(Client(config.url, config.node_token("web-1"), 60.0), tmp_path / "keys.json", lambda: time[0])


@pytest.fixture
def door(config, keys):
    return Door("web-1", keys, Credentials(config))


def admit(door, shown, method="GET", path="/api/v1/info"):
    return door.admit(f"Bearer {shown}", method, path, clock.now())


def test_who_shows_a_ticket_is_who_it_says(config, door):
    shown = config.ticket(config.node_token("web-2"), "web-1", "POST /api/v1/runs")
    who = admit(door, shown, "POST", "/api/v1/runs")
    assert who == Principal("web-2", "node", "web-2") and who.proof == shown and shown not in repr(who)


def test_a_ticket_ends_with_the_token_it_was_asked_with(config, door):
    shown = config.ticket(config.tokens["admin"], "web-1")
    assert admit(door, shown).role == "admin"
    config.revoke(config.tokens["admin"])
    with pytest.raises(NotAuthenticated, match="in force no more"):
        admit(door, shown)


def test_another_key_at_the_config_server_locks_nobody_out(config, door, keys, time):
    assert admit(door, config.ticket(config.tokens["viewer"], "web-1")).role == "viewer"
    old = config.ticket(config.tokens["viewer"], "web-1")
    config.signer, time[0] = Signer(new_key()), time[0] + 10
    assert admit(door, config.ticket(config.tokens["viewer"], "web-1")).role == "viewer"
    with pytest.raises(NotAuthenticated, match="not this appliance's"):
        admit(door, old)


def test_keys_are_kept_for_when_the_config_server_is_away(config, tmp_path, door):
    shown = config.ticket(config.tokens["viewer"], "web-1")
    admit(door, shown)
    away = TicketKeys(Client("http://127.0.0.1:9"), tmp_path / "keys.json")
    assert admit(Door("web-1", away, Credentials(config)), shown).role == "viewer"
    nothing = TicketKeys(Client("http://127.0.0.1:9"), tmp_path / "none.json")
    with pytest.raises(NotAuthenticated, match="not this appliance's"):
        admit(Door("web-1", nothing, Credentials(config)), shown)


def test_a_damaged_copy_of_the_keys_is_as_good_as_none(config, tmp_path):
    (tmp_path / "keys.json").write_text("[1]")
    keys = TicketKeys(Client(config.url, config.node_token("web-1")), tmp_path / "keys.json")
    assert keys.find(config.signer.id) == config.signer.public


def test_made_up_keys_keep_no_config_server_busy(config, keys, time):
    asked = []
    real = keys._config.get_if_changed
    keys._config.get_if_changed = lambda *given: asked.append(given) or real(*given)
    for number in range(50):
        assert keys.find(f"{number:012x}") is None
    assert len(asked) == 1


def test_no_token_opens_it(config, door):
    for each in ("", "x", tokens.mint()[0], *config.tokens.values(), config.node_token("web-1")):
        with pytest.raises(NotAuthenticated):
            admit(door, each)
    with pytest.raises(NotAuthenticated, match="needs a ticket"):
        door.admit(None, "GET", "/", 0)


def test_a_ticket_to_look_does_nothing(config, door):
    with pytest.raises(NotAllowed, match="The ticket is for GET, not for POST /api/v1/runs"):
        admit(door, config.ticket(config.tokens["admin"], "web-1"), "POST", "/api/v1/runs")
