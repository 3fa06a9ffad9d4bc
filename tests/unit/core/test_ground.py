import logging

from nodeward.core import auth, ground, settings


def _stand(config, tmp_path):
    config.give_token(tmp_path, "monitor", config.tokens["service"])
    return ground.ground(settings.load(settings.Settings, role="monitor", var=tmp_path, configserver_url=config.url))


def test_a_role_knows_its_callers_and_the_servers(config, tmp_path):
    config.servers = {"logserver": "http://127.0.0.1:1"}
    stand = _stand(config, tmp_path)
    caller = auth.authenticate(f"Bearer {config.tokens['viewer']}", None, stand.credentials, at=0)
    assert (caller.name, caller.role) == ("viewer", "viewer")
    assert stand.servers.client("logserver").url == "http://127.0.0.1:1"


def test_it_still_knows_them_while_the_config_server_is_away(config, tmp_path, caplog):
    _stand(config, tmp_path).credentials.refresh()
    away = settings.load(settings.Settings, role="monitor", var=tmp_path, configserver_url="http://127.0.0.1:1")
    stand = ground.ground(away)
    with caplog.at_level(logging.INFO):
        assert stand.credentials.refresh() is False
    assert "127.0.0.1:1" in caplog.text
    assert auth.authenticate(f"Bearer {config.tokens['admin']}", None, stand.credentials, at=0).role == "admin"
