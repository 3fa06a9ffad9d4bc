"""The node server: `python -m nodeward.nodeserver.main`, or with `--check-config FILE` a look at a nodeserver.json."""

import argparse
import sys
from pathlib import Path

from nodeward.core import bundle, log, program, server, settings
from nodeward.core.errors import BadInput, ConfigError
from nodeward.core.ground import ground
from nodeward.core.words import counted
from nodeward.nodeserver import http
from nodeward.nodeserver.door import REFRESH_SECONDS, Door, TicketKeys
from nodeward.nodeserver.enrol import enrol
from nodeward.nodeserver.node import Node
from nodeward.nodeserver.peers import Peers
from nodeward.nodeserver.rotate import Rotation
from nodeward.nodeserver.settings import NodeserverSettings

ROTATION_SECONDS = 60.0


def main() -> int:
    """Run until a signal; return the exit code."""
    arguments = _arguments().parse_args()
    if arguments.check_config is not None:
        return check_config(arguments.check_config)
    role = settings.load(NodeserverSettings)
    log.set_up(role)
    stop = program.Stop()
    stop.install()
    if not enrol(role, stop):
        return 0
    stand = ground(role)
    node = Node(role, stand)
    node.install()
    rotation = Rotation(stand.config, stand.credentials, role.token_file)
    keys = TicketKeys(stand.config, role.data / "ticket-keys.json")
    door = Door(role.node, keys, stand.credentials)
    peers = Peers(role.node, stand.config)
    app = http.app(node, door, peers, stand.refusals, rotation)
    face = server.Server(app, role.bind, settings.port("nodeserver"))
    workers = [
        program.Worker("rotation", rotation.unit, idle=ROTATION_SECONDS),
        program.Worker("ticket-keys", keys.unit, idle=REFRESH_SECONDS),
    ]
    try:
        return program.run([*stand.parts, *node.parts(), *workers, face], stop)
    finally:
        node.close()


def check_config(path: Path) -> int:
    """Say whether a nodeserver.json is valid, touching nothing. Raise ConfigError with every fault if it is not."""
    try:
        read = bundle.read_nodeserver(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}).") from None
    except BadInput as error:
        raise ConfigError(error.detail, error.problems) from None
    sys.stdout.write(
        f"{path} is valid: revision {read.revision}, {counted(len(read.checks), 'check')} of node '{read.node.name}'\n"
    )
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nodeserver", description="Runs this node's checks and tells about the machine."
    )
    parser.add_argument(
        "--check-config", type=Path, metavar="FILE", help="only say whether this nodeserver.json is valid"
    )
    return parser


if __name__ == "__main__":
    sys.exit(program.guarded(main))
