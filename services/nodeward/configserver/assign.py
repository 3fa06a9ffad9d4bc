"""Which nodes a check or log source is for.

`assign` takes `nodes`, `groups`, `labels` and `expression`; everything given must match. Within a list of nodes or groups one
is enough; of the labels all must be there. An expression is a small language of its own, read by Python's parser and never
run by Python: names (name, address, agent, groups, labels, parents), texts, numbers, lists, `and or not`, `== !=`, `in`,
`not in`, `labels.dc`, `labels['dc']`, and `like(name, 'web-*')`.
"""

import ast
import fnmatch
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MAX_EXPRESSION = 500
NAMES = ("name", "address", "agent", "groups", "labels", "parents")
Facts = Mapping[str, Any]
Test = Callable[[Facts], Any]


class Assign(BaseModel):
    """Which nodes something is for; everything given must match."""

    model_config = ConfigDict(extra="forbid")

    nodes: list[str] | None = Field(
        None, description="One of these nodes; * and ? stand for any text.", examples=[["web-*"]]
    )
    groups: list[str] | None = Field(None, description="In one of these groups.", examples=[["linux"]])
    labels: dict[str, str] | None = Field(None, description="With all of these labels.", examples=[{"dc": "sh"}])
    expression: str | None = Field(
        None, description="An expression over the node.", examples=["'web' in groups and labels.dc == 'sh'"]
    )

    @field_validator("nodes", "groups", mode="before")
    @classmethod
    def _one_is_a_list(cls, given: Any) -> Any:
        return [given] if isinstance(given, str) else given

    @field_validator("labels", mode="before")
    @classmethod
    def _values_are_text(cls, given: Any) -> Any:
        return {key: as_text(value) for key, value in given.items()} if isinstance(given, dict) else given

    @field_validator("expression")
    @classmethod
    def _is_understood(cls, given: str | None) -> str | None:
        if given is not None:
            compiled(given)
        return given

    @model_validator(mode="after")
    def _says_something(self) -> "Assign":
        if self.nodes is None and self.groups is None and self.labels is None and self.expression is None:
            raise ValueError("say which nodes: give nodes, groups, labels or an expression ('true' is every node)")
        return self


def as_text(value: Any) -> str:
    """Return a label's value as text: YAML's true, 1 and 2.5 are as good as 'true', '1' and '2.5'."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def matcher(assign: Mapping[str, Any]) -> Callable[[Facts], bool]:
    """Given an `assign` that is valid, return the function that says whether a node (its facts) matches."""
    tests: list[Callable[[Facts], bool]] = []
    if (nodes := assign.get("nodes")) is not None:
        tests.append(lambda node: any(fnmatch.fnmatchcase(node["name"], pattern) for pattern in nodes))
    if (groups := assign.get("groups")) is not None:
        wanted = set(groups)
        tests.append(lambda node: not wanted.isdisjoint(node["groups"]))
    if (labels := assign.get("labels")) is not None:
        tests.append(lambda node: labels.items() <= node["labels"].items())
    if (expression := assign.get("expression")) is not None:
        test = compiled(expression)
        tests.append(lambda node: bool(test(node)))
    return lambda node: all(test(node) for test in tests)


def compiled(expression: str) -> Test:
    """Return an expression as a function of a node's facts. Raise ValueError with a sentence if it is not understood."""
    if len(expression) > MAX_EXPRESSION:
        raise ValueError(f"an expression has at most {MAX_EXPRESSION} characters")
    try:
        return _compile(_tree(expression.strip()))
    except (SyntaxError, UnicodeError, MemoryError, RecursionError):
        raise ValueError(
            f"{expression!r} is not understood; write for example 'web' in groups and labels.dc == 'sh'"
        ) from None


def _tree(expression: str) -> ast.expr:
    if "\0" in expression:
        raise SyntaxError
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # Python's advice on Python: '\\d', `1 in (1)`
        warnings.simplefilter("ignore", DeprecationWarning)
        return ast.parse(expression, mode="eval").body


def _compile(tree: ast.expr) -> Test:
    match tree:
        case ast.Constant(value=str() | int() | float() | bool() as value):
            return lambda _node: value
        case ast.Name(id="true" | "false" as word):
            return lambda _node: word == "true"
        case ast.Name(id=name) if name in NAMES:
            return lambda node: node[name]
        case ast.Name(id=name):
            raise ValueError(f"there is no '{name}'; there are {', '.join(NAMES)}")
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            parts = [_compile(element) for element in elements]
            return lambda node: [part(node) for part in parts]
        case ast.Attribute(value=ast.Name(id="labels"), attr=key):
            return lambda node: node["labels"].get(key)
        case ast.Subscript(value=ast.Name(id="labels"), slice=ast.Constant(value=str() as key)):
            return lambda node: node["labels"].get(key)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _compile(operand)
            return lambda node: not inner(node)
        case ast.BoolOp(op=operator, values=values):
            tests = [_compile(value) for value in values]
            fold = all if isinstance(operator, ast.And) else any
            return lambda node: fold(test(node) for test in tests)
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return _comparison(_compile(left), operator, _compile(right))
        case ast.Call(func=ast.Name(id="like"), args=[subject, pattern], keywords=[]):
            what, glob = _compile(subject), _compile(pattern)
            return lambda node: fnmatch.fnmatchcase(as_text(what(node) or ""), as_text(glob(node)))
    raise ValueError(f"'{ast.unparse(tree)}' is not part of the language; write for example 'web' in groups")


def _comparison(left: Test, operator: ast.cmpop, right: Test) -> Test:
    match operator:
        case ast.Eq():
            return lambda node: _same(left(node), right(node))
        case ast.NotEq():
            return lambda node: not _same(left(node), right(node))
        case ast.In():
            return lambda node: _within(left(node), right(node))
        case ast.NotIn():
            return lambda node: not _within(left(node), right(node))
    raise ValueError("only ==, !=, in and not in compare")


def _same(one: Any, other: Any) -> bool:
    """Labels are text: `labels.rack == 7` means '7'."""
    if one is None or other is None:
        return one is other
    if isinstance(one, list | dict) or isinstance(other, list | dict):
        return one == other
    return as_text(one) == as_text(other)


def _within(one: Any, many: Any) -> bool:
    """Membership in a list, in the labels' keys, or of a text in a text; a number holds nothing."""
    if isinstance(many, str):
        return one is not None and not isinstance(one, list | dict) and as_text(one) in many
    return isinstance(many, list | dict) and any(_same(one, each) for each in many)
