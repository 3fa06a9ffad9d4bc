"""What the parts measure us beside, and what they need: where it is looked for, and how to get what is missing."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


@dataclass(frozen=True)
class Peer:
    """A program or data set that parts use. `find` returns where it is, or None."""

    name: str
    parts: tuple[str, ...]
    find: Callable[[], Path | None]
    get: str
    asks_version: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Its name and version, as far as it says."""
        path = self.find()
        if path is None or not self.asks_version:
            return self.name
        done = subprocess.run(
            [path, *self.asks_version], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20
        )
        found = re.search(r"v?(\d+\.\d[\w.]*)", done.stdout)
        return f"{self.name} {found[1]}" if found else self.name


def victorialogs() -> Path | None:
    """Return the program victoria-logs."""
    given = os.environ.get("NODEWARD_VICTORIALOGS")
    usual = [Path(given)] if given else [Path.home() / ".cache" / "peers" / "victoria-logs"]
    found = shutil.which("victoria-logs", path=_SBIN)
    return next((path for path in [*usual, *([Path(found)] if found else [])] if path.is_file()), None)


def loghub() -> Path | None:
    """Return the folder with the sample logs."""
    given = os.environ.get("NODEWARD_LOGHUB")
    usual = [Path.home() / ".cache" / "peers" / "loghub", ROOT.parent / "shared" / "data" / "loghub"]
    places = [Path(given)] if given else usual
    return next((path for path in places if any(path.glob("*.log"))), None)


def mmnormalize() -> Path | None:
    """Return rsyslog's module that parses."""
    return next(Path("/usr/lib").glob("*/rsyslog/mmnormalize.so"), None)


def _program(*names: str) -> Callable[[], Path | None]:
    def find() -> Path | None:
        found = next((path for name in names if (path := shutil.which(name, path=_SBIN))), None)
        return Path(found) if found else None

    return find


def _file(path: str) -> Callable[[], Path | None]:
    return lambda: Path(path) if Path(path).exists() else None


VICTORIALOGS = Peer(
    "VictoriaLogs", ("logs_store",), victorialogs,
    "build victoria-logs (github.com/VictoriaMetrics/VictoriaMetrics, app/victoria-logs) into ~/.cache/peers, "
    "or name it in NODEWARD_VICTORIALOGS",
    ("-version",),
)  # fmt: skip
RSYSLOG = Peer("rsyslog", ("logs_ship", "pipeline"), _program("rsyslogd"), "apt-get install rsyslog", ("-v",))
MMNORMALIZE = Peer("rsyslog's mmnormalize", ("logs_ship", "pipeline"), mmnormalize, "apt-get install rsyslog")
NAGIOS = Peer("nagios4", ("checks",), _program("nagios4"), "apt-get install nagios4-core", ("-V",))
PLUGINS = Peer(
    "monitoring-plugins", ("checks",), _file("/usr/lib/nagios/plugins/check_dummy"),
    "apt-get install monitoring-plugins-basic",
)  # fmt: skip
LOGHUB = Peer(
    "loghub's sample logs", ("logs_store",), loghub,
    "put the *_2k.log files of github.com/logpai/loghub into ~/.cache/peers/loghub, or name their folder in NODEWARD_LOGHUB",
)  # fmt: skip

ALL = (VICTORIALOGS, RSYSLOG, MMNORMALIZE, NAGIOS, PLUGINS, LOGHUB)


def listing() -> str:
    """Return what is here and what is missing, with how to get it."""
    lines = []
    for peer in ALL:
        path = peer.find()
        where = f"{peer.version}, {path}" if path else f"missing: {peer.get}"
        lines.append(f"  {peer.name} ({', '.join(peer.parts)}) – {where}")
    return "\n".join(lines)
