"""How old a file is: has the backup been written, does the job still touch its stamp?"""

import glob
import os
import time

from nodeward.core import sizes
from nodeward.core.checks import FileAge
from nodeward.nodeserver.checks.base import CannotTell, Context, why
from nodeward.nodeserver.checks.uptime import spoken
from nodeward.nodeserver.output import CRITICAL, OK, WARNING, Metric, Outcome, said

_MISSING = {"ok": OK, "warning": WARNING, "critical": CRITICAL}


def run(args: FileAge, _context: Context) -> Outcome:
    """Judge the age and the size of the newest file that matches."""
    found = newest(args.path)
    if found is None:
        return said("FILE_AGE", [], f"there is no {args.path}", code=_MISSING[args.missing])
    path, status = found
    age = time.time() - status.st_mtime
    metrics = [
        Metric("age", round(age, 3), "s", args.warning, args.critical),
        Metric("size", status.st_size, "B", args.size_warning, args.size_critical, 0),
    ]
    when = f"{spoken(age)} old" if age >= 0 else f"dated {spoken(-age)} in the future"
    return said("FILE_AGE", metrics, f"{path} is {when}, {sizes.text(status.st_size, 'B')}")


def newest(pattern: str) -> tuple[str, os.stat_result] | None:
    """Return the newest file that matches, or None. Raise CannotTell if one cannot be looked at."""
    found = []
    for path in [pattern] if os.path.lexists(pattern) else glob.glob(pattern):
        try:
            found.append((path, os.stat(path)))
        except FileNotFoundError:
            continue  # removed while we looked, or a link that leads nowhere
        except OSError as error:
            raise CannotTell(f"{path}: {why(error)}") from None
    return max(found, key=lambda one: one[1].st_mtime, default=None)
