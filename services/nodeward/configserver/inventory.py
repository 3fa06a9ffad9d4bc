"""The fleet as Ansible's inventory (the JSON that a dynamic inventory script prints). Pure."""

import re
from typing import Any

from nodeward.configserver.fleet import Fleet


def document(fleet: Fleet, delivery: str) -> dict[str, Any]:
    """Return every node with a node server, its variables, and the groups (named as Ansible wants them)."""
    hosts = {
        name: {**_variables(facts), "nodeward_delivery": fleet.delivery(name, delivery)}
        for name, facts in fleet.facts.items()
        if facts["agent"]
    }
    groups: dict[str, Any] = {}
    for group, nodes in sorted(fleet.groups.items()):  # web-1 and web_1 are one group to Ansible
        members = groups.setdefault(_name(group), {"hosts": []})["hosts"]
        members += [node for node in nodes if node in hosts and node not in members]
    return {
        "_meta": {"hostvars": hosts},
        "all": {"hosts": list(hosts), "children": list(groups)},
        **groups,
    }


def _variables(facts: dict[str, Any]) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "nodeward_node": facts["name"],
        "nodeward_groups": facts["groups"],
        "nodeward_labels": facts["labels"],
    }
    if facts["address"]:
        variables["ansible_host"] = facts["address"]
    return variables


def _name(group: str) -> str:
    name = re.sub(r"\W", "_", group)
    return f"_{name}" if name[0].isdigit() or name in ("all", "ungrouped", "_meta") else name
