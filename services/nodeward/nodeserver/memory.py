"""What the schedule remembers through a restart: the last code, attempt and time of each check. Losing it does no harm."""

import json
import logging
from pathlib import Path

from nodeward.core.files import write_atomic
from nodeward.nodeserver.schedule import Key, Progress, Schedule

log = logging.getLogger(__name__)


def read(path: Path) -> dict[Key, Progress]:
    """Return what was remembered; nothing if the file is missing or damaged."""
    try:
        rows = json.loads(path.read_text())
        return {
            (node, service): Progress(int(code), int(attempt), int(last)) for node, service, code, attempt, last in rows
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s cannot be read (%s); every check counts as new", path, error)
        return {}


class Memory:
    """Writes the schedule's memory to `path`. `unit` is one piece of work; `stop` writes a last time."""

    def __init__(self, path: Path, schedule: Schedule) -> None:
        self._path, self._schedule = path, schedule
        self._written = ""

    def unit(self) -> bool:
        """Write what changed. Return False: there is nothing more to do for a while."""
        rows = [[*key, progress.code, progress.attempt, progress.last] for key, progress in self._schedule.remember()]
        text = json.dumps(rows)
        if text != self._written:
            write_atomic(self._path, text)
            self._written = text
        return False
