"""The money core's door: what the dialogue asks for, in the order of business that M11 demands.

Every call returns at once; what becomes of it is reported as events.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from posd.core.events import (
    Event,
    HostConnected,
    HostFailed,
    HostReceived,
    Outcome,
    RequestRefused,
    SignInEnded,
    TransactionEnded,
)
from posd.core.ports import Ports
from posd.core.timers import CoreTimers
from posd.ledger.batches import SettlementRecord
from posd.ledger.ledger import Ledger
from posd.ledger.records import State, TransactionRecord
from posd.ledger.retirement import retirement_of
from posd.money.agenda import Agenda, Job
from posd.money.cases import Cases
from posd.money.desk import Desk
from posd.money.financial import Financial
from posd.money.line import HostLine, LastExchange
from posd.money.notices import Notices
from posd.money.recovery import decide_open_intents, recover
from posd.money.refusals import Refusal as Refusal
from posd.money.refusals import refusal_of_order, refusal_of_original
from posd.money.requests import Request, SwipedCard, request_of
from posd.money.reversals import Reversals
from posd.money.session import Session
from posd.money.settlement import Settlement
from posd.money.settlement_time import SettlementTime
from posd.money.sign_in import SignIn
from posd.money.totals import SettlementTotals
from posd.money.voiding import void_request
from posd.settings import Configuration, make_dialect
from protocol import Key, PinBlock
from protocol.keys import WorkingKeys
from protocol.reversal import TERMINAL_FAULT

log = structlog.get_logger()

_REPORTED = {
    State.REVERSING: Outcome.REVERSAL_PENDING,
    State.PENDING: Outcome.PENDING,
    State.UNRESOLVED: Outcome.UNRESOLVED,
    State.NO_ANSWER: Outcome.NO_ANSWER,
}


class Money:
    """Intents, reversals and sessions of one terminal, over one ledger and one host line."""

    def __init__(
        self,
        configuration: Configuration,
        ledger: Ledger,
        ports: Ports,
        timers: CoreTimers,
        report: Callable[[Event], None],
    ) -> None:
        dialect = make_dialect(configuration)
        self._line = HostLine(ports.host, timers, configuration.host.connect_seconds)
        self._session = Session(
            ledger,
            ledger.keys,
            dialect,
            ports.clock,
            ports.random_bytes,
            configuration.terminal.operator,
        )
        self._desk = Desk(configuration, dialect, ledger, self._session, self._line, timers, report)
        retirement = retirement_of(ledger)
        self.retired = None if retirement is None else Refusal(retirement.why)
        """Why this terminal sends nothing to the host any more; None: it trades."""
        self._agenda = Agenda()
        self._sign_in = SignIn(self._desk)
        self._reversals = Reversals(self._desk, lambda: self._agenda.add(self._reverse))
        self._notices = Notices(self._desk, lambda: self._agenda.add(self._repeat))
        self._financial = Financial(self._desk, self._reverse, self._notices)
        self._cases = Cases(self._desk, self._agenda, self._notices.forget)
        self._settlement = Settlement(self._desk, self._sign_in)
        self._settlement_time = SettlementTime(self._desk, lambda: self._agenda.busy)

    # -- what the dialogue may know ----------------------------------------------------------------

    @property
    def signed_in(self) -> bool:
        return self._session.signed_in

    @property
    def operator(self) -> str:
        return self._session.operator

    @property
    def pin_key(self) -> Key | None:
        """The working key for PIN blocks; None without a session."""
        return self._session.working.pin if self._session.working else None

    @property
    def host_date(self) -> str:
        """MMDD that the host books under today, as far as its answers told."""
        return self._session.host_date

    @property
    def link_trouble(self) -> bool:
        """The last connection could not be made."""
        return self._line.trouble

    @property
    def last_exchange(self) -> LastExchange:
        """How the newest exchange with the host ended."""
        return self._line.last

    @property
    def last_sign_in(self) -> SignInEnded | None:
        """How the newest sign-in of this process ended, also one that nobody asked for."""
        return self._sign_in.last

    @property
    def busy(self) -> bool:
        """Something is on the host line, or waits for it."""
        return self._agenda.busy

    def refusal(self) -> Refusal | None:
        """Why no new financial request may start now (money M3, M11, M16); None when it may."""
        desk = self._desk
        if self.retired is not None:
            return self.retired
        if desk.ledger.settings.get("restored", False):
            return Refusal.RESTORED
        if desk.ledger.transactions.count(State.OPEN, State.REVERSING):
            return Refusal.REVERSAL_PENDING
        if desk.ledger.batches.unfinished() is not None:
            return Refusal.SETTLEMENT_UNFINISHED
        if not self._session.signed_in:
            return Refusal.NOT_SIGNED_IN
        if desk.ledger.free_space() < desk.configuration.money.free_space_bytes:
            return Refusal.DISK_FULL
        if desk.ledger.transactions.unsettled_count() >= desk.configuration.money.batch_limit:
            return Refusal.BATCH_FULL
        return None

    def settlement_totals(self) -> SettlementTotals:
        """What the open batch comes to; while a settlement is unfinished, as it was frozen."""
        return self._settlement.totals()

    @property
    def settlement_unfinished(self) -> SettlementRecord | None:
        """The settlement that was begun and has not ended: settle() goes on with it."""
        return self._desk.ledger.batches.unfinished()

    # -- what the dialogue may ask for -------------------------------------------------------------

    def sign_in(self, operator: str) -> None:
        """Sign in; ends with SignInEnded, or RequestRefused where the terminal trades no more."""
        if self._refuse_retired():
            return

        def job(done: Callable[[], None]) -> None:
            def ended(event: SignInEnded) -> None:
                self._desk.report(event)
                done()

            self._sign_in.sign_in(operator, ended)

        self._agenda.add(job)
        self._agenda.add(self._reverse)  # the link is there: no reason to wait for the back-off
        self._agenda.add(self._repeat)

    def sign_off(self) -> None:
        """Sign off; ends with SignInEnded. What is still to be reversed goes first."""
        if self._refuse_retired():
            return

        def job(done: Callable[[], None]) -> None:
            def ended(event: SignInEnded) -> None:
                self._desk.report(event)
                done()

            self._sign_in.sign_off(ended)

        self._agenda.add(self._reverse)
        self._agenda.add(job)

    def echo(self, told: Callable[[LastExchange], None]) -> bool:
        """The host's echo, for a technician; told gets how it went. False: the line is in use."""
        if self._agenda.busy or self.retired is not None:
            return False

        def job(done: Callable[[], None]) -> None:
            def ended() -> None:
                told(self._line.last)
                self._after_request(done)

            self._sign_in.echo(ended)

        self._agenda.add(job)
        return True

    def sale(
        self, amount: int, order: int | None, card: SwipedCard, pin_block: PinBlock | None
    ) -> None:
        """Ends with TransactionEnded or RequestRefused, as do all requests. amount in fen."""
        self.request(request_of("sale", amount, card, pin_block=pin_block, order=order))

    def void(
        self,
        original: int,
        card: SwipedCard | None,
        pin_block: PinBlock | None,
        supervisor: str,
    ) -> None:
        """Void an approved sale or completion, whole.

        card is None where the shop does not ask for it again; then number and expiry come from the ledger.
        """
        request = void_request(self._desk.ledger, original, card, pin_block, supervisor)
        if isinstance(request, Refusal):
            self._refuse(request)
        else:
            self.request(request)

    def request(self, request: Request) -> None:
        """Any financial request. The dialogue's checks are made again here, when its turn has come."""
        if self._refuse_retired():
            return
        if self._agenda.busy:
            self._refuse(Refusal.BUSY)
            return
        self._agenda.add(lambda done: self._run(request, self._session.working, done))

    def settle(self, operator: str) -> None:
        """Settle the open batch, or go on where a settlement stopped.

        Ends with SettlementEnded or RequestRefused; SettlementProgress comes on the way.
        """
        if self._refuse_retired():
            return
        if self._agenda.busy:
            self._refuse(Refusal.BUSY)
        else:
            self._agenda.add(lambda done: self._settle(operator, done))

    def settle_by_time(self) -> None:
        """The attempt that SettlementDue asks for; there is one for each day's time."""
        self._settlement_time.tried()
        self.settle(self._session.operator)

    def close_batch_by_hand(self, administrator: str) -> bool:
        """End an unfinished settlement without the host (audited). False: there is none, or it is at work."""
        return not self._agenda.busy and self._settlement.close_by_hand(administrator)

    def retry_reversals(self) -> None:
        """Try what is pending now instead of after the back-off."""
        if not self._agenda.busy:
            self._agenda.add(self._reverse)

    def retry_notices(self) -> None:
        """The same for the pending notices."""
        if not self._agenda.busy:
            self._agenda.add(self._repeat)

    def power_up(self) -> None:
        """The first thing after a start, without a clerk: what is pending is reversed.

        A restored ledger signs in: its keys and its batch number are of the past (M16). One that is
        retired asks nothing of the host any more.
        """
        if self.retired is not None:
            return
        if self._desk.ledger.settings.get("restored", False) and not self._session.signed_in:
            self._agenda.add(self._sign_in_if_due)
        self._reversals.power_up()
        if self._reversals.pending():
            self._agenda.add(self._reverse)
        if self._notices.pending():
            self._agenda.add(self._repeat)
        self._settlement.power_up(self._agenda.add)
        self._settlement_time.schedule()

    # -- what a supervisor decides ----------------------------------------------------------------

    def tries_are_spent(self, record: TransactionRecord) -> bool:
        """Has it been tried as often as it must, before a person may take it over?"""
        return self._cases.tries_are_spent(record)

    def give_up(self, transaction: int, supervisor: str, reason: str) -> bool:
        """Move a reversal or a notice whose tries are spent to *unresolved*; nothing is sent for it
        any more (M5).

        While something is on the line it comes right after that, unless the answer decides the case.
        False when it is not pending, or its tries are not spent.
        """
        return self._cases.give_up(transaction, supervisor, reason)

    def close_case(self, transaction: int, supervisor: str, verdict: str) -> bool:
        """Write down what the acquirer said of an unresolved case; changes no money and no batch.

        False when there is no such case, or when it went on to another terminal.
        """
        return self.retired is not Refusal.MOVED and self._cases.close(
            transaction, supervisor, verdict
        )

    def confirm_restored(self, supervisor: str) -> None:
        """The list of a restored ledger has been seen: business may begin again (M16)."""
        self._cases.confirm_restored(supervisor)

    # -- what the core hands on --------------------------------------------------------------------

    def recover(self) -> None:
        """Decide open intents, before any event."""
        ledger = self._desk.ledger
        if recover(ledger, self._desk.configuration.money.stan_jump_after_restore):
            with ledger.commit("sign_in_demanded"):
                self._session.demand_sign_in()

    def host_connected(self, event: HostConnected) -> None:
        self._line.connected(event)

    def host_received(self, event: HostReceived) -> None:
        self._line.received(event)

    def host_failed(self, event: HostFailed) -> None:
        self._line.failed(event)

    def after_fault(self) -> None:
        """An exception escaped somewhere: bring line and ledger back to a state that the rules know."""
        self._line.abandon()
        self._agenda.clear()
        for record in decide_open_intents(self._desk.ledger, TERMINAL_FAULT, "fault"):
            outcome = _REPORTED.get(record.state)
            if outcome is not None:
                self._desk.report(TransactionEnded(record.id, outcome))
        self._reversals.schedule()
        self._notices.schedule()

    def check_invariants(self) -> None:
        """After each event: an intent is open only while its exchange is on the line (money M3)."""
        open_intents = self._desk.ledger.transactions.count(State.OPEN)
        assert open_intents <= 1, "two open intents"
        assert not open_intents or self._line.busy, "an open intent without an exchange"
        assert not open_intents or not self.settlement_unfinished, "an intent while it settles"

    # -- the order of business (M11) ---------------------------------------------------------------

    def _run(
        self, request: Request, keys_of_pin: WorkingKeys | None, done: Callable[[], None]
    ) -> None:
        """Sign-in if due, the pending reversals, the pending notices (each tried once), the request.

        A notice may bring the word that a sign-in is due: then there is one more before the request.
        """

        desk = self._desk

        def ready() -> None:
            refusal = (
                self.refusal()
                or refusal_of_original(desk.ledger, request)
                or refusal_of_order(desk.ledger, request)
            )
            if refusal is None and request.pin_block and keys_of_pin is not self._session.working:
                refusal = Refusal.KEYS_CHANGED
            if refusal is not None:
                self._refuse(refusal)
                done()
            else:
                self._financial.run(request, lambda: self._after_request(done))

        def repeated() -> None:
            if self._reversals.pending():
                ready()  # and is refused: a sign-in would only keep the clerk waiting
            else:
                self._sign_in_if_due(ready)

        self._sign_in_if_due(lambda: self._reverse(lambda: self._repeat(repeated)))

    def _settle(self, operator: str, done: Callable[[], None]) -> None:
        """The same order: what is still in doubt is tried once more, and then keeps the batch open (M11)."""

        def ready() -> None:
            refusal = self._settlement.refusal()
            if refusal is not None:
                self._refuse(refusal)
                done()
            else:
                self._settlement.run(operator, done)

        self._sign_in_if_due(
            lambda: self._reverse(lambda: self._repeat(lambda: self._sign_in_if_due(ready)))
        )

    def _after_request(self, done: Callable[[], None]) -> None:
        """When the host asked for a sign-in, do it while nobody waits for it."""
        session = self._session
        if session.has_session and not session.signed_in and not self._reversals.pending():
            self._sign_in_if_due(done)
        else:
            done()

    def _sign_in_if_due(self, then: Callable[[], None]) -> None:
        """A clerk who has signed in once today or before need not do it by hand again."""
        if self._session.signed_in or not self._session.has_session:
            then()
            return
        self._sign_in.sign_in(self._session.operator, lambda _event: then())

    def _reverse(self, done: Callable[[], None]) -> None:
        """Try what is pending, signing in before it where the keys are missing or no longer good."""
        if not self._reversals.pending():
            done()
        else:
            self._with_keys(self._reversals.run, self._reversals.put_off, done)

    def _repeat(self, done: Callable[[], None]) -> None:
        """The same for notices."""
        if not self._notices.pending():
            done()
        else:
            self._with_keys(self._notices.run, self._notices.put_off, done)

    def _with_keys(self, run: Job, put_off: Job, done: Callable[[], None]) -> None:
        if not self._session.must_sign_in_before_repeating:
            run(done)
            return

        def signed_in(event: SignInEnded) -> None:
            (run if event.signed_in else put_off)(done)

        self._sign_in.sign_in(self._session.operator, signed_in)

    def _refuse_retired(self) -> bool:
        if self.retired is not None:
            self._refuse(self.retired)
        return self.retired is not None

    def _refuse(self, refusal: Refusal) -> None:
        log.warning("request.refused", reason=refusal)
        self._desk.report(RequestRefused(refusal))
