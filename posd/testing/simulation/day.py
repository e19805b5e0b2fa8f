"""One seed: a terminal's day with everything that goes wrong in it, then rest, then the checker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from posd.acquirer.answers import Delivery
from posd.acquirer.situation import Options
from posd.keys import Keys
from posd.ledger.errors import LedgerError
from posd.ledger.records import State
from posd.testing.checks.evidence import Expectations, Violation
from posd.testing.simulation import terminal_settings
from posd.testing.simulation.chance import Chance
from posd.testing.simulation.clerk import Clerk
from posd.testing.simulation.cuts import Cuts, PowerCut, Where
from posd.testing.simulation.host import SimulatedHost
from posd.testing.simulation.levers import Levers
from posd.testing.simulation.life import Life, Surroundings
from posd.testing.simulation.network import Network
from posd.testing.simulation.other_business import OtherBusiness
from posd.testing.simulation.troublemaker import Troublemaker
from posd.testing.simulation.verdict import DayReport, judge
from posd.testing.world import BEGINNING, World
from protocol import Key as CipherKey

PASSWORD_COST: Final = 2  # scrypt's N
MOST_TRANSACTIONS: Final = 40
FEWEST_FAULTS: Final = 10
_LONGEST_REST: Final = 12 * 3600.0  # s of virtual time, after which nothing may be in doubt
_SHOWS_APPROVAL: Final = ("slip.printing", "slip.tear", "slip.trouble", "last.shown")
_LAST_CARDS: Final = ("nopin", "second", "nopin", "second")
_LAST_WAIT: Final = 400.0  # s: longer than every try of a notice that may go first
_LATE: Final = 700.0  # s in which everything that is late arrives


class Day(Levers):
    """Everything of one seed. Make it, run it once.

    directory: empty, for the terminal's files. hours: the longest trade, in virtual time.
    trace: told every line of the history as it happens.
    """

    def __init__(
        self,
        seed: int,
        directory: Path,
        hours: float,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.seed = seed
        self._hours = hours
        self._trace = trace
        self._history: list[tuple[float, str]] = []
        self._faults: Counter[str] = Counter()
        self._at_cuts: Counter[str] = Counter()
        self._broken: list[Violation] = []
        self._shown: set[int] = set()
        self._seen: Counter[str] = Counter()
        self._lives = 0
        self._made = 0
        self._life: Life | None = None
        self._cut_in_recovery: tuple[Where, int] | None = None
        chance = self._chance = Chance(seed, "day")
        self._world = World(BEGINNING + timedelta(hours=chance.between(-9.0, 14.4)))
        configuration = terminal_settings.draw(chance, directory)
        money, answer = configuration.money, configuration.host.answer_seconds
        self._expected = Expectations(
            reversal_tries=money.reversal_tries, notice_tries=money.notice_tries
        )
        keys = Keys(
            Chance(seed, "device")(32), CipherKey(Chance(seed, "master")(16)), PASSWORD_COST
        )
        options = Options(
            missing_original=chance.one(("00", "00", "25", "12")), slow=answer / 2, late=answer + 1
        )
        self._host = SimulatedHost(
            seed, self._world, keys.master, options, self._happened, self.note
        )
        self._network = Network(self._world, self._receive, self._happened, answer)
        self._cuts = Cuts(self._struck, self._cut_later)
        self._surroundings = Surroundings(
            configuration, keys, directory / "ledger.db", self._world, self._network, self._cuts
        )
        self._business = OtherBusiness(Chance(seed, "business"), self._running, self.note)
        pause = hours * 3600 / MOST_TRANSACTIONS if chance.happens(0.3) else 30.0
        self._clerk = Clerk(
            Chance(seed, "clerk"),
            self._running,
            self.note,
            self._business.request,
            pause,
            chance.one((0.1, 0.3, 0.7)),
        )
        self._troublemaker = Troublemaker(Chance(seed, "trouble"), self)

    # --- the whole day --------------------------------------------------------------------------

    def run(self) -> DayReport:
        """Trade until the transactions are made and enough went wrong, rest, be judged."""
        try:
            try:
                self._open()
                self._trade()
                self._rest()
            except LedgerError as error:
                self._breaks(
                    "M14",
                    f"the ledger has failed, and the terminal goes on: {error}",
                    "in a commit",
                )
            return self._judge()
        finally:
            if self._life is not None:
                self._life.end()
            self._host.close()

    def _open(self) -> None:
        """Now and then the counter, or the batch's number, stands just before its wrap."""
        self._host.change_batch(self._chance.one(("000001", "000777", "999998", "999999")))
        self._power_on()
        if self._chance.happens(0.3):
            ledger = self._running().ledger
            with ledger.commit("start"):
                ledger.counters.jump_stan(self._chance.whole(999_900, 999_999))
            self._happened("STAN near its wrap")

    def _trade(self) -> None:
        chance = Chance(self.seed, "trade")
        wanted = chance.whole(8, MOST_TRANSACTIONS - len(_LAST_CARDS))
        trouble = chance.between(0.01, 0.1)  # how likely before each thing that the clerk does
        end = self._world.monotonic() + self._hours * 3600
        while self._world.monotonic() < end and not self._broken:
            if self._life is not None:
                self._made = self._life.transactions_made()
            self._clerk.may_begin = self._made < wanted
            enough = self._faults.total() >= FEWEST_FAULTS and not self._clerk.may_begin
            if enough and (self._is_quiet() or chance.happens(0.1)):
                break
            if chance.happens(trouble):
                self._troublemaker.make()
            if chance.happens(0.04):
                self._guarded(self._business.decide)
            if self._life is None:
                self._pass(chance.between(0.0, 60.0))
                self._power_on()
            self._pass(self._act())
            self._watch_screen()

    def _rest(self) -> None:
        """Everything works; time enough for everything to end, and for everything late to arrive."""
        self.note("rest")
        self._cuts.disarm()
        self._cut_in_recovery = None
        self._network.calm()
        self._network.up = True
        self._host.calm()
        if self._chance.happens(0.3):
            self.forget_session()
        self._surroundings.printer.load_paper()
        self._surroundings.printer.replug()
        if self._life is None:
            self._power_on()
        self._pass(_LATE)
        self._until_quiet()
        if self._chance.happens(0.5) and not self._broken:
            self._settle()
        self._pass(5.0)
        if not self._broken:
            self._sell_once_more()

    def _settle(self) -> None:
        self._business.settle()
        self._pass(5.0)
        self._until_quiet()

    def _sell_once_more(self) -> None:
        """Whatever a day was like, afterwards the shop sells: signed in, and with room in the batch."""
        money = self._running().core.money
        for card in _LAST_CARDS:
            if not money.signed_in:
                self._business.sign_in()
                self._pass(_LAST_WAIT)
            if money.refusal() == "batch_full":
                self._business.give_up_what_goes_on()
                self._settle()
                continue
            made = self._running().transactions_made()
            self._business.plain_sale(card)
            self._pass(_LAST_WAIT)
            newest = self._running().ledger.transactions.last("sale", *State)
            more = self._running().transactions_made() > made
            if self._broken or (more and newest is not None and newest.state is State.APPROVED):
                return
        why = money.refusal() or (newest and f"{newest.state} {newest.response_code}")
        self._breaks("M5", "it does not sell any more", f"at rest: {why}")

    def _until_quiet(self) -> None:
        """What is in doubt ends by itself; a settlement that was begun wants a key now and then."""
        end = self._world.monotonic() + _LONGEST_REST
        while self._world.monotonic() < end and not (self._broken or self._is_quiet()):
            money = self._running().core.money
            if money.settlement_unfinished is not None and not money.busy:
                self._guarded(self._business.settle)
            self._pass(60.0)

    def _is_quiet(self) -> bool:
        if self._life is None:
            return False
        money = self._life.core.money
        settled = money.settlement_unfinished is None
        return settled and not money.busy and self._life.in_doubt() == []

    def _judge(self) -> DayReport:
        life = self._running()
        life.end()
        self._life = None
        verdict = judge(self._surroundings, self._host.ledger.connection, self._expected)
        lost = sorted(self._shown - verdict.approved)
        for transaction in lost:
            self._breaks("M14", "it was shown as approved", f"transaction {transaction}")
        violations = (*self._broken, *verdict.checked.violations, *verdict.besides)
        history = [f"{at:12.3f} {what}" for at, what in self._history] if violations else []
        return DayReport(
            self.seed,
            verdict.digest,
            verdict.checked,
            violations,
            self._faults,
            self._at_cuts,
            verdict.kinds,
            verdict.settlements,
            self._seen,
            self._lives,
            self._world.monotonic(),
            tuple(history),
        )

    # --- the history ---------------------------------------------------------------------------------

    def note(self, what: str) -> None:
        """A line of the history."""
        at = self._world.monotonic()
        self._history.append((at, what))
        if self._trace is not None:
            self._trace(f"{at:12.3f} {what}")

    # --- the terminal ---------------------------------------------------------------------------

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
        """Whatever reaches into the terminal may end in a power cut. Without power it does nothing."""
        if self._life is None:
            return
        try:
            call()
        except PowerCut:
            self._end_life("power cut")
        self._look()

    def _pass(self, seconds: float) -> None:
        """Let time pass; a terminal that ends meanwhile is switched on again at once."""
        end = self._world.monotonic() + seconds
        while not self._broken:
            if self._life is None:
                self._power_on()
            try:
                left = max(0.0, end - self._world.monotonic())
                if not self._world.let_pass(left, self._has_given_up):
                    return
            except PowerCut:
                self._end_life("power cut")
            self._look()

    def _watch_screen(self) -> None:
        """M14: what a clerk has been shown as approved must never be lost."""
        life = self._life
        if life is not None:
            self._seen[life.core.dialogue.state] += 1
        if life is not None and life.core.dialogue.state in _SHOWS_APPROVAL:
            form = life.core.dialogue.form
            if form.transaction is not None and life.state_of(form.transaction) == "approved":
                self._shown.add(form.transaction)

    def _has_given_up(self) -> bool:
        life = self._life
        if life is None:
            return False
        core = life.core
        return core.halted is not None or core.faults > 0 or core.ending is not None

    def _look(self) -> None:
        """Take notice of a core that gave up, as a process would by ending, or caught a mistake."""
        life = self._life
        if life is None:
            return
        if life.core.halted is not None:
            if not self._cuts.disk_failed:
                self._breaks("core", f"it halted: {life.core.halted}", "nothing was injected")
            self._cuts.disk_failed = False
            self._end_life("the process ends itself")
        elif life.core.ending is not None:
            self._end_life(f"the clerk ends it: {life.core.ending}")
        elif life.core.faults:
            self._breaks("core", "an exception reached the catch-all", "its log says which")

    def _breaks(self, rule: str, what: str, where: str) -> None:
        self.note(f"VIOLATION {rule}: {what}")
        self._broken.append(Violation(rule, what, where))

    def _power_on(self) -> None:
        """Until it stays on: a cut may be waiting for it."""
        if self._cut_in_recovery is not None:
            where, passes = self._cut_in_recovery
            self._cut_in_recovery = None
            self.arm(where, "", passes)
        while self._life is None:
            self._lives += 1
            self.note(f"power on, life {self._lives}")
            try:
                self._life = Life(self._surroundings, Chance(self.seed, "life", self._lives))
            except PowerCut:
                self.note("power cut while starting")
            except LedgerError:
                if not self._cuts.disk_failed:
                    raise
                self._cuts.disk_failed = False
        self._look()

    def _end_life(self, why: str) -> None:
        life = self._running()
        self.note(why)
        life.roll_back()
        for one in life.in_doubt() or ["nothing in doubt"]:
            self._at_cuts[one] += 1
        self._life = None
        life.end()

    def _cut_later(self, seconds: float, what: str) -> None:
        """Unless this life has ended before."""
        self.note(f"power will fail in {seconds:.3f} s")
        life = self._life

        def cut() -> None:
            if life is not None and self._life is life:
                self._happened(what)
                raise PowerCut

        self._world.after(seconds, cut)

    def _struck(self, where: Where, label: str) -> None:
        self._happened(str(where))
        self._at_cuts[f"at {label or where}"] += 1

    def _happened(self, what: str) -> None:
        self._faults[str(what)] += 1
        self.note(f"fault: {what}")

    def _receive(self, frame: bytes) -> tuple[Delivery, ...]:
        deliveries = self._host.receive(frame)
        if deliveries is None:
            self._network.reset()
            return ()
        return deliveries
