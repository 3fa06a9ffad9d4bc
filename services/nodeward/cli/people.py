"""user, token: who may come in."""

import sys
from typing import Any

import click

from nodeward.cli import session
from nodeward.cli.output import format_option, show
from nodeward.core.client import Client
from nodeward.core.errors import NotFound
from nodeward.core.files import read_secret

ROLES = click.Choice(["viewer", "operator", "admin"])


@click.group()
def user() -> None:
    """The people who log in."""


@user.command("list")
@format_option
def list_users(output: str) -> None:
    """List them."""
    show(
        session.config().get("/api/v1/objects/user")["items"],
        output,
        ("name", "role", "disabled", "email", "description"),
    )


@user.command()
@click.argument("name")
@click.option("--role", type=ROLES, default="viewer", show_default=True)
@click.option("--email")
def add(name: str, role: str, email: str | None) -> None:
    """Add a user, or change one's role; asks for the password."""
    client = session.config()
    client.put(
        f"/api/v1/objects/user/{name}", _present(client, name) | {"role": role} | ({"email": email} if email else {})
    )
    client.put(f"/api/v1/users/{name}/password", {"password": _password(name)})
    click.echo(f"{name} is {role} and can log in.")


@user.command()
@click.argument("name")
def passwd(name: str) -> None:
    """Give a user a new password; asks for it (or takes the first line of standard input)."""
    session.config().put(f"/api/v1/users/{name}/password", {"password": _password(name)})
    click.echo(f"The password of {name} is changed.")


@user.command()
@click.argument("name")
def disable(name: str) -> None:
    """Let a user in no more, for now: logins end within seconds, the password stays for `enable`."""
    _change(name, disabled=True)
    click.echo(f"{name} can no longer log in; `nodeward user enable {name}` lets them in again.")


@user.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let a user in again, with the password they had."""
    _change(name, disabled=False)
    click.echo(f"{name} can log in again.")


@user.command("delete")
@click.argument("name")
def delete_user(name: str) -> None:
    """Take a user away."""
    session.config().delete(f"/api/v1/objects/user/{name}")
    click.echo(f"{name} can no longer log in.")


@click.group()
def token() -> None:
    """The tokens of programs and scripts."""


@token.command("list")
@format_option
def list_tokens(output: str) -> None:
    """List them, without their secrets."""
    columns = ("id", "name", "role", "node", "created", "expires", "revoked")
    show(session.config().get("/api/v1/tokens")["items"], output, columns)


@token.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["viewer", "operator", "admin", "node"]), required=True)
@click.option("--node", help="For role node: the one it speaks for.")
@click.option("--expires", help="A time, or how long it lasts, such as 90d.")
def create(name: str, role: str, node: str | None, expires: str | None) -> None:
    """Make a token and print it: the only time that it is shown."""
    body = {"name": name, "role": role, "node": node, "expires": expires}
    click.echo(session.config().post("/api/v1/tokens", {key: value for key, value in body.items() if value})["token"])


@token.command()
@click.argument("identifier", metavar="ID")
def revoke(identifier: str) -> None:
    """Revoke the token with that ID: within five seconds no server takes it any more."""
    revoked = session.config().delete(f"/api/v1/tokens/{identifier}")
    click.echo(f"The token '{revoked['name']}' is revoked.")


@token.command()
@click.argument("identifier", metavar="ID", required=False)
@click.option("--node", help="A node, which takes a new credential itself, without a restart.")
def rotate(identifier: str | None, node: str | None) -> None:
    """Make a new token in place of the one with that ID, and print it: the old one ends when the new one is first used."""
    if (identifier is None) == (node is None):
        raise click.UsageError("Give either the ID of a token or --node NODE.")
    if node is not None:
        made = session.node_server(node).post("/api/v1/token/rotate")["token"]
        click.echo(f"{node} has a new credential, {made}; the old one has ended.")
    else:
        click.echo(session.config().post(f"/api/v1/tokens/{identifier}/rotate")["token"])


@token.command("enrol-key")
def enrol_key() -> None:
    """Print the key that new nodes enrol with (on the config server's own machine)."""
    path = session.settings().var / "secrets" / "node" / "enrol"
    click.echo(read_secret(path, "The enrolment key"))


def _present(client: Client, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = client.get(f"/api/v1/objects/user/{name}")
    except NotFound:
        return {}
    return found


def _change(name: str, **keys: Any) -> None:
    client, path = session.config(), f"/api/v1/objects/user/{name}"
    client.put(path, client.get(path) | keys)


def _password(name: str) -> str:
    stdin = sys.stdin
    if not stdin.isatty():
        return stdin.readline().rstrip("\n")
    given: str = click.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True)
    return given


COMMANDS = {"user": user, "token": token}
