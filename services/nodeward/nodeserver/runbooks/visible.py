"""What a person sees of a terminal's output: without colours and cursor movements, whatever pieces it comes in."""

import re

# What draws nothing: control sequences (colours), operating system commands (titles), other escapes, control characters.
CONTROL = (
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[PX^_][^\x1b]*\x1b\\|\x1b[ -/]+[0-~]|\x1b[0-OQ-WYZ`-~\\]"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROL = re.compile(CONTROL)
_UNFINISHED = re.compile(r"(?:\x1b(?:[ -/]*|\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?)|\x9b[0-?]*[ -/]*|\r)\Z")
_MOST_UNFINISHED = 4096
_LINE_END = re.compile(r"\r*\n\r*|\r+")
_OTHER = re.compile(r"[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Visible:
    """The visible part of a stream. What may be the beginning of a control sequence waits for its end."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> str:
        """Return what can be seen of the stream's next piece."""
        text = self._rest + text
        begun = unfinished(text)
        self._rest = text[begun:]
        return visible(text[:begun])

    def end(self) -> str:
        """Return what is left when nothing comes any more."""
        rest, self._rest = self._rest, ""
        return visible(rest)


def unfinished(text: str) -> int:
    """Return where a control sequence begins that the text does not end; the text's length if there is none."""
    found = _UNFINISHED.search(text, max(0, len(text) - _MOST_UNFINISHED))
    return found.start() if found else len(text)


def visible(text: str) -> str:
    """Return a text without what draws nothing; any way to begin a line is `\\n`, a backspace takes a character back."""
    text = _LINE_END.sub("\n", _OTHER.sub("", _CONTROL.sub("", text)))
    return _rubbed_out(text) if "\b" in text else text


def _rubbed_out(text: str) -> str:
    kept: list[str] = []
    for character in text:
        if character != "\b":
            kept.append(character)
        elif kept and kept[-1] != "\n":
            kept.pop()
    return "".join(kept)
