"""What every device on a line has: its line, whether it is there, its flight recorder, a start and an end."""

from __future__ import annotations

from devices.line import Line, LineState
from devices.recorder import FlightRecorder


class Device:
    """A device on a line. A subclass makes the line and hears what comes over it."""

    line: Line

    @property
    def state(self) -> LineState:
        """Whether the device's line is there."""
        return self.line.state

    @property
    def recorder(self) -> FlightRecorder:
        """The flight recorder of the line."""
        return self.line.recorder

    def start(self) -> None:
        """Begins to look for the device; within a running loop."""
        self.line.start()

    def close(self) -> None:
        """Lets the line go; what is not out yet never comes out."""
        self._let_go()
        self.line.close()

    async def stop(self) -> None:
        """Lets the line go when what is queued is out, or half a second later."""
        self._let_go()
        await self.line.stop()

    def _let_go(self) -> None:
        """Nothing of this device's own is to happen any more: its timers end."""
