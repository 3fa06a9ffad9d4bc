"""The table of schemes and the real Apprise say the same."""

import subprocess
import sys
from pathlib import Path

import apprise
import pytest

from nodeward.configserver import documents, verify
from nodeward.configserver.apprise_schemes import SCHEMES
from nodeward.core.errors import BadInput

ROOT = Path(__file__).resolve().parents[3]
GOOD = [
    "json://localhost:8080/x",
    "jsons://user:secret@hooks.example.org/a",
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "tgram://123456789:abcdefghijklmnop_abcdefghijklmnopqr/12315544",
    "mailtos://user:secret@example.org",
    "ntfy://topic",
    "JSON://localhost",
]


def applied(url: str) -> object:
    return verify.applied({}, documents.read(f"{{kind: contact, name: ada, urls: ['{url}']}}"))


def test_the_table_is_what_the_monitors_apprise_can_send_to() -> None:
    command = [sys.executable, str(ROOT / "script" / "apprise_schemes.py"), "--check"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.filterwarnings("ignore:.imghdr.:DeprecationWarning")  # Apprise's own import, once in a process
@pytest.mark.parametrize("url", GOOD)
def test_what_apprise_takes_is_taken(url: str) -> None:
    assert apprise.Apprise.instantiate(url) is not None
    assert applied(url)


@pytest.mark.filterwarnings("ignore:.imghdr.:DeprecationWarning")
@pytest.mark.parametrize("scheme", ["slak", "nothing", "http+x", "windows", "macosx"])
def test_what_the_monitor_cannot_send_to_is_refused_without_showing_the_secret(scheme: str) -> None:
    assert not apprise.Apprise().add(f"{scheme}://secret/secret") or scheme not in SCHEMES
    with pytest.raises(BadInput) as refused:
        applied(f"{scheme}://secret-token/x")
    (problem,) = refused.value.problems
    assert f"the monitor cannot send to {scheme}://" in problem.message
    assert "secret" not in str(refused.value)


def test_a_misspelt_scheme_is_told_what_it_may_have_been() -> None:
    with pytest.raises(BadInput, match="did you mean slack://"):
        applied("slak://a/b/c")


def test_what_is_no_url_is_refused_without_showing_it() -> None:
    with pytest.raises(BadInput, match="it is not a URL") as refused:
        applied("secret-token")
    assert "secret" not in str(refused.value)


def test_every_wrong_url_is_told_with_its_place() -> None:
    with pytest.raises(BadInput) as refused:
        verify.applied({}, documents.read("{kind: contact, name: ada, urls: ['slak://a', 'json://b', 'x']}", "f"))
    assert [problem.path for problem in refused.value.problems] == [
        "f:1: contact ada: urls[0]",
        "f:1: contact ada: urls[2]",
    ]
