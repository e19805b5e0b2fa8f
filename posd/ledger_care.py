"""The ledger's care while the terminal works: its reserve and log, and a verified copy every so often.

The copy is made by a thread, a few pages at a time, and rests while somebody uses the terminal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from posd.core.core import Core
from posd.core.ports import Clock
from posd.ledger.backup import BackupAbandoned, Backups
from posd.ledger.errors import LedgerDamaged, LedgerFailed
from posd.ledger.ledger import moment
from posd.settings import BackupSettings

_log = structlog.get_logger()

_LOOK_SECONDS: Final = 10.0
_TRY_AGAIN_SECONDS: Final = 3600.0  # after a copy that could not be made
_REST_SECONDS: Final = 0.05


class LedgerCare:
    """Looks at the ledger every few seconds, on the loop; copies it when a copy is due."""

    def __init__(
        self,
        core: Core,
        backups: Backups,
        settings: BackupSettings,
        clock: Clock,
        looked: Callable[[], None],
        tidy: Callable[[], object] = lambda: None,
    ) -> None:
        """looked is called when the core may have halted; tidy now and then while nobody waits."""
        self._looked = looked
        self._tidy = tidy
        self._core = core
        self._backups = backups
        self._interval = settings.interval_hours * 3600.0
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._copying: asyncio.Task[None] | None = None
        self._ending = False
        self._wanted = False
        self._due_at = clock.monotonic() + self._seconds_left()
        self._open_batch = core.ledger.counters.open_batch

    def start(self) -> None:
        """Begin to look; within a running loop."""
        self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def back_up_soon(self) -> None:
        """On demand: a copy as soon as nobody uses the terminal."""
        self._wanted = True
        if self._timer is not None:
            self._timer.cancel()
            self._look()

    async def stop(self) -> None:
        """A copy that is being made is given up."""
        self._ending = True
        if self._timer is not None:
            self._timer.cancel()
        if self._copying is not None:
            await self._copying

    def _look(self) -> None:
        if self._ending or self._core.halted is not None:
            return
        if self._core.idle:
            self._core.look_after_ledger()
            self._tidy()
            if self._core.halted is None and self._copying is None and self._is_due():
                self._copying = asyncio.get_running_loop().create_task(self._copy())
            self._looked()
        self.start()

    def _is_due(self) -> bool:
        """By time, on demand, or because a batch was closed: its card numbers leave the copies too."""
        closed = self._open_batch != self._core.ledger.counters.open_batch
        return self._wanted or closed or self._clock.monotonic() >= self._due_at

    def _seconds_left(self) -> float:
        """Until the newest copy that an earlier life of the daemon made is too old."""
        regular = [copy for copy in self._backups.newest_first() if copy.schema is None]
        if not regular:
            return 0.0
        age = (moment(self._core.ledger.now()) - regular[0].taken_at).total_seconds()
        return 0.0 if age < 0 else max(0.0, self._interval - age)

    async def _copy(self) -> None:
        ledger, at = self._core.ledger, moment(self._core.ledger.now())
        open_batch = ledger.counters.open_batch
        self._wanted = False
        wait = _TRY_AGAIN_SECONDS
        try:
            await asyncio.to_thread(self._work, at, open_batch)
            wait, self._open_batch = self._interval, open_batch
        except BackupAbandoned:
            pass
        except LedgerFailed as error:
            _log.error("alert.backup_failed", reason=str(error), advice=error.advice)
        except LedgerDamaged as error:
            # The pages of the copy are those of the ledger: the next start looks at all of it.
            _log.critical("alert.backup_not_whole", reason=str(error), advice=error.advice)
            self._core.suspect_ledger(str(error))
            self._looked()
        finally:
            self._due_at = self._clock.monotonic() + wait
            self._copying = None
            if self._wanted:  # asked for in the meantime
                asyncio.get_running_loop().call_soon(self.back_up_soon)

    def _work(self, at: datetime, open_batch: int) -> None:
        """In the thread: copy, check, rotate."""
        began = self._clock.monotonic()
        copy = self._core.ledger.back_up(self._backups, at, self._go_on)
        gone = self._backups.rotate(at)
        changed = self._backups.forget_cards(open_batch)
        _log.info(
            "backup.made", file=copy.name, size=copy.stat().st_size, removed=len(gone),
            cards_erased_from=len(changed), seconds=round(self._clock.monotonic() - began, 3),
        )  # fmt: skip

    def _go_on(self) -> bool:
        """Asked by the thread between two steps; rests while a customer waits."""
        while not self._ending and not self._core.idle and self._core.halted is None:
            time.sleep(_REST_SECONDS)
        return not self._ending and self._core.halted is None
