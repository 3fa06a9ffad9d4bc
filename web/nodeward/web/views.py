"""What pages have in common: a page as a whole or only its changing part, pages of lists, groups of questions at once."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import copy_current_request_context, g, render_template, request

Value = TypeVar("Value")

AT_ONCE = 16


def page(template: str, **given: Any) -> str:
    """Return a page; only its content where the browser refreshes it."""
    outer = "fragment.html" if request.headers.get("X-Fragment") else "base.html"
    return render_template(template, outer=outer, **given)


def here(**changes: Any) -> str:
    """Return this page's address with other parameters; None takes one away. A change begins at the first page again."""
    kept = {name: value for name, value in request.args.items() if name != "cursor"}
    merged = {name: value for name, value in {**kept, **changes}.items() if value not in (None, "")}
    return request.path + ("?" + urlencode(merged) if merged else "")


def given(*names: str) -> dict[str, str]:
    """Return those of the query's parameters that are there, without the blanks around them."""
    return {name: value for name in names if (value := request.args.get(name, "").strip())}


def all_at_once(asks: Mapping[str, Callable[[], Value]]) -> dict[str, Value]:
    """Ask several servers at the same time; return the answers in the order of the questions."""
    if not asks:
        return {}
    person = g.person

    def ask_for(ask: Callable[[], Value]) -> Value:
        g.person = person  # a thread has a context of its own
        return ask()

    with ThreadPoolExecutor(min(AT_ONCE, len(asks))) as pool:
        running = {name: pool.submit(copy_current_request_context(ask_for), ask) for name, ask in asks.items()}
        return {name: future.result() for name, future in running.items()}


def grouped(rows: Iterable[dict[str, Any]], name: str) -> dict[Any, list[dict[str, Any]]]:
    """Return rows by the value of one of their keys."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row.get(name), []).append(row)
    return found
