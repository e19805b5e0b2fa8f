"""A simulated display: what a person would see on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from devices.picture import Encoding
from devices.simulated.pseudo_terminal import PseudoTerminal
from devices.simulated.vt100 import Screen


class SimulatedDisplay(PseudoTerminal):
    """The display at `path`. `on_change` is called when what it shows has changed."""

    def __init__(
        self,
        path: Path | str,
        columns: int = 16,
        lines: int = 4,
        *,
        encoding: Encoding = "utf-8",
        on_change: Callable[[], None] | None = None,
        bytes_per_second: float | None = None,
    ) -> None:
        self._encoding = encoding
        self._on_change = on_change
        self.screen = Screen(columns, lines, encoding)
        self.received = 0
        """Bytes that came in."""
        super().__init__(path, self._show, bytes_per_second=bytes_per_second)

    def rows(self) -> list[str]:
        """The rows from the top, each exactly as wide as the screen."""
        return self.screen.rows()

    def resize(self, columns: int, lines: int, encoding: Encoding) -> None:
        """Makes it another display, blank."""
        self._encoding = encoding
        self._change(Screen(columns, lines, encoding))

    def power_cycle(self) -> None:
        """Blanks the screen, as a display does that lost its power; the line stays up."""
        self._change(Screen(self.screen.columns, self.screen.lines, self._encoding))

    def replug(self) -> None:
        """Plugs the display in again; it comes back blank."""
        if not self.is_plugged:
            self.power_cycle()
        super().replug()

    def _show(self, data: bytes) -> None:
        self.received += len(data)
        before = self.rows(), self.screen.reversed_rows()
        self.screen.feed(data)
        if self._on_change is not None and before != (self.rows(), self.screen.reversed_rows()):
            self._on_change()

    def _change(self, screen: Screen) -> None:
        before, self.screen = self.rows(), screen
        if self._on_change is not None and before != self.rows():
            self._on_change()
