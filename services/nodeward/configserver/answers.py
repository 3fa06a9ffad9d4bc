"""Answers that are asked for again and again: JSON with an ETag, and 304 for those who have it."""

import hashlib
import json
from typing import Any

from flask import Response, request


def document(value: Any) -> tuple[bytes, str]:
    """Return a value as JSON, and its tag."""
    body = json.dumps(value).encode()
    return body, tag(body)


def tag(body: bytes) -> str:
    """Return the tag of what is answered."""
    return hashlib.sha256(body).hexdigest()[:24]


def tagged(body: bytes, etag: str | None = None) -> Response:
    """Return a JSON answer with its ETag, or 304 if the caller has it already."""
    etag = etag or tag(body)
    if etag in request.if_none_match:
        answer = Response(status=304)
    else:
        answer = Response(body, content_type="application/json")
    answer.set_etag(etag)
    return answer
