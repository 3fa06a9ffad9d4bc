"""The config server: the one source of truth about nodes, checks, log sources, runbooks and people."""
