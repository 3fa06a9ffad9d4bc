"""The documentation of the action `nodeward.fleet.begin`, which runs on the controller."""

DOCUMENTATION = """
module: begin
short_description: Begin a rollout
description: [Takes the lease, of which there is one, and gives the rollout its number C(rollout). In check mode it does nothing.]
options:
  action:
    description: Which way it goes.
    choices: [rollout, rollback]
    type: str
    default: rollout
  limit:
    description: The nodes that it is limited to, for those who read of it.
    type: str
  canary:
    description: How many nodes go first.
    type: int
    default: 1
"""
