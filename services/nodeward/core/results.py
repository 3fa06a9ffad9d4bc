"""The wire form of check results: what a node server sends to the monitor, and how often it may repeat itself."""

from pydantic import BaseModel, ConfigDict, Field


class Result(BaseModel):
    """One result of one check. `service` is null for the node's own state.

    `code` is the plugin's exit code (0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN); `output` is its first line without perfdata,
    `long_output` the rest, `perfdata` the items as the plugin wrote them. Times are microseconds since 1970, durations seconds.
    """

    model_config = ConfigDict(extra="forbid")

    node: str
    service: str | None = None
    code: int = Field(ge=0, le=3)
    output: str = ""
    long_output: str = ""
    perfdata: str = ""
    started: int
    duration: float = 0.0
    latency: float = Field(0.0, description="How much later than planned it began, in seconds.")
    next_check: int | None = Field(None, description="When the node server plans the next one.")


class Report(BaseModel):
    """A batch of results from one node server.

    `generation` names one life of the reporter's spool and `first` the sequence number of the first result in it; the rest
    follow without a gap. The monitor keeps one cursor per (reporter, generation): what lies below it was seen before and is
    left out, so that sending again is harmless. An empty list is a sign of life.
    """

    model_config = ConfigDict(extra="forbid")

    reporter: str = Field(min_length=1, max_length=253)
    generation: str = Field(min_length=1, max_length=200)
    first: int = Field(ge=0, le=2**62)
    sent: int = Field(ge=0, le=2**62)
    revision: int | None = Field(None, description="The configuration revision the reporter runs.")
    results: list[Result]
