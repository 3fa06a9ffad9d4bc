"""One supervisord's configuration out of the images': the same programs, with their output in files under `$NODEWARD_VAR/log`.

A failed program is started again from time to time, and the others are left alone (`listener retry`): here no container
ends with it.
"""

import configparser
import io
from pathlib import Path

from nodeward.core.errors import ConfigError
from nodeward.supervise.images import Image, Section

OUTPUT_BYTES, OUTPUT_BACKUPS = "5MB", "3"
REGISTRY = "configserver"
ADMIN_VARIABLE = "NODEWARD_ADMIN_PASSWORD"


def configuration(images: list[Image], home: Path, var: Path) -> str:
    """Given the images, return the text of a supervisord.conf that runs all their programs with state under `var`."""
    parser = _parser()
    path = home / "images" / "base" / "supervisord.conf"
    try:
        parser.read_string(path.read_text(), str(path))
    except (OSError, configparser.Error) as error:
        raise ConfigError(f"{path} cannot be read ({error}).") from None
    parser.remove_section("include")
    listener = parser["eventlistener:listener"]
    lists = " ".join(_quoted(home / "images" / image.name / "critical") for image in images)
    listener["command"] = f"python -m nodeward.supervise.listener retry {lists}"
    _to_file(listener, var / "log" / "listener.out", "stderr")
    for image in images:
        for name, section in image.programs.items():
            parser[f"program:{name}"] = _placed(name, section, var)
    return _text(parser, home, var)


def _placed(name: str, section: Section, var: Path) -> Section:
    placed = dict(section)
    _to_file(placed, var / "log" / f"{name}.out", "stdout")
    if name != REGISTRY:  # the first password is the config server's business alone, and no plugin's
        given = placed.get("environment")
        placed["environment"] = ",".join(filter(None, [given, f'{ADMIN_VARIABLE}=""']))
    return placed


def _to_file(section: "Section | configparser.SectionProxy", path: Path, stream: str) -> None:
    section[f"{stream}_logfile"] = _escaped(path)
    section[f"{stream}_logfile_maxbytes"] = OUTPUT_BYTES
    section[f"{stream}_logfile_backups"] = OUTPUT_BACKUPS


def _text(parser: configparser.RawConfigParser, home: Path, var: Path) -> str:
    text = io.StringIO()
    parser.write(text, space_around_delimiters=False)
    written = text.getvalue()
    for variable, path in (("NODEWARD_VAR", var), ("NODEWARD_HOME", home)):
        written = written.replace(f"%(ENV_{variable})s", _escaped(path))
    return f"; Written by script/up from images/: a change here is lost at the next one.\n\n{written}"


def _parser() -> configparser.RawConfigParser:
    return configparser.RawConfigParser(comment_prefixes=(";", "#"), inline_comment_prefixes=(" ;",))


def _escaped(path: Path) -> str:
    """Supervisor expands `%` in its values."""
    return str(path).replace("%", "%%")


def _quoted(path: Path) -> str:
    """Supervisor splits a command as a shell would."""
    return '"' + _escaped(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
