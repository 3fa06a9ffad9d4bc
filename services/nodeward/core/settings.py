"""Settings: each declared once, with its type, default and sentence; read from the environment.

A role's settings are a subclass of `Settings`. Names are `NODEWARD_<FIELD>` for what all share and
`NODEWARD_<ROLE>_<FIELD>` for a role's own.
"""

import os
import socket
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodeward.core.errors import ConfigError, Problem
from nodeward.core.files import read_secret
from nodeward.core.ports import PORTS as PORTS  # settings.PORTS and settings.port are what the roles use
from nodeward.core.ports import port as port

_HOME = Path(__file__).resolve().parents[3]


class Settings(BaseModel):
    """What every program of Nodeward reads. A subclass sets `role` and adds its own fields."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    role: str = Field("program", exclude=True)

    var: Path = Field(Path("var"), description="Where all state lies: data, spools, logs, secrets.")
    home: Path = Field(
        _HOME, description="Where config/ and images/ lie (the checkout, or /opt/nodeward in the images)."
    )
    node: str = Field(
        default_factory=lambda: socket.gethostname().split(".")[0],
        description="The name this machine has at the config server.",
    )
    bind: str = Field("127.0.0.1", description="The address that listeners bind.")
    store: str = Field("sqlite:", description="sqlite: (embedded, under NODEWARD_VAR) or a mongodb:// URI.")
    store_password_file: Path | None = Field(
        None,
        description="The file with the password for a mongodb:// URI that has none; its user is nodeward if it names none.",
    )
    configserver_url: str = Field("", description="Where the config server is; by default port 7401 of this machine.")
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="The least level a program logs."
    )

    @property
    def config_url(self) -> str:
        """The config server's base URL."""
        return self.configserver_url or f"http://127.0.0.1:{port('configserver')}"

    @property
    def store_uri(self) -> str:
        """`store` with the password in it, where that lies in a file of its own."""
        scheme, _, rest = self.store.partition("://")
        user, at, hosts = rest.rpartition("@")
        if self.store_password_file is None or not scheme.startswith("mongodb") or ":" in user:
            return self.store
        password = read_secret(self.store_password_file, "NODEWARD_STORE_PASSWORD_FILE")
        place = hosts if "/" in hosts else f"{hosts}/"
        source = "" if at or "authSource=" in place else ("&" if "?" in place else "?") + "authSource=admin"
        return f"{scheme}://{user or 'nodeward'}:{quote(password, safe='')}@{place}{source}"

    @property
    def secrets(self) -> Path:
        """The directory that holds this role's own secrets, and no other role's."""
        return self.var / "secrets" / self.role

    @property
    def token_file(self) -> Path:
        """The file with the token that this role shows to other roles."""
        return self.secrets / "token"

    @property
    def data(self) -> Path:
        """The directory that this role, and no other, keeps its data in."""
        return self.var / self.role

    @property
    def place(self) -> str:
        """Where the programs under `var` run, for people: the node, or in a server's container that server."""
        image = os.environ.get("NODEWARD_IMAGE")
        return image if image and image != "node" else self.node


SettingsType = TypeVar("SettingsType", bound=Settings)


def variable(settings: type[Settings], field: str) -> str:
    """Return the environment variable that sets `field`."""
    if field in Settings.model_fields:
        return f"NODEWARD_{field.upper()}"
    return f"NODEWARD_{settings.model_fields['role'].default.upper()}_{field.rstrip('_').upper()}"


def load(settings: type[SettingsType], **given: Any) -> SettingsType:
    """Return `settings` filled from the environment; `given` values win. Raise ConfigError that names every bad variable."""
    found = {
        field: os.environ[variable(settings, field)]
        for field in settings.model_fields
        if field != "role" and os.environ.get(variable(settings, field))
    }
    try:
        loaded = settings(**{**found, **given})
    except ValidationError as error:
        problems = [
            Problem(variable(settings, str(fault["loc"][0])) if fault["loc"] else "", fault["msg"])
            for fault in error.errors()
        ]
        raise ConfigError(f"The settings of {settings.model_fields['role'].default} are not valid.", problems) from None
    loaded.var = loaded.var.absolute()
    return loaded
