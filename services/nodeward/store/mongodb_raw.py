"""Log records as plain documents in somebody's own MongoDB: what `tailflog FILE --to mongodb://…` writes.

This is not the log shelf. It asks for nothing that a plain server, or a compatible engine, lacks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import MongoClient
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    InvalidDocument,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern

from nodeward.core.errors import BadInput, ConfigError, NotAllowed, Unavailable

DATABASE, COLLECTION = "nodeward", "logs"
TIMEOUT_MS = 10_000
_DUPLICATE = 11000
_NOT_ALLOWED = (13, 18)  # Unauthorized, AuthenticationFailed


class RawLogs:
    """The collection that the URI names behind its database (`…/database.collection`), by default `nodeward.logs`."""

    def __init__(self, uri: str) -> None:
        try:
            self._client: MongoClient[dict[str, Any]] = MongoClient(
                uri, serverSelectionTimeoutMS=TIMEOUT_MS, socketTimeoutMS=3 * TIMEOUT_MS, appname="tailflog"
            )
            database = self._client.get_default_database(DATABASE)
            name = parse_uri(uri, warn=False)["collection"] or COLLECTION
        except (InvalidURI, ConfigurationError, ValueError) as error:
            raise ConfigError(f"The mongodb:// URI cannot be used: {error}.") from None
        self._collection = database.get_collection(name, write_concern=WriteConcern(w="majority"))

    def write(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Store the documents; one that is there already (the same _id) stays as it is.

        Raise Unavailable if trying again may help, BadInput if a document can never be stored; the others are then stored.
        """
        try:
            self._collection.insert_many([dict(document) for document in documents], ordered=False)
        except BulkWriteError as error:
            _judge(error.details)
        except (InvalidDocument, OverflowError, UnicodeError) as error:
            raise BadInput(f"MongoDB cannot store a record: {error}.") from None
        except OperationFailure as error:
            if error.code in _NOT_ALLOWED:
                raise NotAllowed(f"MongoDB refuses: {error}.") from None
            raise Unavailable(f"MongoDB does not store: {error}.") from None
        except PyMongoError as error:
            raise Unavailable(f"MongoDB does not answer: {str(error)[:300]}.") from None


def _judge(details: Mapping[str, Any]) -> None:
    faults = [fault for fault in details.get("writeErrors", ()) if fault.get("code") != _DUPLICATE]
    if faults:
        raise BadInput(f"MongoDB refuses {len(faults)} of the records, the first because: {faults[0].get('errmsg')}.")
    if details.get("writeConcernErrors"):
        raise Unavailable("MongoDB has the records, but not on enough members yet.")
