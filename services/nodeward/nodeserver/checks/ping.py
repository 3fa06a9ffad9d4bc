"""Round trip time and loss of ICMP echoes."""

from nodeward.core.checks import Ping
from nodeward.nodeserver.checks.base import Context, why
from nodeward.nodeserver.checks.icmp import ping
from nodeward.nodeserver.output import CRITICAL, Metric, Outcome, said, worst


def run(args: Ping, context: Context) -> Outcome:
    """Judge the average round trip and the loss."""
    host = context.host(args.host)
    try:
        times = ping(host, args.count, args.pause, max(0.1, context.left() - 0.2))
    except OSError as error:
        return said("PING", [], f"{host}: {why(error)}", code=CRITICAL)
    came = [one for one in times if one is not None]
    loss = 100.0 * (len(times) - len(came)) / len(times)
    average = sum(came) / len(came) if came else None
    round_trip = Metric("rta", average, "s", args.warning, args.critical, 0)
    lost = Metric("pl", loss, "%", args.loss_warning, args.loss_critical, 0, 100)
    code = CRITICAL if average is None else worst([round_trip.code, lost.code])
    text = f"{host}: {loss:.0f} % lost" + (f", {average * 1000:.2f} ms" if average is not None else "")
    return said("PING", [round_trip, lost], text, code=code)
