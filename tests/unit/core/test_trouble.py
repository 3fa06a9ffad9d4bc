"""What the log says of trouble: its beginning, its lasting, and not every second in between."""

import logging

from nodeward.core.errors import BadInput, Unavailable
from nodeward.core.trouble import PATIENCE, Trouble

log = logging.getLogger("nodeward.trouble")


def _levels(caplog):
    return [record.levelname for record in caplog.records]


def test_what_passes_is_information_and_what_lasts_becomes_a_warning_each_said_once(caplog):
    caplog.set_level(logging.INFO, log.name)
    now = [5.0]
    trouble = Trouble(log, lambda: now[0])
    for now[0] in range(5, 5 + int(PATIENCE) + 20):
        trouble.meet(Unavailable("The server does not answer."), "trying again: %s")
    assert _levels(caplog) == ["INFO", "WARNING"]
    assert caplog.messages == ["trying again: The server does not answer."] * 2
    assert trouble.end() == PATIENCE + 19
    assert trouble.end() is None
    trouble.meet(Unavailable("Again."), "trying again: %s")
    assert _levels(caplog) == ["INFO", "WARNING", "INFO"]


def test_what_never_passes_by_itself_is_a_warning_at_once(caplog):
    caplog.set_level(logging.INFO, log.name)
    trouble = Trouble(log)
    trouble.meet(Unavailable("Away."), "%s")
    trouble.meet(BadInput("Not valid."), "%s")
    trouble.meet(BadInput("Not valid."), "%s")
    assert _levels(caplog) == ["INFO", "WARNING"]
