"""The documentation of the action `nodeward.fleet.bundle`, which runs on the controller."""

DOCUMENTATION = """
module: bundle
short_description: Put a bundle in place on a node
description: [The node's own programs look at the files first; what they refuse changes nothing.]
options:
  files:
    description: The files, by name.
    type: dict
    required: true
  refused:
    description: The files that the node is rolled back from. They are not handed to it again.
    type: dict
  why:
    description: The reason for that.
    type: str
  rollout:
    description: The number of the rollout that this is part of. Once that was aborted, nothing is put in place.
    type: int
"""
