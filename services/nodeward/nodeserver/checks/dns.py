"""Does a name resolve, how quickly, and to what?"""

import time

import dns.exception
import dns.name
import dns.resolver
import dns.reversename

from nodeward.core.checks import Dns
from nodeward.nodeserver.checks.base import CannotTell, Context
from nodeward.nodeserver.output import CRITICAL, Metric, Outcome, said


def run(args: Dns, context: Context) -> Outcome:
    """Judge the time, and that every expected value is among the answers."""
    began = time.monotonic()
    try:
        answer = resolver(args).resolve(question(args), args.type, lifetime=context.left(), search=False)
    except dns.exception.DNSException as error:
        return said("DNS", [], f"{args.name} {args.type}: {reason(error, args)}", code=CRITICAL)
    took = time.monotonic() - began
    values = sorted(plain(row.to_text()) for row in answer)
    missing = [value for value in args.expect if plain(value) not in values]
    metric = Metric("time", took, "s", args.warning, args.critical, 0)
    text = (
        f"{args.name} {args.type} is {', '.join(values[:8])}{', …' if len(values) > 8 else ''} ({took * 1000:.0f} ms)"
    )
    if missing:
        return said("DNS", [metric], f"{', '.join(missing)} is not in the answer: {text}", code=CRITICAL)
    return said("DNS", [metric], text)


def resolver(args: Dns) -> dns.resolver.Resolver:
    """Return the resolver to ask. Raise CannotTell if this machine has none configured, or the server is no address."""
    try:
        found = dns.resolver.Resolver(configure=args.server is None)
        if args.server is not None:
            found.nameservers = [args.server]
    except (dns.resolver.NoResolverConfiguration, ValueError) as error:
        raise CannotTell(str(error)) from None
    found.port = args.port
    return found


def question(args: Dns) -> dns.name.Name | str:
    """Return the name to ask for: for PTR, an address is turned round."""
    if args.type == "PTR":
        try:
            return dns.reversename.from_address(args.name)
        except dns.exception.SyntaxError:
            return args.name
    return args.name


def plain(value: str) -> str:
    """Return a value without the final point and quotes that zone files want, in lower case."""
    return value.strip().strip('"').rstrip(".").lower()


def reason(error: dns.exception.DNSException, args: Dns) -> str:
    """Return in a few words why there is no answer."""
    if isinstance(error, dns.resolver.NXDOMAIN):
        return "there is no such name"
    if isinstance(error, dns.resolver.NoAnswer):
        return "the name has no record of this type"
    if isinstance(error, dns.exception.Timeout):
        return f"no answer in time from {args.server or 'the servers of /etc/resolv.conf'}"
    if isinstance(error, dns.resolver.NoNameservers):
        return "no server gave an answer: " + "; ".join(str(one[-2]) for one in error.kwargs.get("errors", [])[:2])
    return str(error)
