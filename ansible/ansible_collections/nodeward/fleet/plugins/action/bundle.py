"""Put a bundle in place on a node: its programs look at it first, the config server is told, then the files are swapped."""

from __future__ import annotations

from ansible_collections.nodeward.fleet.plugins.plugin_utils.appliance import Refused, quoted
from ansible_collections.nodeward.fleet.plugins.plugin_utils.step import Step, differences, digest, revision


class ActionModule(Step):
    """`files`: what is to lie there. `refused`: the files that the node is rolled back from, and `why`. `rollout`: its number."""

    ARGUMENTS = ("files", "refused", "why", "rollout")

    def take(self, given):
        """Validate, release, swap. In check mode: validate."""
        files = given.get("files")
        if not files:
            raise Refused(given.get("why") or "There is no bundle to put in place.")
        self.must_go_on(given.get("rollout"))
        present = self.reached.look()["files"]
        changed = self.reached.put(files, check=True)
        if not self.checking:
            self._release(files, given)
            self._swap(
                files, present
            )  # unless the node, which pulls, has taken them meanwhile: they changed all the same
        shown = {"diff": differences(present, files)} if self._task.diff else {}
        return {"changed": bool(changed), "files": changed, "revision": revision(files), **shown}

    def _swap(self, files: dict, present: dict) -> None:
        try:
            self.reached.put(files, check=False)
        except Refused as error:
            if present:
                self._release(present, {"refused": files, "why": str(error)})
            raise

    def _release(self, files: dict, given: dict) -> None:
        """Let the config server hand the node these files from now on: whoever writes them, they are the same."""
        refused = given.get("refused")
        body = {"revision": revision(files), "files": files, "why": str(given.get("why") or "")[:2000]}
        self.server.put(f"nodes/{quoted(self.node)}/release", {**body, "refused": digest(refused) if refused else None})
