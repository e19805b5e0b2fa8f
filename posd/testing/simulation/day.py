"""One seed: a terminal's day with everything that goes wrong in it, then rest, then the checker."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from posd.acquirer.acquirer import Acquirer
from posd.acquirer.answers import Delivery
from posd.acquirer.ledger import AcquirerLedger
from posd.acquirer.situation import Options, TerminalRecord
from posd.core.events import Key
from posd.keys import Keys
from posd.ledger.errors import LedgerError
from posd.ledger.records import State
from posd.settings import (
    CardReaderSettings,
    Configuration,
    DeviceSettings,
    DialectSettings,
    DisplaySettings,
    HostSettings,
    KeypadSettings,
    MoneySettings,
    PrinterSettings,
    TerminalSettings,
    VoidSettings,
)
from posd.testing.checker import Report, check
from posd.testing.checks.evidence import Expectations, Violation
from posd.testing.simulation.chance import Chance
from posd.testing.simulation.clerk import Clerk
from posd.testing.simulation.cuts import Cuts, PowerCut, Where
from posd.testing.simulation.life import Life, Surroundings
from posd.testing.simulation.network import Network
from posd.testing.simulation.other_business import OtherBusiness
from posd.testing.simulation.troublemaker import Troublemaker
from posd.testing.world import BEGINNING, World
from protocol import DEFAULT, Key as CipherKey

TERMINAL_ID, MERCHANT_ID = "T0000001", "M00000000000001"
PASSWORD_COST: Final = 2  # scrypt's N
MOST_TRANSACTIONS: Final = 40
FEWEST_FAULTS: Final = 10
_LONGEST_REST: Final = 12 * 3600.0  # s of virtual time until nothing may be in doubt any more
_IN_DOUBT: Final = (State.OPEN, State.REVERSING, State.PENDING)


class AcquirerCrash(Exception):
    """The acquirer ends between its commit and its answer."""


@dataclass(frozen=True)
class DayReport:
    """What became of one seed. faults: what came true, by kind. cuts: ledger states found at a cut.

    digest: of traffic, screens, slips and both ledgers. history: only where it was asked for, or
    something is wrong.
    """

    seed: int
    digest: str
    checked: Report
    violations: tuple[Violation, ...]
    faults: Counter[str]
    cuts: Counter[str]
    kinds: Counter[str]
    lives: int
    seconds: float
    history: tuple[str, ...]


class Day:
    """Everything of one seed. Make it, run it once."""

    def __init__(
        self, seed: int, directory: Path, hours: float = 10.0, trace: Callable[[str], None] | None = None
    ) -> None:
        self.seed = seed
        self._hours = hours
        self._trace = trace
        self._history: list[tuple[float, str]] = []
        self._chance = Chance(seed, "day")
        self.faults: Counter[str] = Counter()
        self.cuts: Counter[str] = Counter()
        self._found: list[Violation] = []
        self._lives = 0
        chance = self._chance
        self.world = World(BEGINNING + timedelta(hours=chance.between(-9.0, 14.4)))
        self._host_began = self.world.now()
        configuration = _configuration(chance, directory)
        self._expected = Expectations(
            reversal_tries=configuration.money.reversal_tries,
            notice_tries=configuration.money.notice_tries,
        )
        keys = Keys(Chance(seed, "device")(32), CipherKey(Chance(seed, "master")(16)), PASSWORD_COST)
        self._master = keys.master
        self._acquirer_ledger = AcquirerLedger(":memory:")
        self._options = Options(
            missing_original=chance.one(("00", "00", "25", "12")),
            slow=configuration.host.answer_seconds / 2,
            late=configuration.host.answer_seconds + 1,
        )
        self._crash_due = False
        self._incarnations = 0
        self.acquirer = self._start_acquirer()
        self.network = Network(
            self.world, self._receive, self._happened, configuration.host.answer_seconds
        )
        self._cuts = Cuts(self._struck)
        self._surroundings = Surroundings(
            configuration, keys, directory / "ledger.db", self.world, self.network, self._cuts
        )
        self._life: Life | None = None
        self._cut_in_recovery: tuple[Where, int] | None = None
        business = OtherBusiness(Chance(seed, "business"), self._running, self.note)
        self._business = business
        pause = hours * 3600 / MOST_TRANSACTIONS if chance.happens(0.3) else 30.0
        self._clerk = Clerk(
            Chance(seed, "clerk"), self._running, self.note, business.request, pause
        )
        self._troublemaker = Troublemaker(Chance(seed, "trouble"), self)

    # --- the whole day --------------------------------------------------------------------------------

    def run(self) -> DayReport:
        """Trade until the transactions are made and enough went wrong, rest, check."""
        try:
            self._prepare()
            self._trade()
            self._rest()
            return self._judge()
        finally:
            if self._life is not None:
                self._life.end()
            self._acquirer_ledger.close()

    def _prepare(self) -> None:
        """A ledger whose counter stands somewhere; sometimes just before its wrap."""
        self._power_on()
        ledger = self._running().ledger
        if self._chance.happens(0.3):
            with ledger.commit("start"):
                ledger.counters.jump_stan(self._chance.whole(999_900, 999_999))
            self._happened("STAN near its wrap")

    def _trade(self) -> None:
        chance = Chance(self.seed, "trade")
        wanted = chance.whole(8, MOST_TRANSACTIONS)
        rate = chance.between(0.01, 0.06)
        end = self.world.monotonic() + self._hours * 3600
        while self.world.monotonic() < end and not self._found:
            made = self._transactions()
            self._clerk.may_begin = made < wanted
            if made >= wanted and self._count() >= FEWEST_FAULTS and self._quiet():
                break
            if self._life is None:
                self._pass(chance.between(0.0, 60.0))
                self._power_on()
            if chance.happens(rate):
                self._troublemaker.make()
            if chance.happens(0.01):
                self._guarded(self._business.decide)
            if self._life is not None:
                self._pass(self._act())

    def _rest(self) -> None:
        """Everything works; time enough for everything to end, and for everything late to arrive."""
        self.note("rest")
        self._cuts.disarm()
        self._cut_in_recovery = None
        self.network.calm()
        self.network.up = True
        self._crash_due = False
        self.acquirer = self._start_acquirer()
        self._surroundings.printer.load_paper()
        self._surroundings.printer.replug()
        if self._life is None:
            self._power_on()
        self._pass(700.0)
        waited = 0.0
        while waited < _LONGEST_REST and not self._found and not self._quiet():
            self._pass(60.0)
            waited += 60.0
        self._pass(5.0)

    def _quiet(self) -> bool:
        life = self._life
        if life is None:
            return False
        return not (life.core.money.busy or life.ledger.transactions.in_states(*_IN_DOUBT))

    def _judge(self) -> DayReport:
        life = self._life
        if life is not None and not self._found:
            refusal = life.core.money.refusal()
            if refusal == "reversal_pending":
                self._breaks("M5", "the terminal is still closed", "at rest")
        if life is not None:
            life.end()
            self._life = None
        checked, ledger_digest = self._check()
        self._check_paper(ledger_digest)
        violations = (*self._found, *checked.violations)
        history = tuple(f"{at:12.3f} {what}" for at, what in self._history) if violations else ()
        return DayReport(
            self.seed,
            self._digest(ledger_digest.encode()),
            checked,
            violations,
            self.faults,
            self.cuts,
            self._kinds,
            self._lives,
            self.world.monotonic(),
            history,
        )

    def _check(self) -> tuple[Report, str]:
        file = self._surroundings.ledger_file
        raw = file.read_bytes()
        with closing(sqlite3.connect(file)) as terminal:
            host = self._acquirer_ledger.connection
            report = check(
                terminal, host, self._surroundings.captured, raw=raw, expected=self._expected
            )
            self._kinds = Counter(
                dict(terminal.execute("SELECT kind, count(*) FROM transactions GROUP BY kind"))
            )
            self._jobs = {job for (job,) in terminal.execute("SELECT id FROM print_jobs")}
            return report, _dump(terminal) + _dump(host)

    def _check_paper(self, _digest: str) -> None:
        """M6: what was printed came from what is stored."""
        for job, _ in self._surroundings.printed:
            if job not in self._jobs:
                self._breaks("M6", "a slip was printed that is not in the ledger", f"job {job}")

    def _digest(self, ledgers: bytes) -> str:
        digest = hashlib.sha256(ledgers)
        for one in self._surroundings.captured:
            digest.update(f"{one.time!r} {one.word} ".encode() + one.data)
        witness = self._surroundings.witness
        digest.update(repr(witness.screens).encode())
        digest.update(repr(witness.slips).encode())
        return digest.hexdigest()

    # --- what the troublemaker does ---------------------------------------------------------------------

    def note(self, what: str) -> None:
        """A line of the history."""
        self._history.append((self.world.monotonic(), what))
        if self._trace is not None:
            self._trace(f"{self.world.monotonic():12.3f} {what}")

    def arm(self, where: Where, label: str, passes: int) -> None:
        self.note(f"armed: {where} {label or 'any'}, {passes}")
        self._cuts.arm(where, label, passes)

    def cut_power_in(self, seconds: float) -> None:
        self.note(f"power will fail in {seconds:.3f} s")
        life = self._life

        def cut() -> None:
            if self._life is life and life is not None:
                self._happened("power cut between events")
                raise PowerCut

        self.world.after(seconds, cut)

    def cut_in_recovery(self, where: Where, passes: int) -> None:
        self._cut_in_recovery = where, passes

    def restart(self) -> None:
        if self._life is not None:
            self._happened("restart")
            self._end_life("restart")
            self._power_on()

    def crash_acquirer_at_next_request(self) -> None:
        self._crash_due = True

    def change_batch(self, batch: str) -> None:
        self._happened("another batch number at the host")
        self.note(f"batch {batch} from the next sign-in on")
        self.acquirer.change_batch(TERMINAL_ID, batch)

    def forget_session(self) -> None:
        self._happened("the host forgot the session")
        with self._acquirer_ledger.commit():
            self._acquirer_ledger.sign_off(TERMINAL_ID)

    def link_down(self, seconds: float) -> None:
        self._happened("link down")
        self.note(f"for {seconds:.1f} s")
        self.network.up = False
        self.world.after(seconds, self._link_up)

    def reset_connection_in(self, seconds: float) -> None:
        def reset() -> None:
            self._happened("connection reset")
            self.network.reset()

        self.world.after(seconds, reset)

    def paper_out(self, lines: int, seconds: float) -> None:
        self._happened("paper out")
        self._guarded(lambda: self._surroundings.printer.paper_out(lines))
        self.world.after(seconds, self._surroundings.printer.load_paper)

    def unplug_printer(self, seconds: float) -> None:
        self._happened("printer unplugged")
        self._guarded(self._surroundings.printer.unplug)
        self.world.after(seconds, self._surroundings.printer.replug)

    def step_clock(self, by: timedelta) -> None:
        """The machine's clock, not the host's."""
        self._happened("clock step")
        self.note(f"by {by}")
        self.world.step_clock(by)

    def jump_to_midnight(self, seconds: float) -> None:
        """Both clocks: so many seconds after the next midnight."""
        now = self._host_clock()
        midnight = datetime(now.year, now.month, now.day) + timedelta(days=1)
        jump = max(0.0, (midnight - now).total_seconds() + seconds)
        self._happened("midnight")
        self._host_began += timedelta(seconds=jump)
        self.world.step_clock(timedelta(seconds=jump))

    def any_key(self) -> None:
        if self._life is not None:
            key = self._chance.one(tuple(Key))
            self.note(f"key {key}, unmeant")
            self._guarded(lambda: self._running().press(key))

    # --- inside -----------------------------------------------------------------------------------------

    def _running(self) -> Life:
        assert self._life is not None
        return self._life

    def _act(self) -> float:
        pause = 1.0

        def act() -> None:
            nonlocal pause
            pause = self._clerk.act()

        self._guarded(act)
        return pause

    def _guarded(self, call: Callable[[], None]) -> None:
        """Whatever reaches into the terminal may end in a power cut."""
        if self._life is None:
            return
        try:
            call()
        except PowerCut:
            self._end_life("power cut")
        self._look()

    def _pass(self, seconds: float) -> None:
        end = self.world.monotonic() + seconds
        while True:
            try:
                self.world.let_pass(max(0.0, end - self.world.monotonic()), self._ended_itself)
            except PowerCut:
                self._end_life("power cut")
                self._power_on_later()
                continue
            if not self._ended_itself():
                return
            self._look()
            if self._found:
                return

    def _ended_itself(self) -> bool:
        life = self._life
        return life is not None and (life.core.halted is not None or life.core.faults > 0)

    def _look(self) -> None:
        """Take notice of a core that gave up, as a process would by ending, or caught a mistake."""
        life = self._life
        if life is None:
            return
        if life.core.halted is not None:
            if not self._cuts.disk_failed:
                self._breaks("core", f"it halted: {life.core.halted}", "uninjected")
            self._cuts.disk_failed = False
            self._end_life("the process ended itself")
            self._power_on_later()
        elif life.core.faults:
            self._breaks("core", "an exception reached the catch-all", "its log says which")

    def _breaks(self, rule: str, what: str, where: str) -> None:
        self.note(f"VIOLATION {rule} {what}")
        self._found.append(Violation(rule, what, where))

    def _power_on_later(self) -> None:
        self._power_on()

    def _power_on(self) -> None:
        """Until it stays on: a cut may be waiting for it."""
        if self._cut_in_recovery is not None:
            where, passes = self._cut_in_recovery
            self._cut_in_recovery = None
            self._cuts.arm(where, "", passes)
        while self._life is None:
            self._lives += 1
            self.note(f"power on, life {self._lives}")
            try:
                self._life = Life(self._surroundings, Chance(self.seed, "life", self._lives))
            except PowerCut:
                self.note("power cut while starting")
            except LedgerError as error:
                if not self._cuts.disk_failed:
                    self._breaks("core", f"it does not start: {error}", "uninjected")
                    raise
                self._cuts.disk_failed = False
        self._look()

    def _end_life(self, why: str) -> None:
        life = self._running()
        self.note(why)
        for state in self._states_in_doubt(life):
            self.cuts[state] += 1
        self._life = None
        life.end()

    def _states_in_doubt(self, life: Life) -> list[str]:
        """What the file holds at a cut, once what was not committed is rolled back."""
        connection = life.ledger._database._connection
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        rows = connection.execute(
            """SELECT state, kind FROM transactions
               WHERE state IN ('open', 'reversing', 'pending') ORDER BY id"""
        )
        return [f"{row[1]} {row[0]}" for row in rows] or ["nothing in doubt"]

    def _struck(self, where: Where, label: str) -> None:
        self._happened(str(where))
        self.note(f"{where} {label}")
        self.cuts[f"at {label or where}"] += 1

    def _happened(self, what: str) -> None:
        self.faults[what] += 1
        self.note(f"fault: {what}")

    def _count(self) -> int:
        return self.faults.total()

    def _transactions(self) -> int:
        row = self._acquirer_requests()
        return row

    def _acquirer_requests(self) -> int:
        if self._life is None:
            return self._made
        found = self._life.ledger._database.one("SELECT count(*) FROM transactions")
        assert found is not None
        self._made = int(found[0])
        return self._made

    _made = 0

    def _link_up(self) -> None:
        self.note("link up")
        self.network.up = True

    # --- the acquirer -------------------------------------------------------------------------------------

    def _host_clock(self) -> datetime:
        return self._host_began + timedelta(seconds=self.world.monotonic())

    def _start_acquirer(self) -> Acquirer:
        """A new process on the old ledger: orders are forgotten, nothing else."""
        self._incarnations += 1
        return Acquirer(
            self._acquirer_ledger,
            [TerminalRecord(TERMINAL_ID, MERCHANT_ID, self._master)],
            clock=self._host_clock,
            random_bytes=Chance(self.seed, "acquirer", self._incarnations),
            dialect=DEFAULT,
            options=self._options,
            after_commit=self._decided,
        )

    def _receive(self, frame: bytes) -> tuple[Delivery, ...]:
        try:
            return self.acquirer.receive(frame)
        except AcquirerCrash:
            self._happened("acquirer crashed between commit and answer")
            self.acquirer = self._start_acquirer()
            self.network.reset()
            return ()

    def _decided(self, number: int) -> None:
        (outcome, kind, code) = self._acquirer_ledger.connection.execute(
            "SELECT outcome, kind, code FROM requests WHERE id = ?", (number,)
        ).fetchone()
        self.note(f"host: {kind} answered {code} {outcome}")
        if outcome:
            to = kind if kind in ("reversal", "sign_in") else "request"
            self.faults[f"host: {outcome} to {to}"] += 1
        if self._crash_due:
            self._crash_due = False
            raise AcquirerCrash


def _configuration(chance: Chance, directory: Path) -> Configuration:
    """A terminal with the usual settings, and now and then with others."""
    answer = chance.one((60.0, 60.0, 20.0, 8.0))
    return Configuration(
        terminal=TerminalSettings(
            terminal_id=TERMINAL_ID,
            merchant_id=MERCHANT_ID,
            merchant_name="测试商户",
            hotline="95516",
            state_directory=directory,
            software_pin=True,
            test_host=True,
            language=chance.one(("zh_CN", "zh_CN", "en")),
        ),
        host=HostSettings(
            address="127.0.0.1", port=1, answer_seconds=answer, reversal_answer_seconds=answer
        ),
        dialect=DialectSettings(partial_approval=chance.one(("0", "0", "1"))),
        money=MoneySettings(reversal_tries=chance.one((3, 3, 1)), free_space_bytes=0),
        void=VoidSettings(
            ask_card=chance.happens(0.8), ask_pin=chance.happens(0.2), ask_reason=chance.happens(0.2)
        ),
        devices=DeviceSettings(
            keypad=KeypadSettings(port="/dev/null"),
            display=DisplaySettings(port="/dev/null"),
            printer=PrinterSettings(port="/dev/null"),
            card_reader=CardReaderSettings(port="/dev/null"),
        ),
    )


def _dump(connection: sqlite3.Connection) -> str:
    """A digest of every row of every table."""
    digest = hashlib.sha256()
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    for (table,) in tables.fetchall():
        for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - names of tables
            digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()
