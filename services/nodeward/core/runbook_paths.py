"""Which files a runbook's `copy` may mean: one rule, for `apply` and for the nodes that are asked (docs/decisions/0803).

Whatever is filled in for an expression is a file's or a directory's name, or a part of one; it leads to no other directory
than the path says. And a path says in which: it begins with a fixed one.
"""

import re

from nodeward.core import expressions

_EXAMPLE = "/var/backups/{{ name }}"


def fault(template: str) -> str | None:
    """Return what is wrong with a path as a runbook has it, as a sentence; None if it may stand there."""
    literals = expressions.literals(template)
    fixed, inserted = literals[0], len(literals) > 1
    if inserted and not fixed.startswith("/"):
        return (
            f"it begins with what is filled in, which would let a run copy any file of the node: "
            f"write the directory first, such as {_EXAMPLE}"
        )
    if not fixed.startswith("/"):
        return "it must be an absolute path, which begins with /"
    if {".", ".."} & set("x".join(literals).split("/")):
        return "'.' and '..' are no part of it: write where the file is"
    if inserted and not re.match(r"/[^/]+/", fixed):
        return (
            f"it must begin with a directory that is fixed, not with {_shown(fixed)}, for what is filled in could be any: "
            f"such as {_EXAMPLE}"
        )
    return None


def fits(template: str, path: str) -> bool:
    """Whether filling in a template can give a path, and may."""
    if fault(template) is not None or {".", ".."} & set(path.split("/")):
        return False
    return re.fullmatch("[^/]+".join(map(re.escape, expressions.literals(template))), path) is not None


def _shown(fixed: str) -> str:
    return repr(fixed if len(fixed) <= 60 else fixed[:60] + "…")
