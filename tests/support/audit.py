"""The audit list as tests read it: who was refused is noted there too, but later and by another thread."""

from typing import Any

from nodeward.core.client import Client
from nodeward.core.refusals import REFUSE


def deeds(admin: Client) -> list[dict[str, Any]]:
    """Return what was done, newest first. A refusal may come in between at any moment, even one of an earlier test."""
    rows = admin.get("/api/v1/audit", {"limit": 1000})["items"]
    return [row for row in rows if row["action"] != REFUSE]


def newest(admin: Client) -> dict[str, Any]:
    """Return what was done last."""
    return deeds(admin)[0]
