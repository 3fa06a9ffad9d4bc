"""Wait until no runbook runs on a node whose node server is about to be started anew; meanwhile it takes no new runs."""

from __future__ import annotations

import time

from ansible_collections.nodeward.fleet.plugins.plugin_utils.appliance import Refused
from ansible_collections.nodeward.fleet.plugins.plugin_utils.step import Step, said

EVERY = 2.0
AGAIN = 20.0  # so often it is told that the same runs are waited for
STATES = {True: "cutting off", False: "waiting"}


class ActionModule(Step):
    """`files`, `reload`: what is to be done. `seconds`: how long runs may take to end. `now`: cut them off. `rollout`: its
    number. `lift`: only take new runs again."""

    ARGUMENTS = ("files", "reload", "seconds", "now", "rollout", "lift")

    def take(self, given):
        """Ask every other second. Raise Refused if a run is still under way when the time is over, or the rollout was aborted."""
        if self.checking:
            return {"skipped": True, "msg": "Nothing is started anew that could cut a run off."}
        if said(given, "lift"):
            self.reached.lift()
            return {"ends_runs": False}
        try:
            return self._quiet(given)
        except Refused:
            self._lift()
            raise

    def _quiet(self, given):
        now, seconds, rollout = said(given, "now"), float(given.get("seconds", 300)), given.get("rollout")
        deadline = time.monotonic() + seconds
        found, told, tell_at = None, None, 0.0
        while True:
            try:
                found = self.reached.drain(given.get("files") or {}, said(given, "reload"), now)
            except Refused:
                if found is None or time.monotonic() >= deadline:
                    raise
            runs = [_named(run) for run in found["runs"]]
            if runs and (runs != told or time.monotonic() >= tell_at):
                self._tell(runs, now, rollout)
                told, tell_at = runs, time.monotonic() + AGAIN
            if now or not runs:
                return {"ends_runs": found["ends_runs"], "cut_off": runs if now else []}
            self.must_go_on(rollout)
            if time.monotonic() >= deadline:
                raise Refused(_over(runs, seconds))
            time.sleep(min(EVERY, max(0.1, deadline - time.monotonic())))

    def _tell(self, runs, now, rollout):
        """Say it here and to those who follow the rollout; that they cannot be told stops nothing."""
        detail = "; ".join(runs)
        self._display.display(f"{'cutting off' if now else 'waiting for'} {detail} on {self.node}")
        if rollout:
            event = {"node": self.node, "state": STATES[now], "detail": detail if now else f"for {detail}"}
            try:
                self.server.post(f"rollouts/{int(rollout)}/events", {"events": [event]})
            except Refused:
                pass

    def _lift(self):
        try:
            self.reached.lift()
        except Refused:
            pass  # it runs out by itself


def _named(run):
    return f"run {run['id']} of {run['runbook']} by {run['by']}"


def _over(runs, seconds):
    several = len(runs) > 1
    return (
        f"{'; '.join(runs)} {'are' if several else 'is'} still under way after {seconds:g} s, and starting its node server anew "
        f"would cut {'them' if several else 'it'} off. Roll out again later, stop {'them' if several else 'it'} "
        "(`nodeward runs stop ID`), or do not wait (`--now`, nodeward_now=true)."
    )
