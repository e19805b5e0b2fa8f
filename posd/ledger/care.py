"""What keeps a ledger usable: a reserve for the full disk, and a mark that the disk has failed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from posd.ledger.database import PAGES_BEFORE_CHECKPOINT, Database
from posd.ledger.reserve import Reserve, free_bytes

log = structlog.get_logger()

_FULL: Final = ("SQLITE_FULL", "SQLITE_IOERR_WRITE")  # over a quota it is the second
_SUSPICIOUS: Final = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")
_NOTHING_LEFT: Final = 256 * 1024  # bytes: what recovery and a few reversals write
_PAGES_WITHOUT_RESERVE: Final = 32  # the write-ahead log must fit into what the reserve gave
_COMMITS_BEFORE_CHECKPOINT: Final = 30


class Care:
    """Looks after one ledger file, from before it is opened until it is closed."""

    def __init__(self, path: Path) -> None:
        self._directory = path.parent
        self._suspect = path.with_name(f"{path.name}.suspect")
        self._reserve = Reserve(path.with_name(f"{path.name}.reserve"))
        self._checkpoint_due = 0
        self._without_reserve = False
        self.gave_room = False  # the reserve was given back in this life

    def before_opening(self) -> None:
        """On a disk without room not even the start could be written down."""
        with suppress(OSError):  # no directory: opening says so
            if free_bytes(self._directory) < _NOTHING_LEFT:
                self._give_room("no room at the start")

    def opened(self, database: Database) -> None:
        """Check what a failing disk may have damaged; set the reserve aside. Raises LedgerDamaged."""
        if self._suspect.exists():
            database.check(quick=True)
            self._suspect.unlink(missing_ok=True)
            log.warning("ledger.checked_after_error")
        if self.gave_room:  # just now: it is for this start
            database.checkpoint_every(_PAGES_WITHOUT_RESERVE)
        else:
            self._renew(database)

    def failed(self, name: str) -> None:
        """SQLite reported this error: the next start may need room, and a look at the whole file."""
        if name.startswith(_FULL):
            self._give_room(name)
        if name.startswith(_SUSPICIOUS):
            self.suspect(name)

    def suspect(self, reason: str) -> None:
        """Let the next start check the file before it is used."""
        with suppress(OSError):  # a disk that takes nothing more: SQLite will say the same again
            self._suspect.write_text(f"{reason}\n", "ascii")

    def look(self, database: Database) -> None:
        """While nobody waits for the terminal: the reserve, and the write-ahead log. Raises LedgerFailed."""
        self._renew(database)
        if database.commits >= self._checkpoint_due:
            database.checkpoint()
            self._checkpoint_due = database.commits + _COMMITS_BEFORE_CHECKPOINT

    def free_space(self) -> int:
        """Bytes for new business: none as long as the reserve is not whole."""
        try:
            return free_bytes(self._directory) if self._reserve.held else 0
        except OSError:
            return 0

    def _renew(self, database: Database) -> None:
        held = self._reserve.renew()
        if held and self._without_reserve:
            log.warning("ledger.reserve_set_aside_again")
        self._without_reserve = not held
        database.checkpoint_every(PAGES_BEFORE_CHECKPOINT if held else _PAGES_WITHOUT_RESERVE)

    def _give_room(self, reason: str) -> None:
        if self._reserve.release():
            self.gave_room = True
            log.error("alert.disk_full", reason=reason)
