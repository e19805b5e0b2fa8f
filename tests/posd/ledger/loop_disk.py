"""A small disk of its own: ext4 in a file, which can be filled, and whose power can be cut. Needs root."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import Final

_SHUTDOWN: Final = 0x8004587D  # EXT4_IOC_SHUTDOWN, linux/fs/ext4/ext4.h
_NO_LOG_FLUSH: Final = 2  # what the file system's journal has not written is lost as well


class NoLoopDisk(Exception):
    """This machine gives us none; why."""


class LoopDisk:
    """An ext4 of so many MiB, mounted at a directory. Raises NoLoopDisk."""

    def __init__(self, image: Path, directory: Path, mebibytes: int) -> None:
        self.directory = directory
        self._image = image
        if os.geteuid() != 0:
            raise NoLoopDisk("only root can mount")
        if shutil.which("mkfs.ext4", path="/usr/sbin:/sbin:/usr/bin") is None:
            raise NoLoopDisk("e2fsprogs is not here")
        with image.open("wb") as file:
            file.truncate(mebibytes * 1024 * 1024)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=4", str(image))
        directory.mkdir(exist_ok=True)
        self.mount()

    def mount(self) -> None:
        try:
            _run("mount", "-o", "loop", str(self._image), str(self.directory))
        except subprocess.CalledProcessError as error:
            raise NoLoopDisk(error.stderr.decode().strip()) from None

    def unmount(self) -> None:
        _run("umount", str(self.directory))

    def cut(self, process: subprocess.Popen[bytes]) -> None:
        """The power fails: whatever this process and the kernel had not brought to the disk is gone.

        The process is stopped first: a sync that races with the shutdown returns without having synced.
        """
        process.send_signal(signal.SIGSTOP)
        while _state(process.pid) not in "TZ":
            time.sleep(0.001)
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)
        process.kill()
        process.wait(60)

    def power(self) -> None:
        """It comes back: mounted again, as a start would.

        As a copy: a container that was started meanwhile may still hold the mount, and with it the shutdown.
        """
        self.unmount()
        old, self._image = self._image, self._image.with_name(f"{self._image.name}+")
        shutil.copyfile(old, self._image)
        old.unlink()
        self.mount()

    def fill(self, leave: int) -> Path:
        """A file that leaves so many bytes."""
        filler = self.directory / "filler"
        status = os.statvfs(self.directory)
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - leave)
        return filler


def _run(*words: str) -> None:
    path = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}
    subprocess.run(words, check=True, capture_output=True, env=path)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
