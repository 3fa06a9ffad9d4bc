"""Lines of no known form: the line is the message, the moment it was received its time."""

from nodeward.tailflog.formats.base import Parse, Row, unparsed
from nodeward.tailflog.formats.times import Times


def parser(_times: Times) -> Parse:
    """Return the parser."""
    return _parse


def _parse(line: bytes) -> Row:
    return unparsed(line, None)
