"""MongoDB as every shelf uses it: one connection, durable writes, errors as sentences, documents that are never refused.

Nothing here needs more than a plain stand-alone server or a compatible engine has: no transactions, change streams, time-series
or capped collections. What must happen wholly or not at all is one document, whose writing is the moment it happens; all that
follows from it is written so that it can be repeated.

Ids are strings. Numbers are padded (`number_id`), so that their order as text is theirs.
"""

import contextlib
import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    DocumentTooLarge,
    DuplicateKeyError,
    InvalidDocument,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)
from pymongo.operations import DeleteMany, DeleteOne, IndexModel, InsertOne, ReplaceOne, UpdateMany, UpdateOne
from pymongo.write_concern import WriteConcern

from nodeward.core.errors import BadInput, ConfigError, NodewardError, Unavailable
from nodeward.store.errors import StoreFull

log = logging.getLogger(__name__)

Doc = dict[str, Any]
Table = Collection[Doc]
Write = InsertOne[Doc] | ReplaceOne[Doc] | UpdateOne | UpdateMany | DeleteOne | DeleteMany
Shelf = TypeVar("Shelf")

DATABASE = "nodeward"
ANSWER_MS = 3_000  # how long a request waits for a server that is away before it is refused, to be repeated
SOCKET_MS = 60_000
AGAIN_SECONDS = 2.0
PIECE = 8 * 1024 * 1024  # a document may have 16 MiB

_REFUSED = (13, 18, 8000)  # Unauthorized, AuthenticationFailed, Atlas' word for both
_NO_ROOM = (14031, 53100)  # OutOfDiskSpace; PostgreSQL's word for it below a compatible engine
_DUPLICATE = 11000
_NEVER = (2, 9, 52, 57, 121, 10334, 17280)  # BadValue … BSONObjectTooLarge, KeyTooLong: the same whenever it is tried
_INTS = range(-(2**63), 2**63)
_MAX_DEPTH = 40
_MAX_ID = 400  # engines bound how long a key in an index may be


class Store:
    """A connection to the database that a URI names (by default `nodeward`)."""

    def __init__(self, uri: str, role: str) -> None:
        try:
            self._client: MongoClient[Doc] = MongoClient(
                uri,
                appname=f"nodeward {role}",
                serverSelectionTimeoutMS=ANSWER_MS,
                connectTimeoutMS=ANSWER_MS,
                socketTimeoutMS=SOCKET_MS,
                retryWrites=False,  # wants a replica set; whatever is written here can be repeated by us
                connect=False,
            )
            concern = WriteConcern(w="majority", j=True)
            self.database = self._client.get_default_database(DATABASE).with_options(write_concern=concern)
        except (InvalidURI, ConfigurationError, ValueError) as error:
            raise ConfigError(f"NODEWARD_STORE is a mongodb:// URI that cannot be used: {error}.") from None
        nodes = sorted(f"{host}:{port}" for host, port in self._client.topology_description.server_descriptions())
        self.name = f"MongoDB at {', '.join(nodes) or 'the given address'}, database {self.database.name}"
        self._trouble, self._asked = "", 0.0
        self._asking = threading.Lock()

    def table(self, name: str) -> Table:
        """Return a collection."""
        return self.database[name]

    def wait(self) -> None:
        """Return once the server answers: at the start, roles and database come in any order. Raise ConfigError if it refuses."""
        said = False
        while True:
            try:
                with self.translated():
                    self.database.command("ping")
                    self.database.list_collection_names()
                return
            except Unavailable as error:
                if not said:
                    log.warning("waiting: %s", error)
                said = True
                time.sleep(AGAIN_SECONDS)

    def index(self, indexes: Mapping[str, Sequence[Sequence[tuple[str, int]]]]) -> None:
        """Make the indexes of each collection that are not there yet."""
        with self.translated():
            for name, keys in indexes.items():
                self.table(name).create_indexes([IndexModel(list(key)) for key in keys])

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the driver's errors into sentences, and keep the last one as the trouble until something succeeds."""
        try:
            yield
        except PyMongoError as error:
            told = self._told(error)
            if isinstance(told, Unavailable):
                self._trouble = told.detail
            raise told from error
        except (OverflowError, UnicodeError) as error:
            raise BadInput(f"{self.name}, cannot store a value: {error}.") from error
        else:
            self._trouble = ""

    def trouble(self) -> str:
        """Return why the database cannot be used just now, or "". Asks it at most every two seconds."""
        with self._asking:
            if time.monotonic() - self._asked > AGAIN_SECONDS:
                with contextlib.suppress(NodewardError), self.translated():
                    self._client.admin.command("ping")
                self._asked = time.monotonic()
        return self._trouble

    def bytes(self) -> int:
        """Return how many bytes the database takes."""
        with self.translated():
            return int(self.database.command("dbStats").get("totalSize", 0))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _told(self, error: PyMongoError) -> NodewardError:
        code = error.code if isinstance(error, OperationFailure) else None
        text = str(error)[:300]
        if isinstance(error, AutoReconnect):
            return Unavailable(f"{self.name}, does not answer: {_short(error)}. It is asked again until it does.")
        if code in _NO_ROOM or "no space left" in text.lower():
            return StoreFull(f"{self.name}, has no room left. Free some; nothing stored is lost.")
        if code in _REFUSED:
            return ConfigError(f"{self.name}, refuses the name or password of NODEWARD_STORE, or of --store: {text}.")
        if isinstance(error, InvalidDocument | DocumentTooLarge):
            return BadInput(f"{self.name}, cannot store a document: {text}.")
        return Unavailable(f"{self.name}, does not do what it was asked: {text}.")


def opened(uri: str, role: str, shelf: Callable[[Store], Shelf]) -> Shelf:
    """Return a shelf, once the server answers."""
    store = Store(uri, role)
    try:
        store.wait()
        return shelf(store)
    except BaseException:
        store.close()
        raise


def emptied(uri: str, role: str, belongs: Callable[[str], object]) -> None:
    """Drop the collections that belong to a role."""
    store = Store(uri, role)
    try:
        store.wait()
        with store.translated():
            for name in sorted(filter(belongs, store.database.list_collection_names())):
                store.table(name).drop()
    finally:
        store.close()


def drop(uri: str) -> None:
    """Drop the whole database that a URI names: one that was made to try something."""
    store = Store(uri, "selftest")
    try:
        with store.translated():
            store.database.client.drop_database(store.database.name)
    finally:
        store.close()


def write(table: Table, writes: Sequence[Write]) -> None:
    """Do all writes, in any order. One that was done before (its id is there) is done.

    One that the engine can never take is logged and passed over, so that it keeps nobody back. Raise the driver's error where
    trying again may help, once all others are done.
    """
    if not writes:
        return
    try:
        table.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        faults = [fault for fault in error.details.get("writeErrors", ()) if fault.get("code") != _DUPLICATE]
        for poison in (fault for fault in faults if fault.get("code") in _NEVER):
            log.error("a document of %s is refused: %s", table.name, str(poison.get("errmsg"))[:300])
        faults = [fault for fault in faults if fault.get("code") not in _NEVER]
        if faults:
            raise OperationFailure(str(faults[0].get("errmsg")), faults[0].get("code")) from error
        if error.details.get("writeConcernErrors"):
            raise AutoReconnect("it has the documents, but not on enough members yet") from error


def insert(table: Table, document: Doc) -> bool:
    """Store a document. Return whether it is new; one with that id may be there, and stays as it is."""
    try:
        table.insert_one(document)
    except DuplicateKeyError:
        return False
    return True


def number_id(number: int) -> str:
    """Return a number as an id: in the order of text it comes where it belongs."""
    return f"{number:019d}"


def id_of(*names: str) -> str:
    """Return several names as one id; whatever they hold, two different lists never give the same."""
    whole = "/".join(name.replace("%", "%25").replace("/", "%2F") for name in names)
    return whole if len(whole) <= _MAX_ID else f"{whole[:_MAX_ID]}%{hashlib.sha256(whole.encode()).hexdigest()}"


def body(value: Any) -> Any:
    """Return a JSON value as it is stored: as it stands, or, where a document cannot hold it, as JSON text in {"json": …}.

    So an odd name or number never makes a document that the engine refuses.
    """
    return value if _fits(value, 0) and not _looks_packed(value) else {"json": json.dumps(value)}


def unpacked(value: Any) -> Any:
    """Return the JSON value that `body` was given."""
    return json.loads(value["json"]) if _looks_packed(value) else value


def put_pieces(table: Table, name: str, data: bytes) -> int:
    """Store what is too large for one document as pieces with ids `name`/0, /1, … Return how many. Repeating it is harmless."""
    parts = [data[begin : begin + PIECE] for begin in range(0, len(data), PIECE)]
    for number, part in enumerate(parts):
        insert(table, {"_id": f"{name}/{number}", "data": part})
    return len(parts)


def get_pieces(table: Table, name: str, count: int) -> bytes:
    """Return what `put_pieces` stored. Raise Unavailable if a piece is missing."""
    names = [f"{name}/{number}" for number in range(count)]
    found = {document["_id"]: document["data"] for document in table.find({"_id": {"$in": names}})}
    if missing := [name for name in names if name not in found]:
        raise Unavailable(f"The document {missing[0]} of {table.name} is missing. Restore a backup.")
    return b"".join(found[name] for name in names)


def drop_pieces(table: Table, name: str, count: int) -> None:
    """Remove what `put_pieces` stored."""
    table.delete_many({"_id": {"$in": [f"{name}/{number}" for number in range(count)]}})


def next_number(table: Table, name: str, count: int = 1) -> int:
    """Return the last of the next `count` numbers of 1, 2, 3 …: each is given once, though perhaps not every one is used."""
    found = table.find_one_and_update({"_id": name}, {"$inc": {"number": count}}, upsert=True, return_document=True)
    return int(found["number"]) if found else 0


def documents(found: Iterable[Doc], name: str = "doc") -> list[Any]:
    """Return the bodies that documents hold."""
    return [unpacked(document[name]) for document in found]


def _looks_packed(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"json"}


def _fits(value: Any, depth: int) -> bool:
    kind = type(value)
    if kind is str:
        return value.isascii() or value.encode("utf-8", "ignore").decode() == value
    if kind is int:
        return value in _INTS
    if kind in (float, bool, type(None)):
        return True
    if depth > _MAX_DEPTH:
        return False
    if kind is dict:
        return all(_is_name(name) and _fits(item, depth + 1) for name, item in value.items())
    return kind is list and all(_fits(item, depth + 1) for item in value)


def _is_name(name: Any) -> bool:
    return type(name) is str and not name.startswith("$") and "." not in name and "\0" not in name and _fits(name, 0)


def _short(error: Exception) -> str:
    """Return the first of the driver's words: the rest describes its own inner state."""
    return (
        str(error).split(", Timeout: ")[0].split(" (configured timeouts")[0].split(" (Topology")[0].rstrip(". ")[:200]
    )
