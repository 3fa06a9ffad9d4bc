"""Patterns over text, by RE2 alone, whose effort grows with the text and not with the pattern's cunning."""

import functools
from typing import Any

from nodeward.core.errors import BadInput

MAX_PATTERN = 2000


@functools.lru_cache(256)
def pattern(source: str) -> Any:
    """Return the compiled pattern; ^ and $ mean each line. Raise BadInput with a sentence if it is none."""
    import re2  # only where patterns are used: not every image has it

    if len(source) > MAX_PATTERN:
        raise BadInput(f"The pattern has {len(source)} characters; at most {MAX_PATTERN} are allowed.")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 16 * 1024 * 1024
    try:
        return re2.compile(f"(?m){source}", options)
    except (re2.error, UnicodeEncodeError) as error:
        said = error.args[0] if isinstance(error, re2.error) else "it is not UTF-8"
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise BadInput(
            f"The pattern {source!r} cannot be used: {reason.replace('(?m)', '')}. It must be an RE2 expression."
        ) from None
