"""One financial request from intent to outcome (money: life of an intent)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from posd.core.events import MoneyProgress, Outcome, Phase, RequestRefused, TransactionEnded
from posd.ledger.errors import LedgerError
from posd.ledger.records import State
from posd.ledger.transactions import Intent
from posd.money.desk import Desk
from posd.money.line import NoAnswer, NotConnected, Result, Sending
from posd.money.notices import Notices
from posd.money.outcomes import approve, decline
from posd.money.requests import Request, request_elements
from protocol import Message, ProtocolError
from protocol.elements import Value, storable
from protocol.matching import Unusable
from protocol.response_codes import approves
from protocol.reversal import NO_ANSWER, TERMINAL_FAULT, WRONG_MAC
from protocol.transactions import Doubt, validate

log = structlog.get_logger()


class Financial:
    """Runs requests; the agenda calls one at a time. In doubt, each kind follows its row (Doubt)."""

    def __init__(
        self, desk: Desk, reverse: Callable[[Callable[[], None]], None], notices: Notices
    ) -> None:
        """reverse(done) tries the pending reversals once."""
        self._desk = desk
        self._reverse = reverse
        self._notices = notices

    def run(self, request: Request, done: Callable[[], None]) -> None:
        """Store the intent, connect, send, decide; done() when nothing more happens now."""
        desk = self._desk
        try:
            identity, sending = self._store(request)
        except ProtocolError as error:
            # Nothing was committed: the number that was taken went back with the rollback.
            log.error("request.cannot_be_encoded", kind=request.row.name, error=str(error))
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
            validate(request.row, elements)
            sending = desk.sending(request.row.request_mti, elements, with_mac=request.row.mac)
            stored, _ = storable(elements)
            account_number, expiry = request.account
            identity = desk.ledger.transactions.add(
                Intent(
                    kind=request.row.name,
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
        if request.row.doubt is Doubt.NOTICE:
            self._notices.remember(identity, elements)
        log.info(
            "intent.stored",
            transaction=identity,
            kind=request.row.name,
            batch=desk.ledger.counters.batch_number,
            stan=stan,
        )
        return identity, sending

    def _ended(
        self, identity: int, request: Request, result: Result, done: Callable[[], None]
    ) -> None:
        if isinstance(result, NotConnected):
            self._close(identity, State.NOT_SENT, {"reason": result.reason})
            self._desk.report(TransactionEnded(identity, Outcome.NOT_SENT))
            done()
        elif isinstance(result, NoAnswer):
            self._in_doubt(identity, request, NO_ANSWER, result.reason, done)
        elif isinstance(result, Unusable):
            if result.reversal_reason == WRONG_MAC:
                with self._desk.ledger.commit("sign_in_demanded"):
                    self._desk.session.demand_sign_in()
            self._in_doubt(identity, request, result.reversal_reason, result.reason, done)
        else:
            self._answered(identity, request, result.message, done)

    def _in_doubt(
        self, identity: int, request: Request, reason: str, because: str, done: Callable[[], None]
    ) -> None:
        """No usable answer: undone, repeated, or given up, as the kind's row says."""
        match request.row.doubt:
            case Doubt.REVERSAL:
                self._undo(identity, reason, because, done)
            case Doubt.NOTICE:
                self._notices.in_doubt(identity, because)
                done()
            case Doubt.NOTHING:
                self._close(identity, State.NO_ANSWER, {"because": because})
                self._desk.report(TransactionEnded(identity, Outcome.NO_ANSWER))
                done()

    def _answered(
        self, identity: int, request: Request, answer: Message, done: Callable[[], None]
    ) -> None:
        code = str(answer.elements[39])
        if not approves(code, request.row):
            decline(self._desk, identity, State.OPEN, answer)
            done()
            return
        try:
            approve(self._desk, identity, State.OPEN, answer)
        except LedgerError:
            raise  # what is on disk is unknown: the next start decides (money M14)
        except Exception as error:  # noqa: BLE001 - whatever it is, the customer must not be debited
            log.error(
                "outcome.failed_after_approval", transaction=identity, error=type(error).__name__
            )
            self._in_doubt(
                identity, request, TERMINAL_FAULT, "the outcome could not be stored", done
            )
            return
        done()

    def _undo(self, identity: int, reason: str, because: str, done: Callable[[], None]) -> None:
        """From here on this intent can only be reversed (money M14)."""
        details = {"reason": reason, "because": because}
        if self._close(identity, State.REVERSING, details, reversal_reason=reason):
            stan = self._desk.ledger.transactions.get(identity).stan
            log.warning(
                "intent.reversing", transaction=identity, stan=stan, reason=reason, because=because
            )
            self._reverse(done)
        else:
            done()

    def _close(
        self, identity: int, state: State, details: Mapping[str, object], **columns: object
    ) -> bool:
        ledger = self._desk.ledger
        if state is not State.REVERSING:
            columns["ended_at"] = ledger.now()
        with ledger.commit("outcome" if state is not State.REVERSING else "reversing"):
            return ledger.transactions.move(identity, [State.OPEN], state, details, **columns)
