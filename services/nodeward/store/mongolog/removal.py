"""Removing old days, or the oldest blocks of one: noted first, so that a crash in the middle is found and the rest done.

A removal has a number. The totals of a source remember the last one they know of, so that none is taken away twice.
"""

from collections.abc import Sequence
from typing import Any

from pymongo.operations import ReplaceOne

from nodeward.store import mongodb
from nodeward.store.base import Removed
from nodeward.store.logblocks.block import MINUTE
from nodeward.store.logblocks.day import DAY, number_of
from nodeward.store.mongodb import Doc, Store, id_of
from nodeward.store.mongolog.fold import Folder, minute_write, table_of

_MARK = "removal"
_AT_ONCE = 50  # blocks whose lines are removed with one question


class Remover:
    """Removes blocks with their lines, counters and totals. One removal at a time."""

    def __init__(self, store: Store, folder: Folder) -> None:
        self._store, self._folder = store, folder
        self._marks, self._blocks = store.table("log_marks"), store.table("log_blocks")
        self._minutes, self._sources = store.table("log_minutes"), store.table("log_sources")

    def days(self) -> list[str]:
        """Return the days of which there are blocks, oldest first."""
        return sorted(self._blocks.distinct("day"))

    def blocks(self, day: str) -> list[Doc]:
        """Return the blocks of a day, oldest first."""
        return list(self._blocks.find({"day": day}, {"words": 0}).sort([("max_time", 1), ("_id", 1)]))

    def remove(self, day: str, blocks: Sequence[Doc], whole: bool, counted: int) -> Removed:
        """Remove these blocks of a day, or all of it; `counted`: up to where counters have counted."""
        totals = _together(blocks)
        names = [] if whole else [block["_id"] for block in blocks]
        found = self._marks.find_one_and_update(
            {"_id": _MARK},
            {
                "$inc": {"number": 1},
                "$set": {"day": day, "whole": whole, "blocks": names, "totals": totals, "counted": counted},
            },
            upsert=True,
            return_document=True,
        )
        assert found is not None
        self._do(found)
        records = sum(block["records"] for block in blocks)
        return Removed(records, sum(block["bytes"] for block in blocks), (day,))

    def resume(self) -> None:
        """Finish a removal that was cut short."""
        found = self._marks.find_one({"_id": _MARK})
        if found and found["day"]:
            self._do(found)

    def _do(self, removal: Doc) -> None:
        day, lines = removal["day"], self._store.table(table_of(removal["day"]))
        if removal["whole"]:
            self._blocks.delete_many({"day": day})
            lines.drop()
            self._folder.forget(day)
            self._minutes.delete_many({"day": day})
        else:
            for begin in range(0, len(removal["blocks"]), _AT_ONCE):
                some = removal["blocks"][begin : begin + _AT_ONCE]
                self._blocks.delete_many({"_id": {"$in": some}})
                lines.delete_many({"block": {"$in": some}})
            self._count_anew(day, removal["counted"])
        self._take_away(removal)
        self._marks.update_one({"_id": _MARK}, {"$set": {"day": "", "blocks": [], "totals": []}})

    def _count_anew(self, day: str, counted: int) -> None:
        """Count a day's lines again, now that some of them are gone."""
        minute = {"$dateTrunc": {"date": "$time", "unit": "minute"}}
        key = {"minute": minute, "node": "$node", "source": "$source", "host": "$host", "level": "$level"}
        rows = list(self._store.table(table_of(day)).aggregate([{"$group": {"_id": key, "count": {"$sum": 1}}}]))
        self._minutes.delete_many({"day": day})
        mongodb.write(self._minutes, [_counter(row["_id"], row["count"], counted) for row in rows])

    def _take_away(self, removal: Doc) -> None:
        oldest = (number_of(removal["day"]) + 1) * DAY if removal["whole"] else -(2**62)
        writes: list[mongodb.Write] = []
        for gone in removal["totals"]:
            name = id_of(gone["node"], gone["source"])
            known = self._sources.find_one({"_id": name, "removal": {"$lt": removal["number"]}})
            if known is not None:
                kept = {one: known[one] - gone[one] for one in ("records", "bytes", "parse_errors")}
                first = min(max(known["first"], oldest), known["last"])
                new = {**known, **kept, "first": first, "removal": removal["number"]}
                writes.append(ReplaceOne({"_id": name, "removal": {"$lt": removal["number"]}}, new))
        mongodb.write(self._sources, writes)


def _together(blocks: Sequence[Doc]) -> list[Doc]:
    totals: dict[tuple[str, str], Doc] = {}
    for block in blocks:
        for one in block["totals"]:
            own = totals.setdefault((one["node"], one["source"]), {**one, "records": 0, "bytes": 0, "parse_errors": 0})
            for name in ("records", "bytes", "parse_errors"):
                own[name] += one[name]
    return list(totals.values())


def _counter(key: Any, count: int, counted: int) -> mongodb.Write:
    minute = int(key["minute"].timestamp()) * 1_000_000 // MINUTE
    return minute_write((minute, key["node"], key["source"], key["host"], key["level"]), count, counted)
