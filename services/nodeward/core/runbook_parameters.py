"""What is asked before a runbook begins, and what the answers become: declared in the runbook, typed by a person.

`Parameter` is one of them as the runbook declares it. `values` makes what somebody typed into what the steps use.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from nodeward.core import matching
from nodeward.core.errors import BadInput, Problem

MOST_TEXT = 4 * 1024 * 1024  # characters of one parameter's value
LEAST_SECRET = 4  # characters: a shorter one could not be kept out of the output without blotting it out


def _pattern(given: str) -> str:
    try:
        matching.pattern(given)
    except BadInput as error:
        raise ValueError(error.detail) from None
    return given


Text = Annotated[str, StringConstraints(max_length=65536, pattern=r"^[^\x00]*$")]
Pattern = Annotated[str, StringConstraints(min_length=1), AfterValidator(_pattern)]
Type = Literal["string", "int", "bool", "choice", "secret", "node"]


class Part(BaseModel):
    """The base of a runbook's parts: an unknown key is an error, not silence."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, serialize_by_alias=True)


class Parameter(Part):
    """Something that is asked for before a runbook begins."""

    type: Type = Field("string", description="What it is.", examples=["int"])
    description: Text = Field("", description="For the person who fills it in.", examples=["which program"])
    default: Any = Field(None, description="What it is if nothing is given.", examples=["60"])
    required: bool | None = Field(None, description="Whether it must be given; by default, if it has no default.")
    pattern: Pattern | None = Field(
        None, description="An RE2 pattern that the whole value must match.", examples=["[a-z][a-z0-9-]*"]
    )
    choices: list[str] = Field([], description="What a choice may be.", examples=[["yes", "no"]])
    least: int | None = Field(None, description="The least value of an int.", examples=[1])
    most: int | None = Field(None, description="The greatest value of an int.", examples=[100])
    multiple: bool = Field(False, description="Whether several nodes may be given, as a list; of type node alone.")

    @property
    def must_be_given(self) -> bool:
        """Whether a run cannot begin without it."""
        return self.required if self.required is not None else self.default is None

    @model_validator(mode="after")
    def _makes_sense(self) -> "Parameter":
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("`choices` are for a parameter of type choice, which has at least one")
        if self.pattern is not None and self.type not in ("string", "secret"):
            raise ValueError("a pattern is for text: for a parameter of type string or secret")
        if (self.least is not None or self.most is not None) and self.type != "int":
            raise ValueError("`least` and `most` are for a parameter of type int")
        if self.multiple and self.type != "node":
            raise ValueError("`multiple` is for a parameter of type node")
        if self.default is not None and self.type == "secret":
            raise ValueError("a secret has no default: everybody who may read the configuration would know it")
        if self.default is not None and self.required:
            raise ValueError("it has a default, so it need not be given: leave `required` or `default` away")
        if not self.must_be_given and self.default is None and self.type in ("int", "bool", "choice"):
            raise ValueError(f"of type {self.type} and not required, it needs a default")
        if self.default is not None:
            self.value(self.default)
        return self

    def value(self, given: Any) -> Any:
        """Return what was given (typed, or as text) as the steps use it. Raise ValueError with a sentence."""
        if self.type == "node" and self.multiple:
            names = [each.strip() for each in given.split(",")] if isinstance(given, str) else given
            if not isinstance(names, list) or not names or not all(isinstance(each, str) and each for each in names):
                raise ValueError("it is a list of nodes' names; write them with commas between")
            return [_node(each) for each in names]
        made: Any = _MAKE[self.type](given)
        if self.type == "choice" and made not in self.choices:
            raise ValueError(f"{made!r} is none of {', '.join(self.choices)}")
        if self.type == "int" and not (self.least is None or made >= self.least):
            raise ValueError(f"{made} is less than {self.least}")
        if self.type == "int" and not (self.most is None or made <= self.most):
            raise ValueError(f"{made} is more than {self.most}")
        if self.pattern is not None and not matching.pattern(rf"\A(?:{self.pattern})\z").search(made):
            shown = "it" if self.type == "secret" else repr(made if len(made) <= 80 else made[:80] + "…")
            raise ValueError(f"{shown} does not match {self.pattern!r}")
        return made


def _string(given: Any) -> str:
    if isinstance(given, bool | int | float):
        given = str(given).lower() if isinstance(given, bool) else str(given)
    if not isinstance(given, str):
        raise ValueError("it must be text")
    if "\0" in given:
        raise ValueError("it holds a NUL character, which no argument of a program can")
    if len(given) > MOST_TEXT:
        raise ValueError(f"it has {len(given)} characters; at most {MOST_TEXT} are allowed")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half a character") from None
    return given


def _secret(given: Any) -> str:
    text = _string(given)
    if len(text.strip()) < LEAST_SECRET:
        raise ValueError(
            f"a secret has at least {LEAST_SECRET} characters: a shorter one cannot be kept out of the output"
        )
    return text


def _int(given: Any) -> int:
    text = str(given).strip()
    digits = text.removeprefix("-")
    if isinstance(given, bool) or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise ValueError("it must be a whole number")
    return int(text)


def _bool(given: Any) -> bool:
    found = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    text = str(given).strip().lower()
    if text not in found:
        raise ValueError("it must be true or false")
    return found[text]


def _node(given: Any) -> str:
    text = _string(given)
    if not matching.pattern(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,62}\z").search(text):
        raise ValueError(f"{text[:80]!r} is no name of a node")
    return text


_MAKE: dict[str, Callable[[Any], Any]] = {
    "string": _string,
    "int": _int,
    "bool": _bool,
    "choice": _string,
    "secret": _secret,
    "node": _node,
}


def values(parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every parameter's value. Raise BadInput with every fault: unknown, missing, not valid."""
    problems = [
        Problem(f"parameters.{name}", f"there is no such parameter; there are {', '.join(parameters) or 'none'}")
        for name in given
        if name not in parameters
    ]
    found: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if given.get(name) is None or (given[name] == "" and parameter.type != "string"):
            if parameter.must_be_given:
                problems.append(Problem(f"parameters.{name}", "is missing, and must be given"))
            default = parameter.default
            found[name] = ([] if parameter.multiple else "") if default is None else parameter.value(default)
            continue
        try:
            found[name] = parameter.value(given[name])
        except ValueError as error:
            problems.append(Problem(f"parameters.{name}", str(error)))
    if problems:
        raise BadInput("The runbook cannot begin with these parameters.", problems)
    return found
