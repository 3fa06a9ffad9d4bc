"""What the HTTP face of every role has in common: tokens, problem+json, health, metrics, the OpenAPI document.

A role builds its app with `create`, mounts its routes with `needs(...)` on each, and serves it with `server.Server`.
A route without `needs` is refused to everyone: forgetting it fails closed.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Flask, Response, g, jsonify, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3 import Info, OpenAPI
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.exceptions import HTTPException

from nodeward.core import clock, openapi
from nodeward.core.auth import NODE, VIEWER, CredentialSource, Principal, authenticate
from nodeward.core.errors import BadInput, NodewardError, NotAllowed, NotAuthenticated
from nodeward.core.fairness import ADMITTED
from nodeward.core.faults import problems_of as problems_of  # the roles' own word for it
from nodeward.core.refusals import Refusals, Refused

log = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
SECURITY: list[dict[str, list[Any]]] = [{"token": []}]
MAX_BODY = 64 * 1024 * 1024

View = TypeVar("View", bound=Callable[..., Any])
ReadyCheck = Callable[[], list[str]]
Door = Callable[[], Principal]  # returns who sent this request, or raises NotAuthenticated


class Query(BaseModel):
    """The base of a route's query parameters: an unknown one is an error, not silence."""

    model_config = ConfigDict(extra="forbid")


class Body(BaseModel):
    """The base of a route's JSON body: an unknown key is an error, not silence."""

    model_config = ConfigDict(extra="forbid")


class ProblemBody(BaseModel):
    """An error as RFC 9457 has it, with every fault of the input in `errors`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, str]] = []


def needs(*roles: str) -> Callable[[View], View]:
    """Declare who may call a route: one of `roles`, or a higher one. With no role: anyone, even without a token."""

    def mark(view: View) -> View:
        view.needs = roles  # type: ignore[attr-defined]
        return view

    return mark


def no_body() -> None:
    """Refuse a request with a body to a route that takes none: what somebody asks for is never left out silently."""
    if request.get_data().strip() not in (b"", b"{}", b"null"):
        raise BadInput(
            f"{request.method} {request.path} takes no body; what it needs stands in the path and the query."
        )


def principal() -> Principal:
    """Return who is asking, within a request to a route that needs a token."""
    return cast(Principal, g.principal)


class Json(DefaultJSONProvider):
    """Reads JSON so that whatever cannot be read is a ValueError, which Flask knows as a bad request."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Return what the text says. Raise ValueError if it is no JSON, or nested too deeply to be read."""
        try:
            return super().loads(s, **kwargs)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None


def create(
    role: str, title: str, door: CredentialSource | Door, ready: ReadyCheck, refusals: Refusals | None = None
) -> OpenAPI:
    """Return the Flask app of `role` with everything that every role answers.

    `door` says who asks, or finds the credentials of those who do. `ready` returns the sentences that say what is not ready yet:
    none means ready. Who is refused is told to `refusals`.
    """
    app = OpenAPI(
        f"nodeward.{role}",
        info=Info(title=f"Nodeward {title}", version="1"),
        security_schemes={"token": {"type": "http", "scheme": "bearer"}},
        responses={"4XX": ProblemBody},
        validation_error_callback=_invalid,
        doc_prefix="/api/v1",
        doc_url="/openapi.json",
        static_folder=None,
    )
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY)
    app.json = Json(app)
    _guard(app, door if callable(door) else tokens_of(door))
    _count(app)
    _health(app, ready)
    _whoami(app)
    openapi.mount(app, role, f"Nodeward {title}", lambda view: getattr(view, "needs", None))
    app.register_error_handler(NodewardError, _nodeward_error)
    if refusals is not None:
        _hear(app, refusals)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)
    return app


def problem(kind: NodewardError) -> Response:
    """Return the problem+json answer for an error."""
    body = ProblemBody(
        type="about:blank",
        title=kind.title,
        status=kind.status,
        detail=kind.detail,
        instance=request.path,
        errors=[{"path": fault.path, "message": fault.message} for fault in kind.problems],
    )
    answer = Response(body.model_dump_json(), status=kind.status, content_type=PROBLEM)
    if kind.status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="nodeward"'
    return answer


def tokens_of(credentials: CredentialSource) -> Door:
    """Return the door that tokens open."""

    def admit() -> Principal:
        header = request.headers
        return authenticate(header.get("Authorization"), header.get("Nodeward-User"), credentials, clock.now())

    return admit


def _guard(app: Flask, door: Door) -> None:
    @app.before_request
    def admit() -> None:
        view = app.view_functions.get(request.endpoint or "")
        if view is None:
            return  # no such route: Flask answers 404 or 405
        if request.endpoint in ("openapi.api_doc", "openapi.doc_url"):
            return
        needed = getattr(view, "needs", None)
        if needed == ():
            return
        g.principal = door()
        request.environ[ADMITTED] = True
        g.principal.must_reach(needed or ())


def _hear(app: Flask, refusals: Refusals) -> None:
    """Tell whoever answers for the audit list of every 401 and 403, wherever it was raised."""

    def hear(error: NodewardError) -> Response:
        asker: Principal | None = g.get("principal")
        who = asker.name if asker else getattr(error, "who", "unknown")
        where = f"{app.name.removeprefix('nodeward.')}: {request.method} {request.path}"
        refusals.hear(Refused(g.get("who", who), g.get("address", request.remote_addr), f"{where}: {error.detail}"))
        return problem(error)

    app.register_error_handler(NotAuthenticated, hear)
    app.register_error_handler(NotAllowed, hear)


def _count(app: Flask) -> None:
    registry = CollectorRegistry()
    app.extensions["metrics"] = registry
    seconds = Histogram("nodeward_http_seconds", "Time to answer", ["method", "route"], registry=registry)
    answers = Counter("nodeward_http_answers", "Answers by status", ["route", "status"], registry=registry)

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def end(answer: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        if "began" in g:
            seconds.labels(request.method, route).observe(time.perf_counter() - g.began)
        answers.labels(route, str(answer.status_code)).inc()
        return answer


def _health(app: OpenAPI, ready: ReadyCheck) -> None:
    @app.get("/healthz", summary="Is the process alive?")
    @needs()
    def healthz() -> Response:
        return jsonify(status="alive")

    @app.get("/readyz", summary="Is it ready for work?")
    @needs()
    def readyz() -> tuple[Response, int]:
        missing = ready()
        return jsonify(status="not ready" if missing else "ready", missing=missing), 503 if missing else 200

    @app.get("/metrics", summary="Figures for Prometheus", security=SECURITY)
    @needs(VIEWER)
    def metrics() -> Response:
        return Response(generate_latest(app.extensions["metrics"]), content_type="text/plain; version=0.0.4")


def _whoami(app: OpenAPI) -> None:
    @app.get("/api/v1/whoami", summary="Who is asking, and for which node", security=SECURITY)
    @needs(VIEWER, NODE)
    def whoami() -> Response:
        who = principal()
        return jsonify(name=who.name, role=who.role, node=who.node)


def _invalid(error: ValidationError) -> Response:
    return problem(BadInput("The request is not valid.", problems_of(error)))


def _nodeward_error(error: NodewardError) -> Response:
    if (
        error.status >= 500
    ):  # what passes by itself is no error of ours; who is kept waiting warns when it lasts (core.trouble)
        log.log(logging.INFO if error.retry else logging.ERROR, "%s %s: %s", request.method, request.path, error)
    return problem(error)


def _http_error(error: HTTPException) -> Response:
    kind = NodewardError((error.description or error.name or "").rstrip(".") + ".")
    kind.status, kind.title = error.code or 500, error.name
    answer = problem(kind)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            answer.headers[name] = value
    return answer


def _unexpected(error: Exception) -> Response:
    log.exception("%s %s failed", request.method, request.path)
    return problem(
        NodewardError(f"Something went wrong here ({type(error).__name__}); the server's log has the details.")
    )
