"""Errors become a sentence on a page, or problem+json for a script; a server that is away is never a 500 here."""

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, g, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from nodeward.core import http
from nodeward.core.errors import NodewardError, NotAuthenticated, NotOurs, Unavailable
from nodeward.web import auth

log = logging.getLogger(__name__)


class Asked:
    """What a server answered for one part of a page, or the sentence that says why there is nothing."""

    def __init__(self, ask: Callable[[], Any], otherwise: Any) -> None:
        self.value: Any = otherwise
        self.error = ""
        try:
            self.value = ask()
        except NotAuthenticated as error:
            self.error = f"web's own token is refused: {error.detail}"
        except NodewardError as error:
            self.error = error.detail


def mount(app: Flask) -> None:
    """Turn every error into an answer a person understands."""

    @app.errorhandler(NodewardError)
    def _(error: NodewardError) -> Any:
        return answer(error)

    @app.errorhandler(HTTPException)
    def _(error: HTTPException) -> Any:
        if error.code and error.code < 400:
            return error
        return answer(_named(error))

    @app.errorhandler(Exception)
    def _(error: Exception) -> Any:
        log.exception("%s %s failed", request.method, request.path)
        return answer(NodewardError(f"Something went wrong here ({type(error).__name__}); web's log has the details."))


def answer(error: NodewardError) -> Response | tuple[str, int]:
    """Return an error as a page, or as problem+json where a script asked."""
    if request.method not in auth.SAFE or auth.wants_json() or request.headers.get("X-Fragment"):
        return http.problem(error)
    person = g.get("person") or None
    template = "problem.html" if person else "problem_outside.html"
    # What is none of ours is mended by somebody, not by waiting.
    retry = isinstance(error, Unavailable) and not isinstance(error, NotOurs)
    return render_template(template, error=error, person=person, retry=retry), error.status


def _named(error: HTTPException) -> NodewardError:
    sentences = {404: "There is no such page.", 405: "That cannot be done here.", 413: "That is too large."}
    code = error.code or 500
    kind = NodewardError(sentences.get(code, (error.description or error.name).rstrip(".") + "."))
    kind.status, kind.title = code, error.name
    return kind
