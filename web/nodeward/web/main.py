"""The program: `python -m nodeward.web.main` becomes gunicorn, with our configuration."""

import os
import sys

from nodeward.core.program import guarded
from nodeward.core.settings import load, port
from nodeward.web.settings import WebSettings


def main() -> int:
    """Check the settings, then become gunicorn. Raise ConfigError if a setting is wrong."""
    arguments = command(load(WebSettings), port("web"))
    os.execv(sys.executable, [sys.executable, "-m", *arguments])  # noqa: S606 - gunicorn takes this process's place


def command(settings: WebSettings, number: int) -> list[str]:
    """Return gunicorn's arguments for the settings and a port."""
    green = settings.async_ == "eventlet"
    address = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
    return [
        "gunicorn",
        "--config=python:nodeward.web.gunicorn_conf",
        f"--bind={address}:{number}",
        f"--worker-class={'nodeward.web.worker.EventletWorker' if green else 'gthread'}",
        f"--worker-connections={settings.connections}",
        f"--threads={1 if green else settings.connections}",
        "nodeward.web.app:serve()",
    ]


if __name__ == "__main__":
    sys.exit(guarded(main))
