"""1 MiB of the disk kept for the day it is full, so that reversals and a settlement can end."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

SIZE: Final = 1024 * 1024
_ROOM_TO_RENEW: Final = 4 * SIZE  # bytes: less would take from the disk what was just given back


class Reserve:
    """A file beside the ledger whose only use is to be deleted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def held(self) -> bool:
        """Is it there, whole?"""
        try:
            return self._path.stat().st_size >= SIZE
        except OSError:
            return False

    def release(self) -> bool:
        """Give its room to the ledger; False when there was nothing to give."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def renew(self) -> bool:
        """Set the room aside again when there is enough of it; True when it is held afterwards.

        The blocks are really allocated: a file with a hole would give nothing back. More is asked for than
        is kept, because a quota is in no other way to be seen.
        """
        if self.held:
            return True
        try:
            if free_bytes(self._path.parent) < _ROOM_TO_RENEW:
                return False
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _ROOM_TO_RENEW)
                os.ftruncate(descriptor, SIZE)
            finally:
                os.close(descriptor)
        except OSError:  # a quota, or a disk that cannot be written: then there is none
            with suppress(OSError):
                self._path.unlink()
            return False
        return True


def free_bytes(directory: Path) -> int:
    """Bytes that this process may still write below the directory. Raises OSError."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize
