"""A mail server that keeps what it takes: small, but real SMTP over a real socket."""

import socketserver
import threading
from email import message_from_bytes
from email.message import Message
from types import TracebackType
from typing import Self


class SmtpSink:
    """Listens on a free port. `mails` are those taken; `refuse` is the answer to the next RCPT commands, e.g. ``451 busy``."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.refuse: str | None = None
        self.tried = 0
        sink = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                _converse(sink, self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def subjects(self) -> list[str]:
        """Return the subjects of the mails taken, in order."""
        return [str(mail["Subject"]) for mail in self.mails]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _converse(sink: SmtpSink, session: socketserver.StreamRequestHandler) -> None:
    def say(text: str) -> None:
        session.wfile.write(text.encode() + b"\r\n")

    say("220 sink")
    while line := session.rfile.readline():
        command = line[:4].upper().strip()
        if command == b"QUIT":
            say("221 bye")
            return
        if command == b"RCPT" and (refusal := sink.refuse):
            sink.tried += 1
            say(refusal)
        elif command == b"DATA":
            say("354 go on")
            sink.mails.append(message_from_bytes(_data(session)))
            say("250 taken")
        else:
            say("250 fine")


def _data(session: socketserver.StreamRequestHandler) -> bytes:
    lines = []
    while (line := session.rfile.readline()) not in (b".\r\n", b""):
        lines.append(line[1:] if line.startswith(b".") else line)
    return b"".join(lines)
