"""Putting a bundle's files in place: looked at by their programs, renamed, the ones before kept; who is due for a new start."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nodeward.core import began
from nodeward.core.errors import BadInput
from nodeward.nodeserver.place import Place
from nodeward.nodeserver.restarts import Restarts

NODE = {"name": "web-1", "address": None, "groups": [], "labels": {}}


def nodeserver(revision=1, **more):
    return json.dumps({"revision": revision, "node": NODE, "checks": [], **more})


def tailflog(revision=1, sources=()):
    return json.dumps({"revision": revision, "node": "web-1", "sources": list(sources)})


def files(revision=1, **more):
    return {"nodeserver.json": nodeserver(revision, **more), "tailflog.json": tailflog(revision)}


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "nodeserver" / "bundle")


def test_only_what_differs_is_replaced_and_the_files_before_are_kept(place):
    assert place.put(files(1)) == ["nodeserver.json", "tailflog.json"]
    assert place.look()["before"] is None
    untouched = (place.directory / "tailflog.json").stat().st_ino
    changed = {**files(1), "nodeserver.json": nodeserver(2)}
    assert place.put_checked(changed) == ["nodeserver.json"]
    assert (place.directory / "tailflog.json").stat().st_ino == untouched
    assert place.look()["before"] == files(1)
    assert place.put_checked(changed) == []
    assert place.look()["before"] == files(1)


def test_what_a_program_will_not_read_changes_nothing_and_leaves_nothing(place):
    place.put(files(1))
    wrong = {"nodeserver.json": nodeserver(2, heartbeat="soon"), "tailflog.json": tailflog(2, [{"source": "a"}])}
    with pytest.raises(BadInput) as caught:
        place.put_checked(wrong)
    said = {fault.path: fault.message for fault in caught.value.problems}
    assert "heartbeat" in said["nodeserver.json"] and "paths" in said["tailflog.json"]
    assert place.files() == files(1)
    assert list(place.directory.with_name("bundle.staged").iterdir()) == []


def test_a_look_at_files_changes_nothing(place):
    place.put(files(1))
    assert place.put_checked(files(2), check=True) == ["nodeserver.json", "tailflog.json"]
    assert place.files() == files(1)


def test_a_file_that_is_not_of_a_bundle_is_refused(place):
    with pytest.raises(BadInput, match="has no file"):
        place.put_checked({"../../passwd": ""})


def test_a_file_means_the_same_whatever_its_revision():
    assert began.meaning(nodeserver(1)) == began.meaning(nodeserver(2))
    assert began.meaning(nodeserver(1)) != began.meaning(nodeserver(1, heartbeat=2))
    assert began.meaning("{") != began.meaning("[1]")


def restarts(place, tmp_path, state="RUNNING", pid=77):
    made = Restarts(place, tmp_path)
    programs = [
        SimpleNamespace(name=name, group=name, state=state, pid=pid) for name in ("nodeserver", "tailflog", "listener")
    ]
    made._programs = SimpleNamespace(list=lambda: programs, changed=list)
    return made


def note(tmp_path, program, text, pid=77):
    (tmp_path / "run").mkdir(exist_ok=True)
    began.path(tmp_path, program).write_text(json.dumps({"pid": pid, "meaning": began.meaning(text)}))


def due(made):
    return made.carry_out(check=True)["restarted"]


def test_only_what_starts_the_node_server_anew_ends_runs(place, tmp_path):
    place.put(files(1))
    for program, name in (("nodeserver", "nodeserver.json"), ("tailflog", "tailflog.json")):
        note(tmp_path, program, files(1)[name])
    made = restarts(place, tmp_path)
    assert not made.ends_runs({})
    assert not made.ends_runs(files(2))  # the revision's number alone
    assert not made.ends_runs({"tailflog.json": tailflog(2, [{"source": "a"}])})
    assert made.ends_runs({"nodeserver.json": nodeserver(2, heartbeat=2)})
    assert not made.ends_runs({"nodeserver.json": nodeserver(2, heartbeat=2)}, reload=True)
    assert not restarts(place, tmp_path, state="STOPPED").ends_runs(files(2, heartbeat=2))
    made._programs.changed = lambda: ["nodeserver"]  # supervisor's own configuration of it is another one
    assert made.ends_runs({})
    assert place.files() == files(1)


def test_a_program_that_began_with_another_file_is_due_and_no_other(place, tmp_path):
    place.put(files(1))
    for program, name in (("nodeserver", "nodeserver.json"), ("tailflog", "tailflog.json")):
        note(tmp_path, program, files(1)[name])
    assert due(restarts(place, tmp_path)) == []
    place.put(files(2, heartbeat=2))
    assert due(restarts(place, tmp_path)) == ["nodeserver"]
    note(tmp_path, "nodeserver", nodeserver(2, heartbeat=2))
    assert due(restarts(place, tmp_path)) == []


def test_one_that_is_about_to_read_its_file_or_was_stopped_by_somebody_is_left_alone(place, tmp_path):
    place.put(files(2))
    note(tmp_path, "nodeserver", nodeserver(1, heartbeat=2), pid=76)
    assert due(restarts(place, tmp_path)) == []
    assert due(restarts(place, tmp_path, state="STOPPED")) == []
    assert due(restarts(place, tmp_path, state="FATAL")) == ["nodeserver", "tailflog"]


def run(tmp_path, *words, given=""):
    done = subprocess.run(
        [sys.executable, "-m", "nodeward.nodeserver.place", *words],
        env={**os.environ, "NODEWARD_VAR": str(tmp_path)},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "null"), done.stderr


def test_as_a_program_it_does_one_step_and_tells_errors_as_sentences(place, tmp_path):
    assert run(tmp_path, "put", given=json.dumps({"files": files(1)}))[:2] == (
        0,
        {"changed": ["nodeserver.json", "tailflog.json"]},
    )
    assert place.files() == files(1)
    code, answer, screen = run(tmp_path, "put", given=json.dumps({"files": {"nodeserver.json": "{"}}))
    assert (code, screen) == (1, "") and "nothing was changed" in answer["error"]
    assert answer["errors"][0]["path"] == "nodeserver.json"
    for words, given in ((["put"], "no JSON"), (["dance"], ""), (["programs", "twice"], "")):
        code, answer, screen = run(tmp_path, *words, given=given)
        assert (code, screen) == (1, "") and answer["error"]
    code, answer, screen = run(tmp_path, "look")
    assert (code, screen) == (1, "") and "No supervisor answers" in answer["error"]
