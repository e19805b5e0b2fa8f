"""One scenario from its beginning to rest: a terminal, its acquirer, stops and faults between them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Final

from posd.acquirer.acquirer import Acquirer
from posd.acquirer.answers import Delivery
from posd.acquirer.ledger import AcquirerLedger
from posd.acquirer.outcomes import Order, Outcome
from posd.acquirer.situation import Options, TerminalRecord
from posd.keys import Keys
from posd.ledger.errors import LedgerError
from posd.ledger.ledger import milliseconds
from posd.money.money import Refusal
from posd.settings import (
    Configuration,
    DialectSettings,
    HostSettings,
    SettlementSettings,
    TerminalSettings,
)
from posd.testing.matrix.faults import UNDISTURBED, Plan
from posd.testing.matrix.life import (
    PASSWORD_COST,
    DialogueLife,
    Handed,
    Life,
    MoneyLife,
    Surroundings,
)
from posd.testing.matrix.points import AcquirerStopped, How, Points, Stop, Stopped
from posd.testing.matrix.wire import Wire
from posd.testing.world import BEGINNING, World
from protocol import DEFAULT, Key
from protocol.keys import WorkingKeys, wrap_working_keys

TERMINAL, MERCHANT = "T0000001", "M00000000000001"
OUTAGE: Final = 5.0  # s without power
LONG_ENOUGH: Final = 4000.0  # s: for every back-off to come to its end
AFTERWARDS: Final = 320.0  # s: everything late has come
_MASTER: Final = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
_LIVES: Final = 12  # a scenario that needs more of them does not come to rest
_LEDGER, _ACQUIRER = "ledger.db", "acquirer.db"
USUAL_SETTLEMENT: Final = SettlementSettings()
_FILES: Final = (_LEDGER, f"{_LEDGER}-wal", f"{_LEDGER}.generation")


class Seeded:
    """Bytes that are the same for the same seed."""

    def __init__(self, seed: str) -> None:
        self._seed, self._calls = seed, count()

    def __call__(self, length: int) -> bytes:
        material = f"{self._seed}/{next(self._calls)}".encode("ascii")
        return hashlib.shake_128(material).digest(length)


@dataclass(frozen=True)
class Business:
    """What a clerk does. dialogue: at the keys, else at the money core's interface.

    prepare brings the terminal to where ask can be done, once, undisturbed. ask is what is disturbed.
    close is one more sale, which must go well once all is over. settle is what a clerk does at a
    terminal that waits for one. settlement: the terminal's settings of that name.
    """

    name: str
    prepare: Callable[[Shop], None]
    ask: Callable[[Shop], None]
    close: Callable[[Shop], str | None]
    settle: Callable[[Shop], None]
    dialogue: bool = False
    settlement: SettlementSettings = USUAL_SETTLEMENT


@dataclass(frozen=True)
class Scenario:
    """A business, disturbed. stops: one for each life, from the first on."""

    business: Business
    plan: Plan = UNDISTURBED
    stops: tuple[Stop | None, ...] = ()

    def __str__(self) -> str:
        stops = [f"{stop.how} at {stop.number}" for stop in self.stops if stop is not None]
        return "; ".join([self.business.name, self.plan.name, *stops])


class Shop:
    """Makes everything below one directory, which may hold a prepared state. Call `run` once.

    lives: the points of each life of the terminal. papers: every slip that was handed to a printer.
    problems: what went wrong while it ran. began: when, in the ledger's milliseconds.
    """

    def __init__(self, directory: Path, scenario: Scenario, hours: float = 0.0) -> None:
        """hours: how long after the beginning of virtual time this begins."""
        self.scenario = scenario
        self.world = World(BEGINNING + timedelta(hours=hours))
        self.began = milliseconds(self.world.now())
        self.lives: list[Points] = []
        self.papers: list[Handed] = []
        self.problems: list[str] = []
        self._directory = directory
        self._acquirer_ledger = AcquirerLedger(directory / _ACQUIRER)
        self._acquirer = self._new_acquirer()
        self.wire = Wire(self.world, self._receive, self._place, scenario.plan.faults)
        self._life: Life | None = None
        self._stopped_by: How | None = None
        self._keys = Keys(bytes(range(32)), Key(_MASTER), PASSWORD_COST)
        self._configuration = Configuration(
            terminal=TerminalSettings(
                terminal_id=TERMINAL,
                merchant_id=MERCHANT,
                merchant_name="测试商户",
                state_directory=directory,
                test_host=True,
            ),
            host=HostSettings(address="127.0.0.1", port=1),
            dialect=DialectSettings(partial_approval="1"),
            settlement=scenario.business.settlement,
        )

    # -- what a business uses --------------------------------------------------------------------

    @property
    def life(self) -> Life:
        assert self._life is not None
        return self._life

    def do(self, call: Callable[[], None]) -> None:
        """Something from outside; what it brings about is waited for with `settle`."""
        self.life.do(call)

    def let_pass(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Until this is true, or the terminal has ended itself; tells whether one of them came."""
        life = self.life
        return self.world.let_pass(seconds, lambda: life.ended is not None or until())

    def order_at_host(self, kind: str, outcome: Outcome, times: int = 1) -> None:
        """How the acquirer treats the next requests of a kind."""
        self._acquirer.order(Order(kind, outcome, times))

    def change_batch(self, batch: str) -> None:
        """The acquirer's number for the terminal's batch, from the next sign-in on."""
        self._acquirer.change_batch(TERMINAL, batch)

    # -- the whole of it -------------------------------------------------------------------------

    @property
    def ledgers(self) -> tuple[Path, Path]:
        """The terminal's newest and the acquirer's."""
        return self._life_directory(len(self.lives) - 1) / _LEDGER, self._directory / _ACQUIRER

    def prepare(self) -> None:
        """Do what comes before, and leave the files where another shop finds them."""
        self._start()
        self.scenario.business.prepare(self)
        self.let_pass(10.0)
        self._end(power=False)
        self._copy_files(self._directory)
        shutil.rmtree(self._life_directory(0))
        self._acquirer_ledger.close()

    def run(self) -> None:
        """Disturb, let it come to rest, close with one more sale; then everything is closed."""
        plan = self.scenario.plan
        self._protected(self._start)
        for seconds, what in plan.meanwhile:
            self.world.after(seconds, lambda what=what: self._meanwhile(what))  # type: ignore[misc]
        self._protected(lambda: self.scenario.business.ask(self))
        self._come_to_rest()
        self._protected(self._wait)
        self._come_to_rest()
        if self.life.money.refusal() == Refusal.REVERSAL_PENDING:
            self.problems.append("it does not come to rest")  # a pending notice is the checker's
        self.wire.no_more_faults()
        self.lives[-1].disturbed = len(self.lives[-1].names)
        self._protected(self._close)
        self._end(power=False)
        self._acquirer_ledger.close()

    def _close(self) -> None:
        said = self.scenario.business.close(self)
        if said is not None:
            self.problems.append(f"afterwards a sale is not approved: {said}")

    def _wait(self) -> None:
        self.let_pass(AFTERWARDS)

    def _come_to_rest(self) -> None:
        for _ in range(_LIVES):
            lives = len(self.lives)
            self._protected(lambda: self.scenario.business.settle(self))
            if len(self.lives) == lives:
                return

    # -- stops -----------------------------------------------------------------------------------

    def _protected(self, call: Callable[[], None]) -> None:
        """Do this; when the terminal stops over it, start it again (what was asked is not asked again)."""
        try:
            call()
        except Stopped:
            self._start_again()
            return
        except Exception as error:  # noqa: BLE001 - in the real core it would be a fault, too
            self.problems.append(f"an exception escaped: {type(error).__name__}: {error}")
            self._start_again()
            return
        if not self._runs:
            self._start_again()

    @property
    def _runs(self) -> bool:
        return self._life is not None and self._life.ended is None

    def _start_again(self) -> None:
        for _ in range(_LIVES):
            if not self._next_life().exists():
                self._copy_files(self._next_life())  # it ended itself: no stop has kept its files
            self._end(power=self._stopped_by is How.POWER)
            self.world.let_pass(OUTAGE)
            with suppress(Stopped):
                self._start()
                if self._runs:
                    return
        raise AssertionError("the terminal does not stay alive")

    def _start(self) -> None:
        number = len(self.lives)
        stops = self.scenario.stops
        self._stopped_by = None
        points = Points(stops[number] if number < len(stops) else None, self._on_stop)
        directory = self._life_directory(number)
        if number == 0:
            self._copy_files(directory, self._directory)
        self.lives.append(points)
        around = Surroundings(
            self._configuration,
            self._keys,
            self.world,
            Seeded(f"terminal {number} {self.world.now()}"),
            points,
            self.wire.plug_in,
            str(directory / _LEDGER),
            self.papers,
            self.problems,
        )
        self._life = None
        try:
            self._life = (DialogueLife if self.scenario.business.dialogue else MoneyLife)(around)
        except LedgerError:
            return  # as the daemon: it ends before it has begun
        self._life.start()

    def _on_stop(self, how: How) -> None:
        """The files as they are at this moment are what the next life finds."""
        self._stopped_by = how
        self._copy_files(self._next_life())

    def _end(self, *, power: bool) -> None:
        self.wire.terminal_gone(power=power)
        if self._life is not None:
            if isinstance(self._life, DialogueLife) and self._life.core.faults:
                self.problems.append("an exception escaped inside the core")
            self._life.end(power=power)

    def _life_directory(self, number: int) -> Path:
        return self._directory / f"life-{number}"

    def _next_life(self) -> Path:
        return self._life_directory(len(self.lives))

    def _copy_files(self, to: Path, source: Path | None = None) -> None:
        source = self._life_directory(len(self.lives) - 1) if source is None else source
        to.mkdir(exist_ok=True)
        for name in _FILES:
            if (source / name).exists():
                shutil.copyfile(source / name, to / name)

    # -- the acquirer ----------------------------------------------------------------------------

    def _new_acquirer(self) -> Acquirer:
        plan = self.scenario.plan
        return Acquirer(
            self._acquirer_ledger,
            [TerminalRecord(TERMINAL, MERCHANT, Key(_MASTER))],
            clock=self.world.now,
            random_bytes=Seeded(f"acquirer {self.world.now()}"),
            options=Options(late=61.0, missing_original=plan.none_found),
            after_commit=self._after_commit,
        )

    def _after_commit(self, _number: int) -> None:
        if self._life is not None and self._life.alive:
            self.lives[-1].reached("acquirer has committed")

    def _receive(self, frame: bytes) -> tuple[Delivery, ...]:
        try:
            return self._acquirer.receive(frame)
        except AcquirerStopped:
            self._acquirer = self._new_acquirer()  # on the same ledger, with an empty memory
            raise

    def _place(self, outcome: Outcome) -> None:
        self._acquirer.order(Order("any", outcome))

    # -- meanwhile -------------------------------------------------------------------------------

    def _meanwhile(self, what: str) -> None:
        match what:
            case "sign_in":
                if self._life is not None and self._life.alive:
                    self._life.do(lambda: self.life.money.sign_in("01"))
            case "new_keys":
                keys = WorkingKeys(Key(b"\x21" * 16), Key(b"\x43" * 16))
                wrapped = wrap_working_keys(keys, Key(_MASTER), DEFAULT)
                with self._acquirer_ledger.commit():
                    self._acquirer_ledger.sign_in(TERMINAL, wrapped)
            case "new_batch":
                self.change_batch("000077")
            case "next_day":
                self.world.step_clock(timedelta(days=1))
            case _:
                raise AssertionError(what)
