"""One daemon a ledger: a lock on the state directory (money M17)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from posd.preflight import StartError

_KEY = "terminal.state_directory"


class StateLock:
    """Held from `take` until `release` or the end of the process, however it ends.

    The file stays: removing it would let two processes lock two files of the same name.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, directory: Path) -> StateLock:
        """Make the directory if need be and lock it. Raises StartError."""
        path = directory / "lock"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            problem = f"expected a directory to write in, found {directory}: "
            raise StartError(
                _KEY, problem + (error.strerror or type(error).__name__).lower()
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StartError(
                _KEY,
                f"expected no other daemon on {directory}, found process {holder or 'unknown'}",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Let the next daemon in."""
        os.close(self._descriptor)
