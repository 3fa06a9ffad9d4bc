"""Is the clock right? Asked of an NTP server, or of the kernel, which knows whether something keeps it in step."""

import ctypes
import os
import socket
import struct
import time
from dataclasses import dataclass

from nodeward.core.checks import Clock
from nodeward.nodeserver.checks.base import CannotTell, Context, why
from nodeward.nodeserver.output import CRITICAL, OK, WARNING, Metric, Outcome, said, worst

_UNSYNCHRONISED, _NANOSECONDS = 0x0040, 0x2000  # bits of timex.status
_MEANS = {"ok": OK, "warning": WARNING, "critical": CRITICAL}
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970


@dataclass(frozen=True)
class Kernel:
    """What the kernel knows of its clock: whether it is kept in step, and its offset and worst error in seconds."""

    synchronised: bool
    offset: float
    error: float


def run(args: Clock, context: Context) -> Outcome:
    """Judge the offset."""
    if args.server is not None:
        return _by_server(args, args.server, context)
    known = kernel()
    metric = Metric("offset", known.offset, "s", args.warning, args.critical)
    if not known.synchronised:
        return said("CLOCK", [metric], "nothing keeps the clock in step (no time service has set it)",
                    code=_MEANS[args.unsynchronised])  # fmt: skip
    text = f"in step, {known.offset * 1000:+.3f} ms, at most {known.error * 1000:.1f} ms wrong"
    return said("CLOCK", [metric, Metric("error", known.error, "s", minimum=0)], text)


def _by_server(args: Clock, server: str, context: Context) -> Outcome:
    try:
        offset, took = ask(server, args.port, context)
    except OSError as error:
        return said("CLOCK", [], f"{server}: {why(error)}", code=CRITICAL)
    metrics = [Metric("offset", offset, "s", args.warning, args.critical), Metric("time", took, "s", minimum=0)]
    text = f"{offset * 1000:+.3f} ms beside {server}"
    return said("CLOCK", metrics, text, code=worst(metric.code for metric in metrics))


class _Timex(ctypes.Structure):
    _fields_ = [
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("rest", ctypes.c_long * 40),
    ]  # fmt: skip


def kernel() -> Kernel:
    """Return what the kernel knows. Raise CannotTell where it may not be asked."""
    state = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state)) < 0:
        raise CannotTell(f"the kernel does not tell about its clock ({os.strerror(ctypes.get_errno())}); name a server")
    unit = 1e-9 if state.status & _NANOSECONDS else 1e-6
    return Kernel(not state.status & _UNSYNCHRONISED, state.offset * unit, state.maxerror * 1e-6)


def ask(server: str, port: int, context: Context) -> tuple[float, float]:
    """Ask an NTP server. Return (its time minus ours, round trip) in seconds. Raise OSError if it does not answer."""
    family, kind, protocol, _, address = socket.getaddrinfo(server, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as link:
        link.settimeout(context.left())
        link.connect(address)
        sent = time.time()
        stamp = struct.pack("!II", int(sent) + _NTP_EPOCH & 0xFFFFFFFF, int(sent % 1 * 2**32))
        link.send(bytes([0x23]) + bytes(39) + stamp)  # version 4, a client
        while True:
            answer, got = link.recv(512), time.time()
            if len(answer) >= 48 and answer[24:32] == stamp:
                break
            link.settimeout(context.left())  # not the answer to this question
    if answer[1] == 0:
        raise CannotTell(f"{server} has no time to give ({answer[12:16].decode('ascii', 'replace')})")
    received, answered = _moment(answer[32:40]), _moment(answer[40:48])
    return ((received - sent) + (answered - got)) / 2, (got - sent) - (answered - received)


def _moment(stamp: bytes) -> float:
    seconds, fraction = struct.unpack("!II", stamp)
    # the count of seconds begins anew in 2036
    return float(seconds - _NTP_EPOCH + (2**32 if seconds < _NTP_EPOCH else 0)) + fraction / 2**32
