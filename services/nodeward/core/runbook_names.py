"""Where a runbook has expressions, which names they know, and where a secret must not stand.

Works on a runbook as it was written, valid or not, so that these faults are told together with all others.
"""

import keyword
from collections.abc import Iterator, Mapping
from typing import Any

from nodeward.core import expressions, matching
from nodeward.core.errors import BadInput, Problem
from nodeward.core.expressions import Functions, Names, Test

RESERVED = frozenset({"node", "run", "result", "true", "false"})
RESULT = frozenset({"ok", "skipped", "code", "output", "answer", "error", "sha256", "size"})
FIXED: Names = {
    "node": frozenset({"name", "address", "groups", "labels"}),
    "run": frozenset({"id", "by", "ok"}),
}
LITERAL = ("shell", "pattern", "name", "description")  # keys whose text is taken as it is
_EXPRESSIONS = ("when", "until")
_EXAMPLE = "probe.ok and probe.output != ''"


def _matches(text: Any, source: Any) -> bool:
    try:
        return bool(matching.pattern(str(source)).search(expressions.as_text(text or "")))
    except BadInput as error:
        raise ValueError(error.detail) from None


def _lines(text: Any) -> list[str]:
    return expressions.as_text(text or "").splitlines()


def _join(many: Any, between: Any) -> str:
    if not isinstance(many, list):
        raise ValueError("join is for a list")
    return expressions.as_text(between).join(map(expressions.as_text, many))


FUNCTIONS: Functions = {
    **expressions.LIKE,
    "matches": (2, _matches),
    "lower": (1, lambda text: expressions.as_text(text or "").lower()),
    "trim": (1, lambda text: expressions.as_text(text or "").strip()),
    "lines": (1, _lines),
    "join": (2, _join),
}


def condition(expression: str, names: Names) -> Test:
    """Return the function of a `when` or `until`. Raise ValueError with a sentence."""
    return expressions.compiled(expression, names, FUNCTIONS, ordered=True, example=_EXAMPLE)


def template(text: str, names: Names) -> Test:
    """Return the function of a text with insertions. Raise ValueError with a sentence."""
    return expressions.template(text, names, FUNCTIONS)


def names_of(body: Mapping[str, Any]) -> dict[str, frozenset[str] | None]:
    """Return the names that a runbook's expressions know."""
    parameters = body.get("parameters")
    found: dict[str, frozenset[str] | None] = dict(FIXED)
    if isinstance(parameters, dict):
        found |= {str(name): frozenset() for name in parameters}
    for _, step in steps_of(body):
        if isinstance(step.get("register"), str):
            found[step["register"]] = RESULT | captured(step)
    return found


def captured(step: Mapping[str, Any]) -> frozenset[str]:
    """Return the named groups in a step's dialogue: they are fields of its result."""
    found: set[str] = set()
    for key, text in _texts(step.get("expect"), ""):
        if key.rpartition(".")[2] == "pattern":
            try:
                found |= set(matching.pattern(text).groupindex)
            except BadInput:
                pass  # told as a fault of the pattern itself
    return frozenset(found)


def steps_of(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each step that is one, with its path."""
    for part in ("steps", "always"):
        steps = body.get(part)
        for place, step in enumerate(steps if isinstance(steps, list) else []):
            if isinstance(step, dict):
                yield f"{part}[{place}]", step


def secrets_of(body: Mapping[str, Any]) -> set[str]:
    """Return the names that stand for secrets: parameters, and answers to a question for one."""
    parameters = body.get("parameters")
    found = {
        str(name)
        for name, each in (parameters.items() if isinstance(parameters, dict) else ())
        if isinstance(each, dict) and each.get("type") == "secret"
    }
    for _, step in steps_of(body):
        ask = step.get("ask")
        if isinstance(ask, dict) and ask.get("type") == "secret" and isinstance(step.get("register"), str):
            found.add(step["register"])
    return found


def faults(body: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with a runbook's names and expressions."""
    return [*_name_faults(body), *_expression_faults(body)]


def _name_faults(body: Mapping[str, Any]) -> Iterator[Problem]:
    parameters = body.get("parameters")
    there = set(parameters) if isinstance(parameters, dict) else set()
    for name in sorted(str(each) for each in there if _is_reserved(str(each))):
        yield Problem(f"parameters.{name}", "a parameter cannot have this name: it means something else already")
    for path, step in steps_of(body):
        registered = step.get("register")
        if isinstance(registered, str) and (_is_reserved(registered) or registered in there):
            yield Problem(f"{path}.register", f"'{registered}' means something else already")


def _is_reserved(name: str) -> bool:
    """Whether expressions could not use a name: it means something else there, or is a word of the language's."""
    return name in RESERVED or keyword.iskeyword(name)


def _expression_faults(body: Mapping[str, Any]) -> Iterator[Problem]:
    names, hidden = names_of(body), secrets_of(body)
    for path, step in steps_of(body):
        for where, text in _texts(step, path):
            within = where.removeprefix(path)
            key = "" if within.startswith((".env.", ".call.with.")) else _key(where)
            inner = {**names, "result": RESULT | captured(step)} if key == "until" else names
            yield from _text_faults(where, key, text, inner)
            if _is_shown(within, key):
                yield from _secret_faults(where, key, text, hidden)
        nodes = step.get("call", {}).get("nodes") if isinstance(step.get("call"), dict) else None
        if isinstance(nodes, str) and "{{" in nodes and len(expressions.insertions(nodes)) != 1:
            yield Problem(f"{path}.call.nodes", "give one parameter that holds the nodes, or a list")


def _text_faults(where: str, key: str, text: str, names: Names) -> Iterator[Problem]:
    try:
        if key in _EXPRESSIONS:
            condition(text, names)
        elif key == "shell":
            used = {name for each in expressions.insertions(text) for name in expressions.names_in(each)}
            if used & names.keys():
                yield Problem(where, 'nothing is filled in within a shell; hand it over by `env` and write "$NAME"')
        elif key not in LITERAL:
            template(text, names)
    except ValueError as error:
        yield Problem(where, str(error))


def _secret_faults(where: str, key: str, text: str, hidden: set[str]) -> Iterator[Problem]:
    sources = [text] if key in _EXPRESSIONS else expressions.insertions(text)
    for name in sorted({name for each in sources for name in expressions.names_in(each)} & hidden):
        yield Problem(
            where,
            f"the secret '{name}' must not stand here, where others could read it; give it by `send`, `env` or `stdin`",
        )


def _is_shown(within: str, key: str) -> bool:
    """Whether what stands there gets into a process list, a file's name or the record. `within` is its path within the step."""
    kept = key == "send" or within.startswith((".env", ".stdin", ".ssh.password", ".call.with"))
    return not kept and key not in LITERAL


def _key(path: str) -> str:
    return path.rpartition(".")[2].partition("[")[0]


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield each text within a value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _texts(each, f"{path}[{place}]")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, f"{path}.{key}")
