"""Words that pages, commands and messages have in common."""


def counted(count: int, one: str, several: str = "") -> str:
    """Return a count with its noun: 1 node, 2 nodes, 3,000 checks ("s" is added where no other plural is given)."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"
