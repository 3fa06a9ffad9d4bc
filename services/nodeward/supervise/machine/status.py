"""`script/status`: become supervisorctl, with the configuration of the appliance under NODEWARD_VAR."""

import os
import sys

from nodeward.core.errors import Unavailable
from nodeward.core.program import guarded
from nodeward.core.settings import Settings, load
from nodeward.supervise.machine import processes


def main() -> int:
    """Run `supervisorctl status`, or the command given. Raise Unavailable if nothing runs."""
    var = load(Settings).var
    if processes.supervisord(var) is None:
        raise Unavailable(f"Nothing of the appliance under {var} runs. `script/up` starts it.")
    config = str(processes.configuration_file(var))
    command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", config, *(sys.argv[1:] or ["status"])]
    os.execv(sys.executable, command)  # noqa: S606 - supervisorctl takes this process's place


if __name__ == "__main__":
    sys.exit(guarded(main))
