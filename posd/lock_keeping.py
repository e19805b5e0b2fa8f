"""Writes down, every minute, how long a locked role has still to wait: a restart begins from there."""

from __future__ import annotations

from typing import Final

from posd.core.timers import CoreTimers
from posd.ledger.ledger import Ledger

_MINUTE: Final = 60.0


class LockKeeping:
    """The running time of lock-outs. A timer only while a role is locked, and none otherwise."""

    def __init__(self, ledger: Ledger, timers: CoreTimers) -> None:
        self._ledger = ledger
        self._timers = timers
        self._waiting = False

    def keep(self) -> None:
        """To be called when a role has been locked, and at power-up."""
        if not self._waiting and self._ledger.operators.some_lock_runs():
            self._waiting = True
            self._timers.after(_MINUTE, self._minute)

    def _minute(self) -> None:
        self._waiting = False
        with self._ledger.commit("lock_time"):
            self._ledger.operators.note_lock_time()
        self.keep()
