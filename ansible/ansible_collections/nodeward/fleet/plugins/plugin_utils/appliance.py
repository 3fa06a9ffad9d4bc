"""The appliance that is asked: where its config server is, with which token; and asking it.

NODEWARD_URL and NODEWARD_TOKEN name it. Without them it is the one that this checkout runs: under script/up, its state under
NODEWARD_VAR, or under Compose, whose config server is asked for its address and the command line's token.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request

CHECKOUT = os.path.abspath(os.path.join(os.path.dirname(__file__), *[".."] * 6))
COMPOSED_TOKEN = "/var/lib/nodeward/secrets/cli/token"  # noqa: S105 - where it lies
SECONDS = 200.0


class Refused(Exception):
    """The config server said no, or nothing. The text is a sentence; `status` is None where there was no answer."""

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class Appliance:
    """The config server's API."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self._token = url.rstrip("/"), token

    def get(self, path: str, query: dict | None = None):
        """GET and return the JSON answer. Raise Refused with the server's sentence."""
        given = {key: value for key, value in (query or {}).items() if value is not None}
        return self._send("GET", path + ("?" + urllib.parse.urlencode(given) if given else ""), None)

    def put(self, path: str, body: dict):
        """PUT JSON and return the JSON answer. Raise Refused with the server's sentence."""
        return self._send("PUT", path, body)

    def post(self, path: str, body: dict):
        """POST JSON and return the JSON answer. Raise Refused with the server's sentence."""
        return self._send("POST", path, body)

    def delete(self, path: str):
        """DELETE and return the JSON answer. Raise Refused with the server's sentence."""
        return self._send("DELETE", path, None)

    def _send(self, method: str, path: str, body: dict | None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", **_on_behalf()}
        asked = urllib.request.Request(f"{self.url}/api/v1/{path}", data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(asked, timeout=SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise Refused(_sentence(error), error.code) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise Refused(f"The config server at {self.url} does not answer ({reason}).") from None


def _on_behalf() -> dict:
    """The config server's own rollouts are somebody's: what they do is done in that person's name."""
    person = os.environ.get("NODEWARD_ON_BEHALF")
    return {"Nodeward-User": person} if person else {}


def _sentence(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.loads(error.read())
        faults = [f"At '{each['path']}': {each['message']}" for each in problem.get("errors", [])]
        return "\n  ".join([str(problem["detail"]), *faults])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{error.url} answered {error.code}; is NODEWARD_URL a config server's?"


def quoted(name: str) -> str:
    """Return a name as one part of a path."""
    return urllib.parse.quote(name, safe="")


def find() -> Appliance:
    """Return the appliance. Raise Refused if none is named and none runs here.

    What was found is kept in the environment, so that the processes that Ansible starts need not look again.
    """
    url, token = os.environ.get("NODEWARD_URL"), os.environ.get("NODEWARD_TOKEN")
    if not (url and token):
        url, token = _found(url)
        os.environ["NODEWARD_URL"], os.environ["NODEWARD_TOKEN"] = url, token
    return Appliance(url, token)


def _found(url: str | None) -> tuple[str, str]:
    """What script/down left behind does not stand before an appliance under Compose that runs, unless NODEWARD_VAR names it."""
    named = "NODEWARD_VAR" in os.environ  # the next line may set it
    started = _started_here(url)
    if started and (named or _runs_here()):
        return started
    return _composed_here(url) or started or _none()


def _started_here(url: str | None) -> tuple[str, str] | None:
    """Return the appliance under NODEWARD_VAR, if it has its secrets there: found as the command line finds it."""
    try:
        from nodeward.cli import session
        from nodeward.core.errors import NodewardError
    except ImportError:
        return None
    try:
        local = session.settings()
        return url or local.config_url, (local.var / "secrets" / "cli" / "token").read_text().strip()
    except (OSError, NodewardError):
        return None


def _runs_here() -> bool:
    from nodeward.cli import session
    from nodeward.supervise.machine.processes import supervisord

    return supervisord(session.settings().var) is not None


def _composed_here(url: str | None) -> tuple[str, str] | None:
    """Return the appliance of this checkout's compose.yaml, if it runs."""
    address = _compose("port", "configserver", "7401")
    token = _compose("exec", "-T", "configserver", "cat", COMPOSED_TOKEN) if address else None
    return (url or f"http://{address}", token) if token else None


def _compose(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["docker", "compose", *words], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _none() -> tuple[str, str]:
    raise Refused(
        "No appliance is named, and none of this checkout runs: set NODEWARD_URL and NODEWARD_TOKEN (`nodeward token create NAME "
        "--role operator`), or NODEWARD_VAR to an appliance's directory on this machine."
    )
