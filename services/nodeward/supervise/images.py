"""What lies in `images/<image>/`: the programs that supervisor runs there, and which of them are critical.

One program per file under `programs/`, as supervisor reads it; `critical` names a program a line.
"""

import configparser
from dataclasses import dataclass
from pathlib import Path

from nodeward.core.errors import ConfigError

Section = dict[str, str]


@dataclass(frozen=True)
class Image:
    """One image: its programs' sections by name of the program, and the names of the critical ones."""

    name: str
    programs: dict[str, Section]
    critical: frozenset[str]


def read(home: Path, name: str) -> Image:
    """Return the image of that name under `home`. Raise ConfigError if its files are not there or do not fit each other."""
    folder = home / "images" / name
    programs = {path.stem: program(path) for path in sorted(folder.glob("programs/*.conf"))}
    critical = read_critical(folder / "critical")
    strangers = critical - programs.keys()
    if strangers:
        raise ConfigError(
            f"{folder / 'critical'} names {', '.join(sorted(strangers))}, which no file in programs/ declares."
        )
    return Image(name, programs, critical)


def read_all(home: Path) -> list[Image]:
    """Return every image under `home` that runs programs, by name."""
    return [read(home, path.parent.name) for path in sorted((home / "images").glob("*/critical"))]


def read_critical(path: Path) -> frozenset[str]:
    """Return the program names in a critical list: one a line, `#` begins a comment. Raise ConfigError if it cannot be read."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The list of critical programs {path} cannot be read ({error}).") from None
    return frozenset(name for line in lines if (name := line.partition("#")[0].strip()))


def program(path: Path) -> Section:
    """Return what is set in the one `[program:NAME]` section of a file called NAME.conf. Raise ConfigError if it is not that."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    try:
        parser.read_string(path.read_text(), str(path))
    except (OSError, configparser.Error) as error:
        raise ConfigError(f"{path} cannot be read ({error}).") from None
    wanted = f"program:{path.stem}"
    if parser.sections() != [wanted]:
        raise ConfigError(f"{path} must hold the section [{wanted}] and no other; it has {parser.sections()}.")
    return dict(parser[wanted])
