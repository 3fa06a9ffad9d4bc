"""backup and restore: all that the appliance keeps, in one file, from one kind of store to the same or another."""

import sys
import time
from pathlib import Path

import click

from nodeward.cli import session
from nodeward.cli.archive import Reader, Writer
from nodeward.cli.output import table
from nodeward.core import clock
from nodeward.core.backup import PATH, Counts, in_words
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, Conflict, NodewardError, NotAuthenticated, Unavailable

# In the order of a restore: with the registry, the tokens change that all servers know. It comes when the others are done.
SERVERS = {"logs": "logserver", "states": "monitor", "registry": "configserver"}
PATIENCE = 3600.0


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Write over FILE if it is there.")
def backup(file: Path, force: bool) -> None:
    """Write all that the appliance keeps into FILE, while it runs.

    The registry with its history, users and credentials, the states with their history, and all log records. FILE is there once
    it is whole. It holds hashes of passwords and tokens, and your logs: keep it as you keep those.
    """
    if file.exists() and not force:
        raise Conflict(f"{file} is there already; --force writes over it.")
    with Writer(file, clock.rfc3339(clock.now())) as archive:
        for kind, role in reversed(SERVERS.items()):
            for size in archive.add(kind, _client(role).stream(PATH)):
                _progress(f"{kind}: {size // 1024} KiB")
    _progress("")
    _show(archive.counts)
    click.echo(f"{file}: {file.stat().st_size // 1024} KiB")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Also where the appliance keeps something already: that is replaced.")
def restore(file: Path, force: bool) -> None:
    """Put what FILE has in place of all that the appliance keeps.

    FILE is checked first, and sent whole before anything is replaced. Each server in turn then restarts and takes over its part;
    if that is interrupted, it goes on when the server starts again. If this command is interrupted, run it again: what is
    restored already stays, the rest follows.
    """
    archive = Reader(file)
    if missing := sorted(SERVERS.keys() - archive.digests.keys()):
        raise BadInput(f"{file} holds no {missing[0]}: it is no whole backup. Nothing was restored.")
    clients = {kind: _client(role) for kind, role in SERVERS.items()}
    restored = {} if force else _restored_before(archive, clients)
    left = {kind: client for kind, client in clients.items() if kind not in restored}
    if not force:
        _refuse_if_kept(left)
    parts = {kind: _send(archive, kind, client) for kind, client in left.items()}
    for kind, client in left.items():
        digest = archive.digests[kind]
        client.post(PATH, {"parts": parts[kind], "sha256": digest, "force": force}, timeout=300.0)
        restored[kind] = _await(kind, client, digest)
    _progress("")
    _show(archive.counts, restored)
    if restored != archive.counts:
        raise Unavailable("Not everything came back: compare the two columns, and look into the servers' logs.")
    if not left:
        click.echo(
            f"{file} was restored before, and wholly: nothing was changed now. With --force it replaces what came since."
        )
    else:
        click.echo(f"Restored what was kept at {archive.made}. People log in with the passwords they had then.")


def _client(role: str) -> Client:
    return session.config() if role == "configserver" else session.server(role)


def _restored_before(archive: Reader, clients: dict[str, Client]) -> dict[str, Counts]:
    """Return what servers have taken over of this very file, when a restore was interrupted; counted, by kind."""
    last = {kind: client.get(f"{PATH}/counts")["restored"] for kind, client in clients.items()}
    return {kind: one["counts"] for kind, one in last.items() if one and one["sha256"] == archive.digests[kind]}


def _refuse_if_kept(clients: dict[str, Client]) -> None:
    kept = {kind: client.get(f"{PATH}/counts")["trace"] for kind, client in clients.items()}
    if traces := [trace for trace in kept.values() if trace]:
        raise Conflict(
            f"The appliance is not empty ({', '.join(traces)}). With --force it is replaced by what the file has."
        )


def _send(archive: Reader, kind: str, client: Client) -> int:
    """Send the pieces of one server. Return how many there were."""
    parts = size = 0
    for data in archive.pieces(kind):
        client.request("PUT", PATH, body=data, query={"part": parts}, timeout=120.0)
        parts, size = parts + 1, size + len(data)
        _progress(f"{kind}: {size // 1024} KiB sent")
    return parts


def _await(kind: str, client: Client, digest: str) -> Counts:
    """Wait until a server is back with what it took over. Return that, counted."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            restored = client.get(f"{PATH}/counts")["restored"]
            if restored and restored["sha256"] == digest:
                counts: Counts = restored["counts"]
                return counts
        except NodewardError as error:  # it restarts, or does not know our token yet
            if kind == "registry" and isinstance(error, NotAuthenticated):
                raise NotAuthenticated(
                    "Everything is restored, but the restored registry does not know the token shown here, so the counts cannot "
                    "be compared: go on as an administrator that it has."
                ) from None
        _progress(f"{kind}: the server takes it over …")
        time.sleep(1.0)
    raise Unavailable(f"The server of the {kind} has not taken them over within an hour; it goes on when it runs.")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)


def _show(counts: dict[str, Counts], restored: dict[str, Counts] | None = None) -> None:
    rows = [{"what": kind, "in_the_file": in_words(found)} for kind, found in counts.items()]
    for row in rows if restored is not None else []:
        row["restored"] = in_words((restored or {}).get(row["what"], {}))
    table(rows, ("what", "in_the_file") if restored is None else ("what", "in_the_file", "restored"))


COMMANDS = {"backup": backup, "restore": restore}
