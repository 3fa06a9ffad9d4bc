"""Tell the config server how a rollout goes."""

from __future__ import annotations

DOCUMENTATION = """
name: record
type: notification
short_description: Tells the config server how a rollout goes
description:
  - Once C(nodeward.fleet.begin) has given the rollout its number, tells how far each node is, and gives signs of life.
  - What cannot be told is left out, and never stops a playbook.
requirements: []
"""

import difflib  # noqa: E402 - Ansible reads the documentation first
import threading  # noqa: E402

from ansible.plugins.callback import CallbackBase  # noqa: E402
from ansible_collections.nodeward.fleet.plugins.plugin_utils import appliance  # noqa: E402

FLUSH_SECONDS, ALIVE_EVERY = 0.5, 10  # signs of life: every tenth time that there is nothing to tell
BATCHES = "canary first"  # in the name of the play that goes batch by batch
DIFF_MOST, DETAIL_MOST = 100_000, 5_000
BACK = "It has its previous bundle back."


class CallbackModule(CallbackBase):
    """Follows the steps of a rollout by their actions."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "nodeward.fleet.record"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *words, **more):
        super().__init__(*words, **more)
        self._rollout, self._batch, self._events, self._failed = None, 0, [], False
        self._lock, self._telling, self._over = threading.Lock(), threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._tell_on, daemon=True)

    def v2_playbook_on_play_start(self, play):
        """Each batch begins like a play of its own."""
        if BATCHES in play.get_name():
            self._batch += 1
            if self._rollout is not None:
                self._tell(
                    even_nothing=False
                )  # what is due comes before what its batch tells by itself, as that it waits for a run

    def v2_runner_on_ok(self, result):
        """Note what a step did."""
        host, action, said, task = _parts(result)
        if action == "begin" and said.get("rollout"):
            self._begin(said["rollout"])
        elif action == "look" and not self._batch:
            detail = "; ".join([*said["differs"], *(f"{each} began with other files" for each in said["late"])])
            revision = (said.get("wanted") or {}).get("revision")
            self._note(host, "due" if said["due"] else "current", detail=detail, revision=revision)
        elif action == "bundle" and not str(task.get_path()).partition(".yml:")[0].endswith("back"):
            self._note(host, "staged", detail="", revision=said.get("revision"), diff=_unified(said.get("diff")))
        elif action == "programs":
            self._note(host, "applied", detail=said.get("did", ""))
        elif action == "well" and said.get("well"):
            self._note(host, "healthy")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """Note why a node could not go on."""
        host, _, said, _ = _parts(result)
        detail = str(said.get("msg", "")).removeprefix(f"{host}: ")[:DETAIL_MOST]  # it is told as that node's
        self._note(host, "rolled back" if BACK in detail else "failed", detail=detail)

    def v2_runner_on_unreachable(self, result):
        """Note that a node cannot be reached."""
        self.v2_runner_on_failed(result)

    def v2_playbook_on_stats(self, stats):
        """It is over."""
        if self._rollout is None:
            return
        bad = [host for host in stats.processed if stats.failures.get(host) or stats.dark.get(host)]
        self._events.append({"ended": not bad, "reason": f"failed on {', '.join(sorted(bad)[:20])}" if bad else ""})
        self._over.set()
        self._thread.join(timeout=30)

    def _begin(self, number):
        self._rollout = number
        self._thread.start()

    def _note(self, host, state, **more):
        if self._rollout is None:
            return
        event = {"node": host, "state": state, **{key: value for key, value in more.items() if value is not None}}
        if self._batch:
            event["batch"] = self._batch
        with self._lock:
            self._events.append(event)

    def _tell_on(self):
        rounds = 0
        while not self._over.wait(FLUSH_SECONDS):
            rounds += 1
            self._tell(even_nothing=rounds % ALIVE_EVERY == 0)
        self._tell(even_nothing=False)

    def _tell(self, even_nothing):
        with self._telling:  # one at a time, or an event would be told twice and the next one never
            self._tell_next(even_nothing)

    def _tell_next(self, even_nothing):
        with self._lock:
            events = self._events[:500]
        if not events and not even_nothing:
            return
        try:
            appliance.find().post(f"rollouts/{self._rollout}/events", {"events": events})
        except appliance.Refused as error:
            if error.status is None:
                return  # it is away: what is to be told waits
        with self._lock:
            del self._events[: len(events)]


def _parts(result):
    """Return a result's host, the last part of its action's name, what it says, and its task."""
    task = getattr(result, "_task", None) or result.task
    host = getattr(result, "_host", None) or result.host
    return host.get_name(), str(task.action).rpartition(".")[2], getattr(result, "_result", None) or result.result, task


def _unified(diffs):
    """Return Ansible's differences as one unified diff, or None if there are none."""
    lines = []
    for each in diffs or []:
        before, after = each["before"].splitlines(), each["after"].splitlines()
        lines += difflib.unified_diff(before, after, each["before_header"], each["after_header"], lineterm="", n=1)
    return "\n".join(lines)[:DIFF_MOST] or None
