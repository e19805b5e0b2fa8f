"""Which serial number belongs to which callback: a time-out that was stopped or replaced never fires."""

from __future__ import annotations

from collections.abc import Callable

from posd.core import ports


class CoreTimers:
    """Hands out serials over the Timers port. Callbacks run inside the core's own event step."""

    def __init__(self, port: ports.Timers) -> None:
        self._port = port
        self._serial = 0
        self._waiting: dict[int, Callable[[], None]] = {}
        self.stale = 0  # how many fired after they were stopped

    def after(self, seconds: float, call: Callable[[], None]) -> int:
        """Call this once after so many seconds; returns the serial for stop()."""
        self._serial += 1
        self._waiting[self._serial] = call
        self._port.start(self._serial, seconds)
        return self._serial

    def stop(self, serial: int | None) -> None:
        """Forget a timer; None and one that already fired are no error."""
        if serial is not None and self._waiting.pop(serial, None) is not None:
            self._port.stop(serial)

    def fired(self, serial: int) -> None:
        """A TimerFired event arrived."""
        call = self._waiting.pop(serial, None)
        if call is None:
            self.stale += 1
        else:
            call()
