#!/usr/bin/env python3
"""A small real service with a console: zones, each a process that listens on a port, with players in a file.

zonectl.py FOLDER        the console; this node's zones are in FOLDER/<NODEWARD_NODE>
zonectl.py FOLDER serve ZONE SOCKET
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(*sys.argv[1:2]) / os.environ.get("NODEWARD_NODE", "here")


class Refused(Exception):
    """What the console says no to."""


def about(zone: str) -> dict:
    """Return what is kept of a zone."""
    try:
        return json.loads((FOLDER / f"{zone}.zone").read_text())
    except FileNotFoundError:
        raise Refused(f"no zone {zone}") from None


def keep(zone: str, what: dict) -> None:
    (FOLDER / f"{zone}.zone").write_text(json.dumps(what))


def open_(zone: str) -> str:
    FOLDER.mkdir(parents=True, exist_ok=True)
    if (FOLDER / f"{zone}.zone").exists():
        raise Refused(f"{zone} is open already")
    if (FOLDER / "full").exists():
        raise Refused("no room for another zone")
    with socket.create_server(("127.0.0.1", 0)) as listening:  # from now on, not when the zone's own process has begun
        port, number = listening.getsockname()[1], listening.fileno()
        process = subprocess.Popen(
            [sys.executable, __file__, sys.argv[1], "serve", zone, str(number)], start_new_session=True, pass_fds=[number],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    keep(zone, {"port": port, "pid": process.pid, "players": [], "members": []})
    return f"{zone} is open on port {port}"


def members(zone: str, *names: str) -> str:
    keep(zone, about(zone) | {"members": list(names)})
    return f"{zone} has {len(names)} members"


def players(zone: str) -> str:
    return f"{len(about(zone)['players'])} players"


def export(zone: str, file: str) -> str:
    them = about(zone)["players"]
    Path(file).write_text(json.dumps(them))
    return f"exported {len(them)} players"


def import_(zone: str, file: str) -> str:
    what = about(zone)
    them = json.loads(Path(file).read_text())
    if input(f"import {len(them)} players into {zone}? (yes/no) ") != "yes":
        raise Refused("as you like")
    keep(zone, what | {"players": what["players"] + them})
    return f"imported, {len(what['players']) + len(them)} players now"


def close(zone: str) -> str:
    what = about(zone)
    if input(f"close {zone} with {len(what['players'])} players? type its name: ") != zone:
        raise Refused("that is another name")
    with contextlib.suppress(ProcessLookupError):
        os.kill(what["pid"], signal.SIGTERM)
    (FOLDER / f"{zone}.zone").unlink()
    return f"{zone} is closed"


COMMANDS = {"open": open_, "members": members, "players": players, "export": export, "import": import_, "close": close}


def console() -> None:
    while True:
        word, *rest = input("zone> ").split() or [""]
        if word == "quit":
            return
        try:
            print(COMMANDS[word](*rest))
        except Refused as refused:
            print(f"refused: {refused}")
        except (KeyError, TypeError, OSError, ValueError) as error:
            print(f"refused: {type(error).__name__}")


def serve(number: int) -> None:
    listening = socket.socket(fileno=number)
    listening.settimeout(1.0)
    until = time.monotonic() + 600  # a test that forgot it leaves nothing behind for long
    while time.monotonic() < until:
        with contextlib.suppress(TimeoutError):
            listening.accept()[0].close()


if __name__ == "__main__":
    serve(int(sys.argv[4])) if len(sys.argv) > 2 else console()
