"""Virtual time: what will happen and when, without waiting for any of it.

Things happen in the order of their time, at one time in the order in which they were asked for;
nothing depends on the machine's clock or speed, so that the same calls give the same run again.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Final

BEGINNING: Final = datetime(2031, 5, 14, 9, 30)
"""When virtual time begins: a day without any meaning, in the opening hours of a shop."""


class Appointment:
    """Something that will happen, until it is forgotten."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def forget(self) -> None:
        """It will not happen; no error when it has."""
        self.call = None


class World:
    """A clock that jumps from one thing that happens to the next. Is a core's clock as well."""

    def __init__(self, beginning: datetime = BEGINNING) -> None:
        self._seconds = 0.0
        self._wall = beginning
        self._due: list[tuple[float, int, Appointment]] = []  # no two have one number
        self._numbers = count()

    def monotonic(self) -> float:
        return self._seconds

    def now(self) -> datetime:
        return self._wall + timedelta(seconds=self._seconds)

    def step_clock(self, by: timedelta) -> None:
        """The date and time jump, as when somebody sets them; nothing else notices."""
        self._wall += by

    def after(self, seconds: float, call: Callable[[], None]) -> Appointment:
        """Let this happen after so many seconds, never within the present call."""
        assert seconds >= 0
        appointment = Appointment(call)
        heapq.heappush(self._due, (self._seconds + seconds, next(self._numbers), appointment))
        return appointment

    def let_pass(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let things happen for so long, or until this is true; tells whether it became true.

        All that is due at one time has happened before `until` is asked.
        """
        end = self._seconds + seconds
        self._happen(self._seconds)
        while not until():
            at = self._next()
            if at is None or at > end:
                self._seconds = end
                return False
            self._happen(at)
        return True

    def _next(self) -> float | None:
        while self._due and self._due[0][2].call is None:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def _happen(self, at: float) -> None:
        """Everything that is due at this time, with what it makes due at the same time."""
        self._seconds = at
        while (due := self._next()) is not None and due <= at:
            call = heapq.heappop(self._due)[2].call
            assert call is not None
            call()
