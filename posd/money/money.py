"""The money core's door: what the dialogue asks for, in the order of business that money.md's M11 demands.

Every call returns at once; what becomes of it is reported as events.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

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
from posd.ledger.ledger import Ledger
from posd.ledger.records import State
from posd.money.agenda import Agenda
from posd.money.desk import Desk
from posd.money.financial import Financial
from posd.money.line import HostLine
from posd.money.recovery import recover
from posd.money.requests import Request, SwipedCard
from posd.money.reversals import Reversals
from posd.money.session import Session
from posd.money.sign_in import SignIn
from posd.settings import Configuration, make_dialect
from protocol import Key, PinBlock
from protocol.reversal import TERMINAL_FAULT
from protocol.transactions import SALE, SALE_VOID

log = structlog.get_logger()


class Refusal(StrEnum):
    """Why a financial request may not start. Nothing was stored or sent."""

    NOT_SIGNED_IN = "not_signed_in"
    REVERSAL_PENDING = "reversal_pending"
    RESTORED = "restored"
    DISK_FULL = "disk_full"
    BATCH_FULL = "batch_full"
    BUSY = "busy"
    KEYS_CHANGED = "keys_changed"  # a sign-in came between the PIN and the request
    ORIGINAL_NOT_APPROVED = "original_not_approved"
    ORIGINAL_LOCKED = "original_locked"
    OTHER_CARD = "other_card"
    CARD_ERASED = "card_erased"


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
        self._agenda = Agenda()
        self._sign_in = SignIn(self._desk)
        self._reversals = Reversals(self._desk, lambda: self._agenda.add(self._reverse))
        self._financial = Financial(self._desk, self._reverse)

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
    def link_trouble(self) -> bool:
        """The last connection could not be made."""
        return self._line.trouble

    @property
    def busy(self) -> bool:
        """Something is on the host line, or waits for it."""
        return self._agenda.busy

    def refusal(self) -> Refusal | None:
        """Why no new financial request may start now (money M3, M11, M16); None when it may."""
        desk = self._desk
        if desk.ledger.settings.get("restored", False):
            return Refusal.RESTORED
        if desk.ledger.transactions.in_states(State.OPEN, State.REVERSING):
            return Refusal.REVERSAL_PENDING
        if not self._session.signed_in:
            return Refusal.NOT_SIGNED_IN
        if desk.ledger.free_space() < desk.configuration.money.free_space_bytes:
            return Refusal.DISK_FULL
        if desk.ledger.transactions.unsettled_count() >= desk.configuration.money.batch_limit:
            return Refusal.BATCH_FULL
        return None

    # -- what the dialogue may ask for -------------------------------------------------------------

    def sign_in(self, operator: str) -> None:
        """Sign in; ends with SignInEnded."""

        def job(done: Callable[[], None]) -> None:
            def ended(event: SignInEnded) -> None:
                self._desk.report(event)
                done()

            self._sign_in.sign_in(operator, ended)

        self._agenda.add(job)
        self._agenda.add(self._reverse)  # the link is there: no reason to wait for the back-off

    def sign_off(self) -> None:
        """Sign off; ends with SignInEnded. What is still to be reversed goes first, with the keys we have."""

        def job(done: Callable[[], None]) -> None:
            def ended(event: SignInEnded) -> None:
                self._desk.report(event)
                done()

            self._sign_in.sign_off(ended)

        self._agenda.add(self._reverse)
        self._agenda.add(job)

    def sale(
        self, amount: int, order: int | None, card: SwipedCard, pin_block: PinBlock | None
    ) -> None:
        """Ends with TransactionEnded or RequestRefused. amount in fen."""
        account = (card.track2.pan, card.track2.expiry)
        self._request(Request(SALE, amount, account, card, pin_block, order))

    def void(
        self,
        original: int,
        card: SwipedCard | None,
        pin_block: PinBlock | None,
        supervisor: str,
    ) -> None:
        """Void an approved sale, whole. Ends with TransactionEnded or RequestRefused.

        card is None where the shop does not ask for it again; then number and expiry come from the ledger.
        """
        record = self._desk.ledger.transactions.get(original)
        try:
            account = self._desk.ledger.transactions.card(original)
        except KeyError:
            self._refuse(Refusal.CARD_ERASED)
            return
        if card is not None:
            if card.track2.pan != account[0]:
                self._refuse(Refusal.OTHER_CARD)
                return
            account = (card.track2.pan, card.track2.expiry)
        amount = record.amount if record.approved_amount is None else record.approved_amount
        self._request(
            Request(
                SALE_VOID, amount, account, card, pin_block, original=record, supervisor=supervisor
            )
        )

    def retry_reversals(self) -> None:
        """Try what is pending now instead of after the back-off."""
        if not self._agenda.busy:
            self._agenda.add(self._reverse)

    def power_up(self) -> None:
        """The first thing after a start, without a clerk: what is pending is reversed."""
        if self._reversals.pending():
            self._agenda.add(self._reverse)

    # -- what the core hands on --------------------------------------------------------------------

    def recover(self) -> None:
        """Decide open intents, before any event."""
        recover(self._desk.ledger, self._desk.configuration.money.stan_jump_after_restore)

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
        open_intents = self._desk.ledger.transactions.in_states(State.OPEN)
        for record in open_intents:
            with self._desk.ledger.commit("reversing"):
                self._desk.ledger.transactions.move(
                    record.id, [State.OPEN], State.REVERSING,
                    {"reason": TERMINAL_FAULT, "because": "fault"},
                    reversal_reason=TERMINAL_FAULT,
                )  # fmt: skip
            self._desk.report(TransactionEnded(record.id, Outcome.REVERSAL_PENDING))
        self._reversals.schedule()

    def check_invariants(self) -> None:
        """After each event: an intent is open only while its exchange is on the line (money M3)."""
        open_intents = self._desk.ledger.transactions.in_states(State.OPEN)
        assert len(open_intents) <= 1, "two open intents"
        assert not open_intents or self._line.busy, "an open intent without an exchange"

    # -- the order of business (M11) ---------------------------------------------------------------

    def _request(self, request: Request) -> None:
        if self._agenda.busy:
            self._refuse(Refusal.BUSY)
            return
        keys_of_pin = self._session.working

        def job(done: Callable[[], None]) -> None:
            def with_session() -> None:
                self._reverse(ready)

            def ready() -> None:
                refusal = self.refusal() or self._refusal_of(request)
                if (
                    refusal is None
                    and request.pin_block
                    and keys_of_pin is not self._session.working
                ):
                    refusal = Refusal.KEYS_CHANGED
                if refusal is not None:
                    self._refuse(refusal)
                    done()
                else:
                    self._financial.run(request, lambda: self._after_request(done))

            self._sign_in_if_due(with_session)

        self._agenda.add(job)

    def _refusal_of(self, request: Request) -> Refusal | None:
        """What the original of a void has become in the meantime (money M8)."""
        if request.original is None:
            return None
        transactions = self._desk.ledger.transactions
        if transactions.get(request.original.id).state is not State.APPROVED:
            return Refusal.ORIGINAL_NOT_APPROVED
        if transactions.locked_by(request.original.id) is not None:
            return Refusal.ORIGINAL_LOCKED
        return None

    def _after_request(self, done: Callable[[], None]) -> None:
        """When the host asked for a sign-in, do it while nobody waits for it."""
        if (
            self._session.has_session
            and not self._session.signed_in
            and not self._reversals.pending()
        ):
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
        elif self._session.must_sign_in_before_reversal:

            def signed_in(event: SignInEnded) -> None:
                if event.signed_in:
                    self._reversals.run(done)
                else:
                    self._reversals.put_off(done)

            self._sign_in.sign_in(self._session.operator, signed_in)
        else:
            self._reversals.run(done)

    def _refuse(self, refusal: Refusal) -> None:
        log.warning("request.refused", reason=refusal)
        self._desk.report(RequestRefused(refusal))
