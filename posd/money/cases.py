"""What only a person can decide: a reversal that never ends, an unresolved case, a restored ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from posd.core.events import Outcome, TransactionEnded
from posd.ledger.records import State, TransactionRecord
from posd.money.agenda import Agenda
from posd.money.desk import Desk

log = structlog.get_logger()

_PENDING: Final = (State.REVERSING, State.PENDING)


class Cases:
    """Every decision is one commit with its audit entry: who, why, about what."""

    def __init__(self, desk: Desk, agenda: Agenda, forget: Callable[[int], None]) -> None:
        """forget(transaction): what memory holds of it goes, nothing is sent for it any more."""
        self._desk = desk
        self._agenda = agenda
        self._forget = forget

    def give_up(self, transaction: int, supervisor: str, reason: str) -> bool:
        """See Money.give_up."""
        record = self._desk.ledger.transactions.get(transaction)
        if record.state not in _PENDING or not self.tries_are_spent(record):
            return False

        def job(done: Callable[[], None]) -> None:
            self._give_up(record, supervisor, reason)
            done()

        # what is on the line right now may still bring its end: that is waited for, and nothing else
        self._agenda.add_next(job)
        return True

    def _give_up(self, record: TransactionRecord, supervisor: str, reason: str) -> None:
        """Unless the answer that was waited for has decided it."""
        ledger, transaction = self._desk.ledger, record.id
        if ledger.transactions.get(transaction).state not in _PENDING:
            return
        details = {"transaction": transaction, "stan": record.stan, "reason": reason}
        with ledger.commit("given_up"):
            moved = ledger.transactions.move(
                transaction, _PENDING, State.UNRESOLVED,
                {"because": "given up by a supervisor", "reason": reason}, ended_at=ledger.now(),
            )  # fmt: skip
            assert moved
            ledger.audit.add(ledger.now(), supervisor, "given_up", details)
        self._forget(transaction)
        log.error("alert.unresolved", transaction=transaction, stan=record.stan)
        self._desk.report(TransactionEnded(transaction, Outcome.UNRESOLVED))

    def tries_are_spent(self, record: TransactionRecord) -> bool:
        """See Money.tries_are_spent."""
        money = self._desk.configuration.money
        if record.state is State.PENDING:
            return record.notice_tries >= money.notice_tries
        return record.reversal_tries >= money.reversal_tries

    def close(self, transaction: int, supervisor: str, verdict: str) -> bool:
        """See Money.close_case."""
        ledger = self._desk.ledger
        record = ledger.transactions.get(transaction)
        closed = any(step.what == "case_closed" for step in ledger.transactions.steps(transaction))
        if record.state is not State.UNRESOLVED or closed:
            return False
        details = {"transaction": transaction, "stan": record.stan, "verdict": verdict}
        with ledger.commit("case_closed"):
            ledger.transactions.note(transaction, "case_closed", {"verdict": verdict})
            ledger.batches.forget_card(transaction)
            ledger.audit.add(ledger.now(), supervisor, "case_closed", details)
            ledger.transactions.tell(
                transaction, "case.closed", verdict=verdict, supervisor=supervisor
            )
        return True

    def confirm_restored(self, supervisor: str) -> None:
        """See Money.confirm_restored."""
        ledger = self._desk.ledger
        with ledger.commit("restored_confirmed"):
            ledger.settings.put("restored", False)
            ledger.settings.put("restored_seen", False)
            ledger.audit.add(ledger.now(), supervisor, "restored_confirmed")
