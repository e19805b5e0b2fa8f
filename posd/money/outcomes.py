"""Storing what a usable answer means: everything that changes with it, in one commit (money M6, M8)."""

from __future__ import annotations

import structlog

from posd import receipts
from posd.core.events import Outcome, TransactionEnded
from posd.ledger.records import OrderState, State, TransactionRecord
from posd.money.desk import Desk
from posd.money.kinds import KINDS, Kind
from protocol import Message
from protocol.elements import storable
from protocol.response_codes import asks_sign_in

log = structlog.get_logger()

DUPLICATE = "94"
STAN_JUMP_AFTER_DUPLICATE = 100


def approve(desk: Desk, identity: int, before: State, answer: Message) -> None:
    """Transaction, original, order and slips in one commit, then the report.

    Raises AssertionError when the transaction or its original is not in the state it must be in.
    """
    ledger = desk.ledger
    now = ledger.now()
    record = ledger.transactions.get(identity)
    kind = KINDS[record.kind]
    original = None if record.original is None else ledger.transactions.get(record.original)
    with ledger.commit("outcome"):
        moved = ledger.transactions.move(
            identity, [before], State.APPROVED, {"code": str(answer.elements[39])},
            ended_at=now, approved_amount=int(str(answer.get(4, record.amount))),
            **_answer_columns(answer),
        )  # fmt: skip
        assert moved, "an approval for a transaction that waits for none"
        if original is not None:
            _move_original(desk, kind, original, identity)
        record = ledger.transactions.get(identity)
        _move_order(desk, kind, record, original, now)
        if record.kind in receipts.LAYOUTS:
            for copy, slip in receipts.slips(record, desk.configuration, original):
                ledger.print_jobs.add(identity, copy, slip)
        desk.session.heard(answer)
    log.info("outcome.approved", transaction=identity, stan=record.stan, amount=record.amount)
    desk.report(TransactionEnded(identity, Outcome.APPROVED))


def decline(desk: Desk, identity: int, before: State, answer: Message) -> None:
    """The host said no: stored, with what it asks for, then the report."""
    code = str(answer.elements[39])
    ledger = desk.ledger
    stan = ledger.transactions.get(identity).stan
    with ledger.commit("outcome"):
        ledger.transactions.move(
            identity, [before], State.DECLINED, {"code": code},
            ended_at=ledger.now(), **_answer_columns(answer),
        )  # fmt: skip
        if code == DUPLICATE:
            ledger.counters.jump_stan(STAN_JUMP_AFTER_DUPLICATE)
        if asks_sign_in(code):
            desk.session.demand_sign_in()
        desk.session.heard(answer)
    if code == DUPLICATE:
        log.error("alert.duplicate_stan", transaction=identity, stan=stan)
    log.info("outcome.declined", transaction=identity, stan=stan, code=code)
    desk.report(TransactionEnded(identity, Outcome.DECLINED))


def _move_original(desk: Desk, kind: Kind, original: TransactionRecord, by: int) -> None:
    transactions = desk.ledger.transactions
    if kind.original_becomes is None:
        return
    moved = transactions.move(original.id, [State.APPROVED], kind.original_becomes, {"by": by})
    assert moved, "the original is not approved"
    if kind.restores is not None and original.original is not None:
        transactions.move(original.original, [State.COMPLETED], kind.restores, {"by": by})


def _move_order(
    desk: Desk,
    kind: Kind,
    record: TransactionRecord,
    original: TransactionRecord | None,
    now: int,
) -> None:
    """What was approved is paid on the order, a part of it or all; a void takes it back."""
    orders = desk.ledger.orders
    if kind.order_becomes is OrderState.PAID and record.order is not None:
        orders.receive(record.order, record.booked_amount, now, record.operator)
    elif kind.order_becomes is OrderState.VOIDED and original and original.order is not None:
        orders.undo_payment(original.order, original.booked_amount, now, record.operator)


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
