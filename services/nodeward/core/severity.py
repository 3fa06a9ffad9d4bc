"""Log levels: syslog's eight severities (RFC 5424 §6.2.1), by number and by name."""

NAMES = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")
NONE = 255

_ALIASES = {
    "emergency": 0, "panic": 0, "fatal": 2, "critical": 2, "severe": 3, "err": 3, "eror": 3, "warn": 4, "information": 6,
    "informational": 6, "fine": 7, "finer": 7, "finest": 7, "trace": 7, "verbose": 7, "dbg": 7,
}  # fmt: skip
_BY_NAME = {**{name: number for number, name in enumerate(NAMES)}, **_ALIASES}


def number(name: str) -> int:
    """Return the severity of a level's name in any of its common spellings, or NONE."""
    return _BY_NAME.get(name.strip().lower(), NONE)


def name(severity: int) -> str | None:
    """Return the name of a severity, or None if it is none."""
    return NAMES[severity] if 0 <= severity < 8 else None
