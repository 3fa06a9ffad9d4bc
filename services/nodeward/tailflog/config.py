"""What to follow: `tailflog.json` of the node's bundle, verified whole, with every fault at once."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from nodeward.core import formats
from nodeward.core.errors import ConfigError, Problem
from nodeward.core.http import problems_of
from nodeward.tailflog.formats import FORMATS
from nodeward.tailflog.formats.pattern import check
from nodeward.tailflog.formats.times import zone

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@ -]{0,127}")


class Source(BaseModel):
    """One kind of log on this node. The field names are those of the fleet file's `kind: log`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(description="Its name; with the node's it says where a record is from.")
    paths: list[str] = Field(min_length=1, description="Absolute paths; * ? [abc] and ** stand for any.")
    exclude: list[str] = Field([], description="Paths not to follow although `paths` has them.")
    format: Annotated[str | dict[str, str], Field(description="A format's name, or {pattern: '…'}.")] = "raw"
    timezone: str | None = Field(None, description="The zone of times that name none; by default this machine's.")
    encoding: str | None = Field(None, description="By default UTF-8, or what a byte order mark says.")
    fields: dict[str, Any] = Field({}, description="Fields that every record gets.")
    multiline: formats.MultilineSetting = Field(
        None, description="Which lines are one record; by default the format knows."
    )

    @field_validator("source")
    @classmethod
    def _named(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError(f"{value!r} is no name: letters, digits and . _ / @ - are allowed, 128 at most")
        return value

    @field_validator("paths", "exclude")
    @classmethod
    def _absolute(cls, value: list[str]) -> list[str]:
        for path in value:
            if not path.startswith("/") or "\0" in path:
                raise ValueError(f"{path!r} is no absolute path; begin it with /")
        return value

    @field_validator("format")
    @classmethod
    def _known(cls, value: str | dict[str, str]) -> str | dict[str, str]:
        if isinstance(value, str):
            if value not in FORMATS:
                raise ValueError(f"{value!r} is no format; there are {', '.join(FORMATS)} and {{pattern: '…'}}")
        elif value.keys() != {"pattern"}:
            raise ValueError("a format is a name or {pattern: '…'}, nothing else")
        else:
            check(value["pattern"])
        return value

    @field_validator("multiline")
    @classmethod
    def _told_by_re2(cls, value: bool | str | formats.Multiline | None) -> bool | str | formats.Multiline | None:
        if isinstance(value, formats.Multiline):
            check(value.pattern)
        return value

    @field_validator("timezone")
    @classmethod
    def _zoned(cls, value: str | None) -> str:
        zone(value or "")
        return value or ""

    @field_validator("encoding")
    @classmethod
    def _decodable(cls, value: str | None) -> str:
        return encoding(value or "")


class Plan(BaseModel):
    """The whole of `tailflog.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    written_by: str = ""
    revision: int = 0
    node: str = Field(min_length=1, max_length=255)
    logserver: str | None = Field(None, pattern="^https?://")
    sources: list[Source] = []

    @field_validator("sources")
    @classmethod
    def _once(cls, value: list[Source]) -> list[Source]:
        names = [source.source for source in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"there are two sources named '{name}'; give each a name of its own")
        return value


def encoding(name: str) -> str:
    """Return the encoding's usual name, "" for UTF-8. Raise ValueError if lines cannot be told apart in it."""
    try:
        usual = "".encode(name or "utf-8") is not None and name.strip().lower().replace("_", "-")
    except LookupError:
        raise ValueError(f"{name!r} is no encoding; write for example utf-16-le, latin-1 or shift_jis") from None
    if usual in ("utf-16", "utf16"):
        return "utf-16-le"
    if str(usual).startswith(("utf-32", "utf32", "utf-7")):
        raise ValueError(f"{name!r} cannot be followed; utf-8, utf-16-le, utf-16-be and one-byte encodings can")
    return "" if usual in ("", "utf-8", "utf8") else str(usual)


def load(path: Path) -> Plan:
    """Return the plan in `path`. Raise ConfigError with every fault, FileNotFoundError if it is not there (yet)."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}.") from None
    return verified(data, str(path))


def verified(data: Any, where: str) -> Plan:
    """Return the plan that `data` is. Raise ConfigError with every fault in it."""
    if not isinstance(data, dict):
        raise ConfigError(f"{where} is no JSON object.")
    try:
        return Plan(**data)
    except ValidationError as error:
        problems = problems_of(error)
        raise ConfigError(f"{where} has {len(problems)} fault{'s' * (len(problems) != 1)}.", problems) from None
    except TypeError:
        raise ConfigError(f"{where} is no JSON object.", [Problem("", "its keys must be text")]) from None
