"""What somebody did to a program without asking any door of ours: with supervisorctl, or on supervisor's socket.

Supervisor does not tell who asked it. Our own doors leave a mark before they ask (`marks`); a program that is stopped, or started
after it was stopped, without a fresh mark was told so from outside. What supervisor does by itself is no deed: the start of all
programs at its own start, a restart of what ended, the end of all at its own end.
"""

from collections.abc import Iterable, Mapping

from nodeward.supervise.client import Program


class Outside:
    """Decides which of supervisor's events are deeds. `programs` is how they stand when it begins to listen."""

    def __init__(self, programs: Iterable[Program] = ()) -> None:
        self._stopped = {one.name for one in programs if one.state in ("STOPPED", "STOPPING") and one.since is not None}
        self._ending = False

    def action(self, event: str, payload: Mapping[str, str]) -> str | None:
        """Return what was done to the program that an event is of, or None if nobody did anything."""
        name, before = payload.get("processname", ""), payload.get("from_state")
        if event == "SUPERVISOR_STATE_CHANGE_STOPPING":
            self._ending = True
        elif event == "PROCESS_STATE_STOPPING" and not self._ending:
            self._stopped.add(name)
            return "stop program"
        elif event == "PROCESS_STATE_STARTING" and (
            before == "FATAL" or (before == "STOPPED" and name in self._stopped)
        ):
            self._stopped.discard(name)
            return "start program"
        return None
