"""What the scripts say before anything is installed: an old Python, a Debian without venv, a full disk, a moved checkout."""

import ast
import os
import shutil
import subprocess
import sys

import pytest

from support.appliance import ROOT

SCRIPT = ROOT / "script"


@pytest.fixture
def checkout(tmp_path):
    """A checkout with nothing in it but the scripts and what they read."""
    made = tmp_path / "checkout"
    shutil.copytree(SCRIPT, made / "script", ignore=shutil.ignore_patterns("__pycache__", "bench_parts"))
    for name in ("pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        (made / name).write_text("")
    return made


def run(checkout, source, **environment):
    """Run Python statements that may `import bootstrap` of that checkout."""
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'script')\n{source}"],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused(done):
    """Assert that it was one sentence and an exit code of its own, and return the sentence."""
    assert done.returncode == 78, done
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("name", ["bootstrap.py", "up", "down", "status", "test", "check", "fix", "bench"])
def test_an_old_python_can_read_what_tells_it_that_it_is_old(name):
    ast.parse((SCRIPT / name).read_text(), name, feature_version=(3, 4))


def test_an_old_python_is_told_so(checkout):
    old = "sys.version_info = (3, 9, 2)\nimport bootstrap\nbootstrap.fit_python()"
    said = refused(run(checkout, old, PATH="/nowhere"))
    assert "needs Python 3.11 or newer" in said
    assert "is 3.9, and no newer one is on PATH" in said


def test_an_old_python_goes_on_with_a_newer_one_from_path(checkout, tmp_path):
    newer = tmp_path / "bin" / "python3.12"
    newer.parent.mkdir()
    newer.write_text('#!/bin/sh\necho "newer: $@"\n')
    newer.chmod(0o755)
    old = "sys.version_info = (3, 9, 2)\nsys.argv = ['script/up', '--foreground']\nimport bootstrap\nbootstrap.fit_python()"
    assert run(checkout, old, PATH=f"{newer.parent}:/bin").stdout == "newer: script/up --foreground\n"


def test_a_debian_without_venv_is_told_which_package(checkout):
    lacking = "sys.modules['ensurepip'] = None\nimport bootstrap\nbootstrap.environment('requirements.lock')"
    assert f"apt install python3.{sys.version_info[1]}-venv" in refused(run(checkout, lacking))


def test_a_disk_without_room_is_told_before_anything_is_written(checkout):
    full = "import bootstrap\nbootstrap.free = lambda: 3 * 2**20\nbootstrap.environment('requirements.lock')"
    said = refused(run(checkout, full))
    assert "not enough room" in said
    assert "3 MB are free" in said
    assert not (checkout / ".venv").exists()


def test_a_step_that_fails_shows_what_it_printed(checkout):
    failing = (
        "import bootstrap\nbootstrap.step('Fetching', [sys.executable, '-c', 'print(17 * 3); raise SystemExit(5)'])"
    )
    done = run(checkout, failing)
    assert done.returncode == 1
    assert "51\nFetching failed (status 5)." in done.stderr


@pytest.mark.parametrize("name", ["down", "status"])
def test_nothing_to_stop_or_show_where_nothing_was_installed(checkout, name):
    done = subprocess.run([checkout / "script" / name], capture_output=True, text=True, timeout=60, check=False)
    assert "Nothing has been installed here yet" in refused(done)


def test_a_moved_checkout_makes_its_environment_anew(checkout):
    ask = "import bootstrap\nbootstrap.write(bootstrap.VENV + '/nodeward-root', sys.argv[1])\nprint(bootstrap.usable())"
    link = checkout / ".venv" / "bin" / "python"
    link.parent.mkdir(parents=True)
    link.symlink_to(sys.executable)
    for place, usable in ((str(checkout), "True"), ("/where/it/was", "False")):
        done = run(checkout, ask.replace("sys.argv[1]", repr(place)))
        assert done.stdout.strip() == usable, done.stderr


def test_web_pages_are_built_again_only_when_their_sources_changed(checkout):
    web = checkout / "web"
    (web / "assets").mkdir(parents=True)
    (web / "package.json").write_text("{}")
    digest = "import bootstrap\nprint(bootstrap.web_sources())"
    first = run(checkout, digest).stdout
    for unrelated in ("node_modules/x.js", "nodeward/web/static/dist/main.js", "nodeward/web/app.py"):
        (web / unrelated).parent.mkdir(parents=True, exist_ok=True)
        (web / unrelated).write_text("changed")
    assert run(checkout, digest).stdout == first
    (web / "assets" / "main.ts").write_text("changed")
    assert run(checkout, digest).stdout != first


def test_what_the_lock_file_lists_is_installed_once(checkout):
    twice = """
import bootstrap
steps = []
bootstrap.usable = lambda: True
bootstrap.install = steps.append
import os; os.makedirs(bootstrap.VENV)
for change in ('', '', 'x==1'):
    open('requirements.lock', 'a').write(change)
    bootstrap.environment('requirements.lock')
print(len(steps))
"""
    assert run(checkout, twice).stdout.strip() == "2"
