"""The registry shelf on MongoDB.

A revision is one document with all its changes: writing it is the commit, and its id (its number) lets only one writer have it.
The objects follow from it, each guarded by the revision that last changed it, so that repeating that after a crash, late or
twice, changes nothing. A removed object leaves a document without a body, for the same reason.
"""

import json
import logging
import threading
import zlib
from collections.abc import Iterable
from typing import Any

from pymongo.errors import PyMongoError
from pymongo.operations import ReplaceOne, UpdateOne

from nodeward.core.auth import Credential
from nodeward.core.errors import Conflict
from nodeward.store import mongodb
from nodeward.store.base_registry import BundleMark, Change, Deed, Key, Revision, Stored
from nodeward.store.mongodb import Doc, Store, Write, body, id_of, number_id, unpacked

log = logging.getLogger(__name__)

INDEXES = {"audit": [[("at", -1)]], "objects": [[("kind", 1), ("name", 1)]], "revisions": [[("at", -1)]]}
_APPLIED = "applied"


class MongodbRegistryShelf:
    """See `RegistryShelf` for what holds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        store.index(INDEXES)
        self._objects, self._revisions = store.table("objects"), store.table("revisions")
        self._credentials, self._passwords = store.table("credentials"), store.table("passwords")
        self._audit, self._bundles = store.table("audit"), store.table("bundles")
        self._marks, self._pieces = store.table("registry_marks"), store.table("registry_pieces")
        with self._lock, store.translated():
            self._settle()

    def objects(self) -> list[Stored]:
        """Return every object."""
        with self._lock, self._store.translated():
            self._settle()
            found = self._objects.find({"body": {"$ne": None}})
            stored = [Stored(Key(one["kind"], one["name"]), unpacked(one["body"]), one["changed"]) for one in found]
        return sorted(stored, key=lambda one: one.key)

    def head(self) -> int:
        """Return the number of the newest revision, 0 if there is none."""
        with self._store.translated():
            return self._head()

    def commit(self, expected: int, revision: Revision) -> None:
        """Make `revision` the newest and its changes true. Raise Conflict unless `expected` is still the newest."""
        with self._lock, self._store.translated():
            head = self._head()
            if head == expected and revision.number == expected + 1 and self._insert(revision):
                try:
                    self._settle()
                except PyMongoError as error:
                    log.warning(
                        "revision %d is stored; the objects follow once the database is back: %s", head + 1, error
                    )
                return
            head = self._head()
        raise Conflict(f"The configuration is at revision {head} by now, not {expected}: look again, then repeat.")

    def revision(self, number: int) -> Revision | None:
        """Return a revision with its changes, or None."""
        with self._store.translated():
            found = self._revisions.find_one({"_id": number_id(number)}) if number >= 0 else None
            return self._read(found) if found else None

    def revisions(self, before: int | None, limit: int) -> list[Revision]:
        """Return revisions below `before` (all, if None), newest first, at most `limit`."""
        below = {} if before is None else {"_id": {"$lt": number_id(max(before, 0))}}
        with self._store.translated():
            return [self._read(found) for found in self._revisions.find(below).sort("_id", -1).limit(max(limit, 1))]

    def credentials(self) -> list[Credential]:
        """Return every credential, in the order they were made. That another replaces one is enough for it to be revoked."""
        with self._store.translated():
            found = list(self._credentials.find().sort("rank", 1))
        replaced = {identifier: one["at"] for one in found for identifier in one["replaces"]}
        return [_credential(one, replaced.get(one["_id"])) for one in found]

    def put_credential(self, credential: Credential, replacing: Iterable[str] = (), at: int = 0) -> None:
        """Keep a new credential, and in the same step revoke those whose ids are in `replacing`."""
        row = credential.model_dump()
        with self._store.translated():
            rank = mongodb.next_number(self._marks, "credentials")
            self._credentials.insert_one(
                {"_id": row.pop("id"), **row, "used": False, "rank": rank, "replaces": list(replacing), "at": at}
            )

    def revoke(self, identifier: str, at: int) -> bool:
        """Revoke a credential. Return whether it was in force."""
        with self._lock, self._store.translated():
            if self._credentials.find_one({"replaces": identifier}):
                return False
            done = self._credentials.update_one({"_id": identifier, "revoked": None}, {"$set": {"revoked": at}})
            return done.modified_count > 0

    def note_use(self, identifier: str) -> None:
        """Remember that a credential was used. Doing so again changes nothing."""
        with self._store.translated():
            self._credentials.update_one({"_id": identifier, "used": False}, {"$set": {"used": True}})

    def used(self) -> set[str]:
        """Return the ids of the credentials that were used."""
        with self._store.translated():
            return {one["_id"] for one in self._credentials.find({"used": True}, {"_id": 1})}

    def password(self, name: str) -> str | None:
        """Return the hash of a user's password, or None."""
        with self._store.translated():
            found = self._passwords.find_one({"_id": name})
            return found["hash"] if found else None

    def put_password(self, name: str, digest: str | None) -> None:
        """Keep a user's password hash; None forgets it."""
        with self._store.translated():
            if digest is None:
                self._passwords.delete_one({"_id": name})
            else:
                self._passwords.replace_one({"_id": name}, {"_id": name, "hash": digest}, upsert=True)

    def note(self, *deeds: Deed) -> None:
        """Add to the audit list, in that order."""
        if not deeds:
            return
        rows = [
            {name: getattr(one, name) for name in ("at", "who", "via", "address", "action", "what")} for one in deeds
        ]
        with self._store.translated():
            first = mongodb.next_number(self._marks, "audit", len(rows)) - len(rows) + 1
            self._audit.insert_many(
                {"_id": number_id(number), "id": number, **row} for number, row in enumerate(rows, first)
            )

    def deeds(self, before: int | None, limit: int) -> list[Deed]:
        """Return the audit list below id `before` (all, if None), newest first, at most `limit`."""
        below = {} if before is None else {"_id": {"$lt": number_id(max(before, 0))}}
        with self._store.translated():
            found = list(self._audit.find(below, {"_id": 0}).sort("_id", -1).limit(max(limit, 1)))
        return [Deed(**one) for one in found]

    def bundle_marks(self) -> list[BundleMark]:
        """Return what is remembered of the nodes' bundles."""
        with self._store.translated():
            return [BundleMark(one["_id"], one["digest"], one["revision"]) for one in self._bundles.find()]

    def put_bundle_marks(self, marks: Iterable[BundleMark]) -> None:
        """Remember these, in place of what was known of the same nodes."""
        writes: list[Write] = [
            ReplaceOne(
                {"_id": one.node}, {"_id": one.node, "digest": one.digest, "revision": one.revision}, upsert=True
            )
            for one in marks
        ]
        with self._store.translated():
            mongodb.write(self._bundles, writes)

    def trouble(self) -> str:
        """Return why the engine cannot be used just now, or ""."""
        return self._store.trouble()

    def close(self) -> None:
        """Let go of the connection."""
        self._store.close()

    def _head(self) -> int:
        newest = self._revisions.find_one({}, {"number": 1}, sort=[("_id", -1)])
        return int(newest["number"]) if newest else 0

    def _insert(self, revision: Revision) -> bool:
        """Store the revision's document: this is the commit. Return whether it is ours."""
        name = number_id(revision.number)
        document: Doc = {
            "_id": name,
            "number": revision.number,
            "at": revision.at,
            "who": revision.who,
            "why": revision.why,
        }
        changes = [_change(each) for each in revision.changes]
        plain = json.dumps(changes).encode()
        if len(plain) > mongodb.PIECE // 2:
            packed = zlib.compress(plain, 1)
            pieces = f"{name}/{zlib.crc32(packed):08x}-{len(packed)}"
            document |= {"pieces": pieces, "count": mongodb.put_pieces(self._pieces, pieces, packed)}
        else:
            document["changes"] = changes
        return mongodb.insert(self._revisions, document)

    def _settle(self) -> None:
        """Make true in the objects what revisions say that were committed, but not followed yet."""
        mark = self._marks.find_one({"_id": _APPLIED})
        after = mark["number"] if mark else 0
        for found in self._revisions.find({"_id": {"$gt": number_id(after)}}).sort("_id", 1):
            revision = self._read(found)
            mongodb.write(self._objects, [_object(each, revision.number) for each in revision.changes])
            self._marks.update_one({"_id": _APPLIED}, {"$max": {"number": revision.number}}, upsert=True)

    def _read(self, found: Doc) -> Revision:
        changes = found.get("changes")
        if changes is None:
            changes = json.loads(zlib.decompress(mongodb.get_pieces(self._pieces, found["pieces"], found["count"])))
        kept = [
            Change(Key(each["kind"], each["name"]), unpacked(each["before"]), unpacked(each["after"]))
            for each in changes
        ]
        return Revision(found["number"], found["at"], found["who"], found["why"], sorted(kept, key=lambda one: one.key))


def _change(change: Change) -> dict[str, Any]:
    before, after = (body(each) for each in (change.before, change.after))
    return {"kind": change.key.kind, "name": change.key.name, "before": before, "after": after}


def _object(change: Change, number: int) -> UpdateOne:
    """Return the write that makes a change true unless a later one was: then its upsert meets the id that is there."""
    kind, name = change.key
    return UpdateOne(
        {"_id": id_of(kind, name), "changed": {"$lt": number}},
        {"$set": {"kind": kind, "name": name, "body": body(change.after), "changed": number}},
        upsert=True,
    )


def _credential(found: Doc, replaced: int | None) -> Credential:
    names = ("name", "role", "hash", "node", "created", "expires")
    revoked = found["revoked"] if found["revoked"] is not None else replaced
    known = {name: found[name] for name in names}
    return Credential(id=found["_id"], revoked=revoked, supersedes=found.get("supersedes"), **known)
