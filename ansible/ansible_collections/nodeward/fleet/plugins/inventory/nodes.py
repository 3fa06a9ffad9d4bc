"""The fleet as the config server has it."""

from __future__ import annotations

DOCUMENTATION = """
name: nodes
short_description: The nodes of a Nodeward appliance
description:
  - Every node with a node server, in the fleet's groups, as the config server has them.
  - Each host has C(nodeward_node) (its name), C(nodeward_groups), C(nodeward_labels), C(nodeward_delivery), and
    C(ansible_host) where the fleet says where it is.
  - A config server that does not answer, refuses, or has no node is an error, so that no rollout is a rollout to nobody.
options:
  plugin:
    description: This plugin's name.
    required: true
    choices: [nodeward.fleet.nodes]
  url:
    description: Where the config server is; by default that of the appliance that this checkout runs.
    env: [{name: NODEWARD_URL}]
  token:
    description: An operator's token.
    env: [{name: NODEWARD_TOKEN}]
extends_documentation_fragment: [constructed]
"""

EXAMPLES = """
plugin: nodeward.fleet.nodes
keyed_groups:
  - {key: nodeward_labels, prefix: label}
groups:
  big: nodeward_labels.size | default('') == 'big'
"""

import os  # noqa: E402 - Ansible reads the documentation first

from ansible import constants  # noqa: E402
from ansible.errors import AnsibleParserError  # noqa: E402
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable  # noqa: E402
from ansible.utils.display import Display  # noqa: E402
from ansible_collections.nodeward.fleet.plugins.plugin_utils import appliance  # noqa: E402

DUE = "nodeward_due_true"  # whom the rollout's first play finds something to do for: perhaps nobody
NOT_PARSED = 4  # Ansible's exit code for it
SUFFIXES = (".nodeward.yml", ".nodeward.yaml")


class InventoryModule(BaseInventoryPlugin, Constructable):
    """Asks the config server for its `inventory`."""

    NAME = "nodeward.fleet.nodes"

    def verify_file(self, path):
        """Say whether a file is ours by its name."""
        return super().verify_file(path) and path.endswith(SUFFIXES)

    def parse(self, inventory, loader, path, cache=True):
        """Take in the fleet. Raise AnsibleParserError if it cannot be had, or is empty."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        for name, option in (("NODEWARD_URL", "url"), ("NODEWARD_TOKEN", "token")):
            if self.get_option(option):
                os.environ[name] = self.get_option(option)
        try:
            found = self._fleet()
        except AnsibleParserError as error:
            _end_if_it_would_end(error)
            raise
        self._take_in(found)

    def _fleet(self):
        try:
            found = appliance.find().get("inventory")
        except appliance.Refused as error:
            raise AnsibleParserError(f"The fleet cannot be had. {error}") from None
        if not isinstance(found, dict) or not isinstance(found.get("_meta"), dict):
            raise AnsibleParserError(
                "What the config server answered is no inventory; is NODEWARD_URL a config server's?"
            )
        if not found["_meta"].get("hostvars"):
            raise AnsibleParserError("The fleet has no node with a node server yet: `nodeward apply` adds one.")
        return found

    def _take_in(self, found):
        hosts = found.pop("_meta")["hostvars"]
        found.pop("all", None)
        for name, variables in hosts.items():
            self.inventory.add_host(name)
            for key, value in variables.items():
                self.inventory.set_variable(name, key, value)
        for group, content in found.items():
            self.inventory.add_group(group)
            for name in content["hosts"]:
                self.inventory.add_host(name, group=group)
        for name, variables in hosts.items():
            self._construct(name, variables)
        self.inventory.add_group(DUE)

    def _construct(self, name, variables):
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)


def _end_if_it_would_end(error):
    """Say the one sentence and end, where a source that cannot be had ends Ansible anyway (`any_unparsed_is_failed`).

    Ansible itself would first try the file as YAML and as INI, and tell at length why it is neither.
    """
    if constants.INVENTORY_ANY_UNPARSED_IS_FAILED:
        Display().error(str(error.message), wrap_text=False)
        raise SystemExit(NOT_PARSED)
