"""What the config server sees to at every start: the appliance's own secrets, the first administrator, the first fleet.

Each step looks at what is there and does what is missing, so a start that was cut off is finished by the next.
"""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nodeward.configserver import documents
from nodeward.configserver.credentials import Credentials
from nodeward.configserver.documents import Document
from nodeward.configserver.people import People
from nodeward.configserver.registry import Registry
from nodeward.configserver.settings import ConfigserverSettings
from nodeward.core import tokens
from nodeward.core.auth import ADMIN, SERVICE
from nodeward.core.errors import BadInput, ConfigError
from nodeward.core.files import read_secret, write_secret
from nodeward.core.ports import PORTS, port
from nodeward.core.tickets import Signer, new_key
from nodeward.store.base_registry import Key

OWN = {"configserver": SERVICE, "logserver": SERVICE, "monitor": SERVICE, "web": SERVICE, "cli": ADMIN}
ADMINISTRATOR = "admin"
WHO = "first start"
_VARIABLE = re.compile(r"\$\{([a-z_.]+)\}")


def own_tokens(settings: ConfigserverSettings, credentials: Credentials) -> None:
    """See to it that each server of the appliance, and the CLI, has a token in its place that is in force."""
    for role, reach in OWN.items():
        path = settings.var / "secrets" / role / "token"
        if not _is_in_force(path, role, credentials):
            old = [each.id for each in credentials.in_force() if each.name == role and each.role == reach]
            write_secret(path, credentials.make(role, reach, replacing=old))


def enrolment_key(settings: ConfigserverSettings) -> Path:
    """See to it that there is an enrolment key, and return the file it lies in."""
    path = settings.var / "secrets" / "node" / "enrol"
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(32))
    return path


def signer(settings: ConfigserverSettings) -> Signer:
    """See to it that there is a key that signs tickets, and return what signs with it. Raise ConfigError if it is none."""
    path = settings.var / "secrets" / "configserver" / "ticket-key"
    if not path.exists():
        write_secret(path, new_key())
    try:
        return Signer(read_secret(path, "The key that signs tickets"))
    except ValueError:
        raise ConfigError(
            f"The key that signs tickets: {path} holds none. Remove the file, and a new key is made, "
            "which the nodes learn by themselves."
        ) from None


def administrator(settings: ConfigserverSettings, registry: Registry, people: People) -> Path | None:
    """See to it that somebody can log in: `admin`, with the password of NODEWARD_ADMIN_PASSWORD[_FILE] or a new one.

    Return the file that a new one lies in, if it was made now.
    """
    if not registry.snapshot.fleet.of("user"):
        registry.apply([Document("", 1, {"kind": "user", "name": ADMINISTRATOR, "role": ADMIN})], WHO)
    if registry.shelf.password(ADMINISTRATOR) or Key("user", ADMINISTRATOR) not in registry.snapshot.fleet.bodies:
        return None
    password, path = _given_password(), None
    if password is None:
        password = secrets.token_urlsafe(12)
        path = settings.var / "secrets" / "admin-password"
        write_secret(path, password)
    try:
        people.set_password(ADMINISTRATOR, password)
    except BadInput as error:
        raise ConfigError(f"NODEWARD_ADMIN_PASSWORD: {error.problems[0].message}.") from None
    return path


def documents_of(settings: ConfigserverSettings) -> list[Document]:
    """Return the first fleet's documents, none if no file is named. Raise ConfigError if they cannot be read."""
    if settings.fleet is None:
        return []
    path = settings.fleet if settings.fleet.is_absolute() else settings.home / settings.fleet
    try:
        known = {"node": settings.node, "var": str(settings.var)} | {f"port.{role}": str(port(role)) for role in PORTS}
        given = documents.read(path.read_text(), path.name)
        return [replace(each, body=filled(each.body, known)) for each in given]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"NODEWARD_CONFIGSERVER_FLEET: {path} cannot be read ({error}).") from None
    except BadInput as error:
        raise ConfigError(f"NODEWARD_CONFIGSERVER_FLEET: {error.detail}", error.problems) from None


def fleet(settings: ConfigserverSettings, registry: Registry) -> int | None:
    """Apply the first fleet if nothing was configured yet. Return the new revision, or None if there was nothing to do."""
    given = documents_of(settings)
    if not given or registry.snapshot.revision > 1:  # revision 1 is the administrator's
        return None
    try:
        return registry.apply(given, WHO, f"the fleet in {settings.fleet}").revision
    except BadInput as error:
        raise ConfigError(f"The fleet in {settings.fleet} is not valid. {error.detail}", error.problems) from None


def filled(value: Any, known: Mapping[str, str]) -> Any:
    """Fill ``${node}``, ``${var}``, ``${port.web}``, … into every text of a document. Raise BadInput for any other.

    After reading: whatever a path or name holds, it stays one text and cannot change what the file says.
    """
    if isinstance(value, dict):
        return {key: filled(each, known) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, known) for each in value]
    return _VARIABLE.sub(lambda found: _known(found[1], known), value) if isinstance(value, str) else value


def _known(name: str, known: Mapping[str, str]) -> str:
    if name not in known:
        raise BadInput(f"${{{name}}} means nothing here; there are {', '.join(known)}.")
    return known[name]


def _is_in_force(path: Path, role: str, credentials: Credentials) -> bool:
    try:
        token = path.read_text().strip()
    except OSError:
        return False
    return any(each.name == role and tokens.matches(token, each.hash) for each in credentials.in_force())


def _given_password() -> str | None:
    named = os.environ.get("NODEWARD_ADMIN_PASSWORD_FILE")
    if named:
        return read_secret(Path(named), "NODEWARD_ADMIN_PASSWORD_FILE")
    return os.environ.get("NODEWARD_ADMIN_PASSWORD") or None
