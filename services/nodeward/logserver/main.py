"""The program `logserver`: settings → the shelf and its parts → the loop."""

import argparse
import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence

from nodeward.core import clock
from nodeward.core import http as core_http
from nodeward.core import log as core_log
from nodeward.core.backup import Counts, Kept, Row, Stage, checked, soon
from nodeward.core.backup import mount as mount_backup
from nodeward.core.files import only_one
from nodeward.core.ground import Ground, ground
from nodeward.core.program import Part, Worker, guarded, run
from nodeward.core.server import Server
from nodeward.core.settings import load, port
from nodeward.logserver.http import mount
from nodeward.logserver.metrics import Figures
from nodeward.logserver.receive import Receiver
from nodeward.logserver.retain import Retention
from nodeward.logserver.senders import Senders
from nodeward.logserver.settings import LogserverSettings
from nodeward.logserver.syslog import Syslog
from nodeward.store import backup, choose_logs
from nodeward.store.base import LogShelf
from nodeward.supervise import http as programs

log = logging.getLogger("nodeward.logserver")

KIND = "logs"
OWN_SOURCE = "nodeward"
THREADS = 64  # those who follow hold one each
RETAIN_SECONDS = 60.0

# What these say is about receiving; shipped here, each record could make another.
NEVER_SHIPPED = ("nodeward.logserver.receive", "nodeward.logserver.syslog", "nodeward.store", "nodeward.core.http")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the log server until a signal. Return the exit code."""
    parser = argparse.ArgumentParser(prog="nodeward-logserver", description=__doc__)
    parser.add_argument("--check-config", action="store_true", help="check the settings and end")
    asked = parser.parse_args(arguments)
    settings = load(LogserverSettings)
    port("logserver")
    choose_logs.check(settings.store)
    if asked.check_config:
        return 0
    core_log.set_up(settings)
    for prefix in NEVER_SHIPPED:
        core_log.no_shipping(prefix)
    with only_one(settings.data, "log server"):
        return serve(settings)


def serve(settings: LogserverSettings) -> int:
    """Open the shelf, run all parts, close it."""
    stage = Stage(settings.data)
    if stage.waiting():
        stage.take(lambda rows: restore(settings, rows))
    base = ground(settings)
    shelf = choose_logs.log_shelf(settings.store_uri, settings.data / "logs")
    try:
        return run(build(settings, base, shelf, stage))
    finally:
        shelf.close()


def restore(settings: LogserverSettings, rows: Iterator[Row]) -> Counts:
    """Put a backup in place of what is kept."""
    lines, root = checked(rows, KIND), settings.data / "logs"
    choose_logs.empty_logs(settings.store_uri, root)
    with contextlib.closing(choose_logs.log_shelf(settings.store_uri, root)) as shelf:
        return backup.put_logs(shelf, lines, lambda: shelf.compact(clock.now()))


def trace(shelf: LogShelf) -> str:
    """Return what a restore would destroy: records other than those that the appliance's own servers write of themselves."""
    records = sum(one.records for one in shelf.sources() if one.source != OWN_SOURCE)
    return f"{records} log records" if records else ""


def build(settings: LogserverSettings, base: Ground, shelf: LogShelf, stage: Stage) -> list[Part]:
    """Return the parts of the log server, in the order in which they start."""
    receiver = Receiver(shelf)
    senders = Senders(base.config)
    syslog = Syslog(settings.bind, settings.syslog_port, settings.syslog_timezone, receiver.store, senders.node_of)
    app = core_http.create(
        "logserver", "log server", base.credentials, lambda: not_ready(shelf, receiver), base.refusals
    )
    mount(app, shelf, receiver)
    programs.mount(app, settings.var)
    kept = Kept(KIND, lambda: backup.log_rows(shelf), lambda: backup.log_counts(shelf), lambda: trace(shelf))
    mount_backup(app, kept, stage, soon)
    Figures(app.extensions["metrics"], shelf, receiver, syslog)
    return [
        *base.parts,
        Worker("compaction", lambda: shelf.compact(clock.now()), idle=1.0),
        Worker("retention", Retention(shelf, settings).unit, idle=RETAIN_SECONDS),
        syslog,
        Server(app, settings.bind, port("logserver"), THREADS),
    ]


def not_ready(shelf: LogShelf, receiver: Receiver) -> list[str]:
    """Return what keeps records from being stored."""
    trouble = shelf.trouble() or receiver.trouble
    return [trouble] if trouble else []


if __name__ == "__main__":
    sys.exit(guarded(main))
