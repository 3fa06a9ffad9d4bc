"""Patterns over text, by RE2 alone, whose effort grows with the text and not with the pattern's cunning."""

import functools
from collections.abc import Callable
from typing import Any

from nodeward.core.errors import BadInput

MAX_PATTERN = 2000
MEMORY = 16 * 1024 * 1024
_LINES = "(?m)"  # ^ and $ mean each line


@functools.lru_cache(256)
def pattern(source: str) -> Any:
    """Return the compiled pattern; ^ and $ mean each line. Raise BadInput with a sentence if it is none."""
    return compiled(source, lambda lines: lines)


def compiled(source: str, form: Callable[[str], str | bytes], **options: Any) -> Any:
    """Return the pattern, with ^ and $ for each line, compiled with RE2's `options` in the `form` that is to be matched.

    Raise BadInput with a sentence if it is none.
    """
    import re2  # only where patterns are used: not every image has it

    if len(source) > MAX_PATTERN:
        raise BadInput(f"The pattern has {len(source)} characters; at most {MAX_PATTERN} are allowed.")
    chosen = re2.Options()
    chosen.log_errors, chosen.max_mem = False, MEMORY
    for name, value in options.items():
        setattr(chosen, name, value)
    try:
        return re2.compile(form(f"{_LINES}{source}"), chosen)
    except (re2.error, UnicodeEncodeError) as error:
        said = error.args[0] if isinstance(error, re2.error) else "it is not UTF-8"
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise BadInput(
            f"The pattern {source!r} cannot be used: {reason.replace(_LINES, '')}. It must be an RE2 expression."
        ) from None
