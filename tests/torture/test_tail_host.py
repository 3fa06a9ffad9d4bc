"""What the machine may do to it: a file system that fails or fills, inotify that is used up or overflows, a clock that steps."""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import fakes
from torture.harness import Following, Writer, all_came, source, until

Fault = Callable[[int, int], None]


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes reads fail and clocks step."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (Debian: gcc)")
    library = tmp_path_factory.mktemp("shim") / "faults.so"
    code = Path(fakes.__file__).with_name("faults.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(code)], check=True)
    return library


@pytest.fixture
def faulty(shim: Path, tmp_path: Path, logs: Path) -> tuple[dict[str, str], Fault]:
    """An environment, and a function that says with which error the logs fail and by how much the clock is wrong."""
    told = tmp_path / "faults"

    def fault(number: int, ahead: int) -> None:
        staged = told.with_suffix(".new")
        staged.write_text(f"{number} {logs} {ahead}\n")
        staged.replace(told)

    return {"LD_PRELOAD": str(shim), "FAULTS": str(told)}, fault


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE], ids=["EIO", "ESTALE"])
def test_a_file_system_that_fails_is_said_and_read_on_once_it_answers(tmp_path, sink, logs, writer, faulty, number):
    environment, fault = faulty
    with Following(tmp_path, sink, [source(logs)], **environment, NODEWARD_TAILFLOG_POLLING="true") as following:
        writer.write(50)
        sink.wait_for(50)
        fault(number, 0)
        writer.write(50)
        until(lambda: f"cannot be read: {os.strerror(number)}" in following.said())
        fault(0, 0)
        all_came(sink, writer)
        assert "can be read again" in following.said() and "Traceback" not in following.said()


def test_an_open_record_that_was_read_is_shipped_when_its_file_system_fails(tmp_path, sink, logs, writer, faulty):
    environment, fault = faulty
    patient = source(logs, multiline={"start": "^app", "wait": "50s"})
    with Following(tmp_path, sink, [patient], **environment, NODEWARD_TAILFLOG_POLLING="true"):
        writer.write(2)
        sink.wait_for(1)  # the second may still go on
        fault(errno.ESTALE, 0)
        all_came(sink, writer)


@pytest.mark.parametrize("step", [400 * 86400, -400 * 86400, 3600, -3600])
def test_a_clock_that_steps_loses_and_doubles_nothing(tmp_path, sink, logs, writer, faulty, step):
    environment, fault = faulty
    following = Following(tmp_path, sink, [source(logs, "app.log*", format="syslog")], **environment)
    with following:
        writer.write(50)
        sink.wait_for(50)
        fault(0, step)
        writer.write(50)
        writer.rotate("app.log.1")
        writer.write(50)
        all_came(sink, writer)
        following.kill()
        writer.write(50)
        writer.rotate("app.log.2")
        following.start()
        fault(0, 0)
        writer.write(50)
        all_came(sink, writer)
        assert "Traceback" not in following.said()


def _limited(**limits: int) -> list[str]:
    """Return the command that runs another with limits of its own user namespace."""
    settings = "".join(f"echo {value} > /proc/sys/user/{name} && " for name, value in limits.items())
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", f'{settings}exec "$@"', "sh"]
    try:
        tried = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=20)
    except OSError:
        pytest.skip("no unshare (Debian: util-linux)")
    if tried.returncode:
        pytest.skip(f"this kernel gives no user namespace with limits of its own: {tried.stderr.strip()}")
    return command


@pytest.mark.parametrize(
    ("limit", "said"),
    [({"max_inotify_watches": 1}, "watches are used up"), ({"max_inotify_instances": 0}, "inotify cannot be used")],
    ids=["watches", "instances"],
)
def test_without_inotify_files_are_looked_at_often_enough(tmp_path, sink, logs, limit, said):
    writers = []
    for number in range(4):
        (logs / str(number)).mkdir()
        writers.append(Writer(logs / str(number) / "app.log", f"app{number}"))
    with Following(tmp_path, sink, [source(logs, "*/app.log*")], under=_limited(**limit)) as following:
        until(lambda: said in following.said())
        for turn in range(3):
            for writer in writers:
                writer.write(20)
            all_came(sink, *writers)
            for writer in writers:
                writer.rotate(f"app.log.{turn}")
        for writer in writers:
            writer.write(1)
        all_came(sink, *writers)


def test_what_happened_while_inotifys_queue_overflowed_is_found(sink, logs, follow):
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if most > 100_000:
        pytest.skip(f"fs.inotify.max_queued_events is {most}: filling that takes too long")
    writers = [Writer(logs / f"app{number}.log", f"app{number}") for number in range(2)]
    with follow() as following:
        for writer in writers:
            writer.write(1)
        all_came(sink, *writers)
        following.freeze()
        try:
            for _ in range(most // 2 + 200):  # in turns: inotify makes one event of equal ones
                for writer in writers:
                    writer.write(1)
            late = Writer(logs / "late.log", "late")  # its events are lost
            late.write(10)
            writers[0].rotate("app0.log.1")
            writers[0].write(10)
        finally:
            following.thaw()
        all_came(sink, *writers, late)


@contextmanager
def _small_disk(following: Following, options: str) -> Iterator[Callable[[str], None]]:
    """Put the state of `following` on a file system of its own; give a function that mounts it again with other options."""
    state = following.var / "tailflog"
    state.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "small", str(state)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"nothing may be mounted here: {mounted.stderr.strip()}")
    try:
        yield lambda other: subprocess.run(["mount", "-o", f"remount,{other}", str(state)], check=True) and None
    finally:
        following.kill()
        subprocess.run(["umount", str(state)], check=True)


def test_a_disk_that_is_full_pauses_reading_and_goes_on_when_there_is_room(sink, writer, follow):
    following = follow()
    with _small_disk(following, "size=256k") as remount:
        following.start()
        writer.write(10)
        sink.wait_for(10)
        sink.stop()
        writer.write(5000, "x" * 100)
        until(lambda: "the spool cannot be written (No space left on device)" in following.said())
        remount("size=64m")
        sink.again()
        all_came(sink, writer)
        assert following.stop() == 0
        following.start()
        writer.write(10)
        all_came(sink, writer)


def test_a_disk_that_becomes_read_only_costs_no_line(sink, writer, follow):
    following = follow()
    with _small_disk(following, "size=16m") as remount:
        following.start()
        writer.write(10)
        sink.wait_for(10)
        following.kill()  # an open file would forbid it
        remount("ro")
        writer.write(10)
        following.start(ready=False)
        following.died()
        assert "Read-only file system" in following.said() and "Traceback" not in following.said()
        remount("rw")
        following.start()
        all_came(sink, writer)


def test_a_file_that_may_not_be_read_is_said_and_read_once_it_may(tmp_path, sink, logs, writer):
    writer.path.chmod(0)
    powerless = []
    if os.geteuid() == 0:  # root may read every file, unless it gives that away
        powerless = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
        if shutil.which("setpriv") is None:
            pytest.skip("no setpriv (Debian: util-linux)")
    with Following(tmp_path, sink, [source(logs)], under=powerless) as following:
        writer.write(10)
        until(lambda: "cannot be read: Permission denied" in following.said())
        writer.path.chmod(0o600)
        all_came(sink, writer)
