"""Supervisor's two faces: what is asked of it (XML-RPC), and what it tells (events)."""
