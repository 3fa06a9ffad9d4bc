"""Into a MongoDB of one's own, as the ancestor did: each line a document, once."""

from collections.abc import Mapping
from typing import Any

from nodeward.core import batch, clock
from nodeward.core.batch import Record
from nodeward.core.errors import ConfigError


class MongoSink:
    """Writes batches into the collection `logs` of the database that the URI names (see `send.Sink`)."""

    def __init__(self, uri: str) -> None:
        try:
            from nodeward.store.mongodb_raw import RawLogs
        except ModuleNotFoundError:
            raise ConfigError("For a mongodb:// URI pymongo is needed: pip install 'nodeward[mongodb]'.") from None
        self._logs = RawLogs(uri)

    def deliver(self, body: bytes) -> None:
        """See Sink."""
        received = clock.now()
        self._logs.write([document(record) for one, _ in batch.decode(body) for record in batch.records(one, received)])


def document(record: Record) -> Mapping[str, Any]:
    """Return a record as a document. Its _id is its key, so that writing it again changes nothing."""
    row = record.row(f"{record.node}/{record.source}/{record.generation}/{record.offset}")
    return {"_id": row.pop("id"), **{name: value for name, value in row.items() if value is not None}}
