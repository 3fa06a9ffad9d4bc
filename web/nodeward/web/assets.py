"""The bundled scripts, styles and fonts: made by `npm run build`, named by their content, found through a manifest."""

import json
from pathlib import Path

from flask import Flask, Response, request, url_for

from nodeward.core.errors import Unavailable

ROOT = Path(__file__).parent
DIST = ROOT / "static" / "dist"
YEAR = 365 * 86400


def missing() -> list[str]:
    """Return the sentence that says that the assets are not built, if so."""
    if (DIST / "manifest.json").is_file():
        return []
    return ["The web assets are not built: run `npm ci && npm run build` in web/ (script/up does so)."]


def mount(app: Flask) -> None:
    """Give templates `asset(name)` and let browsers keep what never changes under its name."""
    known: dict[str, str] = {}

    @app.template_global()
    def asset(name: str) -> str:
        if name not in known or app.debug:
            known.update(_manifest())
        if name not in known:
            raise Unavailable(f"The web assets lack '{name}': run `npm run build` in web/ again.")
        return url_for("static", filename=f"dist/{known[name]}")

    @app.after_request
    def keep(answer: Response) -> Response:
        if request.path.startswith("/static/dist/") and answer.status_code == 200:
            answer.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        elif request.endpoint != "static":
            answer.headers.setdefault("Cache-Control", "no-store")
        else:
            answer.headers["Cache-Control"] = "no-cache"
        return answer


def _manifest() -> dict[str, str]:
    for sentence in missing():
        raise Unavailable(sentence)
    found: dict[str, str] = json.loads((DIST / "manifest.json").read_text())
    return found
