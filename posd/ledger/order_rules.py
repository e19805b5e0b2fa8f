"""What may be done with an order, and why not: one answer for the ledger, the rules and the screens."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from posd.ledger.database import Database
from posd.ledger.pack import unpack
from posd.ledger.records import NOT_DONE, OrderRecord, OrderState


class Action(StrEnum):
    """What somebody wants to do with an order."""

    PAY = "pay"
    AMEND = "amend"
    PAID_OTHERWISE = "paid_otherwise"
    CANCEL = "cancel"
    SET_BACK = "set_back"
    HOLD = "hold"
    EXPIRE = "expire"


class Obstacle(StrEnum):
    """Why it cannot be done."""

    IN_DOUBT = (
        "in_doubt"  # an attempt to pay, or its void, is open, reversing, pending or unresolved
    )
    DEBITED = "debited"  # a person has closed such a case, and not with "not done"
    APPROVED = "approved"  # the ledger holds an approved transaction: void it instead
    CLOSED = "closed"  # it is not unpaid
    NOT_PAID = "not_paid"  # it is not paid
    HELD = "held"  # it is parked already
    RETIRED = "retired"  # this ledger goes on in another terminal, or not at all


_BLOCKED_BY_DOUBT: Final = frozenset(Action) - {Action.HOLD}
_BLOCKED_BY_VERDICT: Final = _BLOCKED_BY_DOUBT - {Action.PAID_OTHERWISE}


class OrderRules:
    """Reads only: the order's own state, its attempts, and their voids."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def obstacle(self, order: OrderRecord, action: Action) -> Obstacle | None:
        """Why this cannot be done with the order now; None when it can."""
        if self.is_retired():
            return Obstacle.RETIRED
        if action is Action.SET_BACK:
            if order.state is not OrderState.PAID:
                return Obstacle.NOT_PAID
        elif order.state is not OrderState.UNPAID:
            return Obstacle.CLOSED
        if action is Action.HOLD and order.held:
            return Obstacle.HELD
        if action in _BLOCKED_BY_DOUBT and self.has_attempt_in_doubt(order.id):
            return Obstacle.IN_DOUBT
        if action in _BLOCKED_BY_VERDICT and self._was_debited(order.id):
            return Obstacle.DEBITED
        gives_up = action in {Action.SET_BACK, Action.CANCEL, Action.EXPIRE}
        if gives_up and self.has_approved_payment(order.id):
            return Obstacle.APPROVED
        return None

    def is_retired(self) -> bool:
        """Is this the ledger of a terminal that trades no more (`posd.ledger.retirement`)?

        Its orders are another ledger's now, with the same numbers of events: here nothing happens to them.
        """
        return self._database.one("SELECT 1 FROM settings WHERE name = 'retired'") is not None

    def has_attempt_in_doubt(self, identity: int) -> bool:
        """Is an attempt to pay it, or the void of one, open, reversing, pending or unresolved?

        An unresolved one whose case a person has closed is no longer in doubt.
        """
        return any(verdict is None for verdict in self._verdicts(identity))

    def has_approved_payment(self, identity: int) -> bool:
        """Does the ledger hold an approved transaction that pays it?"""
        row = self._database.one(
            "SELECT EXISTS (SELECT 1 FROM transactions WHERE order_id = ? AND state = 'approved')",
            (identity,),
        )
        return row is not None and bool(row[0])

    def _was_debited(self, identity: int) -> bool:
        return any(verdict != NOT_DONE for verdict in self._verdicts(identity))

    def _verdicts(self, identity: int) -> list[str | None]:
        """Of each attempt in doubt: None, or what a person closed its case with."""
        doubt = "state IN ('open', 'reversing', 'pending', 'unresolved')"
        rows = self._database.all(
            f"""SELECT id, (SELECT details FROM steps s WHERE s.transaction_id = t.id
                            AND s.what = 'case_closed' ORDER BY s.id LIMIT 1) AS details
                FROM transactions t WHERE order_id = ?1 AND {doubt}
                UNION ALL
                SELECT t.id, (SELECT details FROM steps s WHERE s.transaction_id = t.id
                              AND s.what = 'case_closed' ORDER BY s.id LIMIT 1)
                FROM transactions p JOIN transactions t ON t.original = p.id
                WHERE p.order_id = ?1 AND t.{doubt}""",  # noqa: S608 - constants
            (identity,),
        )
        return [
            None if row["details"] is None else str(unpack(row["details"]).get("verdict", ""))
            for row in rows
        ]
