"""Stand-ins that are real servers and programs."""
