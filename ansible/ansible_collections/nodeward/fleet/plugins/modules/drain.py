"""The documentation of the action `nodeward.fleet.drain`, which runs on the controller."""

DOCUMENTATION = """
module: drain
short_description: Wait for the runs of runbooks on a node
description:
  - Where the files to be put in place make its node server start anew, which would cut runs off. Elsewhere it does nothing.
  - Meanwhile the node takes no new runs, until C(lift), or for some minutes at most.
options:
  files:
    description: The files that are to be put in place, by name.
    type: dict
  reload:
    description: Whether programs will only be told to read their files.
    type: bool
    default: false
  seconds:
    description: How long runs may take to end.
    type: float
    default: 300
  now:
    description: Do not wait; what is under way is cut off.
    type: bool
    default: false
  rollout:
    description: The number of the rollout that this is part of. Once that was aborted, nothing is waited for.
    type: int
  lift:
    description: Only take new runs again.
    type: bool
    default: false
"""
