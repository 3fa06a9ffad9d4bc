"""The program `monitor`: settings → the board and its parts → the loop."""

import argparse
import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence

from nodeward.core import clock
from nodeward.core import http as core_http
from nodeward.core import log as core_log
from nodeward.core.backup import Counts, Kept, Row, Stage, checked, soon
from nodeward.core.backup import mount as mount_backup
from nodeward.core.errors import ConfigError
from nodeward.core.files import only_one, read_secret
from nodeward.core.ground import Ground, ground
from nodeward.core.program import Part, Worker, guarded, run
from nodeward.core.server import Server
from nodeward.core.settings import load, port
from nodeward.core.words import counted
from nodeward.monitor import lost
from nodeward.monitor.adopt import adopt
from nodeward.monitor.board import Board
from nodeward.monitor.definitions import Definitions, Fleet
from nodeward.monitor.dispatch import Outbox, Sender
from nodeward.monitor.http import Parts, mount
from nodeward.monitor.keeping import Keeping
from nodeward.monitor.notifiers import KINDS
from nodeward.monitor.observe import Observer
from nodeward.monitor.settings import MonitorSettings
from nodeward.monitor.tick import Tick
from nodeward.monitor.writer import Writer
from nodeward.store import backup
from nodeward.store.base_states import Key, StateShelf
from nodeward.store.choose_states import empty_states, open_states
from nodeward.supervise import http as programs

log = logging.getLogger("nodeward.monitor")

KIND = "states"

REFRESH_SECONDS = 1.0  # a conditional GET: a change, or the first definitions, are in force at once
TICK_SECONDS = 0.5
THREADS = 32  # long polls hold one each


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the monitor until a signal. Return the exit code."""
    parser = argparse.ArgumentParser(prog="nodeward-monitor", description=__doc__)
    parser.add_argument("--check-config", action="store_true", help="check the settings and end")
    asked = parser.parse_args(arguments)
    settings = load(MonitorSettings)
    check(settings)
    if asked.check_config:
        return 0
    core_log.set_up(settings)
    logging.getLogger("urllib3").setLevel(logging.INFO)  # its debug lines hold the paths of webhooks: secrets
    with only_one(settings.data, "monitor"):
        return serve(settings)


def check(settings: MonitorSettings) -> None:
    """Raise ConfigError if the settings do not go together or name what is not there."""
    port("monitor")
    if settings.smtp_user and settings.smtp_password_file is None:
        raise ConfigError("NODEWARD_MONITOR_SMTP_USER is set: NODEWARD_MONITOR_SMTP_PASSWORD_FILE must name a file.")
    if settings.smtp_password_file is not None:
        read_secret(settings.smtp_password_file, "NODEWARD_MONITOR_SMTP_PASSWORD_FILE")


def serve(settings: MonitorSettings) -> int:
    """Open the shelf, run all parts, close it."""
    stage = Stage(settings.data)
    if stage.waiting():
        stage.take(lambda rows: restore(settings, rows))
    base = ground(settings)
    shelf = open_states(settings.store_uri, settings.data)
    try:
        return run(build(settings, base, shelf, stage))
    finally:
        shelf.close()


def restore(settings: MonitorSettings, rows: Iterator[Row]) -> Counts:
    """Put a backup in place of what is kept."""
    lines = checked(rows, KIND)
    empty_states(settings.store_uri, settings.data)
    with contextlib.closing(open_states(settings.store_uri, settings.data)) as shelf:
        return backup.put_states(shelf, lines)


def trace(board: Board) -> str:
    """Return what a restore would destroy: what people said, and what was told to them."""
    said = [counted(len(board.downtimes), "downtime")] if board.downtimes else []
    acknowledged = sum(state.ack is not None for state in board.states.values())
    return ", ".join(said + ([counted(acknowledged, "acknowledgement")] if acknowledged else []))


def build(settings: MonitorSettings, base: Ground, shelf: StateShelf, stage: Stage) -> list[Part]:
    """Return the parts of the monitor, in the order in which they start."""
    board = Board(shelf.load())
    writer = Writer(board, shelf)
    observer = Observer(settings.slack, settings.gather)
    notifiers = {kind: make(settings) for kind, make in KINDS.items()}

    def take(fleet: Fleet) -> None:
        writer.do(lambda draft: adopt(draft, observer, fleet, settings.first_contact))

    def wanted(reporter: str) -> set[Key]:
        return {*outbox.wanted(reporter), *lost.results(board, reporter, clock.now())}

    definitions = Definitions(base.config, settings.data / "monitoring.json", take)
    outbox = Outbox(shelf, notifiers)
    tick = Tick(board, writer, observer, outbox, grace=settings.grace, remind=settings.remind)
    sender = Sender(board, shelf, writer, notifiers, settings.link)
    app = core_http.create("monitor", "monitor", base.credentials, lambda: not_ready(shelf, definitions), base.refusals)
    mount(app, Parts(board, shelf, writer, observer, definitions, settings.ack_expiry, wanted))
    programs.mount(app, settings.var)
    kept = Kept(KIND, lambda: backup.state_rows(shelf), lambda: backup.state_counts(shelf), lambda: trace(board))
    mount_backup(app, kept, stage, soon)
    return [
        *base.parts,
        writer,
        Worker("definitions", definitions.unit, idle=REFRESH_SECONDS),
        Worker("tick", _once_loaded(definitions, tick.unit), idle=TICK_SECONDS),
        _Sending(Worker("sender", _once_loaded(definitions, sender.unit), idle=TICK_SECONDS), sender),
        Worker("keeping", Keeping(shelf, settings).unit, idle=60.0),
        Server(app, settings.bind, port("monitor"), THREADS),
    ]


def not_ready(shelf: StateShelf, definitions: Definitions) -> list[str]:
    """Return what is missing: without a store nothing can be kept, without definitions no result can be judged."""
    trouble = [shelf.trouble()]
    if not definitions.loaded:
        trouble.append(f"The definitions were never loaded. {definitions.failure}".strip())
    return list(filter(None, trouble))


def _once_loaded(definitions: Definitions, unit: Callable[[], bool]) -> Callable[[], bool]:
    """Without definitions there are no deadlines, and no contacts to tell."""
    return lambda: definitions.loaded and unit()


class _Sending:
    """The sender's worker, and what it has on other threads, as one part."""

    def __init__(self, worker: Worker, sender: Sender) -> None:
        self._worker, self._sender = worker, sender

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        self._worker.stop()
        self._sender.close()

    @property
    def alive(self) -> bool:
        return self._worker.alive


if __name__ == "__main__":
    sys.exit(guarded(main))
