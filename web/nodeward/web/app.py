"""The Flask app: pages behind a login, the live bridge, and the API that every role has beside them."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from flask_socketio import SocketIO

from nodeward.core import http, log
from nodeward.core.ground import Ground, ground
from nodeward.core.settings import load
from nodeward.supervise import http as supervise_http
from nodeward.web import assets, auth, faults, live_logs, live_rollouts, live_runs, live_states, security, views, words
from nodeward.web.backends import Backends
from nodeward.web.fleet import Fleet
from nodeward.web.live import Live
from nodeward.web.pages import BLUEPRINTS
from nodeward.web.settings import WebSettings

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

log_ = logging.getLogger(__name__)

API_PATHS = ("/api/", "/healthz", "/readyz", "/metrics")
MAX_BODY = 4 * 1024 * 1024


class _Debug:
    """What servers write about a browser that vanished: for debugging, not for the log's reader."""

    def write(self, text: str) -> None:
        """Log it."""
        log_.debug("%s", text.strip())

    def flush(self) -> None:
        """Nothing waits."""


def serve() -> Wsgi:
    """Return what gunicorn serves, with everything started that runs beside it. Called once in the worker."""
    settings = load(WebSettings)
    log.set_up(settings)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # many followers share a small pool: no news
    stand = ground(settings)
    for part in stand.parts:
        part.start()
    return create(settings, stand)


def create(settings: WebSettings, stand: Ground) -> Wsgi:
    """Return the whole WSGI app: the common API by token, everything else by login."""
    pages = create_pages(settings, Backends(settings, stand))
    api = http.create("web", "web", stand.credentials, lambda: assets.missing(), stand.refusals)
    supervise_http.mount(api, settings.var)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.errors"] = _Debug()
        target = api if environ.get("PATH_INFO", "").startswith(API_PATHS) else pages
        return target(environ, start_response)

    return app


def create_pages(settings: WebSettings, backends: Backends) -> Flask:
    """Return the Flask app with the pages and the live bridge."""
    app = Flask("nodeward.web", root_path=str(assets.ROOT))
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY, SEND_FILE_MAX_AGE_DEFAULT=assets.YEAR)
    app.json = http.Json(app)
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.extensions["backends"] = backends
    app.extensions["fleet"] = Fleet(lambda: backends.server("monitor"))
    auth.mount(app, settings, backends)
    security.mount(app, settings)
    assets.mount(app)
    words.mount(app)
    app.add_template_global(views.here, "here")
    faults.mount(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    _mount_live(app, settings, backends)
    return app


def _mount_live(app: Flask, settings: WebSettings, backends: Backends) -> None:
    sockets = SocketIO(
        app,
        async_mode=settings.async_,
        manage_session=False,
        max_http_buffer_size=64 * 1024,
        ping_interval=20,
        ping_timeout=20,
        always_connect=False,
    )
    if settings.async_ == "eventlet":
        from nodeward.web.outbox import Outbox  # eventlet is imported only where it carries the sockets

        server: Any = sockets.server
        server.eio.create_queue = Outbox

    def lasts(session: str) -> bool:
        with app.app_context():
            return auth.person_of(session) is not None

    live = Live(sockets, auth.person_or_none, lasts)
    app.extensions["sessions"].ended = live.end
    live_states.mount(live, backends, app.extensions["fleet"].changed)
    live_logs.mount(live, backends)
    live_rollouts.mount(live, backends)
    live_runs.mount(live, backends)
    app.extensions["live"] = live
