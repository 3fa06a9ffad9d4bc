"""Regular expressions that people type in, over the bytes of lines."""

import functools
from typing import Any

import re2

from nodeward.core import matching


@functools.lru_cache(256)
def pattern(source: str) -> Any:
    """Return the compiled pattern. Raise BadInput with a sentence if it is none."""
    latin1 = re2.Options.Encoding.LATIN1  # bytes are bytes; what is not UTF-8 can be looked for too
    return matching.compiled(source, str.encode, never_nl=True, encoding=latin1)
