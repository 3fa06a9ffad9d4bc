"""The pages: one module each, with a blueprint named like it."""

from flask import Blueprint

from nodeward.web.pages import (
    actions,
    api,
    audit,
    configuration,
    login,
    logs,
    nodes,
    notifications,
    overview,
    problems,
    programs,
    rollouts,
    runbooks,
    search,
    services,
    settings,
)

BLUEPRINTS: list[Blueprint] = [
    login.blueprint,
    overview.blueprint,
    problems.blueprint,
    nodes.blueprint,
    services.blueprint,
    logs.blueprint,
    configuration.blueprint,
    rollouts.blueprint,
    programs.blueprint,
    runbooks.blueprint,
    notifications.blueprint,
    audit.blueprint,
    settings.blueprint,
    actions.blueprint,
    search.blueprint,
    api.blueprint,
]
