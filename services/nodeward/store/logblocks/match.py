"""Which lines match a query: the exact test, on the text of many lines at once.

Lines lie one after the other, each with a newline behind it. A text is looked for in all of them with one `find` after the
other; only what that finds is looked at more closely.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nodeward.store.base import FieldTerm, LogQuery, Term
from nodeward.store.logblocks import codec, words
from nodeward.store.logblocks.rows import Numbers
from nodeward.store.patterns import pattern

Mask = NDArray[np.bool_]
_WORD = words.IS_WORD.tolist()
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyz")


@dataclass(slots=True)
class Lines:
    """Lines to look into. `template` stands for `text` where digits do not matter: if `zeroed`, each digit is a ``0`` in it.

    `starts` gives where lines begin, with one more behind the last. `texts` and `fields` are by line, as in `Rows`.
    """

    count: int
    starts: Callable[[], Numbers]
    template: bytes
    zeroed: bool
    text: Callable[[], bytes]
    texts: Callable[[], Mapping[int, str]]
    fields: Callable[[], Mapping[int, dict[str, Any]]]
    _lowered: dict[bool, bytes] = field(default_factory=dict)

    def lowered(self, digits: bool) -> tuple[bytes, bytes]:
        """Return the text, or where digits do not matter the template, and the same lowered."""
        text = self.text() if digits else self.template
        if digits not in self._lowered:
            self._lowered[digits] = codec.lowered(text)
        return text, self._lowered[digits]


def matching(query: LogQuery, lines: Lines, wanted: Mask) -> Mask:
    """Given the lines that are `wanted` for other reasons, return those of them that match the query's texts too."""
    for term in query.terms:
        if not wanted.any():
            return wanted
        found = _with_term(term, lines, wanted)
        wanted = wanted & ~found if term.exclude else wanted & found
    for condition in query.fields:
        if wanted.any():
            found = _with_field(condition, lines, wanted)
            wanted = wanted & ~found if condition.exclude else wanted & found
    if query.regex and wanted.any():
        wanted = wanted & _with_pattern(pattern(query.regex), lines, wanted)
    return wanted


def needed_words(term: Term) -> list[int]:
    """Return the hashes of the words that a line must have to match `term`: the filter is asked for them."""
    if term.exclude:
        return []
    text = term.text
    found, begin = [], None
    for position in range(len(text) + 1):
        inside = position < len(text) and _WORD[text[position]]
        if inside and begin is None:
            begin = position
        elif not inside and begin is not None:
            if (begin > 0 or term.left) and (position < len(text) or term.right):
                found.append(int(words.hashes(text[begin:position])[0]))
            begin = None
    return found


def contains(term: Term, text: bytes) -> bool:
    """Say whether a single text matches the term, leaving `exclude` aside."""
    return _next(term, text, text.lower(), term.text.lower(), 0) >= 0


def _with_term(term: Term, lines: Lines, wanted: Mask) -> Mask:
    digits = any(48 <= byte < 58 for byte in term.text)
    begin, end = _range(lines, wanted)
    plain = term.text.lower()
    hits: list[int] = []
    if not (digits and lines.zeroed) or _shape_is_there(plain, lines, begin, end):
        text, lowered = lines.lowered(digits)
        hits = _hits(term, text, lowered, plain, begin, end)
    found = np.zeros(lines.count, np.bool_)
    if hits:
        found[np.searchsorted(lines.starts(), hits, side="right") - 1] = True
    for row, other in lines.texts().items():
        if not found[row] and wanted[row]:
            found[row] = contains(term, other.encode())
    return found


def _shape_is_there(plain: bytes, lines: Lines, begin: int, end: int) -> bool:
    """Say whether a text with zeros for its digits is in the template: if not, the digits need not be filled in."""
    return lines.lowered(False)[1].find(codec.lowered(plain.translate(_ZEROS)), begin, end) >= 0


def _hits(term: Term, text: bytes, lowered: bytes, plain: bytes, begin: int, end: int) -> list[int]:
    """Return where lines of text[begin:end] match, one place per line."""
    needle = codec.lowered(plain)
    sure = _LETTERS.issuperset(plain)  # for letters the lowered text is exact
    found = []
    position = lowered.find(needle, begin, end)
    while position >= 0:
        after = position + len(needle)
        if (
            (sure or text[position:after].lower() == plain)
            and not (term.left and position and _WORD[plain[0]] and _WORD[text[position - 1]])
            and not (term.right and _WORD[plain[-1]] and _WORD[text[after]])
        ):
            found.append(position)
            position = lowered.find(needle, text.find(b"\n", after - 1), end)
        else:
            position = lowered.find(needle, position + 1, end)
    return found


def _next(term: Term, text: bytes, lowered: bytes, plain: bytes, begin: int) -> int:
    position = lowered.find(plain, begin)
    while position >= 0:
        after = position + len(plain)
        left = not (term.left and position and _WORD[plain[0]] and _WORD[text[position - 1]])
        right = not (term.right and after < len(text) and _WORD[plain[-1]] and _WORD[text[after]])
        if left and right:
            return position
        position = lowered.find(plain, position + 1)
    return -1


def _with_field(condition: FieldTerm, lines: Lines, wanted: Mask) -> Mask:
    found = np.zeros(lines.count, np.bool_)
    value = condition.value.lower()
    for row, fields in lines.fields().items():
        if wanted[row] and condition.name in fields:
            found[row] = _as_text(fields[condition.name]).lower() == value
    return found


def _as_text(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _with_pattern(compiled: Any, lines: Lines, wanted: Mask) -> Mask:
    text = lines.text()
    found = np.zeros(lines.count, np.bool_)
    position, end = _range(lines, wanted)
    while position < end:
        match = compiled.search(text, position, end)
        if match is None:
            break
        row = int(np.searchsorted(lines.starts(), match.start(), side="right")) - 1
        if row >= lines.count:
            break
        found[row] = True
        position = int(lines.starts()[row + 1])
    return found


def _range(lines: Lines, wanted: Mask) -> tuple[int, int]:
    """Return the part of the text that holds all wanted lines."""
    if wanted.all():
        return 0, len(lines.template)
    rows = np.flatnonzero(wanted)
    return int(lines.starts()[rows[0]]), int(lines.starts()[rows[-1] + 1])
