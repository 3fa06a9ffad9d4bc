"""Filling in: commands for a node, files for its bundle. Pure; an undefined name is an error, and a value never splits a word."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateError, UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

from nodeward.core.errors import BadInput, ConfigError

_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_MARK = "\ue000{}\ue001"  # stands for an expression while the line is split into words (private use: no text has it)
_MARKED = re.compile("\ue000(\\d+)\ue001")

SAMPLE: dict[str, Any] = {
    "name": "node",
    "address": "192.0.2.1",
    "agent": True,
    "groups": [],
    "labels": {},
    "parents": [],
}


def depends_on_node(probe: Mapping[str, Any]) -> bool:
    """Say whether a probe's command or arguments have something to fill in."""
    return "{{" in json.dumps([probe.get("command"), probe.get("args"), probe.get("env")])


def probe(given: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """Given a probe (plugin and args, or command) and a node's facts, return ``{plugin, command, args, env}`` filled in.

    Raise BadInput with a sentence if a template cannot be filled in.
    """
    command = given.get("command")
    return {
        "plugin": given.get("plugin"),
        "command": None if command is None else argv(command, node),
        "args": _filled(given.get("args") or {}, node),
        "env": _filled(given.get("env") or {}, node),
    }


def argv(command: str | list[str], node: Mapping[str, Any]) -> list[str]:
    """Return a command as its words. A line is split as a shell would split it, before anything is filled in."""
    words = split(command) if isinstance(command, str) else command
    return [fill(word, node) for word in words]


def split(line: str) -> list[str]:
    """Split a line into words, taking each ``{{ … }}`` as part of one. Raise BadInput if a quote is not closed."""
    if "\ue000" in line or "\ue001" in line:
        raise BadInput("The command has characters of Unicode's private use, which no command needs.")
    expressions = _EXPRESSION.findall(line)
    marks = iter(range(len(expressions)))
    marked = _EXPRESSION.sub(lambda _: _MARK.format(next(marks)), line)
    try:
        words = shlex.split(marked)
    except ValueError as error:
        raise BadInput(f"The command cannot be split into words: {str(error).lower()}.") from None
    return [_MARKED.sub(lambda found: expressions[int(found[1])], word) for word in words]


def fill(text: str, node: Mapping[str, Any]) -> str:
    """Fill a node's facts into a text. Raise BadInput naming what is undefined or not understood."""
    if "{{" not in text:
        return text
    if "{%" in text:
        raise BadInput(
            f"{text!r} cannot be filled in: there is {{{{ … }}}} and nothing else; {{% … %}} is not part of it."
        )
    try:
        return _template(text).render(node=node)
    except UndefinedError as error:
        why = (error.message or "").replace("'dict object' has no attribute", "a node has no")
        raise BadInput(f"{text!r} cannot be filled in: {why}.") from None
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError) as error:
        raise BadInput(f"{text!r} cannot be filled in: {error}.") from None


def _filled(value: Any, node: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return fill(value, node)
    if isinstance(value, list):
        return [_filled(each, node) for each in value]
    if isinstance(value, dict):
        return {key: _filled(each, node) for key, each in value.items()}
    return value


class _Inline(ImmutableSandboxedEnvironment):
    """Templates within objects: no arithmetic that could make a text of any size out of a few characters."""

    intercepted_binops = frozenset(["*", "**", "%"])

    def is_safe_callable(self, obj: Any) -> bool:
        """Nothing is called: 'x'.ljust(10 ** 9) is arithmetic, too."""
        return False

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        raise SecurityError(f"'{operator}' is not allowed here")


_INLINE = _Inline(undefined=StrictUndefined, autoescape=False)
_INLINE.filters = {
    name: _INLINE.filters[name]
    for name in ("d", "default", "first", "int", "join", "last", "length", "lower", "sort", "string", "trim", "upper")
}
_INLINE.globals.clear()


@lru_cache(maxsize=4096)
def _template(text: str) -> Template:
    return _INLINE.from_string(text)


class Files:
    """The files of a bundle: each ``<role>/<file>.j2`` below config/templates."""

    def __init__(self, folder: Path) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
        self._environment.filters["tojson"] = _json
        self._environment.filters["rows"] = _rows
        self._names = sorted(name for name in self._environment.list_templates() if name.endswith(".j2"))
        if not self._names:
            raise ConfigError(f"There are no templates in {folder}. Is NODEWARD_HOME the directory that holds config/?")

    def render(self, context: Mapping[str, Any]) -> dict[str, str]:
        """Return each file's text by its name. Raise ConfigError naming template and line if one cannot be filled in."""
        return {Path(name).name.removesuffix(".j2"): self._one(name, context) for name in self._names}

    @cache  # noqa: B019 - one object a process, a handful of templates: asking the environment looks at the disk each time
    def _template(self, name: str) -> Template:
        return self._environment.get_template(name)

    def _one(self, name: str, context: Mapping[str, Any]) -> str:
        try:
            return self._template(name).render(context)
        except TemplateError as error:
            line = getattr(error, "lineno", None) or _line(error, name)
            raise ConfigError(
                f"config/templates/{name}, line {line}: {error.message or type(error).__name__}."
            ) from None


class Written(dict[str, Any]):
    """A row whose JSON is known already: what thousands of nodes share is written once."""

    __slots__ = ("text",)

    def __init__(self, given: Mapping[str, Any], text: str) -> None:
        super().__init__(given)
        self.text = text

    def joined(self, other: "Written") -> "Written":
        """Return a row with the keys of both, neither of which is empty."""
        return Written({**self, **other}, f"{self.text[:-1]}, {other.text[1:]}")


_ENCODED = json.JSONEncoder(ensure_ascii=False, default=str).encode  # str: undefined says so by raising


def written(value: Any) -> str:
    """Return a value as JSON, as the files have it."""
    return value.text if isinstance(value, Written) else _ENCODED(value)


def _json(value: Any, indent: int | None = None) -> str:
    """JSON as it is: the usual filter escapes for HTML, and these files are none."""
    return written(value) if indent is None else json.dumps(value, ensure_ascii=False, indent=indent, default=str)


def _rows(values: Sequence[Any], indent: int) -> str:
    """The values of a list as JSON, a line each; a loop in the template would take ten times as long."""
    return f",\n{' ' * indent}".join(map(written, values))


def _line(error: TemplateError, name: str) -> int | str:
    """Return the template's line that an error came from."""
    found: int | str = "?"
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith(name):
            found = trace.tb_lineno
        trace = trace.tb_next
    return found
