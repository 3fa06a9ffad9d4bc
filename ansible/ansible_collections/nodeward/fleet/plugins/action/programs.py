"""Let supervisor reread and update, and start anew the programs that began with other files than lie there now."""

from __future__ import annotations

from ansible_collections.nodeward.fleet.plugins.plugin_utils.step import Step, said


class ActionModule(Step):
    """`reload`: only tell the programs to read their files (SIGHUP)."""

    ARGUMENTS = ("reload",)

    def take(self, given):
        """Do it, or in check mode say what would be done."""
        reload = said(given, "reload")
        done = self.reached.programs(reload=reload, check=self.checking)
        words = ("told to read its files" if reload else "started anew") + ": " + ", ".join(done["restarted"])
        return {
            "changed": bool(done["updated"] or done["restarted"]),
            "did": words if done["restarted"] else "",
            **done,
        }
