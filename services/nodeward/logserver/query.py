"""What a person types into the search field, and the other conditions of a request, as a query to the shelf.

`q` is a list of conditions that must all hold:

    failed            the word, in any mixture of cases
    "no such file"    these words in a row, exactly so
    conn*  *timeout   a word that begins, or ends, like this;  *out*  anywhere, also within words (reads every line)
    -debug -"a b"     not this
    host:web-1        also node: source: ident: level:, and fields.NAME:VALUE for a field of the record

Anything else with a colon, a slash or dots (10.0.0.1:443, /var/log) is looked for as it stands.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from nodeward.core import clock, severity
from nodeward.core.errors import BadInput, Problem
from nodeward.store.base import MAX_TIME, MIN_TIME, FieldTerm, LogQuery, Term
from nodeward.store.patterns import pattern

Value = TypeVar("Value")

MAX_Q = 4096
MAX_CONDITIONS = 50
_TOKEN = re.compile(r'\s*(?P<minus>-?)(?P<name>(?:node|source|host|ident|level|fields\.[^\s:"]+):)?(?P<open>"?)')
_QUOTED = re.compile(r'((?:[^"\\]|\\.)*)"(\S*)', re.DOTALL)


@dataclass(slots=True)
class Parsed:
    """The conditions of a `q`."""

    terms: list[Term] = field(default_factory=list)
    fields: list[FieldTerm] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)


def build(
    *,
    node: str | None = None,
    source: str | None = None,
    host: str | None = None,
    ident: str | None = None,
    level: str | None = None,
    q: str | None = None,
    regex: str | None = None,
    from_: str | None = None,
    to: str | None = None,
    now: int,
) -> LogQuery:
    """Return the query of a request. Raise BadInput with every fault found."""  # fmt: skip
    faults: list[Problem] = []
    parsed = _try("q", lambda: parse(q or ""), faults) or Parsed()
    given = {"node": node, "source": source, "host": host, "ident": ident}
    names = {name: [*_split(text), *parsed.names.get(name, [])] for name, text in given.items()}
    levels = _levels(level, parsed.names.get("level", []), faults)
    if regex:
        _try("regex", lambda: pattern(regex), faults)
    start = _try("from", lambda: clock.parse_moment(from_, now) if from_ else MIN_TIME, faults)
    end = _try("to", lambda: clock.parse_moment(to, now) if to else MAX_TIME, faults)
    if not faults and start is not None and end is not None and start >= end:
        faults.append(Problem("from", f"the range begins at {from_} and ends at {to or 'now'}, before it begins"))
    if faults:
        raise BadInput("The search cannot be made.", faults)
    assert start is not None
    assert end is not None
    return LogQuery(
        nodes=tuple(names["node"]),
        sources=tuple(names["source"]),
        hosts=tuple(names["host"]),
        idents=tuple(names["ident"]),
        levels=levels,
        terms=tuple(parsed.terms),
        fields=tuple(parsed.fields),
        regex=regex or "",
        start=start,
        end=end,
    )


def parse(q: str) -> Parsed:
    """Return the conditions that `q` states. Raise ValueError with a sentence if it cannot be understood."""
    if len(q) > MAX_Q:
        raise ValueError(f"it has {len(q)} characters; at most {MAX_Q} are allowed")
    parsed, position = Parsed(), 0
    q = q.rstrip()
    while position < len(q):
        position = _condition(q, position, parsed)
        if len(parsed.terms) + len(parsed.fields) > MAX_CONDITIONS:
            raise ValueError(f"it has more than {MAX_CONDITIONS} conditions")
    return parsed


def levels(text: str) -> frozenset[int]:
    """Given a level, return it and all that are worse; given several by commas, exactly those (``none``: without a level).

    Raise ValueError with a sentence if one is none.
    """
    wanted = [name for name in text.split(",") if name.strip()]
    numbers = [severity.NONE if name.strip().lower() == "none" else _level(name) for name in wanted]
    if len(numbers) == 1 and "," not in text and numbers[0] != severity.NONE:
        return frozenset(range(numbers[0] + 1))
    return frozenset(numbers)


def _level(name: str) -> int:
    number = severity.number(name)
    if number == severity.NONE:
        raise ValueError(f"{name!r} is no level; there are {', '.join(severity.NAMES)} and none")
    return number


def _levels(given: str | None, in_q: list[str], faults: list[Problem]) -> frozenset[int] | None:
    found = None
    for path, text in [("level", given or ""), *(("q", text) for text in in_q)]:
        one = _try(path, lambda text=text: levels(text), faults) if text else None  # type: ignore[misc]
        if one is not None:
            found = one if found is None else found & one
    return found


def _condition(q: str, position: int, parsed: Parsed) -> int:
    """Take one condition into `parsed` and return where the next begins."""
    token = _TOKEN.match(q, position)
    assert token is not None
    exclude, name = bool(token["minus"]), (token["name"] or "").removesuffix(":")
    if token["open"]:
        text, rest, position = _quoted(q, token.end())
        if rest:
            raise ValueError(f'behind the closing quote of "{text}" stands {rest!r}; put a space there')
    else:
        end = re.compile(r"\s|$").search(q, token.end())
        assert end is not None
        text, position = q[token.end() : end.start()], end.start()
    if not text:
        raise ValueError(f"behind '{token[0].strip()}' something is missing")
    _take(parsed, name, text, exclude, quoted=bool(token["open"]))
    return position


def _quoted(q: str, begin: int) -> tuple[str, str, int]:
    found = _QUOTED.match(q, begin)
    if found is None:
        raise ValueError(f"the quote before {q[begin : begin + 40]!r} is not closed")
    return re.sub(r"\\(.)", r"\1", found[1]), found[2], found.end()


def _take(parsed: Parsed, name: str, text: str, exclude: bool, quoted: bool) -> None:
    if name.startswith("fields."):
        parsed.fields.append(FieldTerm(name.removeprefix("fields."), text, exclude))
    elif name:
        if exclude:
            raise ValueError(f"-{name}: is not possible; name what is wanted instead")
        parsed.names.setdefault(name, []).extend([text] if quoted or name == "level" else _split(text))
    elif quoted:
        parsed.terms.append(Term(text.encode(), exclude))
    else:
        parsed.terms.append(_word(text, exclude))


def _word(text: str, exclude: bool) -> Term:
    inner = text.strip("*")
    if not inner:
        raise ValueError(f"{text!r} would be found everywhere; leave it out")
    if "*" in inner:
        raise ValueError(f"in {text!r} a * stands in the middle; it may only begin or end a word (regex= can do more)")
    return Term(inner.encode(), exclude, left=not text.startswith("*"), right=not text.endswith("*"))


def _split(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _try(path: str, ask: Callable[[], Value], faults: list[Problem]) -> Value | None:
    try:
        return ask()
    except ValueError as error:
        faults.append(Problem(path, f"{error}."))
    except BadInput as error:
        faults.append(Problem(path, error.detail))
    return None
