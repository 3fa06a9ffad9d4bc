"""What another node may do here: what a runbook says that it does, and nothing else (docs/decisions/0803).

A node's credential is not an operator's. So the config server is asked for the runbook that the other node claims to run: it must
have a step that calls this runbook, or copies this file.
"""

import re
from typing import Any

from pydantic import ValidationError

from nodeward.core import expressions, runbook, runbook_paths
from nodeward.core.auth import Principal
from nodeward.core.client import Client
from nodeward.core.errors import NotAllowed, NotFound
from nodeward.core.runbook import Place, Plan


def may_call(config: Client, who: Principal, caller: dict[str, str] | None, name: str) -> None:
    """Raise NotAllowed unless the caller is that node, and its runbook calls this one."""
    if who.node is None or caller is None or caller["node"] != who.node:
        raise NotAllowed("A node starts runs in its own name alone, and only as another run's step.")
    if not any(step.call and step.call.runbook == name for step in _steps(_plan(config, caller["runbook"]))):
        raise NotAllowed(
            f"Runbook '{caller['runbook']}' does not call '{name}', so node '{who.node}' may not start it here."
        )


def may_copy(config: Client, name: str, end: str, node: str, path: str, usual: int) -> int:
    """Return how many bytes may be copied: what the step says, else `usual`. Raise NotAllowed unless a runbook copies this file
    from (or to) this node."""
    copies = [step.copy_ for step in _steps(_plan(config, name)) if step.copy_]
    meant = [each for each in copies if _is_meant(each.source if end == "from" else each.to, node, path)]
    if not meant:
        raise NotAllowed(f"Runbook '{name}' does not copy {path[:200]} {end} node '{node}'.")
    return max(each.max_size or usual for each in meant)


def _is_meant(place: Place, node: str, path: str) -> bool:
    """Whether a step's place is that file on this node. A place that names no node is on the one that runs the step."""
    return place.node is not None and _may_be(place.node, node) and runbook_paths.fits(place.path, path)


def _may_be(template: str, name: str) -> bool:
    """Whether filling in a template can give a node's name."""
    return re.fullmatch(".+".join(map(re.escape, expressions.literals(template))), name) is not None


def _plan(config: Client, name: str) -> Plan:
    try:
        body: dict[str, Any] = config.get(f"/api/v1/runbooks/{name}")["runbook"]
    except NotFound:
        raise NotAllowed(f"There is no runbook '{name}'.") from None
    try:
        return runbook.plan(body)
    except ValidationError:
        raise NotAllowed(f"Runbook '{name}' is not valid: `nodeward apply` it anew, which says why.") from None


def _steps(plan: Plan) -> list[runbook.Step]:
    return [*plan.steps, *plan.always]
