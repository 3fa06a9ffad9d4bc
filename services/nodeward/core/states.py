"""States: what a check's exit code means (Nagios plugin API), for services and for nodes."""

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
SERVICE_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
NODE_STATES = ("UP", "DOWN", "UNREACHABLE")
PENDING = "PENDING"

# Worst first, for lists and roll-ups.
WORST_FIRST = ("CRITICAL", "DOWN", "UNREACHABLE", "UNKNOWN", "WARNING", PENDING, "OK", "UP")


def service_state(code: int) -> str:
    """Return the state of a service whose check ended with `code`; a code outside 0 to 3 is UNKNOWN."""
    return SERVICE_STATES[code] if 0 <= code <= 3 else "UNKNOWN"


def node_state(code: int) -> str:
    """Return the state of a node whose own check ended with `code`: OK and WARNING are UP (plugin API), the rest is DOWN."""
    return "UP" if code in (OK, WARNING) else "DOWN"


def is_problem(state: str) -> bool:
    """Say whether somebody should look at it."""
    return state not in ("OK", "UP", PENDING)
