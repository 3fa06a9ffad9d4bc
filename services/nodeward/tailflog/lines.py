"""From bytes to lines: whole ones only, each with its offset; line ends, byte order marks and encodings.

A line ends at a newline; a carriage return before it belongs to the line end. A byte order mark at the beginning of a file
belongs to no line, and NULs there neither: they are the hole that a writer leaves which does not know that its file was
truncated. Lines of a file in another encoding are handed on as UTF-8; offsets are always bytes of the file.

A line longer than `LONGEST` is cut into pieces of that size, each a record that says so: memory stays flat and no byte is lost.
"""

from array import array
from dataclasses import dataclass, field
from itertools import accumulate

LONGEST = 1024 * 1024
MOST = 32768  # lines in a batch
_MARKS = {b"\xef\xbb\xbf": "", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_NEWLINES = {"utf-16-le": b"\n\0", "utf-16-be": b"\0\n"}


@dataclass(slots=True)
class Lines:
    """Whole lines without their ends. `ends` are where each ends in all of them joined, `end` is the offset behind the last.

    `cut` counts the pieces of an overlong line that have gone out when these have, 0 if the last line is complete.
    """

    lines: list[bytes]
    offsets: "array[int]"
    ends: "array[int]"
    end: int
    cut: int = 0
    errors: dict[int, str] = field(default_factory=dict)


def preamble(data: bytes, encoding: str) -> tuple[int, str]:
    """Given a file's first bytes, return how many belong to no line, and the encoding that a mark tells (else `encoding`)."""
    for mark, told in _MARKS.items():
        if data.startswith(mark):
            return len(mark), told or encoding
    return len(data) - len(data.lstrip(b"\0")) if data[:1] == b"\0" and not encoding.startswith(
        "utf-16"
    ) else 0, encoding


def split(data: bytes, offset: int, encoding: str = "", cut: int = 0, final: bool = False) -> Lines | None:
    """Given bytes that begin a line (or its piece number `cut`) at `offset`, return the whole lines, None if there is none.

    `final` says that nothing more will come: then the last line is whole without a newline.
    """
    if encoding.startswith("utf-16"):
        return _split_wide(data, offset, encoding, cut, final)
    first = data.find(b"\n")
    if first > LONGEST or (first < 0 and len(data) >= LONGEST):
        return _piece(data[:LONGEST], offset, encoding, cut)
    if first < 0 and not (final and data):
        return None
    lines = data.split(b"\n", MOST)
    rest = lines.pop()
    if rest and final and len(lines) < MOST:
        lines.append(rest)
        rest = b""
    sizes = [len(line) + 1 for line in lines]
    end = offset + len(data) - len(rest)
    return _lines(lines, sizes, offset, end, encoding, cut)


def _lines(lines: list[bytes], sizes: list[int], offset: int, end: int, encoding: str, cut: int) -> Lines:
    offsets = array("Q", accumulate(sizes[:-1], initial=offset))
    errors = {0: _cut(cut + 1, last=True)} if cut else {}
    lines = [line[:-1] if line[-1:] == b"\r" else line for line in lines]
    if encoding:
        lines = [_utf8(line, encoding, index, errors) for index, line in enumerate(lines)]
    return Lines(lines, offsets, array("I", accumulate(map(len, lines))), end, 0, errors)


def _split_wide(data: bytes, offset: int, encoding: str, cut: int, final: bool) -> Lines | None:
    newline = _NEWLINES[encoding]
    text = data[: len(data) & ~1].decode(encoding, "surrogatepass")
    parts = text.split("\n", MOST)
    if len(parts[0]) * 2 > LONGEST:
        return _piece(data[:LONGEST], offset, encoding, cut)
    rest = parts.pop()
    if rest and final and len(parts) < MOST:
        parts.append(rest)
    if not parts:
        return None
    sizes = [len(part.encode(encoding, "surrogatepass")) + len(newline) for part in parts]
    lines = [part.encode("utf-8", "backslashreplace") for part in parts]
    end = min(offset + sum(sizes), offset + len(data))
    return _lines(lines, sizes, offset, end, "", cut)


def _piece(data: bytes, offset: int, encoding: str, cut: int) -> Lines:
    end = offset + len(data)
    errors = {0: _cut(cut + 1, last=False)}
    if encoding:
        data = _utf8(data, encoding, 0, errors)
    return Lines([data], array("Q", [offset]), array("I", [len(data)]), end, cut + 1, errors)


def _cut(number: int, *, last: bool) -> str:
    return f"its line is longer than {LONGEST} bytes: this is piece {number}{', the last' if last else ''}"


def _utf8(line: bytes, encoding: str, index: int, errors: dict[int, str]) -> bytes:
    try:
        return line.decode(encoding).encode("utf-8", "backslashreplace")
    except (UnicodeDecodeError, LookupError):
        errors.setdefault(index, f"it is not {encoding}; its bytes are kept as they are")
        return line
