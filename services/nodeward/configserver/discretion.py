"""What a viewer is not shown: the secrets that stand within objects."""

from typing import Any

from nodeward.core.auth import OPERATOR, Principal

Body = dict[str, Any]


def shown(kind: str, body: Body | None, to: Principal) -> Body | None:
    """Return an object's body; to a viewer, without the tokens in a contact's URLs and the values of an environment."""
    if body is None or to.reaches((OPERATOR,)):
        return body
    if kind == "contact" and body.get("urls"):
        return {**body, "urls": [f"{url.partition(':')[0]}://…" for url in body["urls"]]}
    if kind == "check" and body.get("env"):
        return {**body, "env": dict.fromkeys(body["env"], "…")}
    if kind == "node" and (body.get("check") or {}).get("env"):
        return {**body, "check": {**body["check"], "env": dict.fromkeys(body["check"]["env"], "…")}}
    return body
