"""The node server: runs a node's checks, keeps their results until the monitor has them, tells about its machine."""
