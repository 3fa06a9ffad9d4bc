"""What lets the roles start in any order: ports by name, a secret that somebody else has yet to write."""

import threading

import pytest

from nodeward.core import files, ground, settings
from nodeward.core.errors import ConfigError
from nodeward.core.ports import port


def test_a_port_is_its_variables_or_the_default(monkeypatch):
    monkeypatch.delenv("NODEWARD_MONITOR_PORT", raising=False)
    assert port("monitor") == 7403
    monkeypatch.setenv("NODEWARD_MONITOR_PORT", "17403")
    assert port("monitor") == 17403


@pytest.mark.parametrize("text", ["seven", "-1", "65536"])
def test_a_port_that_is_none_names_its_variable(monkeypatch, text):
    monkeypatch.setenv("NODEWARD_WEB_PORT", text)
    with pytest.raises(ConfigError, match=r"NODEWARD_WEB_PORT is .*0 to 65535"):
        port("web")


def test_a_secret_that_comes_later_is_waited_for(tmp_path):
    path = tmp_path / "secrets" / "token"
    waiting: list[str] = []
    reader = threading.Thread(target=lambda: waiting.append(files.await_secret(path, "The token", 90)))
    reader.start()
    files.write_secret(path, "nw_x\n")
    reader.join(90)
    assert waiting == ["nw_x"]


def test_a_token_that_never_comes_is_a_sentence_that_names_the_file(tmp_path):
    alone = settings.load(settings.Settings, role="monitor", var=tmp_path)
    with pytest.raises(ConfigError, match=r"The token of monitor: .*secrets/monitor/token cannot be read"):
        ground.ground(alone, patience=0)
