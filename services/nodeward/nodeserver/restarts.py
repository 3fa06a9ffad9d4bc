"""Which programs must be started anew for what lies on disk, and doing it: by what is, not by what was just done.

So a rollout that broke off between the files and the programs is completed by the next one.
"""

import logging
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from nodeward.core import began, bundle
from nodeward.supervise.client import Program, Programs

log = logging.getLogger(__name__)

READERS = {bundle.NODESERVER: "nodeserver", bundle.TAILFLOG: "tailflog"}  # which program reads which file
RUNNER = "nodeserver"  # whose end is the end of the runs that are under way
RUNS = ("RUNNING", "STARTING")
FAILED = ("FATAL", "EXITED", "BACKOFF")


class HasFiles(Protocol):
    """Where the files lie."""

    def files(self) -> dict[str, str]:
        """Return the files in force."""


class Restarts:
    """The programs that read the bundle's files, under the supervisor of `var`."""

    def __init__(self, place: HasFiles, var: Path) -> None:
        self._place, self._var = place, var
        self._programs = Programs(var)

    def states(self) -> list[dict[str, Any]]:
        """Return every program under that supervisor: name, state, pid, and whether it is due to be started anew."""
        files = self._place.files()
        return [
            {"name": each.name, "state": each.state, "pid": each.pid, "due": self._is_due(each, files)}
            for each in self._programs.list()
        ]

    def carry_out(self, reload: bool = False, check: bool = False) -> dict[str, Any]:
        """Let supervisor read its own configuration (reread, update), and start anew what is due; `reload`: only signal it.

        Return what was done, or with `check` would be: `{"updated": [group], "restarted": [program]}`. The node server
        itself comes last: it may be the one that does this.
        """
        updated = self._programs.changed() if check else self._programs.update()
        files = self._place.files()
        due = [each.name for each in self._programs.list() if self._is_due(each, files)]
        for name in sorted(due, key=lambda name: name == RUNNER):
            if not check:
                log.info("%s is %s for the files of its bundle", name, "told to read" if reload else "started anew")
                self._act(name, reload)
        return {"updated": updated, "restarted": due}

    def ends_runs(self, files: Mapping[str, str], reload: bool = False) -> bool:
        """Whether `carry_out`, once these files lie here, ends the node server, and with it the runs of runbooks."""
        own = next((each for each in self._programs.list() if each.name == RUNNER), None)
        if own is None or own.state not in RUNS or reload:
            return False
        return self._is_due(own, {**self._place.files(), **files}) or own.group in self._programs.changed()

    def _act(self, name: str, reload: bool) -> None:
        if reload and self._programs.get(name).state in RUNS:
            self._programs.signal(name, signal.SIGHUP)
        else:
            self._programs.restart(name)

    def _is_due(self, each: Program, files: dict[str, str]) -> bool:
        text = next((files.get(file) for file, program in READERS.items() if program == each.name), None)
        if text is None or each.state not in (*RUNS, *FAILED):
            return False  # stopped by somebody: that is theirs to undo
        if each.state in FAILED:
            return True
        noted = began.read(self._var, each.name)
        return noted is not None and noted.pid == each.pid and noted.meaning != began.meaning(text)
