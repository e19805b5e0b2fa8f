"""A VT100 text terminal on a serial line, or the Linux console: shows pictures.

Knows what the terminal shows now; knows nothing of what a picture means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from devices.device import Device
from devices.line import Line, LineSettings, LineState
from devices.picture import Encoding, Painter, Picture

__all__ = ["Display", "Encoding", "Picture"]


class Display(Device):
    """A display on a line; always comes to show the last picture given to `show`.

    A slow display is sent the newest picture when it has taken the one before; those between are
    left out. Every `refresh_seconds` the picture is drawn again over itself, because a terminal
    that lost its power on a line that did not hang up cannot say so.
    """

    def __init__(
        self,
        settings: LineSettings,
        on_state: Callable[[LineState], None],
        *,
        columns: int = 16,
        lines: int = 4,
        encoding: Encoding = "utf-8",
        refresh_seconds: float = 10.0,
    ) -> None:
        self.columns = columns
        self.lines = lines
        self._painter = Painter(encoding)
        self._on_state = on_state
        self._refresh_seconds = refresh_seconds
        self._refresh_timer: asyncio.TimerHandle | None = None
        self._wanted: Picture | None = None
        self._shown: Picture | None = None
        self._shown_on = 0
        self.line = Line(settings, _ignore, self._state_changed, on_drained=self._paint)

    def _let_go(self) -> None:
        self._stop_refreshing()

    def show(self, picture: Picture) -> None:
        """Shows the picture as soon as the display takes it; never waits, never raises for it.

        Raises ValueError when the picture is larger than the display.
        """
        if picture.columns > self.columns or picture.lines > self.lines:
            raise ValueError(
                f"expected a picture of at most {self.columns} x {self.lines}, "
                f"found {picture.columns} x {picture.lines}"
            )
        self._wanted = picture
        self._paint()

    def _paint(self) -> None:
        if self._wanted is None or self.line.queued or self.line.state is LineState.ABSENT:
            return
        if self._shown is None or self._shown_on != self.line.connections:
            data = self._painter.repaint(self._wanted)
        else:
            data = self._painter.update(self._shown, self._wanted)
        self._shown, self._shown_on = self._wanted, self.line.connections
        if data and not self.line.write(data):
            self._shown = None

    def _refresh(self) -> None:
        self._refresh_timer = None
        if self._shown is None:
            self._paint()
        elif not self.line.queued:
            self.line.write(self._painter.refresh(self._shown))
        self._refresh_later()

    def _refresh_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._refresh_timer = loop.call_later(self._refresh_seconds, self._refresh)

    def _stop_refreshing(self) -> None:
        if self._refresh_timer is not None:
            self._refresh_timer.cancel()
            self._refresh_timer = None

    def _state_changed(self, state: LineState) -> None:
        self._stop_refreshing()
        if state is LineState.PRESENT:
            self._paint()
            self._refresh_later()
        else:
            self._shown = None
        self._on_state(state)


def _ignore(data: bytes) -> None:
    """A display has nothing to say; a terminal's answers are not asked for."""
