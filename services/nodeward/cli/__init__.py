"""The command `nodeward`."""
