"""Runbooks: real programs driven through their prompts, each run in a process of its own."""
