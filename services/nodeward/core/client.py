"""The HTTP client of every role: pooled, with a token, and with errors that say which server and what it answered."""

import copy
import json
import re
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import urllib3

from nodeward.core.bounded import TooMuch
from nodeward.core.errors import (
    BadInput,
    Conflict,
    NodewardError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotSeen,
    Problem,
    TooMany,
    Unavailable,
)

_BY_STATUS: dict[int, type[NodewardError]] = {
    400: BadInput,
    401: NotAuthenticated,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: BadInput,
    415: BadInput,
    422: BadInput,
    428: NotSeen,
    429: TooMany,
}

REASON_BYTES, REASON_SECONDS = 1024 * 1024, 5.0

_LEADS_AWAY = re.compile(r"[?#\x00-\x1f\x7f]")  # what follows would be a query, or nothing that a server gets to see


class Client:
    """Talks to one server. Safe to use from several threads. `token` may be a function: one that is rotated is shown at once.

    Every method raises the NodewardError that fits the answer's status (its detail is the server's own sentence), or
    Unavailable if there was no answer within the time limit.
    """

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str] | None = None,
        timeout: float = 10.0,
        on_behalf: str | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._token = token
        self._on_behalf: dict[str, str] = {}
        if on_behalf:
            self._on_behalf = {"Nodeward-User": on_behalf}
        self._pool = urllib3.PoolManager(maxsize=8, retries=False)

    def acting_for(self, user: str, role: str, address: str | None = None) -> "Client":
        """Return a client of the same pool that asks in a person's name, from where they are (only a service's token may)."""
        other = copy.copy(self)
        whence = f"; from={address}" if address else ""
        other._on_behalf = {"Nodeward-User": f"{user}; role={role}{whence}"}
        return other

    def get(self, path: str, query: Mapping[str, Any] | None = None, timeout: float | None = None) -> Any:
        """GET and return the JSON answer."""
        return self._content("GET", path, query, self.request("GET", path, query=query, timeout=timeout))

    def get_if_changed(
        self, path: str, etag: str | None, headers: Mapping[str, str] | None = None
    ) -> tuple[Any, str | None] | None:
        """GET unless it still has `etag`. Return (JSON answer, its ETag), or None if nothing changed."""
        answer = self.request("GET", path, headers={**(headers or {}), **({"If-None-Match": etag} if etag else {})})
        if answer.status == 304:
            return None
        return self._content("GET", path, None, answer), answer.headers.get("ETag")

    def post(
        self, path: str, body: Any = None, query: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Any:
        """POST `body` as JSON and return the JSON answer."""
        return self._send("POST", path, body, query, timeout)

    def put(
        self, path: str, body: Any = None, query: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Any:
        """PUT `body` as JSON and return the JSON answer."""
        return self._send("PUT", path, body, query, timeout)

    def delete(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """DELETE and return the JSON answer."""
        return self._send("DELETE", path, None, query, None)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        preload: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request and return the answer if its status is below 400; without `preload`, its content unread."""
        pool = self._pool_for(preload)
        try:
            answer = pool.request(
                method,
                self._full(path, query),
                body=body,
                headers={**self._headers(), **(headers or {})},
                timeout=urllib3.Timeout(connect=min(5.0, timeout or self._timeout), read=timeout or self._timeout),
                redirect=False,
                preload_content=preload,
                decode_content=False,  # no server packs what it answers, and a little that is packed can become very much
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"{self.url} did not answer {method} {path}: {_reason(error)}.") from None
        if answer.status >= 400:
            raise self._failure(method, path, answer, answer.data if preload else _reason_given(answer))
        return answer

    def open(
        self, path: str, query: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> urllib3.BaseHTTPResponse:
        """GET and return the answer, its content still to be read; close it."""
        return self.request("GET", path, query=query, timeout=timeout, preload=False)

    def pieces(self, path: str, query: Mapping[str, Any] | None = None, size: int = 65536) -> Iterator[bytes]:
        """GET an answer and yield it piece by piece, also where it is long. Raise Unavailable where it breaks off."""
        with self.open(path, query) as answer, self._to_its_end(path):
            yield from answer.stream(size)

    def stream(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """GET an answer of one JSON value a line (application/x-ndjson) and yield each as it comes."""
        with self._to_its_end(path):
            answer = self._pool.request(
                "GET", self._full(path, query), headers=self._headers(), timeout=60.0, redirect=False,
                preload_content=False, decode_content=False,
            )  # fmt: skip
            if answer.status >= 400:
                raise self._failure("GET", path, answer, _reason_given(answer))
            yield from (json.loads(line) for line in _lines(answer))

    @contextmanager
    def _to_its_end(self, path: str) -> Iterator[None]:
        """Raise Unavailable where an answer that is read bit by bit breaks off."""
        try:
            yield
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"{self.url} broke off while answering {path}: {_reason(error)}.") from None

    def _content(
        self, method: str, path: str, query: Mapping[str, Any] | None, answer: urllib3.BaseHTTPResponse
    ) -> Any:
        """Return the JSON of an answer."""
        return _json(answer)

    def _pool_for(self, preload: bool) -> urllib3.PoolManager:
        """Return what a request goes through whose answer is read whole (`preload`), or piece by piece."""
        return self._pool

    def _headers(self) -> dict[str, str]:
        token = self._token() if callable(self._token) else self._token
        return {**({"Authorization": f"Bearer {token}"} if token else {}), **self._on_behalf}

    def _full(self, path: str, query: Mapping[str, Any] | None) -> str:
        """Return the URL. Raise BadInput for a name that would lead elsewhere (`../`, `?`), or that is no text."""
        if {".", ".."} & set(re.split(r"[/\\]", path)):
            raise BadInput(f"{path} leads elsewhere: '.' and '..' are no names.")
        if _LEADS_AWAY.search(path):
            raise BadInput(f"{path!r} leads elsewhere: no name has '?', '#' or a control character in it.")
        given = {key: value for key, value in (query or {}).items() if value is not None}
        try:
            return self.url + path + ("?" + urllib.parse.urlencode(given, doseq=True) if given else "")
        except UnicodeEncodeError:
            raise BadInput(f"What was asked for is not UTF-8: {given!r}.") from None

    def _send(self, method: str, path: str, body: Any, query: Mapping[str, Any] | None, timeout: float | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data is not None else None
        answer = self.request(method, path, body=data, query=query, headers=headers, timeout=timeout)
        return self._content(method, path, query, answer)

    def _failure(self, method: str, path: str, answer: urllib3.BaseHTTPResponse, data: bytes) -> NodewardError:
        kind = _BY_STATUS.get(answer.status, Unavailable if answer.status in (500, 502, 503, 504) else BadInput)
        try:
            problem = json.loads(data)
            problems = [Problem(str(row["path"]), str(row["message"])) for row in problem.get("errors", [])]
            failure = kind(str(problem["detail"]), problems)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            failure = kind(
                f"{self.url} answered {method} {path} with {answer.status} {answer.reason or ''}".rstrip() + "."
            )
        if answer.status < 500:
            failure.status = answer.status  # 400, 413 and 422 are one kind here, but not to everyone
        return failure


def _reason_given(answer: urllib3.BaseHTTPResponse) -> bytes:
    """Return what an answer that was to be read piece by piece says instead: the beginning of it, if it has no end."""
    data, until = b"", time.monotonic() + REASON_SECONDS
    try:
        while len(data) < REASON_BYTES and time.monotonic() < until and (piece := answer.read1(REASON_BYTES)):
            data += piece
    except urllib3.exceptions.HTTPError:
        pass  # what there is must do
    answer.close()
    return data


def _json(answer: urllib3.BaseHTTPResponse) -> Any:
    if not answer.data:
        return None
    try:
        return json.loads(answer.data)
    except (ValueError, RecursionError):
        raise Unavailable("The answer is not JSON; is that URL a Nodeward server's?") from None


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for piece in answer.stream(65536):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line for line in whole if line)
    if rest:
        yield rest


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", None) or next((each for each in error.args if isinstance(each, TooMuch)), error)
    text = str(cause).rsplit("Failed to establish a new connection: ", 1)[-1].rstrip(".")
    return re.sub(r"^(HTTPS?Connection(Pool)?\([^)]*\): )|\[Errno -?\d+\] ", "", text)
