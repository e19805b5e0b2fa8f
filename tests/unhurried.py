"""An event loop whose clock stands still while the machine gives the process no time.

A test process that was not run for a second finds every timer of its loop due at once: the driver's
time-out beside the answer that its device, in the same loop, has not had its turn to give. On this
clock a second is a second in which the loop could run, so a time-out means what it says on any
machine. It is never ahead of the machine's clock.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any, Final

LOOK_SECONDS: Final = 0.01
"""A loop that waits looks at the clock this often."""
STEP_SECONDS: Final = 0.02
"""What may pass from one look to the next; the rest of it was taken from us."""


class UnhurriedClock:
    """Seconds of this machine, without those in which nobody looked."""

    def __init__(self, machine: Callable[[], float] = time.monotonic) -> None:  # noqa: TID251
        self._machine = machine
        self._seen = self._now = machine()

    def __call__(self) -> float:
        """The time; looking is what makes it pass."""
        seen = self._machine()
        self._now += min(seen - self._seen, STEP_SECONDS)
        self._seen = seen
        return self._now


class _Looking(selectors.DefaultSelector):
    """Waits as long as it is told to, on that clock."""

    def __init__(self, clock: UnhurriedClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        until = None if timeout is None else self._clock() + timeout
        left = LOOK_SECONDS
        while True:
            if until is not None:
                left = min(until - self._clock(), LOOK_SECONDS)
            found = super().select(left)
            self._clock()
            if found or left < LOOK_SECONDS:
                return found


class UnhurriedLoop(asyncio.SelectorEventLoop):
    """What asyncio.run runs in the tests (tests/conftest.py)."""

    def __init__(self) -> None:
        self._clock = UnhurriedClock()
        super().__init__(_Looking(self._clock))

    def time(self) -> float:
        return self._clock()


def hurry_no_loop() -> None:
    """From now on every new loop of this process is unhurried."""
    asyncio.new_event_loop = asyncio.events.new_event_loop = UnhurriedLoop
