"""Words of a text as hashes, and Bloom filters of them: every step by numpy over the bytes, none per word in Python.

A word is a run of letters, digits, underscores and bytes above 127, lower-cased (ASCII). Its hash is the sum of a random number
per byte times a power of an odd constant, modulo 2³², so that all words of a text are hashed by one pass of products and one of
sums. A block has one filter per piece of its text; the filters are cut into `SHARDS`, a word's hash says which shard it is in,
and the same shard of all pieces lies together: asking for a word reads one shard, a few KiB, and answers for every piece at once.

Which bits stand for a word differs from piece to piece (`salts`): the words that stand in every piece would otherwise set the
same bits everywhere, and a word to which these bits stand, too, would seem to be in most pieces.
"""

import functools
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint32]
Bytes = NDArray[np.uint8]
Wanted = tuple[tuple[int, ...], ...]  # groups of hashes: one of each group must be there

SHARDS = 64
BITS_PER_WORD = 12
PROBES = 7
FORMER_PROBES = 4  # of filters that do not say how many they have
_SLICE = 1 << 17  # bytes hashed at a time: the arrays of one slice stay in the cache

_BASE = 0x9E3779B1


def _tables() -> tuple[Hashes, Hashes, Hashes]:
    random = np.random.default_rng(0x4E57)  # fixed: the hashes are part of the format on disk
    values = random.integers(1, 2**32, 256, dtype=np.uint64).astype(np.uint32)
    word = np.zeros(256, bool)
    word[[*b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"]] = True
    word[128:] = True
    values[~word] = 0
    values[ord("A") : ord("Z") + 1] = values[ord("a") : ord("z") + 1]
    powers = np.empty(_SLICE, np.uint32)
    inverses = np.empty(_SLICE, np.uint32)
    inverse = pow(_BASE, -1, 2**32)
    power = back = 1
    for index in range(_SLICE):
        powers[index], inverses[index] = power, back
        power, back = power * _BASE % 2**32, back * inverse % 2**32
    return values, powers, inverses


_VALUES, _POWERS, _INVERSES = _tables()
IS_WORD: NDArray[np.bool_] = _VALUES != 0


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a block's pieces: `data` holds them shard by shard, in each piece by piece, `width` bytes each."""

    pieces: int
    width: int
    data: bytes
    probes: int = PROBES
    salted: bool = True

    @property
    def shard_size(self) -> int:
        """How many bytes a shard takes."""
        return self.pieces * self.width


def hashes(text: bytes | Bytes) -> Hashes:
    """Return the hash of each word in `text`, in order."""
    data = np.frombuffer(text, np.uint8) if isinstance(text, bytes) else text
    if len(data) <= _SLICE:
        return _mixed(_sums(data))
    found, begin = [], 0
    while begin < len(data):
        end = _cut(data, begin)
        found.append(_sums(data[begin:end]))
        begin = end
    return _mixed(np.concatenate(found))


@functools.lru_cache(4096)
def tag(kind: str, name: str) -> int:
    """Return the hash that stands for a record's host, node, source or ident in a filter."""
    return int(_mixed(np.array([zlib.crc32(f"{kind}\0{name}".encode())], np.uint32))[0])


def distinct(found: Hashes) -> Hashes:
    """Return each hash once; a few may remain twice."""
    owners = np.empty(1 << 16, np.int32)  # what is not written below is not read either
    slot = found & np.uint32(0xFFFF)
    index = np.arange(len(found), dtype=np.int32)
    owners[slot] = index  # the last of each slot stays
    owner = owners[slot]
    kept: Hashes = found[(owner == index) | (found[owner] != found)]
    return kept


def build(pieces: list[Hashes]) -> Filters:
    """Return the filters of pieces, given the different hashes of each."""
    most = max((len(piece) for piece in pieces), default=0)
    width = max(1, -(-most * BITS_PER_WORD // (SHARDS * 8)))
    salt = salts(len(pieces), True)
    bits = np.zeros(SHARDS * len(pieces) * width * 8, np.bool_)
    for number, piece in enumerate(pieces):
        base = ((piece >> np.uint32(26)).astype(np.int64) * len(pieces) + number) * (width * 8)
        for position in _positions(_mixed(piece ^ salt[number]), width, PROBES):
            bits[base + position] = True
    return Filters(len(pieces), width, np.packbits(bits).tobytes())


def shard_of(word: int) -> int:
    """Return the shard that a word's hash is in."""
    return word >> 26


def salts(pieces: int, salted: bool) -> Hashes:
    """Return what is mixed into the words of each of a block's pieces; 0: nothing, as in filters from before."""
    return np.arange(1, pieces + 1, dtype=np.uint32) * np.uint32(_BASE) if salted else np.zeros(pieces, np.uint32)


def test(shard: bytes, filters: Filters, word: int) -> NDArray[np.bool_]:
    """Given the word's shard, return for each piece whether it may hold the word. The filters' own `data` is not looked at."""
    at, bits = _places(word, filters.pieces, filters.width, filters.probes, filters.salted)
    found: NDArray[np.bool_] = ((np.frombuffer(shard, np.uint8)[at] & bits) != 0).all(axis=0)
    return found


def places(word: int, widths: NDArray[np.int64], salt: Hashes, probes: int) -> tuple[NDArray[np.int64], Bytes]:
    """Return for each probe and piece which byte of its filter to look at, and at which bit."""
    plain = np.uint32(word)
    positions = np.stack(_positions(np.where(salt == 0, plain, _mixed(plain ^ salt)), widths, probes))
    return positions >> 3, (128 >> (positions & 7)).astype(np.uint8)


@functools.lru_cache(1024)
def _places(word: int, pieces: int, width: int, probes: int, salted: bool) -> tuple[NDArray[np.int64], Bytes]:
    """Return which bytes of a shard to look at, and at which bit."""
    at, bits = places(word, np.full(pieces, width), salts(pieces, salted), probes)
    return at + np.arange(pieces) * width, bits


def _sums(data: Bytes) -> Hashes:
    word = IS_WORD[data]
    begins = np.flatnonzero(word[1:] > word[:-1]) + 1
    if len(word) and word[0]:
        begins = np.concatenate(([0], begins))
    if not len(begins):
        return np.empty(0, np.uint32)
    values = _VALUES[data]
    values *= _POWERS[: len(values)]
    return np.add.reduceat(values, begins, dtype=np.uint32) * _INVERSES[begins]


def _mixed(sums: Hashes) -> Hashes:
    """Spread what differs over all bits (the last steps of MurmurHash3)."""
    sums = sums ^ (sums >> np.uint32(16))
    sums *= np.uint32(0x85EBCA6B)
    sums ^= sums >> np.uint32(13)
    sums *= np.uint32(0xC2B2AE35)
    sums ^= sums >> np.uint32(16)
    return sums


def _cut(data: Bytes, begin: int) -> int:
    """Return where to end a slice: where a word ends. A word of more than a slice is cut, and found by no search anyway."""
    end = begin + _SLICE
    if end >= len(data):
        return len(data)
    for back in (256, _SLICE):
        gaps = np.flatnonzero(~IS_WORD[data[end - back : end]])
        if len(gaps):
            return int(end - back + gaps[-1] + 1)
    return end


def _positions(piece: Hashes, width: int | NDArray[np.int64], probes: int) -> list[NDArray[np.int64]]:
    """Return where in a shard's filter of `width` bytes each probe of each hash is."""
    first = piece * np.uint32(0xB5297A4D)
    step = (piece * np.uint32(0x68E31DA4 | 1)) | np.uint32(1)
    size = np.asarray(width * 8, np.uint64)
    found = []
    for _ in range(probes):
        found.append(((first.astype(np.uint64) * size) >> np.uint64(32)).astype(np.int64))
        first = first + step
    return found
