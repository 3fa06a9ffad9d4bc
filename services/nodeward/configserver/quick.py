"""Answers before Flask is woken: "not modified", which is nearly always the answer to what every node asks every few seconds,
and a node's bundle, which all ask for at once when a check of all has changed.

Only these answers are given here, and only to those who may have the document; whatever else is asked, or is wrong, goes on to
the routes, which say it in their words.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from nodeward.configserver.answers import document
from nodeward.configserver.parts import Parts
from nodeward.core import clock
from nodeward.core.auth import NODE, OPERATOR, SERVICE, VIEWER, Principal, authenticate
from nodeward.core.bundle import TOLD
from nodeward.core.errors import NodewardError
from nodeward.core.fairness import ADMITTED

_BUNDLE = re.compile(r"/api/v1/nodes/([^/]+)/bundle")
_SAME = ("/api/v1/servers", "/api/v1/credentials")
_TOLD = f"HTTP_{TOLD.upper().replace('-', '_')}"

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Quick:
    """A WSGI application around the config server's own."""

    def __init__(self, application: Application, parts: Parts) -> None:
        self._application, self._parts = application, parts
        self._servers = document(parts.servers)[1]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer 304, or with the bundle, if that is all there is to say, else hand on."""
        if environ["REQUEST_METHOD"] == "GET" and not environ.get("QUERY_STRING"):
            tag, body = self._known(environ)
            if tag is not None and tag == environ.get("HTTP_IF_NONE_MATCH"):
                start_response("304 NOT MODIFIED", [("ETag", tag)])
                return []
            if tag is not None and body is not None:
                length = str(len(body))
                start_response(
                    "200 OK", [("Content-Type", "application/json"), ("Content-Length", length), ("ETag", tag)]
                )
                return [body]
        return self._application(environ, start_response)

    def _known(self, environ: dict[str, Any]) -> tuple[str | None, bytes | None]:
        """Return the tag of the document, and what it says if that is at hand; none if the asker may not have it."""
        if environ["PATH_INFO"] not in _SAME and not _BUNDLE.fullmatch(environ["PATH_INFO"]):
            return None, None
        try:
            asker = authenticate(
                environ.get("HTTP_AUTHORIZATION"),
                environ.get("HTTP_NODEWARD_USER"),
                self._parts.credentials,
                clock.now(),
            )
            self._parts.credentials.proven(asker.token)
            environ[ADMITTED] = True
            return self._document(environ["PATH_INFO"], asker, environ.get("HTTP_IF_NONE_MATCH"), environ.get(_TOLD))
        except NodewardError:
            return None, None

    def _document(
        self, path: str, asker: Principal, has: str | None, told: str | None
    ) -> tuple[str | None, bytes | None]:
        if path == "/api/v1/servers":
            return (f'"{self._servers}"' if asker.reaches((VIEWER, NODE)) else None), None
        if path == "/api/v1/credentials":
            return (f'"{self._parts.credentials.document()[1]}"' if asker.reaches((SERVICE, NODE)) else None), None
        found = _BUNDLE.fullmatch(path)
        if found is None or not asker.reaches((OPERATOR, NODE)):
            return None, None
        asker.must_speak_for(found[1])
        if asker.role != NODE:
            kept = self._parts.bundles.get(found[1])
            return f'"{kept.etag}"', kept.body
        self._parts.delivery.hear(found[1], told)
        tag = f'"{self._parts.delivery.etag(found[1])}"'
        return tag, (None if tag == has else self._parts.delivery.handed(found[1])[0])
