"""The pages: one module each, with a blueprint named like it."""

from flask import Blueprint

from nodeward.web.pages import login, overview

BLUEPRINTS: list[Blueprint] = [login.blueprint, overview.blueprint]
