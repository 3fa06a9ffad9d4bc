"""Begin a rollout: there is one at a time. `nodeward.fleet.record` then tells the config server how it goes."""

from __future__ import annotations

import os

from ansible_collections.nodeward.fleet.plugins.plugin_utils.step import Step


class ActionModule(Step):
    """Returns the rollout's number as `rollout`; one that the config server itself started has its number already."""

    ARGUMENTS = ("action", "limit", "canary")

    def take(self, given):
        """Ask the config server for the lease. Raise Refused if another rollout has it."""
        if self.checking:
            return {"rollout": None}
        started = os.environ.get("NODEWARD_ROLLOUT")
        if started:
            return {"rollout": int(started)}
        order = {"action": given.get("action") or "rollout", "canary": int(given.get("canary") or 1), "by_hand": True}
        return {"rollout": self.server.post("rollouts", {**order, "limit": _pattern(given.get("limit"))})["id"]}


def _pattern(limit) -> str:
    """Return what --limit was given, as far as others can be told it: a file's name is this machine's alone."""
    text = str(limit or "")
    return "" if text.startswith(("@", "~")) else text[:500]
