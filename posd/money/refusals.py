"""Why a request, or a settlement, may not start; what its original has become in the meantime."""

from __future__ import annotations

from enum import StrEnum

from posd.ledger.ledger import Ledger
from posd.ledger.order_rules import Action
from posd.ledger.records import State
from posd.money.kinds import KINDS, Side
from posd.money.requests import Request
from protocol.transactions import REFUND


class Refusal(StrEnum):
    """Why a financial request may not start. Nothing was stored or sent."""

    MOVED = "moved"  # another terminal goes on with this ledger
    CLOSED = "closed"  # for good
    NOT_SIGNED_IN = "not_signed_in"
    REVERSAL_PENDING = "reversal_pending"
    RESTORED = "restored"
    DISK_FULL = "disk_full"
    BATCH_FULL = "batch_full"
    SETTLEMENT_UNFINISHED = "settlement_unfinished"
    NOTICE_PENDING = "notice_pending"  # keeps the batch from being settled
    BUSY = "busy"
    KEYS_CHANGED = "keys_changed"  # a sign-in came between the PIN and the request
    ORIGINAL_NOT_APPROVED = "original_not_approved"
    ORIGINAL_LOCKED = "original_locked"
    ORIGINAL_SETTLED = "original_settled"  # its batch is closed: a refund undoes it
    ORIGINAL_REFUNDED = "original_refunded"
    MORE_THAN_LEFT = "more_than_left"  # a refund above what is left of its original
    OTHER_CARD = "other_card"
    CARD_ERASED = "card_erased"
    ORDER_NOT_DUE = "order_not_due"  # its order is closed, or an attempt to pay it is in doubt


def refusal_of_order(ledger: Ledger, request: Request) -> Refusal | None:
    """What the order that the request pays has become in the meantime."""
    if request.order is None:
        return None
    obstacle = ledger.orders.obstacle(request.order, Action.PAY)
    return None if obstacle is None else Refusal.ORDER_NOT_DUE


def refusal_of_original(ledger: Ledger, request: Request) -> Refusal | None:
    """What the original has become in the meantime (money M8), and what is left of it (M15)."""
    if request.original is None:
        return None
    transactions = ledger.transactions
    original = transactions.get(request.original.id)
    if original.state is not State.APPROVED:
        return Refusal.ORIGINAL_NOT_APPROVED
    refunded = transactions.refunded(original.id)
    locker = transactions.locked_by(original.id)
    if request.row is REFUND:
        if locker is not None and KINDS[locker.kind].locks:
            return Refusal.ORIGINAL_LOCKED
        left = original.booked_amount - refunded
        return Refusal.MORE_THAN_LEFT if request.amount > left else None
    if KINDS[original.kind].side is Side.DEBIT and original.batch != ledger.counters.open_batch:
        return Refusal.ORIGINAL_SETTLED
    if refunded:
        return Refusal.ORIGINAL_REFUNDED
    if locker is not None:
        return Refusal.ORIGINAL_LOCKED
    return None
