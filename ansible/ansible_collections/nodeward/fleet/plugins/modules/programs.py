"""The documentation of the action `nodeward.fleet.programs`, which runs on the controller."""

DOCUMENTATION = """
module: programs
short_description: Start anew what its files changed for
description: [Lets supervisor reread and update. A program that began with the files as they are is left alone.]
options:
  reload:
    description: Only tell the programs to read their files.
    type: bool
    default: false
"""
