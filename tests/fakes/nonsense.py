"""What a node server answers when all is well, and what a hostile or broken one makes of it."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

RUN = {
    "id": "20260101-000000-ab", "runbook": "look", "revision": 3, "node": "web-1", "by": "ada", "via": "web", "caller": None,
    "parameters": {"word": "x", "many": ["a", "b"]}, "state": "asking", "detail": "why", "started": "2026-01-01T00:00:00Z",
    "ended": None, "seconds": 1.5,
    "steps": [{"path": "steps[0]", "title": "uptime", "state": "ok", "detail": "", "started": "2026-01-01T00:00:00Z"}],
    "ask": {"ask": "q-1", "question": "Go on?", "kind": "choice", "choices": ["yes", "no"], "default": None,
            "until": "2026-01-01T00:05:00Z"},
}  # fmt: skip
PROGRAM = {"name": "tailflog", "group": "tailflog", "state": "RUNNING", "pid": 7, "since": "2026-01-01T00:00:00Z", "uptime": 3,
           "exit_status": 1, "description": "", "spawn_error": "no"}  # fmt: skip
EVENTS = [
    {"at": 1, "type": "begin", "steps": [{"path": "steps[0]", "title": "uptime"}]},
    {"at": 2, "type": "step", "path": "steps[0]", "title": "uptime", "state": "running", "attempt": 2, "detail": ""},
    {"at": 3, "type": "output", "text": "up 3 days\r\n"},
    {"at": 4, "type": "sent", "text": "yes"},
    {"at": 5, "type": "note", "text": "so"},
    {"at": 6, "type": "ask", **RUN["ask"]},
    {"at": 7, "type": "answered", "ask": "q-1", "by": "ada", "answer": "yes"},
    {"at": 8, "type": "stopping", "by": "ada"},
    {"at": 9, "type": "later", "what": "a newer node server tells more"},
    {"at": 10, "type": "end", "state": "succeeded", "detail": ""},
]  # fmt: skip
INFO = {
    "node": "web-1", "time": "2026-11-26T22:00:00Z",
    "nodeserver": {"revision": 2, "checks": 14, "uptime": 3700, "faults": ["one"], "executed": {"builtin": 1, "external": 2},
                   "timed_out": 0, "late": 0, "spool": {"pending": 0, "bytes": 2048, "dropped": 0}},
    "system": {"hostname": "vm", "os": "Debian", "kernel": "6.1", "architecture": "x86_64", "model": "a", "users": 1,
               "virtualisation": "none", "uptime": 90, "booted": "2026-01-01T00:00:00Z", "timezone": "UTC"},
    "cpu": {"model": "x", "cpus": 2, "cores": 1, "usable": 1, "mhz": 2000, "percent": 12.34, "load": [0.5, 1, 2.25]},
    "memory": {"used": 1024, "total": 4096, "available": 2048, "percent": 25.0, "cached": 1, "buffers": 1, "limited": True,
               "swap_total": 4, "swap_used": 1, "swap_percent": 25.0},
    "disks": [{"path": "/", "device": "d", "type": "ext4", "used": 1024, "available": 3072, "total": 4096, "percent": 25.0,
               "inodes_percent": 1.5}],
    "network": [{"name": "eth0", "up": True, "mbit": 1000, "mac": "0", "addresses": ["::1"], "received": 1, "sent": 2,
                 "errors": 0}],
    "processes": {"count": 260, "top": [{"pid": 7, "name": "x", "user": "root", "memory": 2048, "cpu_seconds": 61.5,
                                         "started": "2026-01-01T00:00:00Z", "command": "<b>"}]},
    "services": [{"name": "a.service", "state": "active", "detail": "running", "description": "A"}],
    "batteries": {"charge_left": 0.5, "plugged": True},
}  # fmt: skip
DOCUMENT = {"openapi": "3.1.0", "paths": {"/api/v1/info": {"get": {
    "summary": "Server information", "x-needs": ["viewer"],
    "parameters": [{"name": "a", "in": "query", "schema": {"anyOf": [{"type": "string"}, {"type": "null"}]}}],
    "responses": {"200": {"content": {"application/json": {"example": {"a": 1}}}}}}}}}  # fmt: skip

GOOD: dict[str, Any] = {
    r"GET /api/v1/info": INFO,
    r"GET /api/v1/programs": {"items": [PROGRAM], "supervisor": "5c1e0b7d94f2a863", "next": None},
    r"POST /api/v1/programs/tailflog/restart": PROGRAM,
    r"GET /api/v1/programs/tailflog/log": {"name": "tailflog", "log": "asleep\n"},
    r"GET /api/v1/runs": {"items": [RUN], "next": None},
    r"POST /api/v1/runs": RUN,
    r"GET /api/v1/runs/[^/]+": RUN,
    r"POST /api/v1/runs/[^/]+/stop": RUN,
    r"POST /api/v1/runs/[^/]+/answers": RUN,
    r"GET /api/v1/runs/[^/]+/output": {"items": EVENTS, "cursor": "900", "state": "succeeded"},
    r"POST /api/v1/checks/[^/]+/run": {
        "node": "web-1", "service": "load", "code": 2, "output": "dark", "long_output": "a\nb", "perfdata": "",
        "started": "2026-11-26T22:16:52Z", "duration": 0.004, "latency": 0.0, "next_check": "2026-11-26T22:16:52Z",
        "state": "CRITICAL",
    },
    r"GET /api/v1/peers/hello": {"node": "web-1", "caller": None},
    r"GET /api/v1/peers/[^/]+/ping": {
        "from": "web-1", "to": "web-2", "address": "127.0.0.1", "port": 7404, "reachable": True, "answers": True, "loss": 0.0,
        "times": [0.1], "error": None, "steps": [{"step": "echo", "ok": True, "seconds": 0.1, "detail": "1 of 1"}],
    },
    r"POST /api/v1/token/rotate": {"node": "web-1", "token": "07ab7c6c8ef5"},
    r"GET /api/v1/bundle": {
        "node": "web-1", "running": 2, "faults": [],
        "programs": [{"name": "tailflog", "state": "RUNNING", "pid": 7, "due": False}],
        "files": {"nodeserver.json": "{}"}, "before": {"nodeserver.json": "{ }"}, "digest": "0a",
    },
    r"PUT /api/v1/bundle": {"changed": ["nodeserver.json"]},
    r"PUT /api/v1/bundle/drain": {
        "ends_runs": True, "runs": [{"id": "r", "runbook": "look", "by": "ada", "started": "2026-01-01T00:00:00Z"}],
    },
    r"DELETE /api/v1/bundle/drain": {"lifted": True},
    r"POST /api/v1/bundle/programs": {"updated": ["x"], "restarted": ["tailflog"]},
    r"GET /api/v1/openapi.json": DOCUMENT,
}  # fmt: skip

MARKUP = "<script>alert('from a node')</script>"
CONTROL = "\x1b]0;mine\x07\x1b[2J"


def good(method: str, target: str) -> Any:
    """Return what a node server answers."""
    path, _, query = target.partition("?")
    found = next((answer for call, answer in GOOD.items() if re.fullmatch(call, f"{method} {path}")), {})
    asked = re.match(r"/api/v1/runs/([^/]+)", path)
    if path.endswith("/output") and "after=900" in query:
        return {**found, "items": []}
    return {**found, "id": asked[1]} if found is RUN and asked else found


def _leaves(make: Callable[[Any], Any]) -> Callable[[Any], bytes]:
    """Return what makes something of each value that is no list and no object."""

    def of(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: of(each) for key, each in value.items()}
        return [of(each) for each in value] if isinstance(value, list) else make(value)

    return lambda answer: json.dumps(of(answer)).encode()


def _texts(text: str) -> Callable[[Any], bytes]:
    return _leaves(lambda value: text if isinstance(value, str) else value)


def _numbers(number: Any) -> Callable[[Any], bytes]:
    return _leaves(lambda value: number if isinstance(value, int | float) and not isinstance(value, bool) else value)


def _within(make: Callable[[Any], Any]) -> Callable[[Any], bytes]:
    """Return what makes something of each value of the answer, one level down."""
    return lambda answer: json.dumps({key: make(each) for key, each in answer.items()}).encode()


def _deep(answer: Any) -> bytes:
    for _ in range(500):
        answer = [answer]
    return json.dumps({"items": answer, "cpu": answer, "parameters": answer, "files": answer, "paths": answer}).encode()


KINDS: dict[str, Callable[[Any], bytes]] = {
    "nothing at all": lambda _: b"",
    "blanks": lambda _: b"  \n",
    "a page": lambda _: b"<!doctype html><title>It works!</title>",
    "half of it": lambda answer: json.dumps(answer).encode()[:-5],
    "two of them": lambda answer: json.dumps(answer).encode() * 2,
    "bytes": lambda _: bytes(range(256)),
    "UTF-16": lambda answer: json.dumps(answer).encode("utf-16"),
    "null": lambda _: b"null",
    "true": lambda _: b"true",
    "a number": lambda _: b"7",
    "no number": lambda _: b"NaN",
    "a number without end": lambda _: b"1" * 5000,
    "a text": lambda _: b'"fine"',
    "a list": lambda _: b"[]",
    "a list of it": lambda answer: json.dumps([answer]).encode(),
    "an empty object": lambda _: b"{}",
    "an empty list of items": lambda _: b'{"items": [[]], "next": {}}',
    "items that are none": lambda _: b'{"items": 5, "cursor": 5, "steps": 5, "paths": 5}',
    "lists in lists": lambda _: b"[" * 100_000,
    "objects in objects": lambda _: b'{"a":' * 100_000,
    "values far down": _deep,
    "all texts null": _leaves(lambda value: None if isinstance(value, str) else value),
    "all texts numbers": _leaves(lambda value: 5 if isinstance(value, str) else value),
    "all texts lists": _leaves(lambda value: ["x"] if isinstance(value, str) else value),
    "all texts empty": _texts(""),
    "markup": _texts(MARKUP),
    "what acts on a terminal": _texts(CONTROL),
    "half a character": _texts("\ud800"),
    "paths that lead elsewhere": _texts("../../login"),
    "texts without end": _texts("a" * 100_000),
    "all numbers NaN": _numbers(float("nan")),
    "all numbers without end": _numbers(float("inf")),
    "all numbers huge": _numbers(10**400),
    "all numbers large": _numbers(1e300),
    "all numbers negative": _numbers(-(2**63)),
    "all numbers texts": _numbers("7"),
    "all values objects": _within(lambda _: {}),
    "all values lists": _within(lambda _: []),
    "all values null": _within(lambda _: None),
    "all values objects of objects": _within(lambda value: {"a": {"b": value}}),
    "years that no clock has": _texts("0001-01-01T00:00:00+23:59"),
}


def mutations(answer: Any) -> Iterator[Any]:
    """Yield the answer with each one of its values left out, or another one."""
    for place in _places(answer):
        yield _with(answer, place, None, gone=True)
        for other in (None, True, -1, 2**70, 1e300, "x", "", MARKUP, [], [[]], [None], {}, {"a": []}):
            yield _with(answer, place, other)


def _places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        yield (*before, key)
        yield from _places(each, (*before, key))


def _with(value: Any, place: tuple[Any, ...], other: Any, gone: bool = False) -> Any:
    copied = dict(value) if isinstance(value, dict) else list(value)
    key, *rest = place
    if rest:
        copied[key] = _with(copied[key], tuple(rest), other, gone)
    elif gone:
        del copied[key]
    else:
        copied[key] = other
    return copied
