"""One financial request from intent to outcome (money: life of an intent)."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from posd import receipts
from posd.core.events import MoneyProgress, Outcome, Phase, RequestRefused, TransactionEnded
from posd.ledger.errors import LedgerError
from posd.ledger.records import OrderState, State
from posd.ledger.transactions import Intent
from posd.money.desk import Desk
from posd.money.line import NoAnswer, NotConnected, Result, Sending
from posd.money.requests import Request, request_elements
from protocol import Message, ProtocolError
from protocol.elements import Value, storable
from protocol.matching import Unusable
from protocol.response_codes import approves, asks_sign_in
from protocol.reversal import NO_ANSWER, TERMINAL_FAULT, WRONG_MAC
from protocol.transactions import validate

log = structlog.get_logger()

DUPLICATE = "94"
STAN_JUMP_AFTER_DUPLICATE = 100


class Financial:
    """Runs requests that are reversed on doubt: sale and sale void. The agenda calls one at a time."""

    def __init__(self, desk: Desk, reverse: Callable[[Callable[[], None]], None]) -> None:
        """reverse(done) tries the pending reversals once."""
        self._desk = desk
        self._reverse = reverse

    def run(self, request: Request, done: Callable[[], None]) -> None:
        """Store the intent, connect, send, decide; done() when nothing more happens now."""
        desk = self._desk
        try:
            identity, sending = self._store(request)
        except ProtocolError as error:
            # Nothing was committed: the number that was taken went back with the rollback.
            log.error("request.cannot_be_encoded", kind=request.transaction.name, error=str(error))
            desk.report(RequestRefused("cannot_be_encoded"))
            done()
            return

        def prepare() -> Sending:
            desk.report(
                MoneyProgress(Phase.WAITING, identity, desk.configuration.host.answer_seconds)
            )
            return sending

        desk.report(
            MoneyProgress(Phase.CONNECTING, identity, desk.configuration.host.connect_seconds)
        )
        desk.line.exchange(
            prepare,
            desk.configuration.host.answer_seconds,
            lambda result: self._ended(identity, request, result, done),
        )

    def _store(self, request: Request) -> tuple[int, Sending]:
        """Number and intent in one commit, before the first byte (money M1, M2). Raises ProtocolError."""
        desk = self._desk
        terminal = desk.configuration.terminal
        with desk.ledger.commit("intent"):
            stan = desk.ledger.counters.next_stan()
            batch_number = desk.ledger.counters.batch_number
            elements: dict[int, Value] = request_elements(
                request,
                stan=stan,
                batch_number=batch_number,
                terminal=terminal.terminal_id,
                merchant=terminal.merchant_id,
                dialect=desk.dialect,
            )
            validate(request.transaction, elements)
            sending = desk.sending(
                request.transaction.request_mti, elements, with_mac=request.transaction.mac
            )
            stored, _ = storable(elements)
            account_number, expiry = request.account
            identity = desk.ledger.transactions.add(
                Intent(
                    kind=request.transaction.name,
                    batch_number=batch_number,
                    stan=stan,
                    amount=request.amount,
                    operator=desk.session.operator,
                    supervisor=request.supervisor,
                    account_number=account_number,
                    expiry=expiry,
                    entry_mode=request.entry_mode,
                    sent_date=desk.session.host_date,
                    request=stored,
                    original=request.original.id if request.original else None,
                    order=request.order,
                )
            )
        log.info("intent.stored", transaction=identity, kind=request.transaction.name, stan=stan)
        return identity, sending

    def _ended(
        self, identity: int, request: Request, result: Result, done: Callable[[], None]
    ) -> None:
        if isinstance(result, NotConnected):
            self._close(identity, State.NOT_SENT, {"reason": result.reason})
            self._desk.report(TransactionEnded(identity, Outcome.NOT_SENT))
            done()
        elif isinstance(result, NoAnswer):
            self.undo(identity, NO_ANSWER, result.reason, done)
        elif isinstance(result, Unusable):
            if result.reversal_reason == WRONG_MAC:
                with self._desk.ledger.commit("sign_in_demanded"):
                    self._desk.session.demand_sign_in()
            self.undo(identity, result.reversal_reason, result.reason, done)
        else:
            self._answered(identity, request, result.message, done)

    def _answered(
        self, identity: int, request: Request, answer: Message, done: Callable[[], None]
    ) -> None:
        code = str(answer.elements[39])
        if not approves(code, request.transaction):
            self._declined(identity, answer, code)
            done()
            return
        try:
            self._approved(identity, request, answer, code)
        except LedgerError:
            raise  # what is on disk is unknown: the next start decides (money M14)
        except Exception as error:  # noqa: BLE001 - whatever it is, the customer must not be debited
            log.error(
                "outcome.failed_after_approval", transaction=identity, error=type(error).__name__
            )
            self.undo(identity, TERMINAL_FAULT, "the outcome could not be stored", done)
            return
        self._desk.report(TransactionEnded(identity, Outcome.APPROVED))
        done()

    def _approved(self, identity: int, request: Request, answer: Message, code: str) -> None:
        """Intent, original, order and print jobs in one commit (money M6, M8)."""
        desk = self._desk
        ledger = desk.ledger
        now = ledger.now()
        with ledger.commit("outcome"):
            moved = ledger.transactions.move(
                identity, [State.OPEN], State.APPROVED, {"code": code},
                ended_at=now, approved_amount=int(str(answer.get(4, request.amount))),
                **_answer_columns(answer),
            )  # fmt: skip
            assert moved, "an approval for an intent that is not open"
            if request.original is not None:
                voided = ledger.transactions.move(
                    request.original.id, [State.APPROVED], State.VOIDED, {"by": identity}
                )
                assert voided, "the original of a void is not approved"
                if request.original.order is not None:
                    ledger.orders.move(
                        request.original.order, OrderState.PAID, OrderState.VOIDED, now
                    )
            if request.order is not None:
                ledger.orders.move(request.order, OrderState.UNPAID, OrderState.PAID, now)
            record = ledger.transactions.get(identity)
            for copy, slip in receipts.slips(record, desk.configuration, request.original):
                ledger.print_jobs.add(identity, copy, slip)
            desk.session.heard(answer)
        log.info("outcome.approved", transaction=identity, stan=record.stan, amount=record.amount)

    def _declined(self, identity: int, answer: Message, code: str) -> None:
        desk = self._desk
        with desk.ledger.commit("outcome"):
            desk.ledger.transactions.move(
                identity, [State.OPEN], State.DECLINED, {"code": code},
                ended_at=desk.ledger.now(), **_answer_columns(answer),
            )  # fmt: skip
            if code == DUPLICATE:
                desk.ledger.counters.jump_stan(STAN_JUMP_AFTER_DUPLICATE)
            if asks_sign_in(code):
                desk.session.demand_sign_in()
            desk.session.heard(answer)
        if code == DUPLICATE:
            log.error("alert.duplicate_stan", transaction=identity)
        log.info("outcome.declined", transaction=identity, code=code)
        desk.report(TransactionEnded(identity, Outcome.DECLINED))

    def undo(self, identity: int, reason: str, because: str, done: Callable[[], None]) -> None:
        """No usable answer: from here on this intent can only be reversed (money M14)."""
        moved = self._close(
            identity,
            State.REVERSING,
            {"reason": reason, "because": because},
            reversal_reason=reason,
        )
        if moved:
            log.warning("intent.reversing", transaction=identity, reason=reason, because=because)
            self._reverse(done)
        else:
            done()

    def _close(
        self, identity: int, state: State, details: dict[str, object], **columns: object
    ) -> bool:
        ledger = self._desk.ledger
        if state is not State.REVERSING:
            columns["ended_at"] = ledger.now()
        with ledger.commit("outcome" if state is not State.REVERSING else "reversing"):
            return ledger.transactions.move(identity, [State.OPEN], state, details, **columns)


def _answer_columns(answer: Message) -> dict[str, object]:
    stored, _ = storable(answer.elements)

    def text(number: int) -> str:
        value = stored.get(number, "")
        return value if isinstance(value, str) else ""

    return {
        "answer": stored,
        "response_code": text(39),
        "retrieval_reference": text(37),
        "authorisation_code": text(38).strip(),
        "host_date": text(13),
        "host_time": text(12),
    }
