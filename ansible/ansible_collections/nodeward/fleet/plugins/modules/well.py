"""The documentation of the action `nodeward.fleet.well`, which runs on the controller."""

DOCUMENTATION = """
module: well
short_description: Wait until a node is well
description: [Asks the node server and the monitor.]
options:
  revision:
    description: The revision that the node server must run.
    type: int
  seconds:
    description: How long it may take.
    type: float
    default: 60
  fresh:
    description: Whether the monitor must hear from the node anew.
    type: bool
    default: false
"""
