"""The overview: what is wrong now, first."""

from flask import Blueprint, render_template

blueprint = Blueprint("overview", __name__)


@blueprint.get("/")
def show() -> str:
    """What is wrong now."""
    return render_template("overview.html")
