"""Does a TCP port answer, how quickly, and with what?"""

import socket
import ssl
import time

from nodeward.core.checks import Tcp
from nodeward.nodeserver.checks.base import Context, why
from nodeward.nodeserver.checks.trust import trusting
from nodeward.nodeserver.output import CRITICAL, Metric, Outcome, said

MOST_BYTES = 64 * 1024


def run(args: Tcp, context: Context) -> Outcome:
    """Judge the time until the connection stands and, where something is expected, until that was read."""
    host = context.host(args.host)
    began = time.monotonic()
    try:
        with connect(host, args.port, args.tls, context) as connection:
            answer = _talk(connection, args, context)
    except (OSError, ssl.CertificateError) as error:
        return said("TCP", [], f"{host} port {args.port}: {why(error)}", code=CRITICAL)
    took = time.monotonic() - began
    metric = Metric("time", took, "s", args.warning, args.critical, 0)
    if args.expect is not None and args.expect.encode() not in answer:
        seen = answer[:80].decode("utf-8", "backslashreplace").strip() or "nothing"
        return said("TCP", [metric], f"{host} port {args.port} did not say '{args.expect}' but: {seen}", code=CRITICAL)
    return said("TCP", [metric], f"{host} port {args.port} answered in {took * 1000:.1f} ms")


def connect(host: str, port: int, tls: bool, context: Context) -> socket.socket:
    """Return a connection that keeps to the time left. Raise OSError if there is none."""
    connection = socket.create_connection((host, port), timeout=context.left())
    if not tls:
        return connection
    try:
        return trusting(None).wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def _talk(connection: socket.socket, args: Tcp, context: Context) -> bytes:
    if args.send is not None:
        connection.sendall(unescape(args.send))
    answer = b""
    while args.expect is not None and args.expect.encode() not in answer and len(answer) < MOST_BYTES:
        connection.settimeout(context.left())
        try:
            piece = connection.recv(4096)
        except TimeoutError:
            break  # what did come is told
        if not piece:
            break
        answer += piece
    return answer


def unescape(text: str) -> bytes:
    """Return the bytes to send: ``\\r``, ``\\n``, ``\\t`` and ``\\\\`` stand for what they stand for everywhere."""
    marks = {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}
    found, rest = [], iter(text)
    for letter in rest:
        following = next(rest, "") if letter == "\\" else ""
        found.append(marks.get(following, letter + following) if letter == "\\" else letter)
    return "".join(found).encode()
