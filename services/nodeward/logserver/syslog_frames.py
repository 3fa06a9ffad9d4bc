"""Cutting a TCP stream of syslog into messages: counted octets or line ends (RFC 6587), told apart message by message."""

import re

MAX_MESSAGE = 1024 * 1024

_COUNT = re.compile(rb"([1-9]\d{0,8}) (?=<)")
_MAYBE_COUNT = re.compile(rb"[1-9]\d{0,8}( |$)")
_END = re.compile(rb"[\n\0]")


class Frames:
    """Takes the bytes of one connection as they come and gives whole messages."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False  # within a line that was too long

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are whole now. Raise ValueError if a counted one is longer than allowed."""
        buffer, found, position = self._rest + data, [], 0
        while True:
            message, after = self._next(buffer, position)
            if after is None:
                break
            position = after
            if message:
                found.append(message)
        self._rest = buffer[position:]
        return found

    def finish(self) -> list[bytes]:
        """Return what the connection ended with, if it was not whole."""
        rest, self._rest = self._rest, b""
        return [] if self._skipping or not rest.strip() else [rest]

    def _next(self, buffer: bytes, position: int) -> tuple[bytes, int | None]:
        """Return the next message (empty: none to keep) and where it ends, or None if that has not come yet."""
        counted = _COUNT.match(buffer, position)
        if counted is not None and not self._skipping:
            size = int(counted[1])
            if size > MAX_MESSAGE:
                raise ValueError(f"a message of {size} bytes is announced; at most {MAX_MESSAGE} are allowed")
            end = counted.end() + size
            return (buffer[counted.end() : end].rstrip(b"\n"), end) if end <= len(buffer) else (b"", None)
        maybe = _MAYBE_COUNT.match(buffer, position)
        if maybe is not None and maybe.end() == len(buffer) and not self._skipping:
            return b"", None  # the next byte tells whether this is a count
        return self._line(buffer, position)

    def _line(self, buffer: bytes, position: int) -> tuple[bytes, int | None]:
        end = _END.search(buffer, position)
        if end is not None:
            skipping, self._skipping = self._skipping, False
            return b"" if skipping else buffer[position : end.start()].rstrip(b"\r"), end.end()
        if len(buffer) - position <= MAX_MESSAGE:
            return b"", None
        skipping, self._skipping = self._skipping, True  # its beginning is kept, its rest is not
        return b"" if skipping else buffer[position : position + MAX_MESSAGE], len(buffer)
