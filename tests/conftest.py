"""What all tests share: what this machine has, places to work in, a config server to stand on."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fakes.config import FakeConfig
from support import mongodb as engine
from support import ports

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = Path("/usr/lib/nagios/plugins")

# An example has no deadline: on a machine with other work it may stand still at any time. And every run tries the same ones, so
# that what one run finds, the next one shows again; the long rounds go on looking for others.
settings.register_profile(
    "nodeward",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("NODEWARD_TORTURE") != "long",
)
settings.load_profile("nodeward")


def _chromium() -> str | None:
    return None if shutil.which("chromium") or shutil.which("chromium-browser") else "no Chromium (Debian: chromium)"


def _docker() -> str | None:
    try:
        subprocess.run(["docker", "compose", "version"], check=True, capture_output=True, timeout=20)
        subprocess.run(["docker", "info"], check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return "no Docker engine with Compose answers"
    return None


def _plugins() -> str | None:
    if not (PLUGINS / "check_dummy").exists():
        return "no monitoring plugins (Debian: monitoring-plugins-basic)"
    if not shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin"):
        return "no logrotate (Debian: logrotate)"
    return None


NEEDS: dict[str, Callable[[], str | None]] = {
    "browser": _chromium,
    "docker": _docker,
    "mongodb": engine.lacking,
    "plugins": _plugins,
}
REQUIRED = set(filter(None, os.environ.get("NODEWARD_REQUIRE", "").split(",")))


def pytest_configure() -> None:
    """Let programs that tests start hear Ctrl-C and the end of a terminal, also where this process is to be deaf to them.

    It is so in a shell's background and under nohup; what is ignored is inherited, what has a handler is not.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine cannot run; where NODEWARD_REQUIRE names it, fail instead."""
    asked = {name for name in NEEDS if any(item.get_closest_marker(name) for item in items)}
    lacking = {name: reason for name in asked if (reason := NEEDS[name]())}
    for item in items:
        for name, reason in lacking.items():
            if item.get_closest_marker(name) and name not in REQUIRED:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail where something required is missing."""
    for name in REQUIRED & NEEDS.keys():
        if item.get_closest_marker(name) and (reason := NEEDS[name]()):
            pytest.fail(f"NODEWARD_REQUIRE asks for {name}, but there is {reason}")


@pytest.fixture(autouse=True)
def _process_as_found() -> Iterator[None]:
    """What a test changes in this process for good would befall whichever tests this worker happens to run afterwards."""
    before = _of_this_process()
    yield
    assert _of_this_process() == before, "the test left this process another one than it found"


def _of_this_process() -> tuple[str, str]:
    status = Path("/proc/self/status").read_text()
    return next(line for line in status.splitlines() if line.startswith("Umask")), os.getcwd()


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a function that gives a port nobody listens on."""
    return ports.free_port


@pytest.fixture
def config(tmp_path: Path) -> Iterator[FakeConfig]:
    """A config server that answers over real HTTP what the test puts into it, with a token for each role."""
    with FakeConfig() as fake:
        yield fake


@pytest.fixture(scope="session")
def mongodb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a real engine that all tests share, also those of the worker beside this one. Wants the marker `mongodb`."""
    folder = tmp_path_factory.getbasetemp()
    with engine.shared(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) as uri:
        yield uri


@pytest.fixture
def mongodb(mongodb_server: str) -> Iterator[str]:
    """The URI of a database of this test's own. Wants the marker `mongodb`."""
    with engine.scratch(mongodb_server) as uri:
        yield uri


@pytest.fixture(scope="session")
def loghub() -> Path:
    """The directory with real systems' logs; skip where it is not beside the checkout."""
    path = Path(os.environ.get("NODEWARD_LOGHUB", ROOT.parent / "shared" / "data" / "loghub"))
    if not path.is_dir():
        pytest.skip("the sample logs are not beside the checkout (set NODEWARD_LOGHUB)")
    return path
