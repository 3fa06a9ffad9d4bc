"""Look at a node: what it has, what it is to get, and whether that makes a difference. Changes nothing."""

from __future__ import annotations

from ansible_collections.nodeward.fleet.plugins.plugin_utils.appliance import Refused, quoted
from ansible_collections.nodeward.fleet.plugins.plugin_utils.step import Step, differences


class ActionModule(Step):
    """Returns `wanted` (the newest bundle, or with `handed` the one the node is to have now), `present` and `before` (files),
    `due`: whether the node has something else, or programs that began with something else; `refused`: why it was rolled back."""

    ARGUMENTS = ("handed",)

    def take(self, given):
        """Ask the config server and the node."""
        placed = self.reached.look()
        standing = self.server.get(f"nodes/{quoted(self.node)}/delivery")
        path = f"nodes/{quoted(self.node)}/" + ("handed" if given.get("handed") else "bundle")
        try:
            wanted, unrendered = self.server.get(path), None
        except Refused as error:
            if error.status is None:
                raise
            wanted, unrendered = (
                None,
                str(error),
            )  # the rollout fails at the first such node, not at all of them at once
        late = sorted(each["name"] for each in placed["programs"] if each["due"])
        there = differences(placed["files"], wanted["files"]) if wanted else []
        return {
            "wanted": wanted,
            "unrendered": unrendered,
            "present": placed["files"],
            "before": placed["before"],
            "late": late,
            "differs": [each["before_header"].split(" ")[0] for each in there],
            "due": bool(late or there or unrendered or standing["waiting"]),
            "refused": standing["refused"],
            **({"diff": there} if self._task.diff else {}),
        }
