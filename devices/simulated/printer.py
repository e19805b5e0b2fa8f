"""A simulated receipt printer: its paper, and what can go wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from devices.simulated.pseudo_terminal import PseudoTerminal
from devices.simulated.receipt_printer import ReceiptPrinter


class SimulatedPrinter(PseudoTerminal):
    """The printer at `path`. `on_line` gets each line as it is printed.

    `mechanism` is the printer behind the line: what it knows and what is wrong with it.
    """

    def __init__(
        self,
        path: Path | str,
        columns: int = 32,
        *,
        on_line: Callable[[str], None] | None = None,
        bytes_per_second: float | None = None,
    ) -> None:
        self.mechanism = ReceiptPrinter(columns, self.send, on_line)
        super().__init__(path, self.mechanism.feed, bytes_per_second=bytes_per_second)

    @property
    def paper(self) -> list[str]:
        """Everything printed, a string a line; a cut is a row of dashes with `8<` in it."""
        return self.mechanism.paper

    def tear_off(self) -> list[str]:
        """Takes the paper away and returns what was on it."""
        torn, self.mechanism.paper = self.mechanism.paper, []
        return torn

    def paper_out_after(self, lines: int) -> None:
        """The paper ends after so many more lines; 0: now."""
        self.mechanism.lines_left = lines
        self.mechanism.work()

    def load_paper(self) -> None:
        """Puts in a new roll; printing goes on where it stopped."""
        self.mechanism.lines_left = None
        self.mechanism.near_end = False
        self.mechanism.work()

    def paper_near_end(self) -> None:
        """The roll is getting thin."""
        self.mechanism.near_end = True
        self.mechanism.work()

    def open_cover(self) -> None:
        """Opens the cover."""
        self.mechanism.cover_open = True
        self.mechanism.work()

    def close_cover(self) -> None:
        """Closes the cover."""
        self.mechanism.cover_open = False
        self.mechanism.work()

    def jam_cutter(self, jammed: bool = True) -> None:
        """The cutter is stuck, or free again."""
        self.mechanism.cutter_error = jammed
        self.mechanism.work()

    def overheat(self, hot: bool = True) -> None:
        """The print head is too hot, or has cooled down."""
        self.mechanism.overheated = hot
        self.mechanism.work()

    def power_cycle(self) -> None:
        """Switches it off and on; what it had received is gone, the line stays up."""
        self.switch_off()
        self.switch_on()

    def switch_off(self) -> None:
        """Takes its power away; the line stays up."""
        self.mechanism.power_cycle()
        self.mechanism.is_off = True

    def switch_on(self) -> None:
        """Gives it power again."""
        self.mechanism.is_off = False
