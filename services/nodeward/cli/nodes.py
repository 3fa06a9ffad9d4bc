"""ping: from one node to another."""

import click

from nodeward.cli import session
from nodeward.cli.output import format_option, show, text
from nodeward.core.errors import EXIT_FAILED, EXIT_OK


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--count", type=click.IntRange(1, 10), default=3, show_default=True, help="How many echoes.")
@format_option
def ping(source: str, target: str, count: int, output: str) -> int:
    """Can node FROM reach node TO? FROM's node server tries it and says how far it gets.

    Ends with 0 if TO answers (its node server, where it has one), else with 1.
    """
    answer = session.node_server(source).get(f"/api/v1/peers/{target}/ping", {"count": count})
    good = answer["reachable"] if answer["answers"] is None else answer["answers"]
    if output != "table":
        show(answer, output, ())
    else:
        click.echo(f"{source} → {target} at {text(answer['address'])}, as the config server says")
        for step in answer["steps"]:
            took = f"{step['seconds'] * 1000:.1f} ms"
            click.echo(
                f"  {text(step['step']):<7} {'ok' if step['ok'] else 'FAILED':<7} {took:>10}  {text(step['detail'])}"
            )
    return EXIT_OK if good else EXIT_FAILED


COMMANDS = {"ping": ping}
