"""The forms of the log server's requests."""

from pydantic import Field

from nodeward.core import clock
from nodeward.core.http import Body, Query
from nodeward.logserver import query
from nodeward.store.base import LogQuery


class Filters(Query):
    """Which records are wanted; all conditions must hold."""

    node: str | None = Field(None, description="Names by commas; * stands for anything.")
    source: str | None = Field(None, description="Names by commas; * stands for anything.")
    host: str | None = Field(None, description="Names by commas; * stands for anything.")
    ident: str | None = Field(None, description="Names by commas; * stands for anything.")
    level: str | None = Field(None, description="The least severity wanted, or several exact ones by commas.")
    q: str | None = Field(
        None, description='Words, "phrases", -exclusions, prefix*, *part*, host:NAME, fields.NAME:VALUE.'
    )
    regex: str | None = Field(None, description="An RE2 expression, looked for in each line.")

    def build(self) -> LogQuery:
        """Return the query. Raise BadInput with every fault."""
        given = {name: getattr(self, name) for name in Filters.model_fields}
        extra = {"from_": getattr(self, "from_", None), "to": getattr(self, "to", None)}
        return query.build(**given, **extra, now=clock.now())


class Ranged(Filters):
    """Filters within a range of time."""

    from_: str | None = Field(None, alias="from", description="RFC 3339, or a duration before now such as 15m.")
    to: str | None = Field(None, description="RFC 3339, or a duration before now.")


class LogsQuery(Ranged):
    """A page of records."""

    cursor: str | None = Field(None, max_length=200, description="`next` of the page before.")
    limit: int = Field(100, ge=1, le=1000)
    order: str = Field("desc", pattern="^(asc|desc)$", description="desc: newest first.")


class HistogramQuery(Ranged):
    """Counts over time; without `from` the last 24 hours."""

    bins: int = Field(60, ge=2, le=500)


class TopQuery(Ranged):
    """Most frequent values; without `from` the last 24 hours."""

    field: str = Field("host", pattern="^(node|source|host|ident|level)$")
    limit: int = Field(10, ge=1, le=1000)


class FollowQuery(Filters):
    """Records as they arrive."""

    after: int | None = Field(None, ge=0, lt=2**62, description="`cursor` of the answer before; none: the newest ones.")
    wait: float = Field(0, ge=0, le=30, description="How many seconds to wait for something to arrive.")
    limit: int = Field(500, ge=1, le=5000)


class RecordPath(Body):
    """The id of a record."""

    id: str


class ContextQuery(Query):
    """How many neighbours are wanted."""

    before: int = Field(10, ge=0, le=500)
    after: int = Field(10, ge=0, le=500)


class LinesBody(Body):
    """Lines as they are, for whoever has no tailflog: each becomes a record of the moment it arrives."""

    source: str = Field(min_length=1, max_length=255)
    node: str | None = Field(None, min_length=1, max_length=255)
    lines: list[str] = Field(max_length=65536)
