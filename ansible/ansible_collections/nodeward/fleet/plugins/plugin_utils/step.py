"""What the steps of a rollout have in common: refusals become the task's failure, in their own sentence."""

from __future__ import annotations

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.nodeward.fleet.plugins.plugin_utils.appliance import Refused
from ansible_collections.nodeward.fleet.plugins.plugin_utils.reach import reach, server


class Step(ActionBase):
    """An action on the host's node. A subclass has `take`, which returns the task's result and may raise Refused."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    ARGUMENTS: tuple = ()

    def run(self, tmp=None, task_vars=None):
        """Do the step; return the result, or the failure with its sentence."""
        result = super().run(tmp, task_vars)
        given = self._task.args
        unknown = set(given) - set(self.ARGUMENTS)
        if unknown:
            return {
                **result,
                "failed": True,
                "msg": f"{self._task.action} has no argument {', '.join(sorted(unknown))}.",
            }
        self.node = task_vars["nodeward_node"]
        self.checking = bool(self._task.check_mode)
        try:
            self.server, self.reached = server(), reach(self, task_vars)
            return {**result, "changed": False, **self.take(given)}
        except Refused as error:
            return {**result, "failed": True, "msg": f"{self.node}: {error}"}

    def must_go_on(self, rollout) -> None:
        """Begin with no node any more once somebody has aborted the rollout."""
        by = self.server.get(f"rollouts/{int(rollout)}")["aborted_by"] if rollout else None
        if by:
            raise Refused(f"the rollout was aborted by {by}.")

    def take(self, given: dict) -> dict:
        """Do the step."""
        raise Refused("This step does nothing.")


def said(given: dict, name: str) -> bool:
    """Return whether an argument says yes; `-e NAME=false` hands over a text."""
    return boolean(given.get(name) or False)


def digest(files: dict) -> str:
    """Return the digest of a bundle's files, as every part of Nodeward makes it."""
    import hashlib
    import json

    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def revision(files: dict) -> int:
    """Return the revision that a bundle's files say they are of; 0 if they say none."""
    import json

    try:
        return int(json.loads(files["nodeserver.json"])["revision"])
    except (KeyError, TypeError, ValueError):
        return 0


def differences(before: dict, after: dict) -> list:
    """Return, as Ansible's --diff shows it, what changes from some files to others."""
    return [
        {
            "before": before.get(name, ""),
            "after": after.get(name, ""),
            "before_header": f"{name} (on the node)",
            "after_header": f"{name} (revision {revision(after)})",
        }
        for name in sorted(after)
        if before.get(name) != after[name]
    ]
