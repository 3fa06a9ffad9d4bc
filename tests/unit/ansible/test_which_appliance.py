"""The appliance that Ansible asks if nobody names one."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "ansible/ansible_collections/nodeward/fleet/plugins/plugin_utils/appliance.py"
STARTED, COMPOSED = ("http://127.0.0.1:7401", "started"), ("http://127.0.0.1:7401", "composed")


@pytest.fixture
def appliance(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("which_appliance", SOURCE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delenv("NODEWARD_VAR", raising=False)
    return module


@pytest.mark.parametrize(
    ("started", "runs", "composed", "named", "found"),
    [
        (STARTED, True, COMPOSED, False, STARTED),
        (STARTED, False, COMPOSED, False, COMPOSED),
        (STARTED, False, COMPOSED, True, STARTED),
        (STARTED, False, None, False, STARTED),
        (None, False, COMPOSED, False, COMPOSED),
    ],
)
def test_one_that_runs_goes_before_one_that_was_stopped_and_a_named_one_before_all(
    appliance: ModuleType, monkeypatch: pytest.MonkeyPatch, started, runs, composed, named, found
) -> None:
    monkeypatch.setattr(appliance, "_started_here", lambda url: started)
    monkeypatch.setattr(appliance, "_runs_here", lambda: runs)
    monkeypatch.setattr(appliance, "_composed_here", lambda url: composed)
    if named:
        monkeypatch.setenv("NODEWARD_VAR", "/srv/nodeward")
    assert appliance._found(None) == found


def test_none_at_all_is_an_error_that_says_what_to_set(appliance: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appliance, "_started_here", lambda url: None)
    monkeypatch.setattr(appliance, "_composed_here", lambda url: None)
    with pytest.raises(appliance.Refused, match="NODEWARD_URL"):
        appliance._found(None)
