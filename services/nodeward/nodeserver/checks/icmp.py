"""ICMP echoes, by whichever way this process is allowed: a datagram socket, a raw socket, or the program `ping`."""

import os
import re
import select
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable

from nodeward.nodeserver.checks.base import CannotTell

_ECHO = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}  # request, reply
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_TIME = re.compile(r"time[=<]([\d.]+) ms")

NOBODY_ALLOWS = (
    "this process may send no ICMP: neither a datagram socket (sysctl net.ipv4.ping_group_range), nor a raw one "
    "(capability NET_RAW), and there is no program `ping` that may"
)


def ping(host: str, count: int, pause: float, timeout: float) -> list[float | None]:
    """Send `count` echoes to `host`, `pause` seconds apart. Return each one's round trip in seconds, None if it was lost.

    Raise OSError if the host has no address or the network refuses, CannotTell if this process may not send ICMP.
    """
    family, address = resolve(host)
    until = time.monotonic() + timeout
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            with socket.socket(family, kind, _PROTOCOL[family]) as link:
                return _by_socket(link, family, address, count, pause, until)
        except PermissionError:
            continue
    return _by_program(address, count, pause, timeout)


def resolve(host: str) -> tuple[socket.AddressFamily, str]:
    """Return the family and the first address of a host."""
    family, _, _, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0]
    return family, str(address[0])


def _by_socket(
    link: socket.socket, family: int, address: str, count: int, pause: float, until: float
) -> list[float | None]:
    token = os.urandom(12)
    link.connect((address, 0))
    times: list[float | None] = []
    for sequence in range(count):
        sent = time.monotonic()
        if sent >= until:
            break
        link.send(_request(family, sequence, token))
        # the last may wait as long as there is; the others until it is time for the next
        last = sequence == count - 1
        times.append(_await(link, family, sequence, token, sent, until if last else min(until, sent + max(pause, 1.0))))
        if not last:
            _rest(sent + pause)
    return times + [None] * (count - len(times))


def _request(family: int, sequence: int, token: bytes) -> bytes:
    identity = int.from_bytes(token[:2], "big")
    packet = struct.pack("!BBHHH", _ECHO[socket.AddressFamily(family)][0], 0, 0, identity, sequence) + token
    if family == socket.AF_INET6:
        return packet  # the kernel fills in the checksum
    return packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]


def _await(link: socket.socket, family: int, sequence: int, token: bytes, sent: float, until: float) -> float | None:
    while (left := until - time.monotonic()) > 0:
        if not select.select([link], [], [], left)[0]:
            return None
        packet = link.recv(2048)
        got = time.monotonic()
        if family == socket.AF_INET and link.type == socket.SOCK_RAW:
            packet = packet[(packet[0] & 15) * 4 :]  # behind the IP header
        if len(packet) >= 8 and packet[0] == _ECHO[socket.AddressFamily(family)][1]:
            number = struct.unpack_from("!H", packet, 6)[0]
            if number == sequence and packet[8 : 8 + len(token)] == token:
                return got - sent
    return None


def _rest(until: float) -> None:
    left = until - time.monotonic()
    if left > 0:
        time.sleep(left)


def checksum(packet: bytes) -> int:
    """Return the internet checksum of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _by_program(
    address: str, count: int, pause: float, timeout: float, find: Callable[[str], str | None] = shutil.which
) -> list[float | None]:
    program = find("ping")
    if program is None:
        raise CannotTell(NOBODY_ALLOWS)
    command = [
        program,
        "-n",
        "-c",
        str(count),
        "-i",
        f"{max(pause, 0.2):.1f}",
        "-w",
        str(max(1, int(timeout))),
        address,
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env={"LC_ALL": "C"}, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return [None] * count
    times: list[float | None] = [float(match[1]) / 1000 for match in _TIME.finditer(done.stdout)]
    if done.returncode > 1 and not times:
        complaint = (done.stderr.strip() or "it gave no reason").splitlines()[-1]
        raise CannotTell(f"{NOBODY_ALLOWS} ({complaint})" if "ermitted" in complaint else complaint)
    return (times + [None] * count)[:count]
