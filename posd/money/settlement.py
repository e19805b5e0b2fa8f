"""Settlement: totals, batch upload, the end of the batch (dialect, section 6; money M11, M13).

What has been reached is in the ledger only: every call looks there for the next step, so that going on after
a power cut is the same code. A message that was sent is sent again unchanged until it is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog
from msgspec import Struct

from posd import batch_slips
from posd.core.events import (
    RequestRefused,
    SettlementEnded,
    SettlementProgress,
    SettlementStep,
    SignInEnded,
)
from posd.ledger.batches import SettlementRecord, SettlementState, UploadKind, UploadRecord
from posd.ledger.counters import LAST_BATCH_NUMBER
from posd.ledger.records import State
from posd.money.agenda import Job
from posd.money.desk import Desk
from posd.money.line import NotConnected, Result, Sending
from posd.money.refusals import Refusal
from posd.money.requests import CURRENCY, own_element_60
from posd.money.sign_in import APPROVED, SignIn
from posd.money.totals import ClassResult, SettlementTotals, parse_answer, totals_of
from posd.money.upload import UploadPlan, upload_elements
from posd.receipts import orders
from protocol import Message, ProtocolError
from protocol.matching import Usable
from protocol.response_codes import asks_sign_in
from protocol.transactions import BATCH_UPLOAD, SETTLEMENT

log = structlog.get_logger()

_RESULTS: Final = frozenset("123")  # balanced, not balanced, error
_SIGN_OFF_DUE: Final = "sign_off_due"
_ERASED_IN_LOG: Final = "erased_in_log"


class _Exchange(Struct):
    """One message on its way. tries: without a usable answer, since the clerk's key."""

    progress: SettlementProgress
    prepare: Callable[[], Sending]
    answered: Callable[[Message], None]
    done: Callable[[], None]
    tries: int = 0
    signed_in: bool = False


class Settlement:
    """Each run is one job of the agenda: it ends with a report and done(), wherever it got to."""

    def __init__(self, desk: Desk, sign_in: SignIn) -> None:
        self._desk = desk
        self._sign_in = sign_in

    def totals(self) -> SettlementTotals:
        """See Money.settlement_totals."""
        ledger = self._desk.ledger
        unfinished = ledger.batches.unfinished()
        if unfinished is not None:
            return SettlementTotals.from_plain(unfinished.totals)
        return totals_of(ledger.transactions.in_batch(ledger.counters.open_batch))

    def refusal(self) -> Refusal | None:
        """Why no settlement may begin, or go on, now (M11, M16). A host that wants a sign-in says so."""
        ledger = self._desk.ledger
        if ledger.settings.get("restored", False):
            return Refusal.RESTORED
        if ledger.transactions.in_states(State.OPEN, State.REVERSING):
            return Refusal.REVERSAL_PENDING
        if ledger.transactions.in_states(State.PENDING):
            return Refusal.NOTICE_PENDING
        if ledger.batches.unfinished() is None and not self._desk.session.signed_in:
            return Refusal.NOT_SIGNED_IN
        return None

    def run(self, operator: str, done: Callable[[], None]) -> None:
        """From the step that is next to the end of the batch, or as far as the host lets it come."""
        try:
            self._totals_request(operator, "000001", self.totals())
        except ProtocolError as error:
            log.error("settlement.cannot_be_encoded", error=str(error))
            self._desk.report(RequestRefused("cannot_be_encoded"))
            done()
            return
        self._go_on(operator, done)

    def power_up(self, add: Callable[[Job], None]) -> None:
        """What the last life left undone after it had closed a batch."""
        self._forget_erased()
        if self._desk.ledger.settings.get(_SIGN_OFF_DUE, False):
            add(self._sign_off)

    def close_by_hand(self, administrator: str) -> bool:
        """See Money.close_batch_by_hand."""
        record = self._desk.ledger.batches.unfinished()
        if record is None or self._desk.ledger.settings.get("restored", False):
            return False
        self._close(record, administrator)
        self._desk.report(SettlementEnded(settled=True, settlement=record.id))
        return True

    # -- the steps -------------------------------------------------------------------------------

    def _go_on(self, operator: str, done: Callable[[], None]) -> None:
        """The ledger says which step is next."""
        batches = self._desk.ledger.batches
        record = batches.unfinished()
        if record is None or record.state is SettlementState.BEGUN:
            self._compare(operator, done)
            return
        uploads = batches.uploads(record.id)
        for number, upload in enumerate(uploads, start=1):
            if upload.done_at is None:
                self._upload(record, upload, number, len(uploads), operator, done)
                return
        self._close(record)
        self._desk.report(SettlementEnded(settled=True, settlement=record.id))
        if self._desk.ledger.settings.get(_SIGN_OFF_DUE, False):
            self._sign_off(done)
        else:
            done()

    def _compare(self, operator: str, done: Callable[[], None]) -> None:
        """The 0500. It begins, and is frozen, when the connection stands: before, nothing is lost."""
        desk = self._desk

        def prepare() -> Sending:
            record = desk.ledger.batches.unfinished()
            if record is None:
                record = self._begin(operator)
            else:
                with desk.ledger.commit("settlement_try"):
                    desk.ledger.batches.tried(record.id)
            return desk.sending(SETTLEMENT.request_mti, dict(record.request), with_mac=False)

        def answered(answer: Message) -> None:
            if self._compared(answer, done):
                self._go_on(operator, done)

        self._send(_Exchange(self._progress(SettlementStep.TOTALS), prepare, answered, done))

    def _begin(self, operator: str) -> SettlementRecord:
        """Number, elements and totals in one commit, before the first byte (money M1, M2)."""
        ledger = self._desk.ledger
        with ledger.commit("settlement_begun"):
            totals = totals_of(ledger.transactions.in_batch(ledger.counters.open_batch))
            request = self._totals_request(operator, ledger.counters.next_stan(), totals)
            identity = ledger.batches.begin(
                ledger.counters.batch_number, operator, request, totals.plain(), ledger.now()
            )
        log.info("settlement.begun", settlement=identity, batch=ledger.counters.batch_number)
        return ledger.batches.get(identity)

    def _totals_request(
        self, operator: str, stan: str, totals: SettlementTotals
    ) -> dict[int, str | bytes]:
        """Raises ProtocolError when the totals are too large for element 48."""
        desk = self._desk
        terminal = desk.configuration.terminal
        return {
            11: stan,
            41: terminal.terminal_id,
            42: terminal.merchant_id,
            48: totals.element_48(with_foreign=desk.dialect.foreign_totals),
            49: CURRENCY,
            60: own_element_60(SETTLEMENT, desk.ledger.counters.batch_number, desk.dialect),
            63: f"{operator} ",
        }

    def _compared(self, answer: Message, done: Callable[[], None]) -> bool:
        """Did the host compare? Then what follows from it is planned, in the commit of its answer."""
        ledger = self._desk.ledger
        record = ledger.batches.unfinished()
        assert record is not None
        code = str(answer.elements[39])
        element_48 = str(answer.get(48, ""))
        results = _results(element_48) if code == APPROVED else None
        if results is None:
            self._refused(record, answer, code, done)
            return False
        domestic, foreign = results
        frozen = SettlementTotals.from_plain(record.totals)
        records = ledger.transactions.in_batch(record.batch)
        with ledger.commit("settlement_answered"):
            plan = UploadPlan(self._desk.configuration, ledger, record.batch_number)
            messages = plan.messages(
                records,
                domestic_balanced=domestic.balanced,
                # What the host did not compare is uploaded, if there is any.
                foreign_balanced=frozen.foreign.is_empty if foreign is None else foreign.balanced,
            )
            ledger.batches.answered(record.id, code, element_48, messages, ledger.now())
            self._desk.session.heard(answer)
        log.info(
            "settlement.compared", settlement=record.id,
            domestic=domestic.result, foreign=None if foreign is None else foreign.result,
        )  # fmt: skip
        return True

    def _upload(
        self,
        record: SettlementRecord,
        upload: UploadRecord,
        number: int,
        of: int,
        operator: str,
        done: Callable[[], None],
    ) -> None:
        desk = self._desk
        batches = desk.ledger.batches
        ends = upload.kind is UploadKind.END

        def prepare() -> Sending:
            with desk.ledger.commit("settlement_try"):
                batches.upload_tried(upload.id)
            elements = upload_elements(desk.ledger, upload)
            return desk.sending(BATCH_UPLOAD.request_mti, elements, with_mac=False)

        def answered(answer: Message) -> None:
            code = str(answer.elements[39])
            unread = asks_sign_in(code)  # still, after a sign-in: it says nothing about the item
            if unread or (ends and code != APPROVED):
                self._refused(record, answer, code, done)
                return
            with desk.ledger.commit("settlement_uploaded"):
                batches.upload_done(upload.id, code, desk.ledger.now())
                desk.session.heard(answer)
            if code != APPROVED:
                log.warning("settlement.upload_declined", settlement=record.id, code=code)
            self._go_on(operator, done)

        step = SettlementStep.END if ends else SettlementStep.UPLOAD
        self._send(_Exchange(self._progress(step, number, of), prepare, answered, done))

    def _close(self, record: SettlementRecord, closed_by: str = "") -> None:
        """The batch and everything that ends with it, in one commit; then the log is emptied."""
        desk, ledger = self._desk, self._desk.ledger
        settings = desk.configuration.settlement
        following = record.next_batch_number or _next(record.batch_number)
        with ledger.commit("batch_closed"):
            ledger.batches.close(record.id, ledger.now(), closed_by)
            ledger.counters.adopt_batch_number(following)
            closed = ledger.batches.get(record.id)
            contents = batch_slips.Contents.of(ledger, closed)
            ledger.print_jobs.add(
                None, batch_slips.TOTALS, batch_slips.totals_slip(contents, desk.configuration)
            )
            if settings.detail_list or closed_by:
                slip = batch_slips.detail_list(contents, desk.configuration)
                ledger.print_jobs.add(None, batch_slips.DETAILS, slip)
            ledger.audit.add(
                ledger.now(), closed_by or record.operator,
                "batch_closed_by_hand" if closed_by else "batch_closed",
                {"batch": record.batch_number, "next": following, "answer": record.answer},
            )  # fmt: skip
            ledger.outbox.append("batch.settled", _settled(closed))
            if desk.configuration.orders.report_at_settlement:
                slip = orders.settlement_report(ledger, closed.batch, desk.configuration)
                ledger.print_jobs.add(None, orders.REPORT, slip)
            ledger.settings.put(_ERASED_IN_LOG, True)
            if settings.sign_off and not closed_by:
                ledger.settings.put(_SIGN_OFF_DUE, True)
        log.info("settlement.closed", settlement=record.id, by_hand=bool(closed_by))
        self._forget_erased()

    def _forget_erased(self) -> None:
        """What was erased leaves the write-ahead log too; once more at the next start, if not now."""
        ledger = self._desk.ledger
        if ledger.settings.get(_ERASED_IN_LOG, False) and ledger.forget_erased():
            with ledger.commit("erased_for_good"):
                ledger.settings.put(_ERASED_IN_LOG, False)

    def _sign_off(self, done: Callable[[], None]) -> None:
        """After a settlement the terminal is signed off, whatever the host says to it."""

        def ended(event: SignInEnded) -> None:
            with self._desk.ledger.commit("signed_off_after_settlement"):
                self._desk.ledger.settings.put(_SIGN_OFF_DUE, False)
                self._desk.session.signed_off()
            self._desk.report(event)
            done()

        self._sign_in.sign_off(ended)

    # -- one message -----------------------------------------------------------------------------

    def _send(self, exchange: _Exchange) -> None:
        self._desk.report(exchange.progress)
        self._desk.line.exchange(
            exchange.prepare,
            self._desk.configuration.host.answer_seconds,
            lambda result: self._ended(exchange, result),
        )

    def _ended(self, exchange: _Exchange, result: Result) -> None:
        """An answer, a sign-in first, once more, or the end of this run."""
        desk = self._desk
        if isinstance(result, NotConnected):
            self._stop("not_connected", "", exchange.done)
        elif not isinstance(result, Usable):
            exchange.tries += 1
            if exchange.tries < desk.configuration.settlement.tries:
                self._send(exchange)
            else:
                self._stop("no_answer", "", exchange.done)
        elif asks_sign_in(str(result.message.elements[39])) and not exchange.signed_in:
            exchange.signed_in = True
            with desk.ledger.commit("sign_in_demanded"):
                desk.session.demand_sign_in()
            self._sign_in.sign_in(
                desk.session.operator, lambda event: self._signed_in(exchange, event)
            )
        else:
            exchange.answered(result.message)

    def _signed_in(self, exchange: _Exchange, event: SignInEnded) -> None:
        if event.signed_in:
            self._send(exchange)
        else:
            self._stop("sign_in_failed", event.code, exchange.done)

    def _refused(
        self, record: SettlementRecord, answer: Message, code: str, done: Callable[[], None]
    ) -> None:
        with self._desk.ledger.commit("settlement_refused"):
            self._desk.ledger.batches.refused(record.id, code)
            self._desk.session.heard(answer)
        self._stop("no_result" if code == APPROVED else "refused", code, done)

    def _stop(self, reason: str, code: str, done: Callable[[], None]) -> None:
        """It is left where it stands; a key goes on."""
        unfinished = self._desk.ledger.batches.unfinished()
        log.warning("settlement.stopped", reason=reason, code=code)
        identity = None if unfinished is None else unfinished.id
        self._desk.report(
            SettlementEnded(settled=False, settlement=identity, reason=reason, code=code)
        )
        done()

    def _progress(self, step: SettlementStep, number: int = 0, of: int = 0) -> SettlementProgress:
        return SettlementProgress(step, number, of, self._desk.configuration.host.answer_seconds)


def _results(element_48: str) -> tuple[ClassResult, ClassResult | None] | None:
    """What the host says of both classes; None when that is nothing that a batch can be closed on."""
    try:
        domestic, foreign = parse_answer(element_48)
    except (ProtocolError, ValueError):
        return None
    results = {each.result for each in (domestic, foreign) if each is not None}
    return (domestic, foreign) if results <= _RESULTS else None


def _settled(record: SettlementRecord) -> dict[str, object]:
    """The fields of the event: both classes together, and the host's results for each (1 balanced)."""
    totals = SettlementTotals.from_plain(record.totals).whole
    results = _results(record.answer)
    domestic, foreign = results if results is not None else (None, None)
    return {
        "batch": record.batch,
        "batch_number": record.batch_number,
        "operator": record.closed_by or record.operator,
        "debit_count": totals.debit_count,
        "debit_amount": totals.debit,
        "credit_count": totals.credit_count,
        "credit_amount": totals.credit,
        "domestic": "" if domestic is None else domestic.result,
        "foreign": "" if foreign is None else foreign.result,
    }


def _next(batch_number: str) -> str:
    return f"{int(batch_number) % LAST_BATCH_NUMBER + 1:06d}"
