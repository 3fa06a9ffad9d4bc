"""A real sshd on loopback, for one user that a test makes and takes away again."""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from support.ports import free_port
from support.until import until

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


def lacking() -> str | None:
    """Why it cannot run here, or None."""
    if SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        return "no OpenSSH server and client (Debian: openssh-server)"
    if os.geteuid() != 0 or shutil.which("useradd") is None:
        return "users can only be made by root"
    return None


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold a lock: /etc/passwd has one writer at a time, and several tests may run at once."""
    with (Path(tempfile.gettempdir()) / "nodeward-test-users.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class User:
    """A user of this machine, with a password; gone with the context."""

    def __init__(self, name: str, password: str) -> None:
        self.name, self.password = name, password
        self.home = Path("/tmp") / f"home-{name}"

    def __enter__(self) -> Self:
        with _alone():
            subprocess.run(["userdel", "-f", self.name], capture_output=True, check=False)
            shutil.rmtree(self.home, ignore_errors=True)  # of a run that was killed
            subprocess.run(
                ["useradd", "-m", "-d", self.home, "-s", "/bin/sh", self.name], check=True, capture_output=True
            )
            line = f"{self.name}:{self.password}\n".encode()
            subprocess.run(["chpasswd"], input=line, check=True, capture_output=True)
        return self

    def __exit__(self, *_: object) -> None:
        with _alone():
            subprocess.run(["userdel", "-f", self.name], capture_output=True, check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def let_in(self, public: Path) -> None:
        """Let whoever has that key in, as ssh-copy-id does: the files are the user's own, so that sshd may read them."""
        folder = self.home / ".ssh"
        folder.mkdir()
        (folder / "authorized_keys").write_text(public.read_text())
        for each in (folder, folder / "authorized_keys"):
            shutil.chown(each, self.name)

    def hash(self) -> str:
        """Return what /etc/shadow has of the password."""
        return next(line for line in Path("/etc/shadow").read_text().splitlines() if line.startswith(self.name + ":"))


class Sshd:
    """An sshd on a port of its own."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self.port = port or free_port()

    def key(self, name: str = "host") -> Path:
        """Make a key and return its path."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        return path

    def __enter__(self) -> Self:
        assert SSHD is not None
        Path("/run/sshd").mkdir(exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.key()}\nPidFile none\nUsePAM no\nStrictModes no\n"
            "PasswordAuthentication yes\nKbdInteractiveAuthentication no\nPubkeyAuthentication yes\nLogLevel VERBOSE\n"
        )
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=log)
        try:
            until(self._listens)
        except AssertionError:
            self.process.kill()
            raise
        return self

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def __exit__(self, kind: object, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)
        if kind is not None:
            print((self.folder / "log").read_text())  # why it let nobody in
