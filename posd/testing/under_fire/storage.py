"""Where the terminal's state lies, and what can go wrong with that: full, read-only, dead, no power.

As root: ext4 in a file on a loop device, mounted in a mount namespace of this process, so that nothing
stays mounted whatever becomes of it. Otherwise a plain directory, where "full" is a limit on the size of
files that the daemon may write and "read-only" takes the permission away.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import Final, Protocol

from posd.testing.under_fire.story import seconds

_SIZE: Final = 24 * 1024 * 1024
_CLONE_NEWNS: Final = 0x20000  # linux/sched.h
_EXT4_IOC_SHUTDOWN: Final = 0x8004587D  # _IOR('X', 125, __u32), fs/ext4/ext4.h
_NO_LOG_FLUSH: Final = struct.pack(
    "I", 2
)  # EXT4_GOING_FLAGS_NOLOGFLUSH: what is not synced is lost
_STOP_SECONDS: Final = 20.0
_UNMOUNT_TRIES: Final = 100
_BALLAST: Final = "ballast"
_STEP: Final = 16 * 1024


class StorageError(Exception):
    """This machine does not let us do that: what, and why."""


class Storage(Protocol):
    """One terminal's state directory."""

    name: str

    def open(self) -> None: ...

    def close(self) -> None: ...

    def fill(self, process: int | None, left: int, /) -> None:
        """From now on only about so many bytes more can be written."""

    def empty(self, process: int | None, /) -> None:
        """There is room again."""

    def read_only(self, *, on: bool) -> None:
        """Only while no process runs."""

    def started(self, process: int) -> None:
        """A new process has begun: limits that belong to a process are set again."""

    def fail(self, process: int, /) -> None:
        """The disk answers nothing more than errors, until `repair`. Raises StorageError."""

    def repair(self) -> None:
        """Put the disk in order after `fail`; only while no process runs."""


class PlainDirectory:
    """A directory as it is, without any privilege."""

    name = "plain directory: file size limit, permissions"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._limit: int | None = None

    def open(self) -> None:
        self._directory.mkdir(exist_ok=True)

    def close(self) -> None:
        self.read_only(on=False)

    def fill(self, process: int | None, left: int, /) -> None:
        files = (file.stat().st_size for file in self._directory.iterdir() if file.is_file())
        self._limit = max(files, default=0) + left
        if process is not None:
            self.started(process)

    def empty(self, process: int | None, /) -> None:
        self._limit = None
        if process is not None:
            self.started(process)

    def started(self, process: int) -> None:
        limit = resource.RLIM_INFINITY if self._limit is None else self._limit
        try:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        except ProcessLookupError:
            return  # it has ended meanwhile

    def read_only(self, *, on: bool) -> None:
        for file in self._directory.iterdir():
            if file.is_file():
                file.chmod(0o400 if on else 0o600)
        self._directory.chmod(0o500 if on else 0o700)

    def fail(self, _process: int, /) -> None:
        raise StorageError("a disk that fails needs root")

    def repair(self) -> None:
        """Nothing can have failed."""


class LoopFilesystem:
    """ext4 of a few megabytes in a file. Needs root and `private_mounts`."""

    name = "ext4 on a loop device"

    def __init__(self, directory: Path, image: Path) -> None:
        self._directory = directory
        self._image = image
        self._mounted = False

    def open(self) -> None:
        with self._image.open("wb") as file:
            file.truncate(_SIZE)
        make = ("mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", "-J", "size=4")
        _run(*make, str(self._image))
        self._directory.mkdir(exist_ok=True)
        self._mount()
        self._directory.chmod(0o700)

    def close(self) -> None:
        if self._mounted:
            self._unmount()

    def fill(self, _process: int | None, left: int, /) -> None:
        status = os.statvfs(self._directory)
        size = status.f_bavail * status.f_frsize - left
        with (self._directory / _BALLAST).open("wb") as file:
            while size > 0:
                try:
                    os.posix_fallocate(file.fileno(), 0, size)
                except OSError:  # somebody was faster, or the file's own tables need room
                    file.truncate(0)
                    size -= _STEP
                else:
                    return

    def empty(self, _process: int | None, /) -> None:
        (self._directory / _BALLAST).unlink(missing_ok=True)
        place = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(place)  # or the next power cut would bring it back
        finally:
            os.close(place)

    def started(self, process: int) -> None:
        """Nothing of this belongs to a process."""

    def read_only(self, *, on: bool) -> None:
        _run("mount", "-o", "remount,ro" if on else "remount,rw", str(self._directory))

    def fail(self, process: int, /) -> None:
        """Without power, or dead: what is not synced by now is lost.

        The process is stopped first: a sync that is under way during the shutdown may report success
        for what it did not write.
        """
        _stop(process)
        place = os.open(self._directory, os.O_RDONLY)
        try:
            fcntl.ioctl(place, _EXT4_IOC_SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(place)

    def repair(self) -> None:
        self._unmount()
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self._directory))
        self._mounted = True

    def _unmount(self) -> None:
        for _ in range(_UNMOUNT_TRIES):
            try:
                _run("umount", str(self._directory))
            except StorageError:
                time.sleep(0.05)  # somebody still looks at it
            else:
                self._mounted = False
                return
        _run("umount", str(self._directory))


def private_mounts() -> None:
    """What this process mounts from here on is nobody else's and ends with it. Raises StorageError.

    Call it before the first thread is started.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise StorageError(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    _run("mount", "--make-rprivate", "/")


def _stop(process: int) -> None:
    """Until it does nothing at all. Raises StorageError."""
    os.kill(process, signal.SIGSTOP)
    end = seconds() + _STOP_SECONDS
    while seconds() < end:
        states = [
            (task / "stat").read_text().rpartition(")")[2].split()[0]
            for task in Path(f"/proc/{process}/task").iterdir()
        ]
        if all(state in "TZX" for state in states):
            return
        time.sleep(0.001)
    raise StorageError("the process did not stop")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise StorageError(f"{' '.join(command)}: {done.stderr.strip()}")
