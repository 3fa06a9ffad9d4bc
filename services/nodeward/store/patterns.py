"""Regular expressions that people type in: by RE2 alone, whose effort grows with the text and not with the pattern's cunning."""

import functools
from typing import Any

import re2

from nodeward.core.errors import BadInput

MAX_PATTERN = 2000
_LINES = b"(?m)"  # ^ and $ mean each line


@functools.lru_cache(256)
def pattern(source: str) -> Any:
    """Return the compiled pattern. Raise BadInput with a sentence if it is none."""
    if len(source) > MAX_PATTERN:
        raise BadInput(f"The pattern has {len(source)} characters; at most {MAX_PATTERN} are allowed.")
    options = re2.Options()
    options.log_errors = False
    options.never_nl = True
    options.max_mem = 16 * 1024 * 1024
    options.encoding = re2.Options.Encoding.LATIN1  # bytes are bytes; what is not UTF-8 can be looked for too
    try:
        return re2.compile(_LINES + source.encode(), options)
    except re2.error as error:
        said = error.args[0]
        reason = (said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)).replace(
            _LINES.decode(), ""
        )
        raise BadInput(f"The pattern {source!r} cannot be used: {reason}. It must be an RE2 expression.") from None
