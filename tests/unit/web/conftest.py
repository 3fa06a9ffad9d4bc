"""The web app in this process, over a fake fleet with real HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.fleet import FakeFleet, FleetConfig
from nodeward.core.ground import ground
from nodeward.web import assets
from nodeward.web.app import create_pages
from nodeward.web.backends import Backends
from nodeward.web.settings import WebSettings
from support.web import PEOPLE, Web


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """The app over a fleet of three nodes; its bundles need not be built."""
    dist = tmp_path / "dist"
    dist.mkdir()
    names = [
        "frame",
        "overview",
        "problems",
        "nodes",
        "node",
        "service",
        "object",
        "programs",
        "revision",
        "rollouts",
        "settings",
        "runbooks",
        "runbook",
        "run",
    ]
    files = [
        "main.css",
        *(f"pages/{name}.{kind}" for name in [*names, "notifications", "logs", "split"] for kind in ("js", "css")),
    ]
    (dist / "manifest.json").write_text(json.dumps({name: name for name in files}))
    monkeypatch.setattr(assets, "DIST", dist)
    with FleetConfig() as config, FakeFleet(config, 3) as fleet:
        for name, role in PEOPLE.items():
            config.users[name] = ("right", role)
            config.objects["user"][name] = {"kind": "user", "name": name, "role": role}
        config.give_token(tmp_path, "web", config.token("web", "service"))
        settings = WebSettings(var=tmp_path, configserver_url=config.url, async_="threading")
        yield Web(create_pages(settings, Backends(settings, ground(settings))), config, fleet)
