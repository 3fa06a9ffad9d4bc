"""selftest: is what the appliance keeps sound; and would a store of your own do?"""

import click

from nodeward.cli import session
from nodeward.cli.output import format_option, show
from nodeward.core.errors import Unavailable


@click.command()
@click.option(
    "--store", metavar="URI", help="Try a store of your own (mongodb://…), in a scratch database that is removed."
)
@format_option
def selftest(store: str | None, output: str) -> None:
    """Read all stored log records once, checksums and all, and say what is damaged.

    With --store it does not ask the appliance: it tries on that server everything that Nodeward needs of a store.
    """
    rows = _tried(store) if store else _verified()
    show(rows, output, ("result", "what", "reason"), "Nothing is stored yet.")
    if any(row["result"] != "OK" for row in rows):
        raise Unavailable("Not everything is as it should be: see above.")


def _tried(uri: str) -> list[dict[str, str]]:
    from nodeward.store.selftest import run  # heavy: the shelves and their engines

    rows = []
    for one in run(uri):
        click.echo(f"{'failed' if one.fault else 'ok':8}{one.sentence}", err=True)
        rows.append({"result": "FAILED" if one.fault else "OK", "what": one.sentence, "reason": one.fault})
    return rows


def _verified() -> list[dict[str, str]]:
    answer = session.server("logserver").get("/api/v1/verify", timeout=3600.0)
    rows = [
        {
            "result": "DAMAGED",
            "what": f"{one['where']}, {one['records']} records from {one['start']}",
            "reason": one["reason"],
        }
        for one in answer["damaged"]
    ]
    return rows or [{"result": "OK", "what": f"all {answer['records']} log records can be read", "reason": ""}]


COMMANDS = {"selftest": selftest}
