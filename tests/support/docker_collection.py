"""Ansible's collection for Docker, as the tests of connections to containers want it.

It is on no registry of Python packages by itself, only in the package ansible with a hundred others (54 MB, 250 MB installed).
So that package is fetched, and the 2 MB of it that are wanted are kept in .venv.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from support.appliance import ROOT

LOCK = ROOT / "tests" / "appliance" / "collections.lock"
WANTED = ("community/docker", "community/library_inventory_filtering_v1")  # the second is what the first depends on


def docker_collection() -> Path:
    """Return a folder for ANSIBLE_COLLECTIONS_PATH that has the collection; fetch it where this is the first time."""
    kept = Path(sys.prefix) / f"collections-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=sys.prefix) as folder:
            _unpack(_fetched(Path(folder)), Path(folder) / "unpacked")
            (Path(folder) / "unpacked").rename(kept)
    return kept


def _fetched(folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    command = [*pip, "--require-hashes", "--only-binary=:all:", "--dest", folder, "-r", LOCK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"The package with community.docker could not be fetched: {done.stderr}"
    return next(folder.glob("*.whl"))


def _unpack(wheel: Path, into: Path) -> None:
    folders = tuple(f"ansible_collections/{name}/" for name in WANTED)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(into, [name for name in archive.namelist() if name.startswith(folders)])
