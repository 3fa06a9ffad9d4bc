"""The config server's program: python -m nodeward.configserver.main [--check-config]"""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator

from nodeward.configserver import first, http
from nodeward.configserver.bundles import Bundles
from nodeward.configserver.credentials import Credentials
from nodeward.configserver.parts import Parts, note_refused
from nodeward.configserver.people import People
from nodeward.configserver.quick import Quick
from nodeward.configserver.registry import Registry
from nodeward.configserver.render import Files
from nodeward.configserver.rollout.delivery import Delivery
from nodeward.configserver.rollout.nodes import Nodes
from nodeward.configserver.rollout.records import Records
from nodeward.configserver.rollout.releases import Releases
from nodeward.configserver.rollout.room import Room
from nodeward.configserver.settings import ConfigserverSettings
from nodeward.configserver.throttle import Throttle
from nodeward.configserver.tickets import Issuer, OwnTickets
from nodeward.core import deeds, log, program, settings
from nodeward.core.auth import NODE, Credential
from nodeward.core.backup import Counts, Kept, Row, Stage, checked, soon
from nodeward.core.backup import mount as mount_backup
from nodeward.core.client import Client
from nodeward.core.files import only_one, read_secret, write_secret
from nodeward.core.program import Worker
from nodeward.core.refusals import Refusals
from nodeward.core.server import Server
from nodeward.core.words import counted
from nodeward.store import backup
from nodeward.store.base_registry import Deed, RegistryShelf
from nodeward.store.choose_registry import empty_registry, open_registry

logger = logging.getLogger("nodeward.configserver")

KIND = "registry"


def main() -> int:
    """Load settings, see to what a first start needs, serve until a signal."""
    loaded = settings.load(ConfigserverSettings)
    files = Files(loaded.home / "config" / "templates")
    first.documents_of(loaded)
    if "--check-config" in sys.argv[1:]:
        return 0
    log.set_up(loaded)
    with only_one(loaded.data, "config server"):
        stage = Stage(loaded.data)
        if stage.waiting():
            stage.take(lambda rows: restore(loaded, rows))
        with contextlib.closing(open_registry(loaded.store_uri, loaded.data)) as shelf:
            return serve(loaded, files, shelf, stage)


def restore(loaded: ConfigserverSettings, rows: Iterator[Row]) -> Counts:
    """Put a backup in place of the registry. The tokens of this appliance's own servers and nodes stay in force."""
    lines = checked(rows, KIND)
    keep = loaded.data / "restore.tokens"
    if not keep.exists():  # else a restore was cut off, and the registry is not what it was
        with contextlib.closing(open_registry(loaded.store_uri, loaded.data)) as shelf:
            known = Credentials(shelf).in_force()
        own = [each.model_dump() for each in known if each.name in first.OWN or each.role == NODE]
        write_secret(keep, json.dumps(own))
    empty_registry(loaded.store_uri, loaded.data)
    with contextlib.closing(open_registry(loaded.store_uri, loaded.data)) as shelf:
        counts = backup.put_registry(shelf, lines, [Credential(**each) for each in json.loads(keep.read_text())])
    keep.unlink()
    return counts


def trace(registry: Registry) -> str:
    """Return what a restore would destroy: what somebody configured since the first start."""
    by_people = [each for each in registry.shelf.revisions(None, 1000) if each.who != first.WHO]
    return f"{counted(len(by_people), 'revision')} made by people" if by_people else ""


def serve(loaded: ConfigserverSettings, files: Files, shelf: RegistryShelf, stage: Stage) -> int:
    """Build the parts, run them until a signal."""
    registry, credentials, throttle = Registry(shelf), Credentials(shelf), Throttle()
    people = People(registry, throttle)
    key = first.enrolment_key(loaded)
    first.own_tokens(loaded, credentials)
    issuer = Issuer(first.signer(loaded), registry, people)
    made = first.administrator(loaded, registry, people)
    if made is not None:
        _tell_password(made.read_text(), str(made))
    revision = first.fleet(loaded, registry)
    if revision is not None:
        logger.info("the first fleet is in force: revision %d", revision)
    bundles = Bundles(registry, files, loaded.servers, loaded.heartbeat)
    own = read_secret(loaded.token_file, "The config server's own token")
    delivery = Delivery(registry, bundles, Releases(loaded.data / "releases"), loaded.delivery)
    nodes = Nodes(registry, OwnTickets(issuer), Client(loaded.servers["monitor"], own))
    reach = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(loaded.bind, loaded.bind)  # noqa: S104 - told, not bound
    own_url = f"http://{reach}:{settings.port('configserver')}"
    room = Room(Records(loaded.data / "rollouts"), loaded.home, loaded.data, own_url, own)
    parts = Parts(
        registry, bundles, credentials, people, throttle, loaded.servers, key, loaded.var, delivery, nodes, room, issuer
    )
    shipper = log.Shipper(loaded, lambda: Client(loaded.servers["logserver"], own))
    refusals = Refusals(lambda refused: note_refused(parts, refused))
    audit = deeds.Shipper(loaded.var, lambda deed: shelf.note(audited(deed, loaded.place)))
    workers = [
        Worker("bundle-marks", bundles.flush),
        Worker("refusals", refusals.unit),
        Worker("deeds", audit.unit),
    ]
    app = http.create(parts, refusals)
    kept = Kept(
        KIND, lambda: backup.registry_rows(shelf), lambda: backup.registry_counts(shelf), lambda: trace(registry)
    )
    mount_backup(app, kept, stage, soon)
    server = Server(Quick(app, parts), loaded.bind, settings.port("configserver"), threads=24)
    try:
        return program.run([shipper, *workers, server, Worker("rollouts", room.unit, idle=0.5)])
    finally:
        room.stop()
        bundles.flush()


def audited(deed: deeds.Deed, place: str) -> Deed:
    """Return a deed done at `place` as it stands in the audit list."""
    return Deed(deed.at, deed.who, deed.via, deed.address, deed.action, f"{deed.what} on {place}")


def _tell_password(password: str, path: str) -> None:
    """Tell the one who started this, and nobody else.

    Not through the log, which is shipped; and not where supervisor keeps the output in a file that every viewer may read
    (script/up). A terminal, and a container's own output, are the administrator's.
    """
    shown = password if sys.stderr.isatty() or os.environ.get("NODEWARD_IMAGE") else "is not shown here"
    print(f"The first administrator is 'admin'; the password: {shown} (kept in {path})", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(program.guarded(main))
