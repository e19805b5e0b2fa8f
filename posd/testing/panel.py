"""The front panel of `posd demo`: screen, keys and paper in 80 x 24, keys and lines typed below.

Plain ANSI sequences and whole lines of input: it works wherever a terminal does.
"""

from __future__ import annotations

import os
import select
import sys
from codecs import getincrementaldecoder
from collections import deque
from pathlib import Path
from typing import Final

from devices import columns as grid
from posd.acquirer.cards import CARDS
from posd.acquirer.outcomes import as_markdown
from posd.testing import steps
from posd.testing.boxes import boxed
from posd.testing.compare import Comparison
from posd.testing.device_lines import ROLES
from posd.testing.installation import SOCKET
from posd.testing.player import Player, UnmetError
from posd.testing.real import RealStage
from posd.testing.script import KEYS, Script, parse_line
from posd.testing.stage import Screen, Slip, StageError, TerminalDiedError

LINES: Final = 24
_PAPER_LEFT: Final = 44
_PAPER_LINES: Final = 20
_PROMPT_LINE: Final = 23
_TICK: Final = 0.05  # s between two looks at what the terminal does
_MESSAGES: Final = 6
_PRINTER_SPEED: Final = 1500  # bytes a second: slow enough to watch the paper come
_NOTICE: Final = 0.2  # s for a screen to answer a key: here a person looks before the next line

WELCOME: Final = (
    "Enter is 确认: it signs in.",
    "Then: 12345 ok, swipe good, 123456 ok",
    "help says more, quit ends.",
)

KEYBOARD: Final = (
    "  1    2 ABC 3 DEF   取消 cancel",
    "  4    5     6       清除 clear",
    "  7    8     9       功能 function",
    "  ▲ up 0     ▼ down  确认 confirm",
)

HELP: Final = """\
Type keys and press Enter: digits, keys by name or symbol, several in a line.

  确认             the menu, or to go on; also: confirm, ok, or an empty line
  取消 清除 功能   also: cancel, clear, function
  ▲ ▼              also: up, down

A first walk: Enter signs in. 12345 ok, then swipe good, then 123456 ok sells
123.45, and ok prints the second copy. To void it: ok 1, 123456 ok (supervisor),
ok (the last sale), ok, swipe good.

  swipe NAME       a test card (cards lists them); swipe garbled, swipe half
  cards, amounts   the test cards; which amounts make the host do what
  host down, host up
  host does 51 to next sale    or no-answer, cut, wrong-mac, late, slow...
  paper out, paper load, printer unplug, printer replug, printer cover open...
  paper            the whole strip
  power cut, power on
  agree            compare the terminal's ledger with the acquirer's
  quit             compare them and end
"""

_LINES: Final = {
    "paper out": "printer paper out after 0 lines",
    "paper load": "printer load paper",
    "load paper": "printer load paper",
}
_VERBS: Final = ("press", "swipe", "host", *ROLES, "power", "wait", "agree")


class Panel:
    """Drives a real stage from the keyboard until `quit` or the end of input."""

    def __init__(self, stage: RealStage) -> None:
        self._stage = stage
        self._player = Player(Script("keyboard", (), ()), stage)
        self._strip: list[str] = []  # the paper of all finished slips
        self._messages: deque[str] = deque(WELCOME, maxlen=_MESSAGES)
        self._socket = stage.installation.directory / SOCKET
        where = ("Technicians, in another shell:", "posctl why --socket \\", f"  {self._socket}")
        self._messages.extend(where)
        self._typed = ""
        self._decode = getincrementaldecoder("utf-8")(
            "replace"
        ).decode  # a read may end inside a character
        self._host_up = True

    def run(self) -> Comparison:
        """Returns how both ledgers compare at the end. Raises StageError when the daemon ends."""
        self._stage.witness.listener = self
        try:
            self._clear()
            self._prompt()
            self._stage.power_on()
            self._draw()
            self._prompt()
            while (line := self._next_line()) is not None and line not in ("quit", "exit"):
                self._obey(line)
                self._draw()
                self._prompt()
        except KeyboardInterrupt:
            pass
        finally:
            self._stage.witness.listener = None
            self._write(f"\x1b[r\x1b[{LINES};1H\n")
        self._stage.let_pass(2.0, lambda: self._player.comparison().agree)
        return self._player.comparison()

    # --- what the stage tells ---------------------------------------------------------------------

    def showed(self, _screen: Screen, /) -> None:
        self._draw()

    def printed(self, slip: Slip, /) -> None:
        self._strip += [*slip.rows, ""]
        self._draw()

    # --- what the person types --------------------------------------------------------------------

    def _next_line(self) -> str | None:
        """The next whole line, None at the end of input; meanwhile the panel is alive."""
        while "\n" not in self._typed:
            ready, _, _ = select.select([sys.stdin], [], [], 0)
            if ready:
                data = os.read(sys.stdin.fileno(), 4096)
                if not data:
                    return None
                self._typed += self._decode(data)
            else:
                self._watch()
        line, _, self._typed = self._typed.partition("\n")
        return " ".join(line.split())

    def _watch(self) -> None:
        """Let the terminal work for a moment, and show what its printer does."""
        before = self._stage.witness.slips[-1:]
        self._stage.let_pass(_TICK, lambda: False)
        if before != self._stage.witness.slips[-1:]:
            self._draw()

    def _obey(self, line: str) -> None:
        pages = {
            "help": [*HELP.splitlines(), *self._technicians()],
            "cards": _cards(),
            "amounts": _amounts(),
            "paper": self._strip or ["no paper has come out"],
        }
        self._messages.clear()
        if line in pages:
            self._show_pages(pages[line])
            return
        self._draw()
        self._prompt()
        try:
            step = _step(line)
            self._player.play_step(step)
            self._draw()
        except TerminalDiedError:
            raise
        except (ValueError, UnmetError, StageError) as problem:
            self._say(str(problem).splitlines()[0])
            return
        match step:
            case steps.HostLink(up=up):
                self._host_up = up
            case steps.Agree():
                self._say(str(self._player.comparison()))
            case steps.PowerCut():
                self._say("no power; type: power on")

    def _technicians(self) -> list[str]:
        """Whole, however long the directory's name is: it is to be copied."""
        return ["", "Technicians, in another shell:", f"  posctl --socket {self._socket} why"]

    def _say(self, text: str) -> None:
        """Under the keyboard, until the next line is typed."""
        self._messages += grid.wrap(grid.printable(text), _PAPER_LEFT - 3)

    # --- what the person sees ---------------------------------------------------------------------

    def _draw(self) -> None:
        """Everything but the prompt line; the cursor stays where it is."""
        # Placed by column: how wide a terminal draws a frame or an arrow is its own affair.
        drawn = "".join(
            f"\x1b[{number};1H\x1b[2K{left}\x1b[{number};{_PAPER_LEFT}H{paper}"
            for number, (left, paper) in enumerate(
                zip(self._left_side(), self._paper(), strict=True), start=1
            )
        )
        self._write(f"\x1b7\x1b[?25l{drawn}\x1b[?25h\x1b8")

    def _left_side(self) -> list[str]:
        power = "on" if self._stage.powered else "off"
        host = "up" if self._host_up else "down"
        screen = boxed(self._stage.witness.screen).splitlines()
        rows = [
            f" posd demo   power {power}   host {host}",
            "",
            *(f"    {row}" for row in screen),
            "",
            *KEYBOARD,
            "",
            *(f" {message}" for message in self._messages),
        ]
        height = _PAPER_LINES + 1
        return [*rows, *[""] * (height - len(rows))][:height]

    def _paper(self) -> list[str]:
        """The end of the strip, as it comes out of the printer at the bottom."""
        slips = self._stage.witness.slips
        running = slips[-1].rows if slips and not slips[-1].ended else ()
        strip = [*self._strip, *running][-_PAPER_LINES:]
        blank = [""] * (_PAPER_LINES - len(strip))
        right = f"\x1b[{_PAPER_LEFT + 33}G│"
        return [*(f"│{row}{right}" for row in (*blank, *strip)), "╘" + "═" * 32 + "╛"]

    def _show_pages(self, lines: list[str]) -> None:
        height = LINES - 2
        for start in range(0, len(lines), height):
            self._clear()
            self._write("\n".join(lines[start : start + height]))
            self._write("\n-- Enter --   q: back, or what is to be done next")
            line = self._next_line()
            if line:
                if line != "q":
                    self._typed = f"{line}\n{self._typed}"
                break
            if line is None:
                break
        self._clear()

    def _clear(self) -> None:
        """An empty window, in which what is typed ahead scrolls below the frame only."""
        self._write(f"\x1b[2J\x1b[{_PROMPT_LINE};{LINES}r\x1b[H")

    def _prompt(self) -> None:
        self._write(f"\x1b[{_PROMPT_LINE};1H\x1b[J> ")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def _step(line: str) -> steps.Step:
    """A line of a script, or just keys. Raises ValueError."""
    words = line.split() or ["confirm"]
    if all(word in KEYS or word.isdecimal() for word in words):
        return parse_line("press " + " ".join(words))
    line = _LINES.get(line, line)
    if line.split()[0] not in _VERBS:
        raise ValueError(f"{line}: no key and no command; try help")
    return parse_line(line)


def open_stage(directory: Path) -> RealStage:
    """A stage for a person: its printer takes its time, and its clerk waits for no second look."""
    return RealStage(directory, printer_bytes_per_second=_PRINTER_SPEED, notice=_NOTICE)


def _amounts() -> list[str]:
    """The acquirer's table for people: its README has the same in Markdown."""
    table = [line.strip("| ").split(" | ") for line in as_markdown().splitlines()]
    return [f"{amount:8}{text}" for amount, text in (table[0], *table[2:])]


def _cards() -> list[str]:
    rows = [f"{'swipe':10} {'number':20} {'PIN':8} notes"]
    for card in CARDS:
        number = card.pan.reveal()
        notes = f"always answered {card.code}" if card.code else ""
        if not notes and card.funds == 0:
            notes = "no funds: 51"
        rows.append(f"{card.name:10} {number:20} {card.pin or 'none':8} {notes}".rstrip())
    return rows
