"""Logging in: passwords, and how often one may be wrong."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from werkzeug.security import check_password_hash, generate_password_hash

from nodeward.configserver.registry import Registry
from nodeward.core.errors import BadInput, NotAuthenticated, NotFound, Problem, TooMany
from nodeward.store.base_registry import Key

SHORTEST = 10
_FREE = 5  # wrong passwords before one has to wait
_LONGEST = 300.0
_MANY = 10_000  # names and addresses remembered at most
_NOBODY = generate_password_hash("nobody's password: checking it takes as long as checking a real one")


@dataclass
class _Tries:
    wrong: int = 0
    until: float = 0.0


class People:
    """Who may log in. `log_in` takes the same time whether or not there is such a user."""

    def __init__(self, registry: Registry, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._registry, self._monotonic = registry, monotonic
        self._tries: dict[tuple[str, str], _Tries] = {}

    def log_in(self, name: str, password: str, address: str) -> str:
        """Return the role of the user with that name and password.

        Raise NotAuthenticated if either is wrong, TooMany after a few wrong ones from that address: the wait grows.
        """
        tries = self._tries.setdefault((name, address), _Tries())
        wait = tries.until - self._monotonic()
        if wait > 0:
            raise TooMany(f"Too many wrong passwords for '{name}'. Try again in {wait:.0f} s.")
        digest = self._registry.shelf.password(name)
        body = self._registry.snapshot.fleet.bodies.get(Key("user", name))
        right = check_password_hash(digest or _NOBODY, password)
        if not right or digest is None or body is None:
            self._was_wrong(tries)
            raise NotAuthenticated("The name or the password is wrong.")
        self._tries.pop((name, address), None)
        return str(body.get("role", "viewer"))

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

    def _was_wrong(self, tries: _Tries) -> None:
        tries.wrong += 1
        if tries.wrong >= _FREE:
            tries.until = self._monotonic() + min(_LONGEST, 2.0 ** (tries.wrong - _FREE))
        if len(self._tries) > _MANY:
            for key in list(self._tries)[: _MANY // 10]:
                del self._tries[key]
