"""What the images declare, and the one supervisord's configuration that is made of it."""

import configparser
import re
from pathlib import Path

import pytest

from nodeward.core.errors import ConfigError
from nodeward.core.ports import PORTS
from nodeward.supervise import images
from nodeward.supervise.machine import down, layout

ROOT = Path(__file__).resolve().parents[3]
FOUND = images.read_all(ROOT)
PROGRAMS = [(image.name, name, section) for image in FOUND for name, section in image.programs.items()]


def test_every_role_runs_in_one_image_and_every_program_is_critical():
    names = [name for _, name, _ in PROGRAMS]
    assert sorted(names) == sorted([*PORTS, "tailflog"])
    assert all(image.critical == image.programs.keys() for image in FOUND)


@pytest.mark.parametrize(("image", "name", "section"), PROGRAMS, ids=[name for _, name, _ in PROGRAMS])
def test_every_program_is_declared_as_a_container_needs_it(image, name, section):
    assert section["command"] == f"python -m nodeward.{name}.main"
    assert int(section["startsecs"]) >= 5  # supervisor calls a program that dies at once RUNNING, with less
    assert (
        section["autorestart"]
        == section["stopasgroup"]
        == section["killasgroup"]
        == section["redirect_stderr"]
        == "true"
    )
    assert (section["stdout_logfile"], section["stdout_logfile_maxbytes"]) == ("/dev/fd/1", "0")
    assert {"priority", "startretries", "stopwaitsecs"} <= section.keys()


def test_a_container_has_time_to_stop_before_docker_kills_it():
    grace = int(re.search(r"stop_grace_period: (\d+)s", (ROOT / "compose.yaml").read_text())[1])
    assert all(down.budget([image]) < grace for image in FOUND)


def test_one_supervisord_runs_them_all_with_their_output_in_files(tmp_path):
    parser = configparser.RawConfigParser()
    parser.read_string(layout.configuration(FOUND, ROOT, tmp_path))
    assert "include" not in parser
    for name in (*PORTS, "tailflog"):
        section = parser[f"program:{name}"]
        assert section["stdout_logfile"] == str(tmp_path / "log" / f"{name}.out")
        assert section["stdout_logfile_maxbytes"] == "5MB"
    listener = parser["eventlistener:listener"]
    assert listener["command"].startswith("python -m nodeward.supervise.listener retry ")
    assert listener["stderr_logfile"] == str(tmp_path / "log" / "listener.out")
    assert parser["unix_http_server"]["chmod"] == "0700"


def test_a_path_with_a_percent_sign_is_not_taken_for_an_expansion():
    text = layout.configuration(FOUND, ROOT, Path("/srv/100%/var"))
    assert "/srv/100%%/var/run/supervisor.sock" in text
    assert not re.search(r"ENV_NODEWARD_(VAR|HOME)", text)


def _image(tmp_path, critical="web\n", section="[program:web]\ncommand=python -m web\n", name="web.conf"):
    folder = tmp_path / "images" / "web" / "programs"
    folder.mkdir(parents=True)
    (folder / name).write_text(section)
    (folder.parent / "critical").write_text(critical)
    return tmp_path


def test_comments_and_blank_lines_are_no_programs(tmp_path):
    assert images.read(_image(tmp_path, "# what must run\n\nweb  # the pages\n"), "web").critical == {"web"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"critical": "web\nghost\n"}, r"critical names ghost, which no file in programs/ declares"),
        ({"section": "[program:other]\ncommand=x\n"}, r"must hold the section \[program:web\] and no other"),
        ({"section": "no section\n"}, r"web\.conf cannot be read"),
    ],
)
def test_what_does_not_fit_is_a_sentence_that_names_the_file(tmp_path, given, sentence):
    with pytest.raises(ConfigError, match=sentence):
        images.read(_image(tmp_path, **given), "web")


def test_an_image_without_its_list_is_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"The list of critical programs .* cannot be read"):
        images.read(tmp_path, "web")
