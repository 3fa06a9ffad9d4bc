"""How a node comes by its credential: it shows the enrolment key once and keeps what it gets (0600)."""

import logging
import random
from pathlib import Path

from nodeward.core.client import Client
from nodeward.core.errors import ConfigError, NodewardError, NotAuthenticated, Unavailable
from nodeward.core.files import read_secret, write_secret
from nodeward.core.program import Stop
from nodeward.core.trouble import Trouble
from nodeward.nodeserver.settings import NodeserverSettings

log = logging.getLogger(__name__)

LONGEST_WAIT = 30.0


def enrol(settings: NodeserverSettings, stop: Stop) -> bool:
    """See to it that this node has its credential; try until it works. Return False if the program was asked to end before.

    Raise ConfigError if a key file that was named cannot be read.
    """
    wait, trouble = 1.0, Trouble(log)
    while not settings.token_file.exists():
        try:
            write_secret(settings.token_file, ask(settings, key(settings)))
            log.info("enrolled as node '%s' at %s", settings.node, settings.config_url)
            return True
        except ConfigError:
            raise
        except NodewardError as error:
            trouble.meet(error, "Not enrolled yet, trying again: %s")
        if stop.wait(wait * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
            return False
        wait = min(wait * 2, LONGEST_WAIT)
    return True


def key(settings: NodeserverSettings) -> str:
    """Return the enrolment key. Raise Unavailable while the appliance's own is not there yet."""
    if settings.enrol_key:
        return settings.enrol_key
    if settings.enrol_key_file is not None:
        return read_secret(settings.enrol_key_file, "The enrolment key (NODEWARD_NODESERVER_ENROL_KEY_FILE)")
    own = settings.var / "secrets" / "node" / "enrol"
    if not own.exists():
        raise Unavailable(
            f"There is no credential in {settings.token_file} and no enrolment key in {own}. "
            "Give one by NODEWARD_NODESERVER_ENROL_KEY_FILE, or wait until the config server has made it."
        )
    return read_secret(own, "The enrolment key")


def ask(settings: NodeserverSettings, secret: str) -> str:
    """Post the key and return the node's token. Raise NodewardError with the config server's own sentence."""
    body = {"key": secret, "node": settings.node}
    if settings.address:
        body["address"] = settings.address
    answer = Client(settings.config_url).post("/api/v1/enrol", body)
    if not isinstance(answer, dict) or not isinstance(answer.get("token"), str):
        raise Unavailable(f"{settings.config_url} answered the enrolment with something that is not a token.")
    return str(answer["token"])


def with_way_back(error: NodewardError, token_file: Path) -> NodewardError:
    """Return why the config server gives nothing; where it refuses this node's credential, with what to do about that.

    A node does not enrol again by itself: it cannot know whether its credential ended with the node, which somebody then added
    again, or because somebody wants it kept out (docs/decisions/0304).
    """
    if not isinstance(error, NotAuthenticated):
        return error
    return NotAuthenticated(
        f"{error} So this node's credential is refused. If the node was taken away and added again, remove {token_file} and "
        "restart the node server: it then enrols anew with its key. If somebody revoked the credential, ask them first."
    )
