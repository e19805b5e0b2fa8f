"""The in-process stage: the real core and the real test acquirer under a virtual clock.

Nothing waits and nothing is random but by the seed: the same script and seed give the same run.
A power cut drops the core and its ports; the next one starts from the ledger file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from posd.acquirer.cards import BY_NAME
from posd.acquirer.outcomes import Order, Outcome
from posd.core.core import Core
from posd.core.ending import Ending
from posd.core.events import DeviceChanged, Event, Key
from posd.core.ports import Ports
from posd.keys import Keys
from posd.ledger.errors import LedgerError
from posd.ledger.ledger import Ledger
from posd.pin_entry import SecretPrompt, check_inline
from posd.settings import Configuration
from posd.testing.installation import Installation
from posd.testing.snapshot import Snapshots
from posd.testing.stage import StageError, TerminalDiedError, Witness
from posd.testing.steps import Disturbance, Part, SettingValue
from posd.testing.virtual_devices import VirtualDisplay, VirtualPrinter, VirtualTimers
from posd.testing.virtual_host import VirtualLink
from posd.testing.virtual_lines import NOISE, VirtualLine, VirtualReader
from posd.testing.watched_acquirer import WatchedAcquirer
from posd.testing.world import World
from posd.training import Training, TrainingLife, forget_training

PASSWORD_COST: Final = 2  # scrypt's N: a thousand clerks type passwords in a second
_RESTART_SECONDS: Final = 1.0  # RestartSec of the service
_DARK_SECONDS: Final = 2.0  # of a drill's power cut
_WITHOUT_PAPER: Final = ("keypad", "display", "card_reader")


class InProcessStage:
    """One terminal below one directory. seed: of keys, nonces and whatever else is random."""

    patience = 1.0

    def __init__(self, directory: Path, seed: int = 0) -> None:
        self.world = World()
        self.witness = Witness()
        # Not for secrets: every key of this world is invented from the seed.
        self._random = Random(seed)  # noqa: S311
        self.installation = Installation(directory, self.random_bytes)
        self.printer = VirtualPrinter(self.world, self.witness)
        self.display = VirtualDisplay(self.witness)
        self.unplugged: set[str] = set()
        self._keys = VirtualLine(self.world, self._key_arrives)
        self._card_bytes = VirtualLine(self.world, self._card_byte_arrives)
        self.terminal: Terminal | None = None
        self._host: tuple[WatchedAcquirer, VirtualLink] | None = None
        self._training: Training | None = None
        self._ledger_file = self.installation.state_directory / "ledger.db"
        self._snapshots = Snapshots(self._ledger_file, directory / "copy.db")

    def random_bytes(self, length: int) -> bytes:
        """What is random in this world: the same bytes again for the same seed."""
        return self._random.randbytes(length)

    # --- the terminal -----------------------------------------------------------------------------

    def configure(self, path: Sequence[str], value: SettingValue) -> None:
        if self._host is not None:
            raise StageError("settings come before anything else")
        printer = self.installation.configure(path, value).devices.printer
        if printer is not None:
            self.printer.columns = printer.columns

    @property
    def powered(self) -> bool:
        return self.terminal is not None

    def power_on(self) -> None:
        if self.terminal is not None:
            raise StageError("the terminal has power already")
        self._acquirer()
        self._start()
        self._happen()

    def power_cut(self) -> None:
        self._running()
        self._end_life()
        self.display.power_cut()
        if self._training is not None:  # what lies on its disk is found at the next start
            self._training.close()
            self._training = None

    def _start(self) -> None:
        """A life of the terminal, live unless a training goes on."""
        if self._training is None:
            configuration = self.installation.load()
            forget_training(configuration)
            keys = Keys.load(
                *(self.installation.directory / f"{name}.key" for name in ("device", "master")),
            )
        else:
            configuration, keys = self._training.configuration, self._training.keys
        link = self._acquirer()[1]
        self.terminal = Terminal(self, configuration, keys, link, self._training)

    def _end_life(self) -> None:
        assert self.terminal is not None
        self.terminal.power_cut()
        self.terminal = None
        self._acquirer()[1].power_cut()
        self.printer.power_cut()

    def ended(self, terminal: Terminal) -> None:
        """A clerk ended this life: what is to come after it, as the daemon and its manager do it."""
        if self.terminal is not terminal:
            return  # the power was cut in the meantime
        self._end_life()
        match terminal.core.ending:
            case Ending.TRAINING:
                live = self.installation.load()
                self._training = Training(live, self.world, self.random_bytes, PASSWORD_COST)
                self._start()
            case Ending.LIVE:
                assert self._training is not None
                self._training.end()
                self._training = None
                self._start()
            case Ending.POWER_CUT:
                self.display.power_cut()
                self.world.after(_DARK_SECONDS, self._start)
            case Ending.RESTART:
                self.world.after(_RESTART_SECONDS, self._start)

    # --- the clerk --------------------------------------------------------------------------------

    def press(self, key: Key) -> None:
        self._running()
        if "keypad" not in self.unplugged:
            self._keys.send([key])
        self._happen()

    def swipe(self, card: str, fault: str) -> None:
        track = BY_NAME[card].track2.reveal()
        running = self._running()
        if "card_reader" not in self.unplugged:
            data = f";{_spoiled(track, fault)}\r\n".encode("ascii")
            if self._card_bytes.is_sound:
                running.reader.feed(data)
                running.reader.end_of_read()
            else:
                self._card_bytes.send(data)
        self._happen()

    def _key_arrives(self, key: Key) -> None:
        if self.terminal is not None and "keypad" not in self.unplugged:
            self.terminal.press(key)

    def _card_byte_arrives(self, byte: int) -> None:
        if self.terminal is not None and "card_reader" not in self.unplugged:
            self.terminal.reader.feed(bytes((byte,)))

    def paper_out(self, lines: int) -> None:
        self.printer.paper_out(lines)

    def load_paper(self) -> None:
        self.printer.load_paper()

    def plug(self, role: str, *, plugged: bool) -> None:
        if plugged:
            self.unplugged.discard(role)
        else:
            self.unplugged.add(role)
        if role == "printer":
            self.printer.replug() if plugged else self.printer.unplug()
            return
        if role == "display":
            self.display.replug() if plugged else self.display.unplug()
        if self.terminal is not None:
            self.terminal.report(DeviceChanged(role, plugged))
        self._happen()

    def disturb(self, role: str, how: Disturbance, amount: float) -> None:
        lines: dict[str, VirtualLine[Any]] = {
            "keypad": self._keys,
            "card_reader": self._card_bytes,
        }
        says = lines.get(role)
        match how:
            case "noise":
                if role == "card_reader":
                    self._card_bytes.send(
                        NOISE
                    )  # nowhere else is there anything that could hear it
            case "cut short" if says is not None:
                says.cut_short(int(amount))
            case "drip" if says is not None:
                says.drip(amount)
            case "silent":
                self._silence(role)
                if amount:
                    self.world.after(amount, lambda: self._heal(role))
            case "heal":
                self._heal(role)
            case _:
                raise StageError(
                    f"{how} of the {role} is a matter of its bytes, and virtual time has none: "
                    "let the script begin with `# stage: real`"
                )
        self._happen()

    def _silence(self, role: str) -> None:
        match role:
            case "keypad":
                self._keys.cut_short(0)
            case "card_reader":
                self._card_bytes.cut_short(0)
            case "display":
                self.display.silence()
            case "printer":
                self.printer.silence()

    def _heal(self, role: str) -> None:
        match role:
            case "keypad":
                self._keys.heal()
            case "card_reader":
                self._card_bytes.heal()
            case "display":
                self.display.heal()
            case "printer":
                self.printer.heal()

    def printer_part(self, part: Part, *, wrong: bool) -> None:
        self.printer.part(part, wrong=wrong)
        self._happen()

    # --- the host ---------------------------------------------------------------------------------

    def waiting_for_answer(self) -> bool:
        return self._acquirer()[0].owes_an_answer

    def order(self, outcome: Outcome, kind: str, times: int) -> None:
        self._acquirer()[0].order(Order(kind, outcome, times))

    def link(self, *, up: bool) -> None:
        self._acquirer()[1].up = up
        self._happen()

    def _acquirer(self) -> tuple[WatchedAcquirer, VirtualLink]:
        """Made when it is first needed: from then on the terminal's settings are fixed."""
        if self._host is None:
            acquirer = WatchedAcquirer(
                self.installation,
                self.witness,
                seconds=self.world.monotonic,
                clock=self.world.now,
                random_bytes=self.random_bytes,
            )
            self._host = acquirer, VirtualLink(self.world, acquirer.receive)
        return self._host

    # --- time and truth ---------------------------------------------------------------------------

    def let_pass(self, seconds: float, until: Callable[[], bool]) -> bool:
        came_true = self.world.let_pass(seconds, until)
        self._look()
        return came_true

    def copy_ledgers(self) -> tuple[Path, Path]:
        return self._snapshots.take(), self.installation.acquirer_ledger

    def keep_ledger(self) -> None:
        self._without_power()
        self._snapshots.keep()

    def put_back_ledger(self) -> None:
        self._without_power()
        try:
            self._snapshots.put_back()
        except FileNotFoundError:
            raise StageError("no ledger has been kept") from None

    def _without_power(self) -> None:
        if self.powered:
            raise StageError("a ledger in use is neither kept nor put back: cut the power first")

    def close(self) -> None:
        if self.terminal is not None:
            self.terminal.power_cut()
        if self._host is not None:
            self._host[0].ledger.close()

    def _running(self) -> Terminal:
        if self.terminal is None:
            raise StageError("the terminal has no power")
        return self.terminal

    def _happen(self) -> None:
        """Everything that is due at this moment."""
        self.let_pass(0.0, lambda: False)

    def _look(self) -> None:
        """Take notice of a core that gave up, as a process would by ending, or caught a mistake."""
        if self.terminal is None:
            return
        core = self.terminal.core
        if core.halted is not None:
            self.power_cut()
            raise TerminalDiedError(f"the terminal halted: {core.halted}")
        if core.faults:
            raise StageError("an exception escaped inside the terminal; its log says which")


class Terminal:
    """One life of the terminal, from power to power cut: a core and its ports."""

    def __init__(
        self,
        stage: InProcessStage,
        configuration: Configuration,
        keys: Keys,
        link: VirtualLink,
        training: Training | None = None,
    ) -> None:
        self._alive = True
        self._stage = stage
        world = stage.world
        self.reader = VirtualReader(world, self.report)
        keys = Keys(keys.device, keys.master, PASSWORD_COST)
        try:
            self.ledger = Ledger.open(
                configuration.terminal.state_directory / "ledger.db",
                keys,
                world,
                stage.random_bytes,
            )
        except LedgerError as error:
            raise StageError(str(error)) from None
        self._entry = SecretPrompt(
            self.report, check_inline(keys.device, PASSWORD_COST), mask=lambda _open: None
        )
        host = link.plug_in(self.report)
        self._training: TrainingLife | None = None
        if training is not None:
            self._training = training.life(stage.printer, self.report, world.after)
            host = self._training.host
        ports = Ports(
            display=stage.display,
            printer=self._training or stage.printer,
            host=host,
            timers=VirtualTimers(world, self.report),
            clock=world,
            random_bytes=stage.random_bytes,
            secret_entry=self._entry,
            drills=self._training,
        )
        self.core = Core(configuration, self.ledger, ports, keys)
        self.core.start()
        for role in _WITHOUT_PAPER:
            self.report(DeviceChanged(role, role not in stage.unplugged))
        stage.printer.power_up(self.report)

    def report(self, event: Event) -> None:
        """Hand an event to the core, unless it comes after the power cut."""
        if not self._alive or self.core.halted is not None or self.core.ending is not None:
            return
        self.core.handle(event if self._training is None else self._training.translated(event))
        if self.core.ending is not None:
            self._stage.world.after(0.0, lambda: self._stage.ended(self))

    def press(self, key: Key) -> None:
        self._entry.press(key)

    def power_cut(self) -> None:
        """Nothing of this life happens any more; what is committed is all that stays."""
        self._alive = False
        if self._training is not None:
            self._training.host.forget()
        self.ledger.close()


def _spoiled(track: str, fault: str) -> str:
    """The track with its end sentinel, as a worn stripe or a hasty hand leaves it."""
    match fault:
        case "garbled":
            return f"{track[:5]}{(int(track[5]) + 1) % 10}{track[6:]}?"
        case "half":
            return track[: len(track) // 2]
        case _:
            return f"{track}?"
