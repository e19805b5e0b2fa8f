"""Orders: what customers owe, from the confirmed amount until it is paid or given up. Never erased.

Each change is an update, a step of the order's story, and an event in the outbox, all in the
commit of the caller. What may be done with an order is asked of `obstacle`, here and by the dialogue.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from posd.ledger.database import Database
from posd.ledger.order_rules import Action, Obstacle, OrderRules
from posd.ledger.outbox import Outbox
from posd.ledger.records import OrderRecord, OrderState, OrderStep

EXPIRED: Final = "expired"
NOBODY: Final = "posd"  # whom a rule is written down as
LABEL_DIGITS: Final = 11
_KEEPS_APPLICATIONS: Final = frozenset({"created", "held", "resumed"})


class Orders:
    """Reads at any time; every write inside a commit of the database."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox
        self._rules = OrderRules(database)

    # -- changes -------------------------------------------------------------------------------------

    def create(self, number: str, amount: int, at: int, operator: str = "") -> int:
        """An unpaid order of the open batch; returns its id."""
        cursor = self._database.write(
            """INSERT INTO orders (batch, number, amount, state, created_at, operator)
               VALUES ((SELECT max(id) FROM batches), ?, ?, 'unpaid', ?, ?)""",
            (number, amount, at, operator),
        )
        assert cursor.lastrowid is not None
        self._changed(cursor.lastrowid, "created", at, operator)
        return cursor.lastrowid

    def receive(
        self, identity: int, amount: int, at: int, operator: str = "", means: str = "card"
    ) -> int:
        """So much was paid; returns what is still due. Nothing due: the order is paid.

        A partial approval leaves a remainder. Whatever state it is in: what was paid is a fact.
        """
        order = self.get(identity)
        paid = order.paid + amount
        if paid < order.amount:
            self._update(identity, paid=paid, means=means)
            self._changed(identity, "paid_in_part", at, operator)
            return order.amount - paid
        self._close(identity, OrderState.PAID, at, operator, "", paid=paid, means=means)
        self._changed(identity, "paid", at, operator)
        return 0

    def undo_payment(self, identity: int, amount: int, at: int, operator: str = "") -> None:
        """A payment was voided. The only one: the order is voided; else what it paid is due again."""
        order = self.get(identity)
        paid = max(0, order.paid - amount)
        if order.state is OrderState.PAID and not paid:
            self._close(identity, OrderState.VOIDED, at, operator, "", paid=0)
            self._changed(identity, "voided", at, operator)
        else:
            if order.state is OrderState.PAID:
                self._reopen(identity)
            self._update(identity, paid=paid)
            self._changed(identity, "payment_undone", at, operator)

    def amend(
        self, identity: int, amount: int, at: int, operator: str, supervisor: str
    ) -> Obstacle | None:
        """Another amount, above what is paid already; None when it is done."""
        obstacle = self.obstacle(identity, Action.AMEND)
        if obstacle is None and amount <= self.get(identity).paid:
            obstacle = Obstacle.APPROVED
        if obstacle is None:
            self._update(identity, amount=amount)
            self._changed(identity, "amended", at, operator, supervisor)
        return obstacle

    def pay_otherwise(
        self, identity: int, means: str, at: int, operator: str, supervisor: str
    ) -> Obstacle | None:
        """What is due was paid in cash or by other means; None when it is done."""
        obstacle = self.obstacle(identity, Action.PAID_OTHERWISE)
        if obstacle is None:
            order = self.get(identity)
            self._close(
                identity, OrderState.PAID, at, operator, means, paid=order.amount, means=means
            )
            self._changed(identity, "paid", at, operator, supervisor, means)
        return obstacle

    def cancel(
        self, identity: int, at: int, operator: str, reason: str, supervisor: str = ""
    ) -> Obstacle | None:
        """Nobody will pay it; None when it is done."""
        obstacle = self.obstacle(identity, Action.CANCEL)
        if obstacle is None:
            self._close(identity, OrderState.CANCELLED, at, operator, reason)
            self._changed(identity, "cancelled", at, operator, supervisor, reason)
        return obstacle

    def set_back(
        self, identity: int, at: int, operator: str, reason: str, supervisor: str
    ) -> Obstacle | None:
        """It is shown as paid and was not: unpaid again; None when it is done."""
        obstacle = self.obstacle(identity, Action.SET_BACK)
        if obstacle is None:
            self._reopen(identity)
            self._update(identity, paid=0, means="")
            self._changed(identity, "set_back", at, operator, supervisor, reason)
        return obstacle

    def hold(self, identity: int, label: str, at: int, operator: str) -> Obstacle | None:
        """Park it under a label of up to 11 digits; None when it is done."""
        assert label.isdecimal(), "expected a label of digits"
        assert len(label) <= LABEL_DIGITS, "expected a label of at most 11 digits"
        obstacle = self.obstacle(identity, Action.HOLD)
        if obstacle is None:
            self._update(identity, held_at=at, label=label)
            self._changed(identity, "held", at, operator)
        return obstacle

    def resume(self, identity: int, at: int, operator: str) -> bool:
        """It is no longer parked; its age counts from here. False: not held, or the ledger is retired."""
        if not self.get(identity).held or self._rules.is_retired():
            return False
        self._update(identity, held_at=None, aged_minutes=0)
        self._changed(identity, "resumed", at, operator)
        return True

    def age(self, minutes: int, limit: int, at: int, but: int | None = None) -> list[OrderRecord]:
        """Unpaid orders that are not held have run for so many minutes more.

        Those that have reached the limit expire, except what has an obstacle, and the one that somebody
        is busy with (`but`). Which ones.
        """
        self._database.write(
            "UPDATE orders SET aged_minutes = aged_minutes + ? WHERE state = 'unpaid' AND held_at IS NULL",
            (minutes,),
        )
        expired = []
        for order in self.unpaid(held=False):
            if order.aged_minutes < limit or order.id == but:
                continue
            if self.obstacle(order.id, Action.EXPIRE) is None:
                self._close(order.id, OrderState.CANCELLED, at, NOBODY, EXPIRED)
                self._changed(order.id, EXPIRED, at, NOBODY, reason=EXPIRED)
                expired.append(order)
        return expired

    # -- what may be done ----------------------------------------------------------------------------

    def obstacle(self, identity: int, action: Action) -> Obstacle | None:
        """Why this cannot be done with the order now; None when it can."""
        return self._rules.obstacle(self.get(identity), action)

    def has_attempt_in_doubt(self, identity: int) -> bool:
        """See OrderRules."""
        return self._rules.has_attempt_in_doubt(identity)

    # -- reading -------------------------------------------------------------------------------------

    def get(self, identity: int) -> OrderRecord:
        """Raises KeyError."""
        row = self._database.one("SELECT * FROM orders WHERE id = ?", (identity,))
        if row is None:
            raise KeyError(identity)
        return _order(row)

    def by_number(self, number: str) -> OrderRecord | None:
        """The newest order with this number."""
        return self._first("SELECT * FROM orders WHERE number = ? ORDER BY id DESC LIMIT 1", number)

    def find(self, number: str) -> OrderRecord | None:
        """The order that a number names: its own, or that of an attempt to pay it; newest batch first."""
        return self._first(
            """SELECT o.* FROM (
                   SELECT id, batch FROM orders WHERE number = ?1
                   UNION ALL SELECT order_id, batch FROM transactions
                             WHERE stan = ?1 AND order_id IS NOT NULL) AS named
               JOIN orders o ON o.id = named.id ORDER BY named.batch DESC, o.id DESC LIMIT 1""",
            number,
        )

    def unpaid(self, *, held: bool) -> list[OrderRecord]:
        """Those that are held, or those that are not, oldest first."""
        rows = self._database.all(
            "SELECT * FROM orders WHERE state = 'unpaid' AND (held_at IS NOT NULL) = ? ORDER BY id",
            (held,),
        )
        return [_order(row) for row in rows]

    def with_amount(self, amount: int, limit: int = 100) -> list[OrderRecord]:
        """The newest orders of this amount, archived ones too, newest first."""
        rows = self._database.all(
            "SELECT * FROM orders WHERE amount = ? ORDER BY id DESC LIMIT ?", (amount, limit)
        )
        return [_order(row) for row in rows]

    def created_between(self, since: int, until: int, limit: int = 1000) -> list[OrderRecord]:
        """Orders from the first moment on, up to the second, archived ones too, newest first."""
        rows = self._database.all(
            """SELECT * FROM orders WHERE created_at >= ? AND created_at < ?
               ORDER BY created_at DESC, id DESC LIMIT ?""",
            (since, until, limit),
        )
        return [_order(row) for row in rows]

    def closed_between(self, since: int, until: int) -> list[OrderRecord]:
        """What was paid, voided or cancelled in this time, oldest first."""
        rows = self._database.all(
            """SELECT * FROM orders WHERE closed_at IS NOT NULL AND closed_at >= ? AND closed_at < ?
               ORDER BY closed_at, id""",
            (since, until),
        )
        return [_order(row) for row in rows]

    def steps(self, identity: int) -> list[OrderStep]:
        """Its story, oldest first; from before there were steps, nothing."""
        rows = self._database.all(
            "SELECT * FROM order_steps WHERE order_id = ? ORDER BY id", (identity,)
        )
        return [
            OrderStep(
                row["at"], row["what"], row["operator"], row["supervisor"], row["reason"], row["amount"]
            )
            for row in rows
        ]  # fmt: skip

    # -- how a change is written ---------------------------------------------------------------------

    def _first(self, statement: str, number: str) -> OrderRecord | None:
        row = self._database.one(statement, (number,))
        return None if row is None else _order(row)

    def _update(self, identity: int, **columns: object) -> None:
        names = ", ".join(f"{name} = ?" for name in columns)
        self._database.write(
            f"UPDATE orders SET {names} WHERE id = ?",  # noqa: S608 - names of ours
            (*columns.values(), identity),
        )

    def _close(
        self,
        identity: int,
        state: OrderState,
        at: int,
        who: str,
        reason: str,
        **columns: object,
    ) -> None:
        """Into the archive, and no longer parked: the label stays."""
        self._update(
            identity, state=str(state), closed_at=at, closed_by=who, reason=reason, held_at=None,
            **columns,
        )  # fmt: skip

    def _reopen(self, identity: int) -> None:
        self._update(
            identity, state="unpaid", closed_at=None, closed_by="", reason="", aged_minutes=0
        )

    def _changed(
        self,
        identity: int,
        what: str,
        at: int,
        operator: str,
        supervisor: str = "",
        reason: str = "",
    ) -> None:
        """The step of the story and the event; what was applied for is no longer about this order."""
        order = self.get(identity)
        self._database.write(
            "INSERT INTO order_steps (order_id, at, what, operator, supervisor, reason, amount)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (identity, at, what, operator, supervisor, reason, order.due),
        )
        self._outbox.append(
            f"order.{what}",
            {
                "order": order.id, "number": order.number, "amount": order.amount, "paid": order.paid,
                "state": str(order.state), "held": order.held, "label": order.label,
                "means": order.means, "operator": operator, "supervisor": supervisor, "reason": reason,
            },
        )  # fmt: skip
        if what not in _KEEPS_APPLICATIONS:
            self._lapse(order, at)

    def _lapse(self, order: OrderRecord, at: int) -> None:
        """The order is another one now: nobody shall approve what was applied for before."""
        rows = self._database.all(
            "SELECT * FROM order_applications WHERE order_id = ? AND verdict = ''", (order.id,)
        )
        for row in rows:
            self._database.write(
                "UPDATE order_applications SET verdict = 'lapsed', decided_at = ? WHERE id = ?",
                (at, row["id"]),
            )
            self._outbox.append("application.lapsed", application_body(row, order, "", ""))


def application_body(
    row: sqlite3.Row, order: OrderRecord, supervisor: str, refusal: str
) -> dict[str, object]:
    """The fields of an event about an application."""
    return {
        "application": row["id"], "order": order.id, "number": order.number, "what": row["what"],
        "amount": row["amount"], "reason": row["reason"], "operator": row["operator"],
        "supervisor": supervisor, "refusal": refusal,
    }  # fmt: skip


def _order(row: sqlite3.Row) -> OrderRecord:
    return OrderRecord(
        row["id"],
        row["number"],
        row["amount"],
        OrderState(row["state"]),
        row["created_at"],
        row["closed_at"],
        row["closed_by"],
        row["reason"],
        row["operator"],
        row["paid"],
        row["means"],
        row["held_at"],
        row["label"],
        row["aged_minutes"],
    )
