"""One JSON object a line, as most structured loggers write, Docker's json-file and journald's export among them."""

import json
from typing import Any

from nodeward.tailflog.formats.base import Parse, Unfit
from nodeward.tailflog.formats.named import parser_of
from nodeward.tailflog.formats.times import Times


def parser(times: Times) -> Parse:
    """Return the parser."""
    return parser_of("JSON", _object, times)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=str)
    except UnicodeDecodeError:
        raise Unfit("it is not UTF-8, which JSON has to be") from None
    except (ValueError, RecursionError) as error:
        raise Unfit(f"it is not JSON ({str(error)[:80]})") from None
    if not isinstance(value, dict):
        raise Unfit("it is JSON, but no object")
    return value
