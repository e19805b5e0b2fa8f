"""What a line of a script says, as frozen values. `line` is its number in the file, from 1.

Texts, patterns, keys and voucher numbers may hold `{name}`: what an earlier `remember` line kept.
`seconds` of an expectation is how long it may take to come true, None for the player's default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from posd.acquirer.outcomes import Outcome

Disturbance = Literal["noise", "cut short", "drip", "silent", "xoff", "xon", "heal"]
"""What a bad line does; `stage.Stage.disturb` says what each of them means."""

Part = Literal["cover", "cutter", "head", "paper"]
"""What of a printer itself may be wrong: open, stuck, too hot, near its end."""

SettingValue = str | int | float | bool | list[str]


@dataclass(frozen=True, slots=True)
class Set:
    """A setting of the terminal, named as in its configuration file; before `start` only."""

    line: int
    path: tuple[str, ...]
    value: SettingValue


@dataclass(frozen=True, slots=True)
class Start:
    line: int


@dataclass(frozen=True, slots=True)
class Press:
    """Keys one after the other: names of `Key`, runs of digits, `{name}`."""

    line: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Swipe:
    """A test card by name; fault is "" or what is wrong with the swipe."""

    line: int
    card: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ExpectScreen:
    """All texts stand on one screen."""

    line: int
    texts: tuple[str, ...]
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ExpectNoScreen:
    """The text is not on the screen, now and for so many seconds."""

    line: int
    text: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ExpectPaper:
    """All texts stand on one slip that no earlier `expect paper` has taken."""

    line: int
    texts: tuple[str, ...]
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ExpectNoPaper:
    """No slip, and no beginning of one, is left that no `expect paper` has taken."""

    line: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ExpectHost:
    """The host received this message. A value may also be `present` or `absent`."""

    line: int
    mti: str
    elements: Mapping[int, str]
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ExpectHostNothing:
    """The host received nothing that no earlier `expect host` has taken."""

    line: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ExpectOff:
    """The terminal has ended by itself and is not started again."""

    line: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ExpectLedger:
    """The terminal's ledger holds this transaction in this state; voucher may be `last`."""

    line: int
    voucher: str
    state: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ExpectOrder:
    """The same for an order; number may be `last` or any voucher number linked to it."""

    line: int
    number: str
    state: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Remember:
    """Keeps what stands where `*` is in the pattern, on the screen or on the newest slip."""

    line: int
    name: str
    source: Literal["screen", "paper"]
    pattern: str


@dataclass(frozen=True, slots=True)
class HostDoes:
    """What the host does to the next requests of a kind (`any`: of whatever kind)."""

    line: int
    outcome: Outcome
    kind: str
    times: int


@dataclass(frozen=True, slots=True)
class HostLink:
    """The host can be reached, or refuses connections and drops those that it has."""

    line: int
    up: bool


@dataclass(frozen=True, slots=True)
class PaperOut:
    """The paper ends after so many more lines."""

    line: int
    lines: int


@dataclass(frozen=True, slots=True)
class LoadPaper:
    line: int


@dataclass(frozen=True, slots=True)
class Plug:
    """A device is pulled out, or put back."""

    line: int
    role: str  # as in the configuration: keypad, display, printer, card_reader
    plugged: bool


@dataclass(frozen=True, slots=True)
class Disturb:
    """Something happens to a device's line. amount: bytes for `cut short`, seconds otherwise."""

    line: int
    role: str
    how: Disturbance
    amount: float = 0.0


@dataclass(frozen=True, slots=True)
class PrinterPart:
    """A part of the printer goes wrong, or is right again."""

    line: int
    part: Part
    wrong: bool


@dataclass(frozen=True, slots=True)
class PowerCut:
    """The terminal stops at once. while_waiting: as soon as a request is out without an answer."""

    line: int
    while_waiting: bool


@dataclass(frozen=True, slots=True)
class PowerOn:
    line: int


@dataclass(frozen=True, slots=True)
class KeepLedger:
    """A copy of the terminal's ledger is laid aside while it has no power."""

    line: int


@dataclass(frozen=True, slots=True)
class PutBackLedger:
    """The copy takes the ledger's place, as a technician's mistake or a backup would."""

    line: int


@dataclass(frozen=True, slots=True)
class Wait:
    line: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Agree:
    """The terminal's ledger and the acquirer's say the same about every transaction."""

    line: int
    seconds: float | None = None


Step = (
    Set
    | Start
    | Press
    | Swipe
    | ExpectScreen
    | ExpectNoScreen
    | ExpectPaper
    | ExpectNoPaper
    | ExpectHost
    | ExpectHostNothing
    | ExpectOff
    | ExpectLedger
    | ExpectOrder
    | Remember
    | HostDoes
    | HostLink
    | PaperOut
    | LoadPaper
    | Plug
    | Disturb
    | PrinterPart
    | PowerCut
    | PowerOn
    | KeepLedger
    | PutBackLedger
    | Wait
    | Agree
)
