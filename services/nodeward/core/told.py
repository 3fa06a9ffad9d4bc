"""What a node server tells, looked at before anything is made of it: whoever listens at a node's address may tell anything.

`answer` is where every answer of a node server comes in (`wallet.NodeClient`); what it must hold stands in `told_forms`. One
that is nonsense becomes NotOurs, a sentence like that of a node that does not answer: it breaks no page, no command and no
rollout, and in a list of many nodes it spoils no other's rows. Nor does a node tell of another one: whose a run is says who
was asked.
"""

import json
import math
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError

from nodeward.core import told_forms
from nodeward.core.errors import NodewardError, NotOurs, Problem
from nodeward.core.faults import problems_of
from nodeward.core.words import escaped

Row = dict[str, Any]

DEEPEST = 32  # values within values; no answer of ours has half as many
MOST_WORDS, MOST_PROBLEMS = 4000, 100
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def runs(node: str, answer: Any) -> Row:
    """Return what a node server answered to `GET runs`: `items`, and `next`. Raise NotOurs if that is no list of runs."""
    found = _checked(told_forms.Runs, node, answer)
    return {**found, "items": [{**row, "node": node} for row in found["items"]]}


def programs(place: str, answer: Any) -> Row:
    """Return what a server answered to `GET programs`: `items`, and `supervisor`, which has them, if it is new enough to say so.

    Raise NotOurs if that is no list of programs.
    """
    return _checked(told_forms.Programs, place, answer)


def answer(node: str, method: str, path: str, query: Mapping[str, Any] | None, data: bytes) -> Any:
    """Return what a node server answered to a call. Raise NotOurs if that is none of ours."""
    expected = told_forms.answer_to(method, path)
    if len(data) > expected.most:
        raise nonsense(node, f"{len(data):,} bytes to {method} {path[:200]}")
    found = _checked(expected.form, node, _read(node, data))
    if expected.form is told_forms.Output:
        _must_go_on(node, int((query or {}).get("after") or 0), found)
    elif expected.form is told_forms.WholeRun:
        asked = re.match(r"/api/v1/runs/([^/]+)", path)
        if asked and found["id"] != unquote(asked[1]):
            raise nonsense(node, f"it was asked for run {asked[1][:100]}, and tells of {found['id']}")
        return {**found, "node": node}
    return found


def nonsense(place: str, fault: str) -> NotOurs:
    """Return the error for an answer that is none of ours."""
    what = " ".join(harmless(fault).split())[:300]
    return NotOurs(
        f"'{place}' answers what is none of ours: {what}. See what listens at its address: "
        "whether it is Nodeward's own server, as new as this one, and what its log says."
    )


def harmless(text: str) -> str:
    """Return text that somebody else wrote without what would act on a terminal, and not without end."""
    cut = text if len(text) <= MOST_WORDS else text[: MOST_WORDS - 1] + "…"
    return escaped(_CONTROL, cut)


def harmless_failure(failure: NodewardError) -> NodewardError:
    """Return an error with the words of a node server, those made harmless."""
    failure.detail = harmless(failure.detail)
    failure.args = (failure.detail,)
    failure.problems = [
        Problem(harmless(each.path), harmless(each.message)) for each in failure.problems[:MOST_PROBLEMS]
    ]
    return failure


def _checked(form: type[BaseModel], place: str, answer: Any) -> Row:
    try:
        form.model_validate(answer)
    except ValidationError as error:
        raise nonsense(place, _in_short(problems_of(error)[0])) from None
    found: Row = answer
    return found


def _in_short(fault: Problem) -> str:
    """Return a fault without what is for somebody who typed it."""
    return str(Problem(fault.path, re.split("; put it|, and must be", fault.message)[0]))


def _read(node: str, data: bytes) -> Any:
    try:
        found = json.loads(data.decode())
    except RecursionError:
        raise nonsense(node, "it is nested too deeply") from None
    except ValueError:
        raise nonsense(node, "it is not JSON" if data else "it is empty") from None
    if fault := _fault(found):
        raise nonsense(node, fault)
    return found


def _fault(value: Any, depth: int = 0) -> str:
    """Return what makes a value one that cannot be shown or passed on as JSON, nothing if it can."""
    if isinstance(value, dict | list):
        if depth == DEEPEST:
            return "it is nested too deeply"
        within = chain(value, value.values()) if isinstance(value, dict) else value
        return next((fault for each in within if (fault := _fault(each, depth + 1))), "")
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is no number"
    if isinstance(value, str) and not value.isascii() and re.search("[\ud800-\udfff]", value):
        return "half a character stands in it"
    return ""


def _must_go_on(node: str, after: int, page: Row) -> None:
    """Raise NotOurs if whoever reads on from the cursor would read the same again and again."""
    cursor = int(page["cursor"])
    if cursor < after or (page["items"] and cursor == after):
        raise nonsense(node, f"its run goes on at {cursor}, and {after} was read already")
