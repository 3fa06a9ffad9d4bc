"""Tokens: how they look, how they are made, and how a server that only knows their hash recognises them.

A token is ``nw_<id>_<secret>``: the id (12 hex digits) finds the credential, the secret (256 random bits) proves it. Only
the SHA-256 of the whole token is stored; with that much randomness a slow hash would add nothing.
"""

import hashlib
import hmac
import re
import secrets

_TOKEN = re.compile(r"nw_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


def mint() -> tuple[str, str, str]:
    """Make a new token. Return (token, id, hash); the token is never stored by the one who hands it out."""
    identifier = secrets.token_hex(6)
    token = f"nw_{identifier}_{secrets.token_urlsafe(32)}"
    return token, identifier, digest(token)


def digest(token: str) -> str:
    """Return the hash under which a token is stored: 64 hex digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def identifier(token: str) -> str | None:
    """Return the id within a token, or None if it does not look like one."""
    match = _TOKEN.fullmatch(token)
    return match[1] if match else None


def matches(token: str, stored_hash: str) -> bool:
    """Say whether `token` is the one stored under `stored_hash`, in constant time."""
    return hmac.compare_digest(digest(token), stored_hash)
