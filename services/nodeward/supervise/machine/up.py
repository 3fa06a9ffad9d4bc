"""`script/up`: start the appliance on this machine, or find it running, and say where it is."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
import psutil

from nodeward.core.errors import EXIT_OK, Conflict, Unavailable
from nodeward.core.files import write_atomic
from nodeward.core.ports import port
from nodeward.core.program import guarded
from nodeward.core.settings import Settings, load
from nodeward.core.words import counted
from nodeward.supervise import images
from nodeward.supervise.client import Programs
from nodeward.supervise.machine import layout, ports, processes, wait
from nodeward.supervise.prepare import prepare

NODE = "local"
FLEET = "config/fleet/local.yaml"  # applied when the registry is still empty
ANSWER_SECONDS = 60.0  # a busy machine takes its time


def main() -> int:
    """Bring the appliance up. With `--foreground`, stay until a signal and stop it then."""
    foreground = "--foreground" in sys.argv[1:]
    settings = load(Settings)
    os.environ["NODEWARD_VAR"], os.environ["NODEWARD_HOME"] = str(settings.var), str(settings.home)
    prepare(settings.var)
    with alone(settings.var):
        found = images.read_all(settings.home)
        config = layout.configuration(found, settings.home, settings.var)
        running = processes.supervisord(settings.var)
        if running:
            join(running, settings.var, config)
        child = None if running else start(settings, config, foreground)
        if child is None or not foreground:
            until_it_works(found, settings.var)
            return EXIT_OK
    with ended_with_us(child):
        until_it_works(found, settings.var)
        return child.wait()
    return EXIT_OK


def until_it_works(found: list[images.Image], var: Path) -> None:
    """Wait for the programs in the order they are needed, and for the first results; say where the appliance is."""
    sections = {name: section for image in found for name, section in image.programs.items()}
    wait.until_up(var, sorted(sections, key=lambda name: int(sections[name]["priority"])), click.echo)
    wait.until_results(var, os.environ.get("NODEWARD_NODE", NODE), click.echo)
    click.echo(greeting(var))


def start(settings: Settings, config: str, foreground: bool) -> "subprocess.Popen[bytes]":
    """Start supervisord. Raise ConfigError if a port is taken, Unavailable if supervisord does not come up."""
    clear_away(settings.var)
    ports.check(settings.bind, ports.asked())
    without = ports.syslog_without(settings.bind)
    if without:
        click.echo(f"Starting without syslog: {without} ({ports.SYSLOG_VARIABLE})")
        os.environ[ports.SYSLOG_VARIABLE] = "0"
    path = processes.configuration_file(settings.var)
    write_atomic(path, config)
    click.echo(f"Starting the appliance; its state lies under {settings.var}")
    words = settings.var / "log" / "supervisord.err"
    with words.open("wb") as stderr:
        child = subprocess.Popen(
            [str(Path(sys.executable).with_name("supervisord")), "--nodaemon", "--configuration", str(path)],
            cwd=settings.home,
            env=environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=None if foreground else subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
    until_it_answers(child, settings.var, words)
    return child


def join(running: psutil.Process, var: Path, config: str) -> None:
    """Take the ports of the appliance that runs, and start those of its programs that do not."""
    click.echo(f"The appliance runs already (supervisord, pid {running.pid}).")
    theirs = running.environ()
    os.environ.update({name: value for name, value in theirs.items() if name.startswith("NODEWARD_")})
    if processes.configuration_file(var).read_text() != config:
        click.echo("Its programs are declared differently now (images/): script/down and script/up take that in.")
    programs = Programs(var)
    for program in programs.list():
        if program.state in ("STOPPED", "EXITED", "FATAL"):
            programs.start(program.name)
            click.echo(f"  {program.name:<13} was {program.state}: started")


def clear_away(var: Path) -> None:
    """End the programs of a supervisord that was killed: they hold the ports, and nobody looks after them."""
    left = processes.orphans(var)
    if left:
        click.echo(f"Ending {counted(len(left), 'process', 'processes')} that a killed supervisord left behind.")
        processes.end(left)


def until_it_answers(child: "subprocess.Popen[bytes]", var: Path, words: Path) -> None:
    """Wait for supervisord's socket. Raise Unavailable with supervisord's own words if it ends or stays silent."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while not processes.answers(var):
        if child.poll() is not None:
            said = words.read_text(errors="replace").strip()
            raise Unavailable(f"supervisord ended at once (status {child.returncode}): {said}")
        if time.monotonic() > deadline:
            raise Unavailable(f"supervisord does not answer; {var / 'log' / 'supervisord.log'} may say why.")
        time.sleep(0.05)


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Given our environment, return the programs': this Python first on PATH, this machine as node `local`."""
    kept = {name: value for name, value in given.items() if not name.startswith("SUPERVISOR_")}
    path = f"{Path(sys.executable).parent}:{given.get('PATH', os.defpath)}"
    ours = {"NODEWARD_NODE": NODE, "NODEWARD_CONFIGSERVER_FLEET": FLEET}
    return {**ours, **kept, "PATH": path, "PYTHONUNBUFFERED": "1"}


def greeting(var: Path) -> str:
    """Say where the appliance is and how to get in."""
    kept = var / "secrets" / "admin-password"
    where = f"in {kept}" if kept.exists() else "the one given by NODEWARD_ADMIN_PASSWORD when it first started"
    return f"\nNodeward is up: http://127.0.0.1:{port('web')}/\n  user      admin\n  password  {where}\n"


@contextmanager
def ended_with_us(child: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Whatever ends us ends supervisord too, with all its programs; being asked to end is no failure."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.getsignal(signal.SIGINT))
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Stopping …")
    finally:
        child.terminate()
        child.wait()


@contextmanager
def alone(var: Path) -> Iterator[None]:
    """Let no second script/up work here at the same time. Raise Conflict if one does."""
    with (var / "run" / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"Another script/up is at work under {var}: wait for it, or stop it.") from None
        yield


if __name__ == "__main__":
    sys.exit(guarded(main))
