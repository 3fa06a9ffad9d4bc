"""Other nodes in a run: files to and from them, runbooks on them. Nodes show each other tickets that are theirs."""

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from functools import cache
from pathlib import Path
from typing import Any

import urllib3

from nodeward.core import runbook_paths
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError, NotOurs, Unavailable
from nodeward.core.files import read_secret
from nodeward.core.runbook import Call, Copy, Place
from nodeward.nodeserver.peers import Peers
from nodeward.nodeserver.runbooks import transfer
from nodeward.nodeserver.runbooks.control import Gone, Stopped
from nodeward.nodeserver.runbooks.course import ENDS, SUCCEEDED, Course, Result, result
from nodeward.nodeserver.runbooks.dialogue import Failed

# size, permissions and checksum, as a node server tells them
_FILE = re.compile(r"[0-9]{1,18} [0-7]{1,4} [0-9a-f]{64}")
PATIENCE_SECONDS = 60.0  # for so long a node may be away while a run on it is followed
WAIT_SECONDS = 2


def address(course: Course, node: str) -> str:
    """Return a node's address as the config server has it. Raise NotFound if it has none."""
    return _peers(course).find(node).address


def peer(course: Course, node: str) -> Client:
    """Return the client of a node's node server. Raise NotFound if it has none."""
    peers = _peers(course)
    return peers.client(peers.find(node))


def _peers(course: Course) -> Peers:
    """Return the run's peers: one for all its steps, since it keeps the tickets."""
    job = course.job
    return _peers_of(str(job["node"]["name"]), str(job["config_url"]), str(job["token_file"]))


@cache
def _peers_of(node: str, config_url: str, token_file: str) -> Peers:
    return Peers(node, Client(config_url, lambda: read_secret(Path(token_file), "The node's credential")))


def copy(course: Course, given: Copy, until: float) -> Result:
    """Copy a file from one node to another. Raise Failed or NodewardError if it did not arrive whole."""
    source, target = _place(course, given.source), _place(course, given.to)
    own, most = course.job["node"]["name"], given.max_size or int(course.job["copy_bytes"])
    with transfer.read(source[1], most) if source[0] == own else _far(course, source, most) as file:
        mode = int(given.mode, 8) if given.mode else file.mode
        pieces = _checked(course, file, until)
        if target[0] == own:
            transfer.write(target[1], pieces, file.sha256, mode, most, file.size)
        else:
            query = {"path": target[1], "sha256": file.sha256, "mode": f"{mode:o}", **_warrant(course)}
            headers = {"Content-Length": str(file.size), "Content-Type": "application/octet-stream"}
            peer(course, target[0]).request(
                "PUT", "/api/v1/files", body=pieces, query=query, headers=headers, timeout=120
            )
        course.journal.output(
            f"{source[0]}:{source[1]} → {target[0]}:{target[1]}  {file.size} bytes, sha256 {file.sha256}\r\n"
        )
        course.journal.flush()
        return result(sha256=file.sha256, size=file.size)


def _place(course: Course, given: Place) -> tuple[str, str]:
    """Return (node, path). Raise Failed if what was filled in leads to another directory than the runbook says."""
    path = course.fill(given.path)
    transfer.must_be_absolute(path)
    if not runbook_paths.fits(given.path, path):
        raise Failed(f"{path[:200]!r} is in another directory than {given.path!r} says.")
    return (course.fill(given.node) if given.node else str(course.job["node"]["name"])), path


def _far(course: Course, place: tuple[str, str], most: int) -> transfer.Source:
    answer = peer(course, place[0]).open("/api/v1/files", {"path": place[1], **_warrant(course)}, timeout=120)
    told = [answer.headers.get(name, "") for name in ("Content-Length", "Nodeward-Mode", "Nodeward-Sha256")]
    try:
        if not _FILE.fullmatch(" ".join(told)):
            raise NotOurs(f"What answers at {place[0]}'s address is no node server of Nodeward's.")
        transfer.must_fit(f"{place[0]}:{place[1]}", int(told[0]), most)
    except NodewardError:
        answer.close()
        raise
    return transfer.Source(answer, int(told[0]), told[2], int(told[1], 8))


def _warrant(course: Course) -> dict[str, str]:
    """Return what shows the other node why it should: the runbook that says so, which it looks up itself."""
    return {"run": course.job["run"], "runbook": course.job["runbook"]}


def _checked(course: Course, file: transfer.Source, until: float) -> Iterator[bytes]:
    came = 0
    try:
        for piece in file.pieces():
            course.control.check()
            if time.monotonic() > until:
                raise Failed("it took longer than the step may.")
            came += len(piece)
            if came > file.size:
                raise Failed(f"more came of the file than the {file.size} bytes that it was said to have.")
            yield piece
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable(f"The file did not come whole ({type(error).__name__}).") from None


def call(course: Course, given: Call, until: float) -> Result:
    """Run a runbook on other nodes and follow it there. Raise Failed if it did not succeed on each."""
    nodes = _nodes(course, given)
    parameters = {
        name: course.value(each) if isinstance(each, str) else each for name, each in given.parameters.items()
    }
    over = threading.Event()
    with ThreadPoolExecutor(min(given.at_once, len(nodes))) as pool:
        running = [pool.submit(_Followed(course, node, over).run, given.runbook, parameters) for node in nodes]
        try:
            _all_done(course, running, until)
        except (Stopped, Gone, Failed):
            over.set()
            for each in running:
                each.cancel()
            raise
    ends = {node: each.result() for node, each in zip(nodes, running, strict=True)}
    bad = [
        f"{node}: {state}{f' ({detail})' if detail else ''}"
        for node, (state, detail) in ends.items()
        if state != SUCCEEDED
    ]
    seen = result(ok=not bad, output="\n".join(f"{node} {state}" for node, (state, _) in ends.items()))
    if bad:
        raise Failed(f"it did not succeed: {'; '.join(bad)}"[:1000], seen)
    return seen


def _nodes(course: Course, given: Call) -> list[str]:
    named = course.value(given.nodes) if isinstance(given.nodes, str) else [course.fill(each) for each in given.nodes]
    nodes = list(dict.fromkeys([named] if isinstance(named, str) else named or []))
    if not nodes or not all(isinstance(each, str) and each for each in nodes):
        raise Failed("there is no node to call it on.")
    return nodes


def _all_done(course: Course, running: list["Future[tuple[str, str]]"], until: float) -> None:
    """Wait until all have ended; with the first that fails, those that have not begun do not begin."""
    left = set(running)
    while left:
        done, left = wait_for(left, 0.1, FIRST_COMPLETED)
        course.control.check()
        if time.monotonic() > until:
            raise Failed("it took longer than the step may.")
        for each in done:
            if each.result()[0] not in (SUCCEEDED, NOT_BEGUN):
                for other in left:
                    other.cancel()
                left = {other for other in left if not other.cancelled()}
    for each in running:
        if each.cancelled():
            raise Failed("on the nodes before it did not succeed, so the others were left alone.")


NOT_BEGUN = "not begun"


class _Followed:
    """A run on another node, followed to its end."""

    def __init__(self, course: Course, node: str, over: threading.Event) -> None:
        self._course, self._node, self._over = course, node, over
        self._stream = course.journal.stream()
        self._ended: tuple[str, str] | None = None

    def run(self, name: str, parameters: dict[str, Any]) -> tuple[str, str]:
        """Start it and follow it; return how it ended, and why."""
        if self._over.is_set():
            return NOT_BEGUN, ""
        job = self._course.job
        caller = {"node": job["node"]["name"], "run": job["run"], "runbook": job["runbook"]}
        try:
            client = peer(self._course, self._node)
            begun = client.post(
                "/api/v1/runs", {"runbook": name, "parameters": parameters, "caller": caller}, timeout=30
            )
            self._course.journal.tell("note", text=f"{self._node}: run {begun['id']} of {name}", node=self._node)
            return self._follow(client, f"/api/v1/runs/{begun['id']}")
        except NodewardError as error:
            return "failed", str(error)

    def _follow(self, client: Client, path: str) -> tuple[str, str]:
        cursor, stopping, seen = "0", False, time.monotonic()
        while self._ended is None:
            try:
                if self._over.is_set() and not stopping:
                    client.post(f"{path}/stop", {})
                    stopping = True
                page = client.get(f"{path}/output", {"after": cursor, "wait": WAIT_SECONDS}, timeout=20)
                cursor, seen = page["cursor"], time.monotonic()
                for event in page["items"]:
                    self._tell(event)
                if page["state"] in ENDS and not page["items"]:
                    break
            except NotOurs as error:
                return "failed", str(error)
            except Unavailable as error:
                if time.monotonic() > seen + (5.0 if stopping else PATIENCE_SECONDS):
                    return "failed", f"it cannot be reached any more: {error}"
                time.sleep(0.5)
        self._course.journal.output(self._stream.end(), self._node)
        return self._ended or ("failed", "its record has no end")

    def _tell(self, event: dict[str, Any]) -> None:
        if event["type"] == "output":
            self._course.journal.output(self._stream.feed(event["text"]), self._node)
        elif event["type"] == "step" and event["state"] != "running":
            detail = f": {event['detail']}" if event.get("detail") else ""
            self._course.journal.tell(
                "note", text=f"{self._node}: {event['title']} {event['state']}{detail}", node=self._node
            )
        elif event["type"] == "end":
            self._ended = (event["state"], event.get("detail", ""))
