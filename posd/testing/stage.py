"""What a script needs of the place where it is played, whatever that place is.

Two stages exist: `in_process.InProcessStage` (the core under a virtual clock) and
`real.RealStage` (the daemon as its own process, pseudo-terminals, TCP). The player knows neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from posd.acquirer.outcomes import Outcome
from posd.core.events import Key
from posd.testing.steps import Disturbance, Part, SettingValue

Screen = tuple[str, ...]
"""The rows of a screen from the top, without blanks on the right."""


@dataclass(frozen=True, slots=True)
class Slip:
    """A piece of paper as people read it; ended: it was cut, or the paper ended in it."""

    rows: tuple[str, ...]
    ended: bool


class StageError(Exception):
    """The stage cannot do what the script asks, or broke: what happened, for the report."""


class SettingError(StageError):
    """A setting that the terminal would not take: its key, what was expected and found."""


class TerminalDiedError(StageError):
    """The terminal ended although nobody cut its power."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message that arrived at the host: element number -> value in words.

    Binary elements are in hex, card numbers and tracks masked, a PIN block is only `present`.
    """

    mti: str
    kind: str
    elements: dict[int, str]


class Listener(Protocol):
    """Is told of everything as it comes out of the terminal."""

    def showed(self, screen: Screen, /) -> None: ...

    def printed(self, slip: Slip, /) -> None:
        """A slip was cut, or the paper ended in it."""


@dataclass
class Witness:
    """What has come out of the terminal since the stage was built, oldest first.

    screens: every picture that differs from the one before it. slips: the paper in pieces, cut by
    cut; the last one may be unfinished. received: what reached the host. frames: every frame that
    reached the host, and the bytes of every answer, as they were; they hold what is secret.
    """

    screens: list[Screen] = field(default_factory=lambda: [()])
    slips: list[Slip] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list, repr=False)
    listener: Listener | None = None

    @property
    def screen(self) -> Screen:
        """What the display shows now; no rows when it shows nothing."""
        return self.screens[-1]

    def show(self, rows: Iterable[str]) -> None:
        """The display shows these rows."""
        screen = tuple(row.rstrip() for row in rows)
        if screen != self.screens[-1]:
            self.screens.append(screen)
            if self.listener is not None:
                self.listener.showed(screen)

    def print(self, slip: Slip, *, begins: bool) -> None:
        """The newest slip looks like this now; begins: it is another one than before."""
        if begins or not self.slips:
            self.slips.append(slip)
        elif self.slips[-1] == slip:
            return
        else:
            self.slips[-1] = slip
        if slip.ended and self.listener is not None:
            self.listener.printed(slip)


class Stage(Protocol):
    """Every call returns when its effect has begun; what follows from it shows in the witness.

    Everything may raise StageError.
    """

    witness: Witness
    patience: float
    """How often the time that it may take an expectation is given: more where machines are slow."""

    def configure(self, path: Sequence[str], value: SettingValue) -> None:
        """A setting of the terminal by its path in the configuration file; before power_on."""

    def power_on(self) -> None:
        """Start the terminal on the state it left, the first time on none."""

    def power_cut(self) -> None:
        """The terminal stops between two instructions, without any chance to tidy up."""

    @property
    def powered(self) -> bool:
        """Whether the terminal runs."""

    def waiting_for_answer(self) -> bool:
        """Whether the host has a financial request that it has not answered."""

    def press(self, key: Key) -> None:
        """One key; returns when the terminal has most likely taken notice of it."""

    def swipe(self, card: str, fault: str) -> None:
        """One swipe of a test card; fault is "" or one of script.SWIPE_FAULTS."""

    def order(self, outcome: Outcome, kind: str, times: int) -> None:
        """What the host does to the next requests of a kind."""

    def link(self, *, up: bool) -> None:
        """Let the host be reached, or refuse connections and drop those that there are."""

    def paper_out(self, lines: int) -> None:
        """The paper ends after so many more lines."""

    def load_paper(self) -> None: ...

    def plug(self, role: str, *, plugged: bool) -> None:
        """Pull out this device of the configuration, or put it back; also without power.

        An unplugged display shows nothing; keys and cards on what is unplugged go nowhere.
        """

    def disturb(self, role: str, how: Disturbance, amount: float) -> None:
        """Let a device's line do what bad lines do; also without power.

        noise: the terminal hears bytes that mean nothing. cut short: it hears only so many bytes
        more (half a frame). drip: it hears one byte in so many seconds. silent: the device neither
        hears nor says anything, for so many seconds if that is not 0. xoff, xon: the device holds
        off what the terminal sends, and lets it go. heal: none of it any more.
        """

    def printer_part(self, part: Part, *, wrong: bool) -> None:
        """Cover open, cutter stuck, head too hot, paper near its end; or no longer."""

    def let_pass(self, seconds: float, until: Callable[[], bool]) -> bool:
        """Let time pass until this is true, at most so many seconds of the stage's own clock.

        Tells whether it became true. Whatever happens meanwhile is in the witness.
        """

    def copy_ledgers(self) -> tuple[Path, Path]:
        """Copies of the terminal's and of the acquirer's ledger as they are now, for reading."""

    def keep_ledger(self) -> None:
        """Lay a copy of the ledger aside; the terminal has no power."""

    def put_back_ledger(self) -> None:
        """Put the copy in the ledger's place; the terminal has no power."""

    def close(self) -> None:
        """Stop everything that the stage started; nothing of it is left behind."""
