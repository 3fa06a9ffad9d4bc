"""The config server's program: python -m nodeward.configserver.main [--check-config]"""

import logging
import sys

from nodeward.configserver import first, http
from nodeward.configserver.bundles import Bundles
from nodeward.configserver.credentials import Credentials
from nodeward.configserver.people import People
from nodeward.configserver.registry import Registry
from nodeward.configserver.render import Files
from nodeward.configserver.settings import ConfigserverSettings
from nodeward.core import log, program, settings
from nodeward.core.client import Client
from nodeward.core.files import read_secret
from nodeward.core.program import Worker
from nodeward.core.server import Server
from nodeward.store.choose_registry import open_registry

logger = logging.getLogger(__name__)


def main() -> int:
    """Load settings, see to what a first start needs, serve until a signal."""
    loaded = settings.load(ConfigserverSettings)
    files = Files(loaded.home / "config" / "templates")
    if "--check-config" in sys.argv[1:]:
        return 0
    log.set_up(loaded)
    shelf = open_registry(loaded.store, loaded.data)
    registry, credentials = Registry(shelf), Credentials(shelf)
    people = People(registry)
    key = first.enrolment_key(loaded)
    first.own_tokens(loaded, credentials)
    first.administrator(loaded, registry, people, _say)
    revision = first.fleet(loaded, registry)
    if revision is not None:
        logger.info("the first fleet is in force: revision %d", revision)
    bundles = Bundles(registry, files, loaded.servers, loaded.heartbeat)
    parts = http.Parts(registry, bundles, credentials, people, loaded.servers, key, loaded.var)
    own = read_secret(loaded.token_file, "The config server's own token")
    shipper = log.Shipper(loaded, lambda: Client(loaded.servers["logserver"], own))
    server = Server(http.create(parts), loaded.bind, settings.port("configserver"))
    try:
        return program.run([shipper, Worker("bundle-marks", bundles.flush), server])
    finally:
        bundles.flush()
        shelf.close()


def _say(sentence: str) -> None:
    """Tell the one who started this; not the log, which is shipped: a password has no place there."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(program.guarded(main))
