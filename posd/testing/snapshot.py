"""Copies of a SQLite file that another process holds exclusively and writes to.

The daemon's ledger cannot be opened beside the daemon, so its files are copied. The write-ahead
log carries checksums: a copy of both files between two commits reads as the ledger after the first.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

_TRIES = 200
_PAUSE = 0.01  # s; a commit takes about as long
_Signature = tuple[tuple[int, int] | None, ...]


class Snapshots:
    """Copies one ledger again and again, into one place, only when it has changed."""

    def __init__(self, source: Path, target: Path) -> None:
        self._source = source
        self._target = target
        self._taken: _Signature | None = None

    def take(self) -> Path:
        """The path of a copy of the ledger as it is now. Raises TimeoutError if it never rests."""
        for _ in range(_TRIES):
            before = self._signature()
            if before == self._taken:
                return self._target
            # What an earlier reader of the copy left behind belongs to the earlier copy.
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._target}{suffix}").unlink(missing_ok=True)
            self._taken = None
            self._copy("")
            self._copy("-wal")
            if before == self._signature():
                self._taken = before
                return self._target
            time.sleep(_PAUSE)
        raise TimeoutError(f"{self._source} did not rest long enough to be copied")

    def keep(self) -> None:
        """Lay a copy aside for put_back(). Nobody may have the ledger open."""
        self._lay(self._source, self._kept)

    def put_back(self) -> None:
        """The ledger is again as it was kept, as after a careless hand. Raises FileNotFoundError."""
        self._lay(self._kept, self._source)

    @property
    def _kept(self) -> Path:
        return Path(f"{self._target}.kept")

    @staticmethod
    def _lay(source: Path, target: Path) -> None:
        if not source.exists():
            raise FileNotFoundError(source)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{target}{suffix}").unlink(missing_ok=True)
        for suffix in ("", "-wal"):
            if Path(f"{source}{suffix}").exists():
                shutil.copyfile(f"{source}{suffix}", f"{target}{suffix}")

    def _copy(self, suffix: str) -> None:
        source = Path(f"{self._source}{suffix}")
        if source.exists():
            shutil.copyfile(source, f"{self._target}{suffix}")

    def _signature(self) -> _Signature:
        """Size and time of change of each file, None for one that is not there."""
        found: list[tuple[int, int] | None] = []
        for suffix in ("", "-wal"):
            try:
                status = Path(f"{self._source}{suffix}").stat()
            except FileNotFoundError:
                found.append(None)
            else:
                found.append((status.st_size, status.st_mtime_ns))
        return tuple(found)
