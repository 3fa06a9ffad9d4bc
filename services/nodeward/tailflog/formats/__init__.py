"""The formats of log lines, one module each, in one visible table.

A new format: its module here, its line in `FORMATS`, its section in docs/formats.md, its test.
"""

from collections.abc import Callable

from nodeward.tailflog.formats.apache import parser as apache
from nodeward.tailflog.formats.base import Parse
from nodeward.tailflog.formats.json import parser as json
from nodeward.tailflog.formats.log4j import parser as log4j
from nodeward.tailflog.formats.logfmt import parser as logfmt
from nodeward.tailflog.formats.nginx import parser as nginx
from nodeward.tailflog.formats.pattern import parser as pattern
from nodeward.tailflog.formats.raw import parser as raw
from nodeward.tailflog.formats.rfc5424 import parser as rfc5424
from nodeward.tailflog.formats.syslog import parser as syslog
from nodeward.tailflog.formats.times import Times

FORMATS: dict[str, Callable[[Times], Parse]] = {
    "syslog": syslog,
    "rfc5424": rfc5424,
    "nginx": nginx,
    "apache": apache,
    "json": json,
    "logfmt": logfmt,
    "log4j": log4j,
    "raw": raw,
}


def parser(format: str | dict[str, str], times: Times) -> Parse:  # noqa: A002 - the operator's word
    """Return the function that parses a line of `format`: a name of the table, or {"pattern": …}."""
    if isinstance(format, dict):
        return pattern(format["pattern"], times)
    return FORMATS[format](times)


def name(format: str | dict[str, str]) -> str:  # noqa: A002
    """Return what a batch says about its format."""
    return "pattern" if isinstance(format, dict) else format
