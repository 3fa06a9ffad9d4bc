"""What a run can wait for. Each look returns None if it is so, else why it is not."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import urllib3

from nodeward.core.errors import NodewardError
from nodeward.core.runbook import Step
from nodeward.nodeserver.runbooks.course import Course
from nodeward.nodeserver.runbooks.dialogue import Failed
from nodeward.supervise.client import Programs

Look = Callable[[], str | None]
SECONDS = 5.0


def look(course: Course, step: Step, probe: Callable[[list[str]], str | None]) -> Look:
    """Return what looks once at what a step waits for. `probe` runs a program and says why it did not go well."""
    given = step.wait_for
    assert given is not None
    if given.program is not None:
        return _program(Path(course.job["var"]), course.fill(given.program))
    if given.url is not None:
        return _url(course.fill(given.url), given.status)
    if given.port is not None:
        return _port(course.fill(given.host), course.fill(str(given.port)))
    if given.path is not None:
        path = course.fill(given.path)
        return lambda: None if os.path.exists(path) else f"{path} is not there"
    argv = course.words(given.run or [])
    return lambda: probe(argv)


def _program(var: Path, name: str) -> Look:
    programs = Programs(var, SECONDS)

    def ask() -> str | None:
        try:
            state = programs.get(name).state
        except NodewardError as error:
            return error.detail.rstrip(".")
        return None if state == "RUNNING" else f"'{name}' is {state}"

    return ask


def _url(url: str, status: int) -> Look:
    if not url.startswith(("http://", "https://")):
        raise Failed(f"{url[:80]!r} is no URL that begins with http:// or https://.")

    def ask() -> str | None:
        try:
            answer = urllib3.request("GET", url, retries=False, timeout=SECONDS, redirect=False)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            return f"{url} does not answer ({type(error).__name__})"
        return None if answer.status == status else f"{url} answers with {answer.status}"

    return ask


def _port(host: str, port: str) -> Look:
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise Failed(f"{port[:80]!r} is no port.")

    def ask() -> str | None:
        try:
            socket.create_connection((host, int(port)), SECONDS).close()
        except OSError as error:
            return f"{host} port {port} does not accept connections ({error.strerror or error})"
        return None

    return ask
