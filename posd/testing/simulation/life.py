"""One life of the simulated terminal, from power to power cut: the real core and its ports."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from devices.slip import Slip
from posd.core.core import Core
from posd.core.events import CardSwiped, CardUnreadable, DeviceChanged, Event, Key
from posd.core.ports import Host, Ports, Randomness
from posd.keys import Keys
from posd.ledger.ledger import Ledger
from posd.pin_entry import SecretPrompt, check_inline
from posd.settings import Configuration
from posd.testing.checks.wire import Captured
from posd.testing.simulation.capture import CapturedHost
from posd.testing.simulation.cuts import Cuts
from posd.testing.simulation.network import Network
from posd.testing.stage import Witness
from posd.testing.virtual_devices import VirtualDisplay, VirtualPrinter, VirtualTimers
from posd.testing.world import World
from protocol import Track

_ALWAYS_THERE = ("keypad", "display", "card_reader")


class Surroundings:
    """What outlives the terminal's power: the network, the printer, what was seen, the cuts."""

    def __init__(
        self,
        configuration: Configuration,
        keys: Keys,
        ledger_file: Path,
        world: World,
        network: Network,
        cuts: Cuts,
    ) -> None:
        self.configuration = configuration
        self.keys = keys
        self.ledger_file = ledger_file
        self.world = world
        self.network = network
        self.cuts = cuts
        self.witness = Witness()
        self.printer = VirtualPrinter(world, self.witness)
        self.captured: list[Captured] = []
        self.printed: list[tuple[int, Slip]] = []
        """Every print command: the job's number and its slip."""


class Life:
    """Switched on by making it. Raises PowerCut, LedgerError: then there was no life.

    random_bytes: of this life alone.
    """

    def __init__(self, surroundings: Surroundings, random_bytes: Randomness) -> None:
        self._alive = True
        self._surroundings = surroundings
        world, keys, cuts = surroundings.world, surroundings.keys, surroundings.cuts
        self.ledger = Ledger.open(surroundings.ledger_file, keys, world, random_bytes, cuts.commit)
        self._entry = SecretPrompt(
            self.report, check_inline(keys.device, keys.password_cost), mask=lambda _open: None
        )
        host = CapturedHost(
            surroundings.network.plug_in, self.report, surroundings.captured, world.monotonic
        )
        ports = Ports(
            display=VirtualDisplay(surroundings.witness),
            printer=_StoppingPrinter(surroundings),
            host=_StoppingHost(host, cuts),
            timers=VirtualTimers(world, self.report),
            clock=world,
            random_bytes=random_bytes,
            secret_entry=self._entry,
        )
        try:
            self.core = Core(surroundings.configuration, self.ledger, ports, keys)
            self.core.start()
            for role in _ALWAYS_THERE:
                self.report(DeviceChanged(role, present=True))
        except BaseException:
            self.end()
            raise
        surroundings.printer.power_up(self.report)

    def report(self, event: Event) -> None:
        """Hand an event to the core, unless it comes after the end."""
        if self._alive and self.core.halted is None:
            self.core.handle(event)

    def press(self, key: Key) -> None:
        self._entry.press(key)

    def swipe(self, track: Track) -> None:
        self.report(CardSwiped(track))

    def swipe_badly(self, reason: str) -> None:
        self.report(CardUnreadable(reason))

    def ask(self, call: Callable[[], Any]) -> None:
        """Let the core do this in an event of its own, as soon as time goes on."""
        self.core.timers.after(0.0, call)

    def transactions_made(self) -> int:
        """How many the ledger holds."""
        database = self.ledger._database
        count = "SELECT coalesce(max(id), 0) FROM transactions"
        (row,) = database.remembered(count, lambda: database.all(count))
        return int(row[0])

    def transactions_of(self, kinds: Collection[str], states: Collection[str]) -> list[int]:
        """The ids of those of these kinds that are in these states, oldest first."""
        rows = self.ledger._database.all(
            f"""SELECT id, kind FROM transactions
                WHERE state IN ({", ".join("?" * len(states))}) ORDER BY id""",  # noqa: S608 - placeholders only
            tuple(states),
        )
        return [row[0] for row in rows if row[1] in kinds]

    def order_numbers(self) -> list[str]:
        """Of the newest twenty orders."""
        rows = self.ledger._database.all("SELECT number FROM orders ORDER BY id DESC LIMIT 20")
        return [str(row[0]) for row in rows]

    def state_of(self, transaction: int) -> str:
        """Raises KeyError."""
        return str(self.ledger.transactions.get(transaction).state)

    def in_doubt(self) -> list[str]:
        """Kind and state of what is open, reversing or pending, oldest first."""
        rows = self.ledger._database.all(
            """SELECT kind, state FROM transactions
               WHERE state IN ('open', 'reversing', 'pending') ORDER BY id"""
        )
        return [f"{row[0]} {row[1]}" for row in rows]

    def roll_back(self) -> None:
        """What a commit has not finished is gone, as it is after a power cut."""
        connection = self.ledger._database._connection
        if connection.in_transaction:
            connection.execute("ROLLBACK")

    def end(self) -> None:
        """Nothing of this life happens any more; what is committed is all that stays."""
        self._alive = False
        self.ledger.close()
        self._surroundings.network.power_cut()
        self._surroundings.printer.power_cut()


class _StoppingHost:
    """The host port with its two places for a cut around every hand-over of bytes."""

    def __init__(self, host: Host, cuts: Cuts) -> None:
        self._host = host
        self._cuts = cuts
        self.connect = host.connect
        self.close = host.close

    def send(self, exchange: int, frame: bytes) -> None:
        self._cuts.before_hand_over()
        self._host.send(exchange, frame)
        self._cuts.after_hand_over()


class _StoppingPrinter:
    """The printer port with its two places for a cut around every print command."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def print(self, job: int, slip: Slip) -> None:
        self._surroundings.cuts.before_print()
        self._surroundings.printed.append((job, slip))
        self._surroundings.printer.print(job, slip)
        self._surroundings.cuts.after_print()
