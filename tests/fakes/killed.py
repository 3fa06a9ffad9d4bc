"""tailflog that is killed at the n-th step of writing its state: `python killed.py N`.

A step is a call that changes something on disk. The call is not made: the process ends right before it.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from nodeward.tailflog import main

STEPS = ("write", "fsync", "fdatasync", "replace", "rename", "unlink", "ftruncate", "truncate")


def counted(step: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    """Return the call, which ends the process instead when its turn has come."""

    def call(*arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*arguments, **options)

    return call


if __name__ == "__main__":
    left = [int(sys.argv.pop(1))]
    for name in STEPS:
        setattr(os, name, counted(getattr(os, name), left))
    sys.exit(main.main())
