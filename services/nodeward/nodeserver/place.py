"""The files of this node's bundle on disk. Whoever changes them, the pull or a rollout, does it here: one at a time, staged,
looked at, renamed; and the ones before are kept.

As a program (`python -m nodeward.nodeserver.place look|drain|lift|put|programs`, input and answer as JSON) it is what a rollout
runs on a node that it reaches over ssh or in a container.
"""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from nodeward.core import began, bundle, clock, program, settings
from nodeward.core.errors import BadInput, NodewardError, Problem
from nodeward.core.files import write_atomic
from nodeward.core.http import Body, problems_of
from nodeward.core.placing import Placing, Quiet
from nodeward.nodeserver.restarts import READERS, Restarts
from nodeward.nodeserver.runbooks.drain import Drain
from nodeward.nodeserver.settings import NodeserverSettings

Files = Mapping[str, str]
Form = TypeVar("Form", bound=Body)

CHECK_SECONDS = 60.0


class Place:
    """The directory with the files in force; `before` beside it holds the ones that they took the place of."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.before = directory.with_name(f"{directory.name}.before")
        self._staged = directory.with_name(f"{directory.name}.staged")
        self._lock = directory.with_name(f"{directory.name}.lock")

    def files(self) -> dict[str, str]:
        """Return the files in force."""
        return read(self.directory)

    def look(self) -> dict[str, Any]:
        """Return what is in force, and what was before."""
        files = self.files()
        return {"files": files, "before": read(self.before) or None, "digest": began.digest(files)}

    def put(self, files: Files) -> list[str]:
        """Put verified files in place, one rename each. Return those that changed; the others are left alone."""
        with self._alone():
            return self._swap(files)

    def put_checked(self, files: Files, check: bool = False) -> list[str]:
        """Stage files, let the programs that read them look at them, put them in place (unless only to `check`).

        Return the names of those that changed, or would. Raise BadInput with every fault; nothing is changed then.
        """
        unknown = files.keys() - READERS.keys()
        if unknown:
            raise BadInput(f"A bundle has no file '{min(unknown)}'; there are {', '.join(READERS)}.")
        with self._alone():
            present = self.files()
            changed = [name for name, text in files.items() if present.get(name) != text]
            faults = [fault for name in changed for fault in self._faults(name, files[name])]
            if faults:
                raise BadInput("The files were not put in place, nothing was changed.", faults)
            return changed if check else self._swap(files)

    def _faults(self, name: str, text: str) -> list[Problem]:
        """Return what the program that reads a file says against it, by its own `--check-config`."""
        staged = self._staged / name
        write_atomic(staged, text)
        try:
            command = [sys.executable, "-m", f"nodeward.{READERS[name]}.main", "--check-config", str(staged)]
            looked = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return [Problem(name, f"{READERS[name]} --check-config did not end within {CHECK_SECONDS:.0f} s")]
        finally:
            staged.unlink(missing_ok=True)
        words = (looked.stderr or looked.stdout).strip().replace(str(staged), name)
        return [Problem(name, words or f"status {looked.returncode}")] if looked.returncode else []

    def _swap(self, files: Files) -> list[str]:
        present = self.files()
        changed = [name for name, text in files.items() if present.get(name) != text]
        if changed and not _same_revision(present, files):  # what was changed by hand is nothing to go back to
            for name, text in present.items():
                write_atomic(self.before / name, text)
        for name in changed:
            write_atomic(self.directory / name, files[name])
        return changed

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def read(directory: Path) -> dict[str, str]:
    """Return the files of a bundle in a directory; one that is no text counts as empty: that is never right."""
    found = {}
    for name in READERS:
        try:
            found[name] = (directory / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            found[name] = ""
        except OSError:
            continue
    return found


def _same_revision(files: Files, others: Files) -> bool:
    return _revision(files) is not None and _revision(files) == _revision(others)


def _revision(files: Files) -> int | None:
    try:
        return int(json.loads(files[bundle.NODESERVER])["revision"])
    except (KeyError, TypeError, ValueError):
        return None


def main() -> int:
    """Do one step, as the user that the node server runs as. The answer is one JSON object, an error has its sentence in it."""
    loaded = settings.load(NodeserverSettings)
    _become_owner(loaded.var)
    try:
        answer = step(sys.argv[1:], loaded)
    except NodewardError as error:
        faults = [{"path": fault.path, "message": fault.message} for fault in error.problems]
        answer = {"error": error.detail, "errors": faults}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


def step(words: list[str], loaded: NodeserverSettings) -> dict[str, Any]:
    """Do one step: `look`, `drain` (its input: `Quiet`), `lift`, `put` (its input: `Placing`), `programs [reload]`.

    Raise NodewardError if it cannot be done.
    """
    place = Place(loaded.bundle)
    if words == ["look"]:
        return {"node": loaded.node, **place.look(), "programs": Restarts(place, loaded.var).states()}
    if words == ["drain"]:
        return drained(Restarts(place, loaded.var), Drain(loaded.data), _given(Quiet))
    if words == ["lift"]:
        return {"lifted": Drain(loaded.data).lift()}
    if words == ["put"]:
        given = _given(Placing)
        return {"changed": place.put_checked(given.files, given.check)}
    if words[:1] == ["programs"] and set(words[1:]) <= {"reload", "check"}:
        return Restarts(place, loaded.var).carry_out("reload" in words, "check" in words)
    raise BadInput("Say look, drain, lift, put, or programs [reload] [check].")


def _given(form: type[Form]) -> Form:
    try:
        return form.model_validate_json(sys.stdin.read())
    except ValidationError as error:
        raise BadInput("The input is not valid.", problems_of(error)) from None


def drained(restarts: Restarts, drain: Drain, given: Quiet) -> dict[str, Any]:
    """Take no new runs, if what is about to be done ends the node server. Return whether it does, and the runs under way."""
    if not restarts.ends_runs(given.files, given.reload):
        return {"ends_runs": False, "runs": []}
    return {"ends_runs": True, "runs": [_in_short(about) for about in drain.look(given.now)]}


def _in_short(about: Mapping[str, Any]) -> dict[str, Any]:
    known = {key: about.get(key) for key in ("id", "runbook", "by")}
    return {**known, "started": clock.rfc3339(about["started"])}


def _become_owner(var: Path) -> None:
    """What root would write, the node server could not read."""
    if os.geteuid() == 0 and var.exists():
        owner = var.stat()
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


if __name__ == "__main__":
    sys.exit(program.guarded(main))
