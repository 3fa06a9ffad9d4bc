"""The process of one run. Its standard input is the line to its node server, by which it gets its job.

It ends with its run, and with its node server: when that is gone, it ends everything it started, says so in the journal, and
ends.
"""

import os
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

from nodeward.core import runbook, runbook_names
from nodeward.nodeserver.runbooks import course, tree
from nodeward.nodeserver.runbooks.control import Control, Gone
from nodeward.nodeserver.runbooks.course import FAILED, INTERRUPTED, Course
from nodeward.nodeserver.runbooks.journal import Journal
from nodeward.nodeserver.runbooks.redact import Redactor
from nodeward.nodeserver.runbooks.steps import act, given_facts

JOURNAL = "journal"
MOST_OUTPUT = 16 * 1024 * 1024


def main() -> int:
    """Carry out the run that the node server hands over. Return the exit code."""
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tree.become_subreaper()
    line = socket.socket(fileno=os.dup(0))
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    control = Control(line)
    try:
        job = control.job()
    except Gone:
        return 0
    control.listen()
    redactor = Redactor()
    journal = Journal(Path(job["directory"]) / JOURNAL, redactor, control.news, MOST_OUTPUT)
    try:
        state, detail = _carry_out(job, journal, control, redactor)
    except Exception as error:
        sys.stderr.write(redactor.text(traceback.format_exc()))
        tree.end(tree.below)
        state, detail = (
            FAILED,
            f"Something went wrong in the node server itself ({type(error).__name__}); its log has it.",
        )
    journal.tell("end", state=state, detail=detail)
    journal.close()
    return 0 if state != INTERRUPTED else 1


def _carry_out(job: dict[str, object], journal: Journal, control: Control, redactor: Redactor) -> tuple[str, str]:
    body, values = job["body"], job["values"]
    assert isinstance(body, dict)
    assert isinstance(values, dict)
    plan = runbook.plan(body)
    for name, parameter in plan.parameters.items():
        if parameter.type == "secret" and values[name]:
            redactor.add(values[name])
    under_way = Course(
        job, plan, runbook_names.names_of(body), {**values, **given_facts(job)}, journal, control, redactor,
        until=time.monotonic() + plan.timeout,
    )  # fmt: skip
    for name in under_way.names:
        under_way.values.setdefault(name, course.result(ok=False, skipped=True))  # of a step that was not come to
    return course.run(under_way, act)


if __name__ == "__main__":
    sys.exit(main())
