"""Wait until a node is well: its programs run with the revision, and the monitor has heard from it since and says it is up."""

from __future__ import annotations

import time

from ansible_collections.nodeward.fleet.plugins.plugin_utils.appliance import Refused, quoted
from ansible_collections.nodeward.fleet.plugins.plugin_utils.step import Step

EVERY = 1.0
GOOD = ("RUNNING", "STOPPED")


class ActionModule(Step):
    """`revision`: what its node server must run. `seconds`: how long it may take. `fresh`: it must be heard from anew."""

    ARGUMENTS = ("revision", "seconds", "fresh")

    def take(self, given):
        """Ask once a second. Raise Refused with what is wrong with the node when the time is over."""
        if self.checking:
            return {"skipped": True, "msg": "Nothing was changed that it could have become unwell of."}
        seconds, number = float(given.get("seconds", 60)), given.get("revision")
        deadline = time.monotonic() + seconds
        since = self._heard() if given.get("fresh") else None
        while True:
            reasons = self._reasons(number, since)
            if not reasons:
                return {"well": True}
            if time.monotonic() > deadline:
                raise Refused(f"not well within {seconds:g} s: {'; '.join(reasons)}.")
            time.sleep(EVERY)

    def _heard(self):
        """Return when the monitor last heard from the node, in the monitor's own time."""
        try:
            return self._health(None, None).get("heard")
        except Refused:
            return None

    def _reasons(self, number, since):
        try:
            found = list(self._health(number, since)["reasons"])
            return found if self.reached.asks_node_server else found + self._programs()
        except Refused as error:
            return [str(error).rstrip(".")]

    def _health(self, number, since):
        query = {"revision": number, "heard_after": since, "own": str(self.reached.asks_node_server).lower()}
        return self.server.get(f"nodes/{quoted(self.node)}/health", query)

    def _programs(self):
        return [
            f"{each['name']} is {each['state']}"
            for each in self.reached.look()["programs"]
            if each["state"] not in GOOD
        ]
