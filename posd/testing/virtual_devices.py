"""The core's ports in virtual time: timers, display, and a printer with paper that ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from devices import slip as slips
from devices.picture import Picture
from posd.core.events import DeviceChanged, Event, PrintEnded, PrinterChanged, TimerFired
from posd.testing.stage import Slip, Witness
from posd.testing.steps import Part
from posd.testing.world import Appointment, World

LINE_SECONDS: Final = 0.03  # s a line, about 100 mm/s
IDLE_SECONDS: Final = 10.0  # as long as the driver leaves a printer with nothing to do alone
PIECE_SECONDS: Final = 10.0  # and waits for one that does not get on with a slip
ANSWER_SECONDS: Final = 1.0  # and for one that is asked how it is
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
        self._hears = True
        self._rows: tuple[str, ...] = ()

    # --- what the core asks for -------------------------------------------------------------------

    def show(self, picture: Picture) -> None:
        self._rows = picture.rows
        if self._hears:
            self._witness.show(self._rows if self._plugged else ())

    # --- what people do to it ---------------------------------------------------------------------

    def power_cut(self) -> None:
        """The terminal shows nothing any more."""
        self._rows = ()
        self._witness.show(())

    def silence(self) -> None:
        """It hears nothing: what it shows stays."""
        self._hears = False

    def heal(self) -> None:
        """It shows what it should: the kernel's buffer held every picture for it."""
        self._hears = True
        if self._plugged:
            self._witness.show(self._rows)

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
        self.columns = columns
        """How wide its paper is."""
        self._lines_left = ROLL
        self._plugged = True
        self._jobs: deque[tuple[int, slips.Slip]] = deque()
        self._printing = False
        self._silent = False
        self._wrong: set[Part] = set()
        self._held: Callable[[], None] | None = None  # the rest of a slip that waits in its line
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
        self._held = None
        self._end_slip()

    def paper_out(self, lines: int) -> None:
        """The paper ends after so many more lines."""
        self._lines_left = lines
        if lines == 0:
            self._say_how_it_is()

    def load_paper(self) -> None:
        self._lines_left = ROLL
        self._say_how_it_is()

    def part(self, part: Part, *, wrong: bool) -> None:
        """Something of it is wrong, or right again."""
        (self._wrong.add if wrong else self._wrong.discard)(part)
        self._say_how_it_is()

    def silence(self) -> None:
        """It neither hears nor says anything; found out when it is asked the next time."""
        self._silent = True
        self._world.after(IDLE_SECONDS + ANSWER_SECONDS, self._asked)

    def heal(self) -> None:
        """It goes on with what waits in its line, and answers when it is asked."""
        self._silent = False
        held, self._held = self._held, None
        if held is not None:
            held()
        self._world.after(IDLE_SECONDS, self._asked)

    def unplug(self) -> None:
        self._plugged = False
        self._say_how_it_is()

    def replug(self) -> None:
        self._plugged = True
        self._say_how_it_is()

    # --- inside -----------------------------------------------------------------------------------

    @property
    def _trouble(self) -> str:
        """As the driver calls it, what tells most first."""
        if not self._plugged:
            return "absent"
        if "cover" in self._wrong:
            return "cover_open"
        if not self._lines_left:
            return "paper_out"
        if "cutter" in self._wrong:
            return "cutter_error"
        return "overheated" if "head" in self._wrong else ""

    def _tell(self, event: Event) -> None:
        if self.report is not None:
            self.report(event)

    def _say_how_it_is(self) -> None:
        if self._silent and self._plugged:
            return
        self._tell(DeviceChanged("printer", self._plugged))
        self._tell(PrinterChanged(self._trouble, paper_low="paper" in self._wrong))

    def _asked(self) -> None:
        """It is asked how it is, with nothing to print; no answer is off-line."""
        if self._printing or not self._plugged:
            return
        if self._silent:
            self._tell(PrinterChanged("offline"))
        else:
            self._say_how_it_is()

    def _next(self) -> None:
        if self._printing or not self._jobs:
            return
        job, slip = self._jobs.popleft()
        if self._silent and self._plugged:
            self._world.after(ANSWER_SECONDS, lambda: self._give_up(job, self._power))
            return
        if self._trouble:
            self._fail(job, self._trouble, complete=False)
            return
        self._printing = True
        rows = slips.lay_out(slip, self.columns)
        cut = slips.cut_row(self.columns)
        self._print_row(job, [row for row in rows if row != cut], 0, self._power)

    def _give_up(self, job: int, power: int) -> None:
        """Asked before a slip, it has not answered."""
        if power == self._power:
            self._tell(PrinterChanged("offline"))
            self._fail(job, "offline", complete=False)

    def _print_row(self, job: int | None, rows: list[str], printed: int, power: int) -> None:
        """The next row. job: None when nobody waits for its end any more."""
        if power != self._power:
            return
        if self._silent and self._plugged:
            self._hold(job, rows, printed, power)
            return
        done = printed == len(rows)
        if printed or done:
            slip = Slip(tuple(rows[:printed]), ended=done or bool(self._trouble))
            self._witness.print(slip, begins=printed == 1)
        if done:
            self._end(job)
        elif self._trouble:
            self._printing = False
            # A slip is one piece of bytes for a printer, which may hold all of it by then.
            if job is not None:
                self._fail(job, self._trouble, complete=True)
            self._say_how_it_is()
        else:
            self._lines_left -= 1
            self._world.after(LINE_SECONDS, lambda: self._print_row(job, rows, printed + 1, power))

    def _end(self, job: int | None) -> None:
        self._printing = False
        if job is not None:
            self._tell(PrintEnded(job, printed=True))
        self._world.after(0, self._next)

    def _hold(self, job: int | None, rows: list[str], printed: int, power: int) -> None:
        """It hears nothing of the rest, which comes when it does; the driver waits for so long."""
        waits: list[int | None] = [job]

        def go_on() -> None:
            self._printing = True
            self._print_row(waits[0], rows, printed, power)

        def lose_patience() -> None:
            if self._held is go_on and waits[0] is not None:
                self._printing = False
                self._fail(waits[0], "timeout", complete=True)
                waits[0] = None

        self._held = go_on
        self._world.after(PIECE_SECONDS, lose_patience)

    def _fail(self, job: int, reason: str, *, complete: bool) -> None:
        self._tell(PrintEnded(job, False, reason, perhaps_complete=complete))
        self._world.after(0, self._next)

    def _end_slip(self) -> None:
        """The power failed in a slip: what there is of it is all that comes."""
        if self._witness.slips and not self._witness.slips[-1].ended:
            self._witness.print(Slip(self._witness.slips[-1].rows, ended=True), begins=False)
