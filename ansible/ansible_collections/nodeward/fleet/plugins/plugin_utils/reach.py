"""Reaching one node for a step of a rollout: through the config server, or over Ansible's own connection.

The same code answers on the node: the node server in the one case, `python -m nodeward.nodeserver.place` in the other.
"""

from __future__ import annotations

import json
import os
import shlex

from ansible.errors import AnsibleError
from ansible_collections.nodeward.fleet.plugins.plugin_utils import appliance
from ansible_collections.nodeward.fleet.plugins.plugin_utils.appliance import Appliance, Refused, quoted

PYTHON = "/opt/nodeward/venv/bin/python"


class ThroughAppliance:
    """The config server asks the node's own server."""

    asks_node_server = True

    def __init__(self, server: Appliance, node: str) -> None:
        self._server, self._node = server, quoted(node)

    def look(self) -> dict:
        """Return what lies on the node: files, the ones before, programs."""
        return self._server.get(f"nodes/{self._node}/placed")

    def put(self, files: dict, check: bool) -> list:
        """Put files in place. Return the names of those that changed. Raise Refused with what is wrong with them."""
        return self._server.put(f"nodes/{self._node}/placed", {"files": files, "check": check})["changed"]

    def drain(self, files: dict, reload: bool, now: bool) -> dict:
        """Take no new runs on the node, if what is to be done ends its node server. Return those under way."""
        return self._server.put(f"nodes/{self._node}/drain", {"files": files, "reload": reload, "now": now})

    def lift(self) -> None:
        """Take new runs again."""
        self._server.delete(f"nodes/{self._node}/drain")

    def programs(self, reload: bool, check: bool) -> dict:
        """Start anew what the files changed for."""
        return self._server.post(f"nodes/{self._node}/programs", {"reload": reload, "check": check})


class OverConnection:
    """Ansible runs the steps on the node: by ssh, in a container, on this machine."""

    asks_node_server = False

    def __init__(self, action, task_vars: dict, node: str) -> None:
        self._action, self._vars, self._node = action, task_vars, node

    def look(self) -> dict:
        """Return what lies on the node: files, the ones before, programs."""
        found = self._run(["look"])
        there = _name(found["files"])
        if there not in (None, self._node):
            raise Refused(f"the connection leads to node '{there}': see to ansible_host and nodeward_var")
        return found

    def put(self, files: dict, check: bool) -> list:
        """Put files in place. Return the names of those that changed. Raise Refused with what is wrong with them."""
        return self._run(["put"], {"files": files, "check": check})["changed"]

    def drain(self, files: dict, reload: bool, now: bool) -> dict:
        """Take no new runs on the node, if what is to be done ends its node server. Return those under way."""
        return self._run(["drain"], {"files": files, "reload": reload, "now": now})

    def lift(self) -> None:
        """Take new runs again."""
        self._run(["lift"])

    def programs(self, reload: bool, check: bool) -> dict:
        """Start anew what the files changed for."""
        return self._run(["programs", *["reload"] * reload, *["check"] * check])

    def _run(self, words: list, given: dict | None = None) -> dict:
        python = self._variable("nodeward_python", PYTHON)
        settings = {"NODEWARD_VAR": self._variable("nodeward_var", None), "NODEWARD_NODE": self._node}
        named = [f"{name}={value}" for name, value in settings.items() if value]
        command = shlex.join(["env", *named, python, "-m", "nodeward.nodeserver.place", *words])
        done = self._action._low_level_execute_command(command, in_data=json.dumps(given).encode() if given else None)
        try:
            answer = json.loads(done["stdout"])
        except ValueError:
            said = done["stderr"].strip() or done["stdout"].strip() or f"status {done['rc']}"
            raise Refused(f"{python} -m nodeward.nodeserver.place {words[0]} failed: {said[-2000:]}") from None
        if "error" in answer:
            faults = [f"At '{each['path']}': {each['message']}" for each in answer.get("errors", [])]
            raise Refused("\n  ".join([answer["error"], *faults]))
        return answer

    def _variable(self, name: str, otherwise):
        value = self._vars.get(name, otherwise)
        return self._action._templar.template(value) if isinstance(value, str) else value


def _name(files: dict):
    """Return the name of the node that some files are for, or None if they do not say."""
    try:
        return json.loads(files["nodeserver.json"])["node"]["name"]
    except (KeyError, TypeError, ValueError):
        return None


def server() -> Appliance:
    """Return the appliance. Raise AnsibleError if there is none."""
    try:
        return appliance.find()
    except Refused as error:
        raise AnsibleError(str(error)) from None


def reach(action, task_vars: dict):
    """Return how the host of a task is reached: its variable nodeward_reach says, `appliance` or `connection`."""
    node = task_vars["nodeward_node"]
    how = task_vars.get("nodeward_reach", os.environ.get("NODEWARD_REACH", "appliance"))
    if how == "connection":
        return OverConnection(action, task_vars, node)
    if how != "appliance":
        raise AnsibleError(f"nodeward_reach is {how!r}; it is 'appliance' or 'connection'.")
    return ThroughAppliance(server(), node)
