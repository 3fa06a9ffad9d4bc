"""Whom web asks: itself where it listens, whatever address browsers are told."""

from pathlib import Path

import pytest

from fakes.fleet import FleetConfig
from nodeward.core.ground import ground
from nodeward.web.backends import Backends
from nodeward.web.settings import WebSettings


@pytest.mark.parametrize(
    ("bind", "asked"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("192.0.2.7", "192.0.2.7")],
)
def test_web_asks_itself_where_it_listens(
    bind: str, asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODEWARD_WEB_PORT", "17400")
    with FleetConfig() as config:
        config.give_token(tmp_path, "web", config.token("web", "service"))
        settings = WebSettings(var=tmp_path, configserver_url=config.url, bind=bind)
        own = Backends(settings, ground(settings)).server("web")
    assert own.url == f"http://{asked}:17400"
