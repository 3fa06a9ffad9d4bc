"""A sieve: the filters of many blocks in one place, so that one read per word says which pieces of all of them may hold it.

A block's own filters answer for its thirty pieces; to ask three hundred blocks one after the other takes three hundred heads and
three hundred reads. So once a day has enough blocks that will not change any more, their filters move into a sieve: a shard of
all of them lies in one row. What a sieve passes over is not opened at all.
"""

import functools
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgpack
import numpy as np
from numpy.typing import NDArray

from nodeward.store.logblocks import codec, words
from nodeward.store.logblocks.codec import Damaged
from nodeward.store.logblocks.match import Mask
from nodeward.store.logblocks.rows import Numbers
from nodeward.store.logblocks.words import Filters, Wanted

BLOCKS = 16  # fewer would leave more of them to ask, more would leave more blocks beside them


class Member(NamedTuple):
    """A block whose filters lie in a sieve."""

    block: int
    pieces: int
    width: int
    probes: int
    salted: bool = False


@dataclass(frozen=True)
class Gathered:
    """A sieve ready to be stored."""

    members: list[int]
    head: bytes
    shards: list[bytes]


@dataclass(frozen=True)
class Sieve:
    """A sieve's head, read: whose filters it holds, in the order in which they lie, and the crc32 of each shard."""

    members: list[Member]
    checks: list[int]

    def sift(self, wanted: Wanted, read: Callable[[int], bytes]) -> dict[int, Mask]:
        """Given groups of hashes, return which pieces may hold one of each group, for the blocks that have such a piece.

        `read` returns a shard. Raise Damaged if it is not what was written.
        """
        result = np.ones(self._places.pieces, np.bool_)
        for group in wanted:
            any_of = np.zeros(self._places.pieces, np.bool_)
            for word in group:
                any_of |= self._test(word, read)
            result &= any_of
            if not result.any():
                return {}
        found = zip(self.members, np.split(result, self._places.firsts[1:]), strict=True)
        return {member.block: pieces for member, pieces in found if pieces.any()}

    def check(self, read: Callable[[int], bytes]) -> None:
        """Read everything once. Raise Damaged."""
        for number in range(words.SHARDS):
            self._shard(number, read)

    def _test(self, word: int, read: Callable[[int], bytes]) -> Mask:
        shard = np.frombuffer(self._shard(words.shard_of(word), read), np.uint8)
        places = self._places
        at, bits = words.places(word, places.widths, places.salts, len(places.asked))
        set_ = (shard[places.bases + at] & bits) != 0
        found: Mask = (set_ | ~places.asked).all(axis=0)
        return found

    def _shard(self, number: int, read: Callable[[int], bytes]) -> bytes:
        data = read(number)
        if zlib.crc32(data) != self.checks[number]:
            raise Damaged(f"shard {number} fails its checksum")
        return data

    @functools.cached_property
    def _places(self) -> "_Places":
        pieces = np.array([member.pieces for member in self.members])
        widths = np.array([member.width for member in self.members])
        owners = np.repeat(np.arange(len(pieces)), pieces)
        sizes = widths[owners]
        firsts = np.cumsum(pieces) - pieces
        probes = np.array([member.probes for member in self.members])
        asked = np.arange(probes.max())[:, None] < probes[owners]
        salts = np.concatenate([words.salts(member.pieces, member.salted) for member in self.members])
        return _Places(len(owners), firsts, sizes, salts, np.cumsum(sizes) - sizes, asked)


@dataclass(frozen=True)
class _Places:
    """Where in each shard the filters are: of `pieces` pieces, by piece its width, its salt and its first byte (`bases`)."""

    pieces: int
    firsts: Numbers  # the first piece of each block
    widths: Numbers
    salts: words.Hashes
    bases: Numbers
    asked: NDArray[np.bool_]  # by probe and piece: whether its filter has so many


def gather(blocks: Sequence[tuple[int, Filters]]) -> Gathered:
    """Return the sieve of blocks, each given as its id and its filters."""
    shards = [
        b"".join(filters.data[number * filters.shard_size : (number + 1) * filters.shard_size] for _, filters in blocks)
        for number in range(words.SHARDS)
    ]
    members = [
        Member(block, filters.pieces, filters.width, filters.probes, filters.salted) for block, filters in blocks
    ]
    head = {"members": members, "checks": [zlib.crc32(shard) for shard in shards]}
    return Gathered([member.block for member in members], codec.compress(msgpack.packb(head)), shards)


def read_head(data: bytes) -> Sieve:
    """Return a sieve's head. Raise Damaged."""
    try:
        body = msgpack.unpackb(codec.decompress(data))
        return Sieve([Member(*member) for member in body["members"]], body["checks"])
    except (msgpack.UnpackException, ValueError, TypeError, KeyError) as error:
        raise Damaged(f"the head cannot be read ({error})") from None
