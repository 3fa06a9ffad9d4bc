"""What happens in a run, written down as it happens: one JSON value a line, without secrets.

{"at": µs, "type": "begin", "steps": [{"path", "title"}]}
{"at", "type": "step", "path", "title", "state": running|ok|failed|skipped|stopped, "attempt", "detail"}
{"at", "type": "output", "text", "node"?}         what programs printed; of another node where `node` says so
{"at", "type": "sent", "text"}                    what was typed
{"at", "type": "ask", "ask", "question", "kind", "choices", "default", "until"}
{"at", "type": "answered", "ask", "by", "answer"}
{"at", "type": "stopping", "by"}
{"at", "type": "note", "text"}
{"at", "type": "end", "state": succeeded|failed|stopped|interrupted, "detail"}
"""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nodeward.core import clock
from nodeward.nodeserver.runbooks.redact import Redactor, Stream

FLUSH_CHARACTERS = 8192
FLUSH_SECONDS = 0.05


class Journal:
    """A run's journal. `news` is called after something was written. Safe to use from several threads."""

    def __init__(self, path: Path, redactor: Redactor, news: Callable[[], None], most: int) -> None:
        self._file = path.open("a", encoding="utf-8")
        path.chmod(0o600)
        self._redactor, self._news, self._room = redactor, news, most
        self._lock = threading.RLock()
        self._text: list[str] = []
        self._since = 0.0
        self._full = False

    def tell(self, event: str, /, **more: Any) -> None:
        """Write down what happened."""
        with self._lock:
            self.flush()
            self._write({"type": event, **self._redactor.value(more)})
            self._news()

    def output(self, text: str, node: str | None = None) -> None:
        """Write down what a program printed; it bears no secret any more. It may wait a moment for more."""
        if not text:
            return
        with self._lock:
            if node is not None:
                self.flush()
                self._put({"type": "output", "text": text, "node": node})
                self._news()
                return
            if not self._text:
                self._since = time.monotonic()
            self._text.append(text)
            if sum(map(len, self._text)) > FLUSH_CHARACTERS:
                self.flush()

    def breathe(self) -> None:
        """Write down what has waited long enough."""
        with self._lock:
            if self._text and time.monotonic() > self._since + FLUSH_SECONDS:
                self.flush()

    def flush(self) -> None:
        """Write down what waits."""
        with self._lock:
            if self._text:
                text, self._text = "".join(self._text), []
                self._put({"type": "output", "text": text})
                self._news()

    def close(self) -> None:
        """Write down what waits, and end."""
        with self._lock:
            self.flush()
            self._file.close()

    def stream(self) -> Stream:
        """Return what takes secrets out of one program's output."""
        return Stream(self._redactor)

    def _put(self, output: dict[str, Any]) -> None:
        """Write down output while there is room; the dialogue goes on without it."""
        if self._room > 0:
            self._room -= self._write(output)
        elif not self._full:
            self._full = True
            self._write({"type": "note", "text": "It printed more than the record has room for; the rest is not kept."})

    def _write(self, event: dict[str, Any]) -> int:
        line = json.dumps({"at": clock.now(), **event}, ensure_ascii=False) + "\n"
        self._file.write(line.encode("utf-8", "replace").decode())
        self._file.flush()
        return len(line)
