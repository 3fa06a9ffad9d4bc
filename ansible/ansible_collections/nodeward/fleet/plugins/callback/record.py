"""Tell the config server how a rollout goes."""

from __future__ import annotations

DOCUMENTATION = """
name: record
type: notification
short_description: Tells the config server how a rollout goes
description: [Used by the playbooks; without a config server it does nothing.]
requirements: []
"""

from ansible.plugins.callback import CallbackBase  # noqa: E402 - Ansible reads the documentation first


class CallbackModule(CallbackBase):
    """Follows a play."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "nodeward.fleet.record"
    CALLBACK_NEEDS_ENABLED = True
