"""Logging in: passwords, and how often one may be wrong."""

import hashlib

from werkzeug.security import check_password_hash, generate_password_hash

from nodeward.configserver.registry import Registry
from nodeward.configserver.throttle import Throttle
from nodeward.core.errors import BadInput, NotAuthenticated, NotFound, Problem
from nodeward.store.base_registry import Key

SHORTEST = 10
_NOBODY = generate_password_hash("nobody's password: checking it takes as long as checking a real one")


class People:
    """Who may log in. `log_in` takes the same time whether or not there is such a user."""

    def __init__(self, registry: Registry, throttle: Throttle) -> None:
        self._registry, self._throttle = registry, throttle

    def log_in(self, name: str, password: str, address: str) -> dict[str, str]:
        """Return the account of the user with that name and password.

        Raise NotAuthenticated if either is wrong or the user is disabled, TooMany after a few wrong ones from that address: the
        wait grows.
        """
        self._throttle.admit(("login", name, address), f"wrong passwords for '{name}'")
        digest = self._registry.shelf.password(name)
        body = self._registry.snapshot.fleet.bodies.get(Key("user", name))
        right = check_password_hash(digest or _NOBODY, password)
        if not right or digest is None or body is None:
            raise NotAuthenticated("The name or the password is wrong.")
        self._throttle.forgive(("login", name, address))
        if body.get("disabled"):  # said to nobody but who knows the password
            raise NotAuthenticated(f"'{name}' is disabled; an administrator can enable it.")
        return _account(name, body.get("role", "viewer"), digest)

    def account(self, name: str) -> dict[str, str]:
        """Return a user's name, role and mark, which is another one after each change of the password.

        Raise NotFound if there is no such user, or none that could log in.
        """
        digest = self._registry.shelf.password(name)
        body = self._registry.snapshot.fleet.bodies.get(Key("user", name))
        if digest is None or body is None or body.get("disabled"):
            raise NotFound(f"There is no user '{name}' who can log in.")
        return _account(name, body.get("role", "viewer"), digest)

    def set_password(self, name: str, password: str) -> None:
        """Give a user a password. Raise NotFound if there is no such user, BadInput if it is too short."""
        if Key("user", name) not in self._registry.snapshot.fleet.bodies:
            raise NotFound(f"There is no user '{name}'. `nodeward user add {name}` makes one.")
        if len(password) < SHORTEST:
            raise BadInput(
                "The password is too short.", [Problem("password", f"it needs at least {SHORTEST} characters")]
            )
        self._registry.shelf.put_password(name, generate_password_hash(password))

    def forget(self, name: str) -> None:
        """Forget the password of a user who is no more."""
        self._registry.shelf.put_password(name, None)


def _account(name: str, role: str, digest: str) -> dict[str, str]:
    return {"name": name, "role": role, "mark": hashlib.sha256(digest.encode()).hexdigest()[:16]}
