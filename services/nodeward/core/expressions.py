"""A small language of expressions, read by Python's parser and never run by Python (docs/decisions/0302).

Names, texts, numbers, lists, `and or not`, `== != < <= > >=`, `in`, `not in`, fields (`labels.dc`, `labels['dc']`) and a few
functions. `compiled` gives a function of the values; `template` the same for a text with ``{{ expression }}`` in it. Both know
beforehand which names there are, so that a misspelt one is told when it is written and not when it is run.
"""

import ast
import fnmatch
import re
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

MAX_EXPRESSION = 500
ANY: None = None  # the fields of a name that may have any

Names = Mapping[str, frozenset[str] | None]  # what there is, and the fields of each
Values = Mapping[str, Any]
Test = Callable[[Values], Any]
Functions = Mapping[str, tuple[int, Callable[..., Any]]]  # name: how many arguments, what it does

_READING = threading.Lock()  # what Python warns of is said for the whole process, so one thread at a time says it
_INSERTED = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def as_text(value: Any) -> str:
    """Return a value as text: YAML's true, 1 and 2.5 are as good as 'true', '1' and '2.5'."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _like(subject: Any, pattern: Any) -> bool:
    return fnmatch.fnmatchcase(as_text(subject or ""), as_text(pattern))


LIKE: Functions = {"like": (2, _like)}


def compiled(
    expression: str, names: Names, functions: Functions = LIKE, *, ordered: bool = False, example: str = ""
) -> Test:
    """Return an expression as a function of the values of `names`. Raise ValueError with a sentence if it is not understood.

    `ordered` says whether `<` and its like are part of the language.
    """
    if len(expression) > MAX_EXPRESSION:
        raise ValueError(f"an expression has at most {MAX_EXPRESSION} characters")
    try:
        return _Compiler(names, functions, ordered, example).compile(_tree(expression.strip()))
    except (SyntaxError, UnicodeError, MemoryError, RecursionError):
        raise ValueError(f"{expression!r} is not understood; write for example {example}") from None


def template(text: str, names: Names, functions: Functions = LIKE) -> Test:
    """Return a text with ``{{ expression }}`` in it as a function of the values.

    A text that is nothing but one insertion gives the value as it is; else values become text. Raise ValueError with a sentence
    if an expression is not understood; the function raises ValueError where a value cannot stand in a text.
    """
    pieces = _INSERTED.split(text)
    if any("{{" in piece for piece in pieces[::2]):
        raise ValueError(f"{_short(text)} has '{{{{' without '}}}}'")
    inserted = [compiled(each, names, functions, ordered=True, example="{{ name }}") for each in pieces[1::2]]
    if len(inserted) == 1 and not pieces[0] and not pieces[2]:
        return inserted[0]

    def fill(values: Values) -> str:
        filled = [_inserted(source, test(values)) for source, test in zip(pieces[1::2], inserted, strict=True)]
        return "".join(literal + value for literal, value in zip(pieces[::2], [*filled, ""], strict=True))

    return fill


def insertions(text: str) -> list[str]:
    """Return the expressions within a text."""
    return _INSERTED.findall(text)


def literals(text: str) -> list[str]:
    """Return what stands before, between and behind the expressions within a text: one piece more than there are expressions."""
    return _INSERTED.split(text)[::2]


def names_in(expression: str) -> set[str]:
    """Return the names an expression uses; none if it is not understood."""
    try:
        return {node.id for node in ast.walk(_tree(expression.strip())) if isinstance(node, ast.Name)}
    except (SyntaxError, UnicodeError, MemoryError, RecursionError):
        return set()


def _inserted(source: str, value: Any) -> str:
    if value is None:
        raise ValueError(f"'{source.strip()}' has no value here")
    if isinstance(value, list | dict):
        raise ValueError(f"'{source.strip()}' is a list, which cannot stand within a text")
    return as_text(value)


def _tree(expression: str) -> ast.expr:
    if "\0" in expression:
        raise SyntaxError
    with _READING, warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # Python's advice on Python: '\\d', `1 in (1)`
        warnings.simplefilter("ignore", DeprecationWarning)
        return _parsed(expression).body


def _parsed(expression: str) -> ast.Expression:
    """Python 3.11 may take it for a fault of its own if another thread parses meanwhile, as one does that prints a traceback."""
    for _ in range(20):
        with suppress(SystemError):
            return ast.parse(expression, mode="eval")
    return ast.parse(expression, mode="eval")


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")


class _Compiler:
    """Turns the few nodes that the language has into closures, and refuses every other with a sentence."""

    def __init__(self, names: Names, functions: Functions, ordered: bool, example: str) -> None:
        self._names, self._functions, self._ordered, self._example = names, functions, ordered, example

    def compile(self, tree: ast.expr) -> Test:
        match tree:
            case ast.Constant(value=str() | int() | float() | bool() as value):
                return lambda _values: value
            case ast.Name(id="true" | "false" as word):
                return lambda _values: word == "true"
            case ast.Name(id=name):
                self._known(name)
                return lambda values: values[name]
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                parts = [self.compile(element) for element in elements]
                return lambda values: [part(values) for part in parts]
            case (
                ast.Attribute(value=ast.Name(id=name), attr=key)
                | ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str() as key))
            ):
                return self._field(tree, name, key)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.compile(operand)
                return lambda values: not inner(values)
            case ast.BoolOp(op=operator, values=values):
                tests = [self.compile(value) for value in values]
                fold = all if isinstance(operator, ast.And) else any
                return lambda values: fold(test(values) for test in tests)
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                return self._comparison(self.compile(left), operator, self.compile(right))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if self._takes(name, len(arguments)):
                given, does = [self.compile(each) for each in arguments], self._functions[name][1]
                return lambda values: does(*(each(values) for each in given))
        raise ValueError(f"'{ast.unparse(tree)}' is not part of the language; write for example {self._example}")

    def _takes(self, name: str, count: int) -> bool:
        return name in self._functions and self._functions[name][0] == count

    def _known(self, name: str) -> None:
        if name not in self._names:
            raise ValueError(f"there is no '{name}'; there are {', '.join(self._names) or 'no names here'}")

    def _field(self, tree: ast.expr, name: str, key: str) -> Test:
        self._known(name)
        fields = self._names[name]
        if fields is not None and key not in fields:
            if not fields:
                raise ValueError(f"'{ast.unparse(tree)}' is not part of the language; '{name}' has no fields")
            raise ValueError(f"'{name}' has no '{key}'; it has {', '.join(sorted(fields))}")
        return lambda values: values[name].get(key)

    def _comparison(self, left: Test, operator: ast.cmpop, right: Test) -> Test:
        match operator:
            case ast.Eq():
                return lambda values: _same(left(values), right(values))
            case ast.NotEq():
                return lambda values: not _same(left(values), right(values))
            case ast.In():
                return lambda values: _within(left(values), right(values))
            case ast.NotIn():
                return lambda values: not _within(left(values), right(values))
        if not self._ordered or isinstance(operator, ast.Is | ast.IsNot):
            raise ValueError("only ==, !=, in and not in compare")
        return _order(left, operator, right)


def _order(left: Test, operator: ast.cmpop, right: Test) -> Test:
    """Numbers have an order; what is no number is neither less nor more."""

    def compare(values: Values) -> bool:
        one, other = _number(left(values)), _number(right(values))
        if one is None or other is None:
            return False
        match operator:
            case ast.Lt():
                return one < other
            case ast.LtE():
                return one <= other
            case ast.Gt():
                return one > other
        return one >= other

    return compare


def _number(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _same(one: Any, other: Any) -> bool:
    """Labels are text: `labels.rack == 7` means '7'."""
    if one is None or other is None:
        return one is other
    if isinstance(one, list | dict) or isinstance(other, list | dict):
        return bool(one == other)
    return as_text(one) == as_text(other)


def _within(one: Any, many: Any) -> bool:
    """Membership in a list, in the labels' keys, or of a text in a text; a number holds nothing."""
    if isinstance(many, str):
        return one is not None and not isinstance(one, list | dict) and as_text(one) in many
    return isinstance(many, list | dict) and any(_same(one, each) for each in many)
