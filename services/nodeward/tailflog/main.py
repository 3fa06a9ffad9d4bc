"""tailflog as a service (no FILE): follows what the node's bundle says. With FILE: follows one file, ad hoc.

Service: settings → state on disk → parts → loop. The node server writes the bundle and the token; until both are there,
tailflog waits and says so.
"""

import logging
import signal
import sys
import time
from pathlib import Path

import click
from pydantic import Field

from nodeward.core import began, clock, log, program
from nodeward.core.errors import BadInput, ConfigError, NodewardError
from nodeward.core.files import SecretFile
from nodeward.core.settings import Settings, load
from nodeward.core.words import counted
from nodeward.tailflog import adhoc, config
from nodeward.tailflog.checkpoint import Checkpoint
from nodeward.tailflog.follow import Tail
from nodeward.tailflog.send import LogServer, Sender
from nodeward.tailflog.spool import Spool
from nodeward.tailflog.status import Figures, Status

logger = logging.getLogger(__name__)

LOOK = 0.5  # seconds between two looks at the bundle
FROM_ENROLMENT = "The token of this node (the node server gets it when it enrols)"
CHECKPOINT = 2.0  # seconds between two checkpoints


class TailflogSettings(Settings):
    """What tailflog reads from its environment."""

    role: str = Field("tailflog", exclude=True)
    spool_bytes: int = Field(
        1024**3,
        ge=1024**2,
        description="How much the spool may hold while the log server is away; then reading pauses.",
    )
    polling: bool = Field(False, description="Look at files several times a second instead of using inotify.")

    @property
    def bundle(self) -> Path:
        """The file with what to follow."""
        return self.var / "nodeserver" / "bundle" / "tailflog.json"

    @property
    def node_token(self) -> Path:
        """The token of this node, which tailflog shares with the node server."""
        return self.var / "secrets" / "nodeserver" / "token"


class Storage:
    """The state directory as a part: the last to stop. What is written there last is where the next start goes on."""

    def __init__(self, directory: Path, most: int) -> None:
        self.spool = Spool(directory / "spool", most)
        self.checkpoint = Checkpoint(directory / "spool")
        self._next = 0.0
        self._took = 0.0

    def start(self) -> None:
        """Nothing: it is open."""

    def stop(self) -> None:
        """Write the last checkpoint and let go of the lock."""
        self.checkpoint.write(self.spool)
        self.spool.close()

    @property
    def alive(self) -> bool:
        """Always."""
        return True

    def unit(self) -> bool:
        """Make durable what is on the spool, and write a checkpoint when it is due."""
        if self.spool.waiting:
            self.spool.sync()
        now = time.monotonic()
        if self.checkpoint.dirty and now >= self._next:
            self.checkpoint.write(self.spool)
            self._took = time.monotonic() - now
            self._next = now + max(CHECKPOINT, 20 * self._took)
        return False


class Bundle:
    """The node's bundle: applies `tailflog.json` when it comes and whenever it changes."""

    def __init__(self, settings: TailflogSettings, tail: Tail, server: LogServer) -> None:
        self._path, self._token = settings.bundle, SecretFile(settings.node_token, FROM_ENROLMENT)
        self._tail, self._server = tail, server
        self._seen: tuple[int, int, int] | None = None
        self._said = ""
        self._asked = False
        self._var = settings.var
        self._began = False

    def ask(self) -> None:
        """Read it anew at the next look (SIGHUP)."""
        self._asked = True

    def unit(self) -> bool:
        """Look whether it changed."""
        try:
            status = self._path.stat()
        except OSError:
            self._say(f"Waiting for {self._path}, which the node server writes.")
            return False
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen == self._seen and not self._asked:
            return False
        self._seen, self._asked = seen, False
        self._apply()
        return True

    def token(self) -> str:
        """Return the node's token, also a new one that took the old one's place. Raise ConfigError while it is not there."""
        return self._token()

    def _apply(self) -> None:
        try:
            text = self._path.read_text(errors="replace")
            plan = config.load(self._path)
            if not self._began:
                began.note(self._var, "tailflog", text)
                self._began = True
        except (NodewardError, OSError) as error:
            logger.error("The new bundle is not applied, the one before stays in force. %s", error)
            return
        if plan.logserver:
            self._server.use(plan.logserver)
        self._tail.apply(plan)
        names = ", ".join(source.source for source in plan.sources) or "nothing"
        logger.info("Revision %d follows %s, as node %s.", plan.revision, names, plan.node)

    def _say(self, words: str) -> None:
        if self._said != words:
            logger.info("%s", words)
        self._said = words


def figures(tail: Tail, sender: Sender, storage: Storage) -> Figures:
    """Return how it goes."""
    return Figures(
        time=clock.rfc3339(clock.now()),
        files=tail.followed,
        lines=tail.counts.lines,
        bytes=tail.counts.bytes,
        parse_errors=tail.unparsed,
        waiting_bytes=storage.spool.waiting,
        spool_bytes=storage.spool.size,
        sent_bytes=sender.sent,
        refused_batches=sender.refused,
        paused=tail.paused,
        trouble=sender.trouble,
    )


def service() -> int:
    """Run until a signal says stop. Return the exit code."""
    settings = load(TailflogSettings)
    log.set_up(settings)
    storage = Storage(settings.data, settings.spool_bytes)
    own_logs = (str(settings.var / "log" / "tailflog.log*"),)  # following these would make a line of every line
    tail = Tail(storage.spool, storage.checkpoint, own_logs, settings.polling)
    server = LogServer(lambda: bundle.token())
    bundle = Bundle(settings, tail, server)
    sender = Sender(storage.spool, storage.checkpoint, server, settings.data / "dead", tail.wake_if_paused)
    status = Status(settings.data / "status.json", lambda: figures(tail, sender, storage))
    signal.signal(signal.SIGHUP, lambda *_: bundle.ask())
    return program.run(
        [
            storage,
            log.Shipper(settings, server.client),
            program.Worker("keep", storage.unit, idle=0.5),
            program.Worker("send", sender.unit, idle=0.02),
            tail,
            program.Worker("bundle", bundle.unit, idle=LOOK),
            program.Worker("status", status.unit, idle=1.0),
        ]
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--to", help="The log server's URL, or a mongodb:// URI.")
@click.option("--source", help="The name under which the lines are found; by default the file's name.")
@click.option(
    "--format",
    "format_",
    default="raw",
    show_default=True,
    help="syslog, nginx, json …, or pattern:REGEX.",
)
@click.option("--node", help="The node that the lines are of; by default the token's, or this machine's host name.")
@click.option("--timezone", default="", help="The zone of times that name none; by default this machine's.")
@click.option("--encoding", default="", help="The file's encoding; by default UTF-8, or what its byte order mark says.")
@click.option(
    "--from-start/--from-end", default=True, show_default=True, help="Where to begin a file not followed before."
)
@click.option("--follow/--once", default=True, show_default=True, help="Wait for new lines, or end with the file.")
@click.option(
    "--state", type=click.Path(path_type=Path), help="The directory that remembers how far the file was read."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="The file with the token; by default NODEWARD_TOKEN, or the one of this machine's node server.",
)
@click.option(
    "--check-config", type=click.Path(path_type=Path), help="Verify a tailflog.json, say what is wrong, and end."
)
def cli(file: Path | None, check_config: Path | None, **options: object) -> int:
    """Ship every line of FILE once, or, without FILE, what this node's bundle names."""
    if check_config is not None:
        return check(check_config)
    if file is None:
        if options["to"]:
            raise BadInput("There is a --to but no FILE. Write: tailflog FILE --to URL --source NAME --format FORMAT.")
        return service()
    return adhoc.run(adhoc.Options(file, **options))  # type: ignore[arg-type]


def check(path: Path) -> int:
    """Verify a plan; print what it says or raise ConfigError with every fault."""
    try:
        plan = config.load(path)
    except FileNotFoundError:
        raise ConfigError(f"{path} is not there.") from None
    print(f"{path} is valid: {counted(len(plan.sources), 'source')} for node {plan.node}.")  # noqa: T201 - the answer asked for
    return 0


def main() -> int:
    """Run the command line; errors become a sentence and an exit code."""
    try:
        return program.guarded(lambda: int(cli.main(standalone_mode=False) or 0))
    except click.ClickException as error:
        error.show()
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
