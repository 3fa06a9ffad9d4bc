"""Which nodes a check or log source is for.

`assign` takes `nodes`, `groups`, `labels` and `expression`; everything given must match. Within a list of nodes or groups one
is enough; of the labels all must be there. An expression (`core.expressions`) is over the names name, address, agent, groups,
labels (`labels.dc`, `labels['dc']`) and parents, without `<` and its like: labels are texts.
"""

import fnmatch
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nodeward.core import expressions
from nodeward.core.expressions import Test
from nodeward.core.expressions import as_text as as_text

NAMES = ("name", "address", "agent", "groups", "labels", "parents")
FIELDS: expressions.Names = {name: expressions.ANY if name == "labels" else frozenset() for name in NAMES}
Facts = Mapping[str, Any]


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
    return expressions.compiled(expression, FIELDS, example="'web' in groups and labels.dc == 'sh'")
