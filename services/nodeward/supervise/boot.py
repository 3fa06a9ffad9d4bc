"""The first process of a container: make ready what supervisor needs on the volume, then become supervisord (PID 1 stays)."""

import os
import sys
from pathlib import Path

from nodeward.core.program import guarded
from nodeward.supervise.prepare import prepare

CONFIG = "/etc/supervisor/supervisord.conf"


def main() -> int:
    """Become supervisord; return only if NODEWARD_VAR cannot be used."""
    prepare(Path(os.environ.get("NODEWARD_VAR", "var")).absolute())
    os.execvp("supervisord", ["supervisord", "--nodaemon", "--configuration", CONFIG])  # noqa: S606 - PID 1 has no shell


if __name__ == "__main__":
    sys.exit(guarded(main))
