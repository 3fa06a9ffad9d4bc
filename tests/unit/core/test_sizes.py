"""Sizes as people write them."""

from typing import Any

import pytest

from nodeward.core import sizes


@pytest.mark.parametrize(
    ("given", "size"),
    [(7, 7), ("7", 7), ("7b", 7), ("500MB", 500_000_000), ("4GiB", 4 * 2**30), ("4 gib", 4 * 2**30), ("1.5k", 1500),
     ("1TiB", 2**40)],
)  # fmt: skip
def test_a_size_is_bytes(given: Any, size: int) -> None:
    assert sizes.parse(given) == size


@pytest.mark.parametrize(
    "given", [0, -1, True, None, 1.5, [], "", "x", "4 G iB", "-4GB", "1e9", "0", "999999999TB", "٣GB", "4GBB"]
)
def test_what_is_none_is_said(given: Any) -> None:
    with pytest.raises(ValueError, match="size"):
        sizes.parse(given)


def test_a_size_is_told_in_its_unit() -> None:
    assert [sizes.text(size) for size in (0, 1023, 1536, 2**30, 5 * 2**40)] == [
        "0 bytes", "1023 bytes", "1.5 KiB", "1.0 GiB", "5.0 TiB",
    ]  # fmt: skip
