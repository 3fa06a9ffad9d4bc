"""The ground a role stands on: its token, the config server, its callers' credentials, and where the other servers are.

A role's `main` reads: settings → `ground` → its own parts → `program.run([*ground.parts, …])`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nodeward.core import log
from nodeward.core.auth import CredentialCopy
from nodeward.core.client import Client
from nodeward.core.deeds import Shipper, tell
from nodeward.core.errors import NodewardError, Unavailable
from nodeward.core.files import SecretFile, await_secret, write_atomic
from nodeward.core.program import Part, Worker
from nodeward.core.refusals import Refusals, Refused
from nodeward.core.settings import Settings

REFRESH_SECONDS, REFUSALS_SECONDS, DEEDS_SECONDS = 5.0, 2.0, 1.0
OF_NODES, NODE_PATIENCE = ("nodeserver", "tailflog"), 5.0
TOKEN_PATIENCE = (
    60.0  # seconds; the config server mints the tokens when it first starts, and may start later than we do
)


@dataclass(frozen=True)
class Ground:
    """What every role but the config server begins with. `parts` go first into `program.run`."""

    token: Callable[[], str]
    config: Client
    credentials: CredentialCopy
    servers: "Servers"
    refusals: Refusals
    parts: list[Part]


class Servers:
    """Where the appliance's servers are, by role, as the config server says; the last answer is kept on disk."""

    def __init__(self, config: Client, token: Callable[[], str], cache: Path) -> None:
        self._config, self._token, self._cache = config, token, cache
        self._etag: str | None = None
        self._clients: dict[str, Client] = {}
        try:
            self._urls: dict[str, str] = json.loads(cache.read_text())
        except (OSError, ValueError):
            self._urls = {}  # none yet: the first refresh brings it

    def client(self, role: str) -> Client:
        """Return the client of the server with that role. Raise Unavailable while nobody knows where it is."""
        if role not in self._urls:
            self.refresh()
        url = self._urls.get(role)
        if url is None:
            raise Unavailable(
                f"Where the {role} is, is not known yet: the config server at {self._config.url} has not said."
            )
        client = self._clients.get(role)
        if client is None or client.url != url.rstrip("/"):
            client = self._clients[role] = Client(url, self._token)
        return client

    def refresh(self) -> bool:
        """Ask the config server. Return whether anything changed; raise NodewardError if it does not answer."""
        answer = self._config.get_if_changed("/api/v1/servers", self._etag)
        if answer is None:
            return False
        self._urls, self._etag = answer
        write_atomic(self._cache, json.dumps(self._urls))
        return True


def ground(settings: Settings, patience: float = TOKEN_PATIENCE) -> Ground:
    """Given a role's settings, return its ground. Raise ConfigError if its token is not there within `patience` seconds."""
    await_secret(settings.token_file, f"The token of {settings.role}", patience)
    token = SecretFile(settings.token_file, f"The token of {settings.role}")
    config = Client(settings.config_url, token)
    credentials = CredentialCopy(config, settings.data / "credentials.json")
    servers = Servers(config, token, settings.data / "servers.json")
    shipper = log.Shipper(settings, lambda: servers.client("logserver"))
    refusals = Refusals(lambda refused: config.post("/api/v1/refusals", _told(refused)))

    def refresh() -> bool:
        credentials.refresh()
        try:
            servers.refresh()
        except NodewardError:
            pass  # the credentials' refresh has said so already
        return False

    patience = NODE_PATIENCE if settings.role in OF_NODES else 0.0
    deeds = Shipper(settings.var, lambda deed: tell(config, deed, settings.place), patience)
    parts: list[Part] = [
        shipper,
        Worker("ground", refresh, idle=REFRESH_SECONDS),
        Worker("refusals", refusals.unit, idle=REFUSALS_SECONDS),
        Worker("deeds", deeds.unit, idle=DEEDS_SECONDS),
    ]
    return Ground(token, config, credentials, servers, refusals, parts)


def _told(refused: Refused) -> dict[str, str | None]:
    return {"who": refused.who, "address": refused.address, "what": refused.what}
