"""The core's ports in virtual time: timers, display, and a printer with paper that ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from devices import slip as slips
from devices.picture import Picture
from posd.core.events import DeviceChanged, Event, PrintEnded, PrinterChanged, TimerFired
from posd.testing.stage import Slip, Witness
from posd.testing.world import Appointment, World

LINE_SECONDS: Final = 0.03  # s a line, about 100 mm/s
ROLL: Final = 10_000  # lines of a new roll: more than any script prints


class VirtualTimers:
    """The core's time-outs."""

    def __init__(self, world: World, report: Callable[[Event], None]) -> None:
        self._world = world
        self._report = report
        self._running: dict[int, Appointment] = {}

    def start(self, serial: int, seconds: float) -> None:
        self._running[serial] = self._world.after(seconds, lambda: self._fire(serial))

    def stop(self, serial: int) -> None:
        if running := self._running.pop(serial, None):
            running.forget()

    def _fire(self, serial: int) -> None:
        self._running.pop(serial, None)
        self._report(TimerFired(serial))


class VirtualDisplay:
    """Whatever is shown goes to the witness, and comes back after the display was unplugged."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._plugged = True
        self._rows: tuple[str, ...] = ()

    # --- what the core asks for -------------------------------------------------------------------

    def show(self, picture: Picture) -> None:
        self._rows = picture.rows
        self._witness.show(self._rows if self._plugged else ())

    # --- what people do to it ---------------------------------------------------------------------

    def power_cut(self) -> None:
        """The terminal shows nothing any more."""
        self._rows = ()
        self._witness.show(())

    def unplug(self) -> None:
        self._plugged = False
        self._witness.show(())

    def replug(self) -> None:
        self._plugged = True
        self._witness.show(self._rows)


class VirtualPrinter:
    """A printer that prints a line at a time until its paper ends. Outlives power cuts.

    `report` gets what the core hears of it; None while the terminal has no power.
    """

    def __init__(self, world: World, witness: Witness, columns: int = 32) -> None:
        self.report: Callable[[Event], None] | None = None
        self._world = world
        self._witness = witness
        self._columns = columns
        self._lines_left = ROLL
        self._plugged = True
        self._jobs: deque[tuple[int, slips.Slip]] = deque()
        self._printing = False
        self._power = 0  # counts power cuts: a line on its way belongs to the power it began with

    # --- what the core asks for -------------------------------------------------------------------

    def print(self, job: int, slip: slips.Slip) -> None:
        self._jobs.append((job, slip))
        self._world.after(0, self._next)

    # --- what people do to it ---------------------------------------------------------------------

    def power_up(self, report: Callable[[Event], None]) -> None:
        """The terminal runs: from now on it hears of the printer."""
        self.report = report
        self._world.after(0, self._say_how_it_is)

    def power_cut(self) -> None:
        self.report = None
        self._power += 1
        self._jobs.clear()
        self._printing = False
        self._end_slip()

    def paper_out(self, lines: int) -> None:
        """The paper ends after so many more lines."""
        self._lines_left = lines
        if lines == 0:
            self._say_how_it_is()

    def load_paper(self) -> None:
        self._lines_left = ROLL
        self._say_how_it_is()

    def unplug(self) -> None:
        self._plugged = False
        self._say_how_it_is()

    def replug(self) -> None:
        self._plugged = True
        self._say_how_it_is()

    # --- inside -----------------------------------------------------------------------------------

    @property
    def _trouble(self) -> str:
        if not self._plugged:
            return "absent"
        return "" if self._lines_left else "paper_out"

    def _tell(self, event: Event) -> None:
        if self.report is not None:
            self.report(event)

    def _say_how_it_is(self) -> None:
        self._tell(DeviceChanged("printer", self._plugged))
        self._tell(PrinterChanged(self._trouble))

    def _next(self) -> None:
        if self._printing or not self._jobs:
            return
        job, slip = self._jobs.popleft()
        if self._trouble:
            self._fail(job, complete=False)
            return
        self._printing = True
        rows = slips.lay_out(slip, self._columns)
        cut = slips.cut_row(self._columns)
        self._print_row(job, [row for row in rows if row != cut], 0, self._power)

    def _print_row(self, job: int, rows: list[str], printed: int, power: int) -> None:
        if power != self._power:
            return
        done = printed == len(rows)
        if printed or done:
            slip = Slip(tuple(rows[:printed]), ended=done or bool(self._trouble))
            self._witness.print(slip, begins=printed == 1)
        if done:
            self._printing = False
            self._tell(PrintEnded(job, printed=True))
            self._world.after(0, self._next)
        elif self._trouble:
            self._printing = False
            # A slip is one piece of bytes for a printer, which may hold all of it by then.
            self._fail(job, complete=True)
            self._say_how_it_is()
        else:
            self._lines_left -= 1
            self._world.after(LINE_SECONDS, lambda: self._print_row(job, rows, printed + 1, power))

    def _fail(self, job: int, *, complete: bool) -> None:
        self._tell(PrintEnded(job, False, self._trouble, perhaps_complete=complete))
        self._world.after(0, self._next)

    def _end_slip(self) -> None:
        """The power failed in a slip: what there is of it is all that comes."""
        if self._witness.slips and not self._witness.slips[-1].ended:
            self._witness.print(Slip(self._witness.slips[-1].rows, ended=True), begins=False)
