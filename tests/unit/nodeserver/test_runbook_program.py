"""A runbook's program on its terminal: giving the terminal back takes nothing from anybody else."""

import gc
import os
import tempfile

from nodeward.nodeserver.runbooks.program import Program


def test_a_terminal_is_closed_once_and_its_number_is_then_free_for_others():
    program = Program(["true"], dict(os.environ), None)
    while program.read(1.0) is not None:
        pass
    assert program.code(60.0) == 0
    program.close()
    program.close()
    with (
        tempfile.TemporaryFile() as first,
        tempfile.TemporaryFile() as second,
    ):  # one of them has the terminal's number now
        del program
        gc.collect()
        for file in (first, second):
            os.fstat(file.fileno())
