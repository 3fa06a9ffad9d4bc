"""The forms of log lines: declared once, for the config server that verifies and for tailflog that reads."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from nodeward.core.checks import Duration

NAMES = ("apache", "json", "log4j", "logfmt", "nginx", "raw", "rfc5424", "syslog")

TIME, TRACES = "time", "traces"
Rule = Literal["time", "traces"]


class Multiline(BaseModel):
    """Which lines are one record: exactly one of `start` and `continue`, an RE2 pattern each."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    start: str | None = Field(
        None, min_length=1, description="A record begins at a line that matches.", examples=["^\\d{4}-"]
    )
    continue_: str | None = Field(
        None,
        alias="continue",
        min_length=1,
        description="A line that matches belongs to the one before.",
        examples=["^\\s"],
    )
    lines: int = Field(1000, ge=2, le=10_000, description="No record has more lines.")
    bytes: int = Field(256 * 1024, ge=1024, le=512 * 1024, description="No record is longer, but for a single line.")
    wait: Duration = Field(
        0.5, gt=0, le=60, description="How long after its last line a record is complete.", examples=["2s"]
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.start is None) == (self.continue_ is None):
            raise ValueError("give exactly one of start and continue")
        return self

    @property
    def pattern(self) -> str:
        """The one that is given."""
        return self.start or self.continue_ or ""


def _known(given: object) -> object:
    """Refuse with one sentence what is no such setting: pydantic would tell of every kind that it might have been."""
    if given is None or given is False or given in (TIME, TRACES) or isinstance(given, dict | Multiline):
        return given
    raise ValueError(f"{given!r} is none of {TIME}, {TRACES}, false, {{start: '…'}} and {{continue: '…'}}")


MultilineSetting = Annotated[Literal[False] | Rule | Multiline | None, BeforeValidator(_known)]
