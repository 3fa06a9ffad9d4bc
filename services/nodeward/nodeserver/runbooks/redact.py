"""Secrets never leave: each is blotted out wherever it would appear, whatever pieces the text comes in.

A terminal may put colours, line ends and cursor movements between two characters of what it echoes. So a secret is looked for in
the text as it came, without those, and without what a backspace overwrote as well.
"""

import base64
import bisect
import json
import re
import shlex
import urllib.parse
from collections.abc import Iterator
from typing import Any

from nodeward.nodeserver.runbooks.visible import CONTROL, unfinished

BLOT = "•••••"
LEAST = 4
_SKIPPED = re.compile(rf"{CONTROL}| \r(?!\n)|[\x00-\x1f\x7f-\x9f]")
_OVERWRITTEN = re.compile(rf"\x08(?:{CONTROL}|\x1b.|[^\x08\x1b])|{CONTROL}| \r(?!\n)|[\x00-\x1f\x7f-\x9f]")
_NOTHING = re.compile(r"(?!)")
_WAYS = (_NOTHING, _SKIPPED, _OVERWRITTEN)


class Redactor:
    """Knows the secrets of a run; more may be added while it runs."""

    def __init__(self) -> None:
        self._forms: list[str] = []

    def add(self, secret: str) -> None:
        """From now on, blot this out: as it is, and as JSON, a shell, a URL and base64 write it."""
        raw = secret.encode()
        written = {
            secret, secret.strip(), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1],
            shlex.quote(secret), urllib.parse.quote(secret), urllib.parse.quote_plus(secret), urllib.parse.quote(secret, safe=""),
            base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("="), raw.hex(),
        }  # fmt: skip
        forms = {_plain(form, way)[0] for form in written for way in _WAYS}
        self._forms = sorted({*self._forms, *(form for form in forms if len(form) >= LEAST)}, key=len, reverse=True)

    def holds(self, text: str) -> bool:
        """Whether there is a secret in a text."""
        return any(form in text for form in self._forms)

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        return self._blotted(text, self._ranges(text)) if self._forms else text

    def value(self, value: Any) -> Any:
        """Return a value of lists, dictionaries and texts without secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(each) for key, each in value.items()}
        return value

    def part(self, text: str) -> tuple[str, str]:
        """Given the beginning of a stream, return what can be told of it now, and the rest that must wait for what follows.

        The rest may be the beginning of a secret.
        """
        if not self._forms:
            return text, ""
        ranges = self._ranges(text)
        hold = min(unfinished(text), *(self._begun(text, way) for way in _WAYS))
        hold = max([hold, *(end for _, end in ranges)])
        return self._blotted(text[:hold], ranges), text[hold:]

    def _ranges(self, text: str) -> list[tuple[int, int]]:
        """Return where secrets are, in order, none within another."""
        found = sorted({place for way in _WAYS for place in self._places(text, way)})
        merged: list[tuple[int, int]] = []
        for start, end in found:
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged

    def _places(self, text: str, way: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        plain, back = _plain(text, way)
        for form in self._forms:
            at = plain.find(form)
            while at >= 0:
                yield back.raw(at), back.raw(at + len(form) - 1) + 1
                at = plain.find(form, at + 1)

    def _begun(self, text: str, way: re.Pattern[str]) -> int:
        """Return where the longest end of a text begins that is the beginning of a secret; the text's length if there is none."""
        plain, back = _plain(text, way)
        longest = 0
        for form in self._forms:
            window = plain[-(len(form) - 1) :]
            at = window.find(form[0])
            while at >= 0 and len(window) - at > longest:
                if form.startswith(window[at:]):
                    longest = len(window) - at
                at = window.find(form[0], at + 1)
        return back.raw(len(plain) - longest) if longest else len(text)

    @staticmethod
    def _blotted(text: str, ranges: list[tuple[int, int]]) -> str:
        pieces, at = [], 0
        for start, end in ranges:
            pieces += [text[at:start], BLOT]
            at = end
        return "".join([*pieces, text[at:]])


class Stream:
    """A stream of text without secrets."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor, self._rest = redactor, ""

    def feed(self, text: str) -> str:
        """Return what can be told of the next piece."""
        told, self._rest = self._redactor.part(self._rest + text)
        return told

    def end(self) -> str:
        """Return the rest: nothing comes any more."""
        rest, self._rest = self._rest, ""
        return self._redactor.text(rest)


class _Back:
    """The way back from places in a plain text to those in the text it was made of."""

    def __init__(self, starts: list[int], raws: list[int]) -> None:
        self._starts, self._raws = starts, raws

    def raw(self, place: int) -> int:
        """Return where a character of the plain text stood."""
        piece = bisect.bisect_right(self._starts, place) - 1
        return self._raws[piece] + place - self._starts[piece]


def _plain(text: str, way: re.Pattern[str]) -> tuple[str, _Back]:
    pieces, starts, raws = [], [], []
    length = at = 0
    for found in way.finditer(text):
        if found.start() > at:
            pieces.append(text[at : found.start()])
            starts.append(length)
            raws.append(at)
            length += found.start() - at
        at = found.end()
    starts.append(length)
    raws.append(at)
    pieces.append(text[at:])
    return "".join(pieces), _Back(starts, raws)
