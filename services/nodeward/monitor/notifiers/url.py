"""Webhooks and some hundred services (chat, pagers, SMS) by Apprise URL."""

import logging
import re
import threading
import urllib.parse

import apprise

from nodeward.monitor.notifiers.base import Message, NotifyFailed

_FINAL = re.compile(r"error=(400|401|403|404|405|410|413|422)\b")
_OPEN_HOST = ("json", "jsons", "xml", "xmls", "form", "forms")  # own webhooks: their host is no secret
_TYPES = {
    "failure": apprise.NotifyType.FAILURE,
    "warning": apprise.NotifyType.WARNING,
    "success": apprise.NotifyType.SUCCESS,
    "info": apprise.NotifyType.INFO,
}


class _Heard(logging.Handler):
    """Keeps what Apprise says on each thread: its methods return only whether it worked."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.said = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        if hasattr(self.said, "lines") and record.levelno >= logging.WARNING:
            self.said.lines.append(record.getMessage())


_heard = _Heard()
_logger = logging.getLogger("apprise")
_logger.addHandler(_heard)
_logger.setLevel(logging.INFO)
_logger.propagate = False  # its records may hold parts of a URL


class Url:
    """Sends to one Apprise URL."""

    def label(self, address: str) -> str:
        """Return the scheme, with the host where that is no token: `slack://…`, `json://hooks.example.org/…`."""
        scheme, _, rest = address.partition("://")
        if scheme not in _OPEN_HOST:
            return f"{scheme[:20]}://…"
        host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
        return f"{scheme}://{host}/…"

    def send(self, address: str, message: Message) -> None:
        """Send it now. An answer that says the URL is wrong is final, everything else is worth another try."""
        target = apprise.Apprise.instantiate(address, suppress_exceptions=True)
        if target is None:
            raise NotifyFailed(
                f"{self.label(address)} is not a URL that can be notified (see Apprise's list).", retry=False
            )
        _heard.said.lines = []
        try:
            done = target.notify(message.body, title=message.subject, notify_type=_TYPES[message.severity])
        except Exception as error:  # a plugin of Apprise's may raise anything
            raise NotifyFailed(_without_secrets(f"{self.label(address)}: {error}", address), retry=True) from None
        if not done:
            said = " ".join(_heard.said.lines) or "no reason was given"
            said = _without_secrets(said, address)
            raise NotifyFailed(f"{self.label(address)} did not take it: {said}", retry=not _FINAL.search(said))


def _without_secrets(text: str, address: str) -> str:
    """Return `text` without any part of the address that may be a secret."""
    scheme, _, rest = address.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    if scheme in _OPEN_HOST:
        rest = rest.replace(host, " ", 1)
    parts = {part for piece in re.split(r"[/@?&=:#\s,]+", rest) for part in (piece, urllib.parse.unquote(piece))}
    for part in sorted((part for part in parts if len(part) >= 4), key=len, reverse=True):
        text = text.replace(part, "…")
    return text
