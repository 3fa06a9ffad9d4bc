"""Answers "not modified" before Flask is woken: what every node asks every few seconds, and what is nearly always the answer.

Only that one answer is given here, and only to those who may have the document; whatever else is asked, or is wrong, goes on to
the routes, which say it in their words.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from nodeward.configserver.http import Parts
from nodeward.configserver.http_nodes import document
from nodeward.core import clock
from nodeward.core.auth import NODE, OPERATOR, SERVICE, VIEWER, Principal, authenticate
from nodeward.core.errors import NodewardError

_BUNDLE = re.compile(r"/api/v1/nodes/([^/]+)/bundle")

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Quick:
    """A WSGI application around the config server's own."""

    def __init__(self, application: Application, parts: Parts) -> None:
        self._application, self._parts = application, parts
        self._servers = document(parts.servers)[1]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer 304 if that is all there is to say, else hand on."""
        tag = environ.get("HTTP_IF_NONE_MATCH")
        if tag and environ["REQUEST_METHOD"] == "GET" and not environ.get("QUERY_STRING") and self._has(environ, tag):
            start_response("304 NOT MODIFIED", [("ETag", tag)])
            return []
        return self._application(environ, start_response)

    def _has(self, environ: dict[str, Any], tag: str) -> bool:
        """Whether the one who asks may have the document and has it already."""
        try:
            asker = authenticate(
                environ.get("HTTP_AUTHORIZATION"),
                environ.get("HTTP_NODEWARD_USER"),
                self._parts.credentials,
                clock.now(),
            )
            return tag == self._tag(environ["PATH_INFO"], asker)
        except NodewardError:
            return False

    def _tag(self, path: str, asker: Principal) -> str | None:
        """Return the document's tag, or None if there is none, or the asker may not have it."""
        if path == "/api/v1/servers":
            return f'"{self._servers}"' if asker.reaches((VIEWER, NODE)) else None
        if path == "/api/v1/credentials":
            return f'"{self._parts.credentials.document()[1]}"' if asker.reaches((SERVICE, NODE)) else None
        found = _BUNDLE.fullmatch(path)
        if found is None or not asker.reaches((OPERATOR, NODE)):
            return None
        asker.must_speak_for(found[1])
        return f'"{self._parts.bundles.get(found[1]).etag}"'
