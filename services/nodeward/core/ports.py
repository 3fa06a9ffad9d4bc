"""Where each role listens. Apart from `settings`, so that a health check starts quickly."""

import os

from nodeward.core.errors import ConfigError

PORTS = {"web": 7400, "configserver": 7401, "logserver": 7402, "monitor": 7403, "nodeserver": 7404}


def port(role: str) -> int:
    """Return the port that `role` listens on: NODEWARD_<ROLE>_PORT, else its default."""
    text = os.environ.get(f"NODEWARD_{role.upper()}_PORT") or PORTS[role]
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise ConfigError(f"NODEWARD_{role.upper()}_PORT is {text!r}; it must be a port number, 0 to 65535.")
    return number
