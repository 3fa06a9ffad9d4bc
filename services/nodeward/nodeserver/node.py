"""The node server as a whole: its parts and how they hang together."""

import gc
import logging
import signal
import time
from types import FrameType

from nodeward.core import began, bundle
from nodeward.core.ground import Ground
from nodeward.core.program import Part, Worker
from nodeward.core.spool import Spool
from nodeward.core.words import counted
from nodeward.nodeserver import memory
from nodeward.nodeserver.bundle import Pull, Watch
from nodeward.nodeserver.checks.base import Standing
from nodeward.nodeserver.place import Place
from nodeward.nodeserver.report import Reporter
from nodeward.nodeserver.runbooks.runs import Runs
from nodeward.nodeserver.runner import Runner
from nodeward.nodeserver.schedule import Schedule
from nodeward.nodeserver.settings import NodeserverSettings

log = logging.getLogger(__name__)

POLL_SECONDS = 3.0
LOOK_SECONDS = 1.0
REMEMBER_SECONDS = 20.0


class Node:
    """All that a node server is but its HTTP face. `parts` go into `program.run`."""

    def __init__(self, settings: NodeserverSettings, ground: Ground) -> None:
        self.settings = settings
        self._began = time.monotonic()
        self._memory_file = settings.data / "schedule.json"
        self.schedule = Schedule(memory.read(self._memory_file))
        self.memory = memory.Memory(self._memory_file, self.schedule)
        self.spool = Spool(settings.data / "spool", settings.spool_megabytes * 1024 * 1024, drop_oldest=True)
        self.reporter = Reporter(self.spool, settings.node, lambda: ground.servers.client("monitor"))
        self.reporter.hurry = lambda keys: self.schedule.hurry(keys, time.monotonic(), time.time())
        self.runner = Runner(settings, self.schedule, self.reporter.take, self.standing)
        self.place = Place(settings.bundle)
        self.watch = Watch(settings.bundle, self._apply, lambda text: began.note(settings.var, "nodeserver", text))
        pull = Pull(ground.config, settings.node, settings.token_file, self.place, self._revision)
        self.pull = pull if settings.pull else None
        self.runs = Runs(settings, ground.config)

    def parts(self) -> list[Part]:
        """Return the parts in the order in which they start. What lies here is in force before it is told."""
        self.watch.unit()
        sender = Worker("reporter", self.reporter.unit, idle=0.2)
        self.reporter.wake = sender.wake
        found: list[Part] = [sender, self.runner.plugins, self.runner.pool]
        watch = Worker("bundle", self.watch.unit, idle=LOOK_SECONDS)
        found.append(watch)
        if self.pull is not None:
            self.pull.written = watch.wake
            found.append(Worker("pull", self.pull.unit, idle=POLL_SECONDS))
        found.append(Worker("memory", self.memory.unit, idle=REMEMBER_SECONDS))
        found.append(Worker("scheduler", self.runner.unit))
        found.append(self.runs)
        return found

    def on_hangup(self, _number: int, _frame: FrameType | None) -> None:
        """Read the configuration anew (SIGHUP)."""
        self.watch.again()

    def install(self) -> None:
        """Let SIGHUP mean that the files of the bundle were changed."""
        signal.signal(signal.SIGHUP, self.on_hangup)

    def close(self) -> None:
        """Keep what must survive; call it when the parts have stopped."""
        self.memory.unit()
        self.spool.close()

    def not_ready(self) -> list[str]:
        """Return what is missing for the node server to do its work."""
        if self.watch.current is None:
            return [self._fault() or "There is no configuration of this node yet; the config server has not given one."]
        return []

    def standing(self) -> Standing:
        """Return how the node server is doing."""
        current = self.watch.current
        late = self.runner.late_within(60)
        dropped = self.spool.figures.dropped + self.reporter.overflowed
        faults = [
            self._fault(),
            self.reporter.fault and f"results cannot be kept on disk: {self.reporter.fault}",
            late and f"{counted(late, 'check')} began more than 5 s late in the last minute",
            dropped and f"{counted(dropped, 'result')} given up because the monitor was away for too long",
            self.runner.pool.hanging and f"built-in checks hang: {self.runner.pool.hanging}",
        ]
        count = len(current.checks) if current else 0
        uptime = time.monotonic() - self._began
        return Standing(current.revision if current else None, count, uptime, [str(fault) for fault in faults if fault])

    def _fault(self) -> str | None:
        """What is wrong with the configuration."""
        return self.watch.fault or (self.pull.fault if self.pull else None)

    def _revision(self) -> int | None:
        return self.watch.current.revision if self.watch.current else None

    def _apply(self, read: bundle.NodeserverFile) -> None:
        self.reporter.heartbeat, self.reporter.revision = read.heartbeat, read.revision  # before a new check can end
        self.schedule.apply(read.checks, time.monotonic(), time.time())
        self.runner.forget({(check.node, check.service) for check in read.checks})
        _keep_out_of_collections()
        log.info("revision %d is in force: %s", read.revision, counted(len(read.checks), "check"))


def _keep_out_of_collections() -> None:
    """Let the garbage collector look at what comes and goes alone.

    The schedule of many checks stays as it is until the next revision; looking through it again and again took a tenth of
    the time that goes into checks.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
