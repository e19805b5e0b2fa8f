"""The time of day at which the terminal settles by itself, when one is set.

It begins by itself instead of only reminding: at that hour often nobody is there to read a reminder, a
settlement needs no card and no decision, each of its steps survives a power cut, and as long as the host was
not reached nothing has begun. One attempt for each day's time; after that the clerk is asked to.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from posd.core.events import SettlementDue
from posd.ledger.ledger import milliseconds, moment
from posd.money.desk import Desk

_LOOK_AGAIN_SECONDS: Final = 60.0  # while it is due and somebody uses the terminal
_LONGEST_SLEEP_SECONDS: Final = 900.0  # the business clock may be set meanwhile
_TRIED_FOR: Final = "settlement_tried_for"


class SettlementTime:
    """Says SettlementDue, again and again until the attempt was made. Nothing without a set time."""

    def __init__(self, desk: Desk, busy: Callable[[], bool]) -> None:
        self._desk = desk
        self._busy = busy
        self._at = desk.configuration.settlement.at

    def schedule(self) -> None:
        """Look at the clock now, and from then on."""
        if self._at is not None:
            self._look(self._at)

    def tried(self) -> None:
        """The attempt for this day's time is being made: whatever comes of it, there is no second one."""
        if self._at is not None:
            with self._desk.ledger.commit("settlement_time"):
                self._desk.ledger.settings.put(_TRIED_FOR, milliseconds(self._last(self._at)))

    def _look(self, at: str) -> None:
        due = self._is_due(at)
        if due and not self._busy():
            self._desk.report(SettlementDue())
        now = moment(self._desk.ledger.now())
        left = (self._last(at) + timedelta(days=1) - now).total_seconds()
        seconds = _LOOK_AGAIN_SECONDS if due else min(max(left, 1.0), _LONGEST_SLEEP_SECONDS)
        self._desk.timers.after(seconds, lambda: self._look(at))

    def _is_due(self, at: str) -> bool:
        """Was something stored before the last such time, and is nothing in its way?"""
        ledger = self._desk.ledger
        last = milliseconds(self._last(at))
        oldest = ledger.batches.oldest_unsettled()
        return (
            oldest is not None
            and oldest < last
            and ledger.settings.get(_TRIED_FOR) != last
            and ledger.batches.unfinished() is None
            and self._desk.session.has_session
        )

    def _last(self, at: str) -> datetime:
        """The newest moment with this time of day that is not in the future."""
        now = moment(self._desk.ledger.now())
        today = now.replace(hour=int(at[:2]), minute=int(at[3:]), second=0, microsecond=0)
        return today if today <= now else today - timedelta(days=1)
