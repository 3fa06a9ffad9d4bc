"""The documentation of the action `nodeward.fleet.look`, which runs on the controller."""

DOCUMENTATION = """
module: look
short_description: Look at what a node has and is to get
description: [Changes nothing. Tells C(wanted), C(present), C(before), C(differs), C(late) and C(due).]
options:
  handed:
    description: Compare with the bundle that the node is to have now, instead of the newest one.
    type: bool
    default: false
"""
