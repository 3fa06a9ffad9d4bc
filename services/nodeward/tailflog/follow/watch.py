"""Hearing of a written line at once: inotify on directories; where that is impossible, the scans alone, more often."""

import contextlib
import errno
import logging
import os
import select

from inotify_simple import INotify, flags

log = logging.getLogger(__name__)

_MASK = (
    flags.MODIFY | flags.CREATE | flags.MOVED_TO | flags.MOVED_FROM | flags.DELETE | flags.ATTRIB | flags.DELETE_SELF
    | flags.MOVE_SELF | flags.ONLYDIR
)  # fmt: skip
_STRUCTURE = (
    flags.CREATE | flags.MOVED_TO | flags.MOVED_FROM | flags.DELETE | flags.ATTRIB | flags.IGNORED | flags.Q_OVERFLOW
    | flags.DELETE_SELF | flags.MOVE_SELF | flags.UNMOUNT
)  # fmt: skip
# File systems that tell inotify nothing of what other machines write.
_REMOTE = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "fuse.sshfs",
    "ceph",
    "glusterfs",
    "fuse.glusterfs",
    "afs",
    "lustre",
}


class Watcher:
    """Watches directories. `complete` says whether every one of them is watched; if not, somebody has to look often.

    With `polling` it watches none.
    """

    def __init__(self, polling: bool = False) -> None:
        self._notify: INotify | None = None
        self._directories: dict[int, set[str]] = {}  # one directory may be reached by several names
        self._watches: dict[str, int] = {}
        self._exhausted = False
        self._refused: set[str] = set()
        self._ear, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        if not polling:
            try:
                self._notify = INotify(nonblocking=True)
            except OSError as error:
                log.warning(
                    "inotify cannot be used (%s); files are looked at several times a second instead.", error.strerror
                )

    @property
    def complete(self) -> bool:
        """Whether every directory asked for is watched."""
        return self._notify is not None and not self._refused

    def watch(self, directories: set[str]) -> None:
        """Watch exactly these directories."""
        if self._notify is None:
            return
        for directory in self._watches.keys() - directories:
            self._directories.get(self._watches.pop(directory), set()).discard(directory)
        self._refused &= directories
        for directory in directories - self._watches.keys():
            self._add(self._notify, directory)

    def wait(self, seconds: float) -> tuple[set[str], bool]:
        """Wait at most so long. Return the paths that were written to, and whether names may have changed."""
        descriptors = [self._ear] + ([self._notify.fileno()] if self._notify else [])
        ready, _, _ = select.select(descriptors, [], [], seconds)
        if self._ear in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._ear, 4096)
        written: set[str] = set()
        changed = False
        if self._notify and self._notify.fileno() in ready:
            for event in self._notify.read(timeout=0):
                changed = changed or bool(event.mask & _STRUCTURE)
                directories = self._directories.get(event.wd, set())
                if event.mask & flags.IGNORED:
                    self._directories.pop(event.wd, None)
                    for directory in directories:
                        self._watches.pop(directory, None)
                elif event.name:
                    written.update(f"{directory}/{event.name}" for directory in directories)
        return written, changed

    def wake(self) -> None:
        """End a wait from another thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._bell, b"x")

    def close(self) -> None:
        """Give everything back."""
        os.close(self._ear)
        os.close(self._bell)
        if self._notify:
            self._notify.close()

    def _add(self, notify: INotify, directory: str) -> None:
        if directory in self._refused:
            return
        if file_system(directory) in _REMOTE:
            self._refused.add(directory)
            log.info("%s is on a network file system: its files are looked at several times a second.", directory)
            return
        try:
            descriptor = notify.add_watch(directory, _MASK)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                self._refused.add(directory)
                self._say_exhausted()
            return  # not there or not allowed (yet): the next scan asks again
        self._directories.setdefault(descriptor, set()).add(directory)
        self._watches[directory] = descriptor

    def _say_exhausted(self) -> None:
        if not self._exhausted:
            log.warning(
                "This machine's inotify watches are used up (fs.inotify.max_user_watches); "
                "files are looked at several times a second instead."
            )
        self._exhausted = True


def file_system(directory: str) -> str:
    """Return the type of the file system that a directory is on, "" if that cannot be told."""
    try:
        device = os.stat(directory).st_dev
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
            for mount in mounts:
                parts = mount.split()
                if parts[2] == f"{os.major(device)}:{os.minor(device)}":
                    return parts[parts.index("-") + 1]
    except (OSError, ValueError, IndexError):
        pass  # no /proc: take it for a local one
    return ""
