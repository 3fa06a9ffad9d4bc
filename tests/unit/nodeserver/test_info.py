"""Server information of this machine, whatever runs on it."""

import json
import subprocess
from pathlib import Path

import pytest

from nodeward.core import told
from nodeward.nodeserver import info


def test_an_argument_that_is_no_text_spoils_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(info, "MOST_PROCESSES", 100_000)
    odd = tmp_path / "odd"
    odd.write_text("#!/bin/sh\necho ready\nread -r line\n")
    odd.chmod(0o755)
    with subprocess.Popen([odd, b"caf\xe9"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        found = info.everything()
        process.communicate("\n")
    (mine,) = [each for each in found["processes"]["top"] if each["pid"] == process.pid]
    assert mine["command"].endswith("caf\\xe9")
    few = {**found, "processes": {**found["processes"], "top": [mine]}}
    assert told.answer("web-1", "GET", "/api/v1/info", None, json.dumps(few).encode()) == few
