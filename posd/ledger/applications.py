"""What two people decide about an order: an operator applies, a supervisor approves or refuses.

An approval and what it allows are one commit. An order that changes in the meantime makes the application
lapse, so that nobody approves what was meant for another amount or state.
"""

from __future__ import annotations

import sqlite3
from enum import StrEnum

from posd.ledger.database import Database
from posd.ledger.order_rules import Action, Obstacle
from posd.ledger.orders import Orders, application_body
from posd.ledger.outbox import Outbox
from posd.ledger.records import Application


class Decision(StrEnum):
    """What became of an approval that was asked for, where no Obstacle says it."""

    SAME_PERSON = "same_person"  # who applies does not approve
    GONE = "gone"  # it no longer waits


ACTIONS = frozenset({Action.AMEND, Action.PAID_OTHERWISE, Action.CANCEL, Action.SET_BACK})
"""What has to be applied for."""


class Applications:
    """Reads at any time; every write inside a commit of the database."""

    def __init__(self, database: Database, orders: Orders, outbox: Outbox) -> None:
        self._database = database
        self._orders = orders
        self._outbox = outbox

    def make(
        self, order: int, what: Action, reason: str, at: int, operator: str, amount: int = 0
    ) -> int | Obstacle:
        """Apply for it; the application's id, or why it cannot be done anyway.

        reason: of paid_otherwise the means (cash, other). An earlier one for the same is replaced: it lapses.
        """
        assert what in ACTIONS, what
        obstacle = self._orders.obstacle(order, what)
        if what is Action.AMEND and amount <= self._orders.get(order).paid:
            obstacle = obstacle or Obstacle.APPROVED
        if obstacle is not None:
            return obstacle
        for earlier in self.of_order(order):
            if earlier.what == what and not earlier.verdict:
                self._decide(earlier.id, "lapsed", "", at)
        cursor = self._database.write(
            "INSERT INTO order_applications (order_id, what, amount, reason, operator, at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (order, str(what), amount, reason, operator, at),
        )
        assert cursor.lastrowid is not None
        self._tell(cursor.lastrowid, "made")
        return cursor.lastrowid

    def approve(self, identity: int, supervisor: str, at: int) -> Obstacle | Decision | None:
        """Do what was applied for; None when it is done. An obstacle leaves the application waiting."""
        application = self.get(identity)
        if application.verdict:
            return Decision.GONE
        if application.operator == supervisor:
            return Decision.SAME_PERSON
        obstacle = self._orders.obstacle(application.order, Action(application.what))
        if obstacle is not None:
            return obstacle
        # first the verdict: the change that follows makes every other application lapse
        self._decide(identity, "approved", supervisor, at)
        return self._carry_out(application, supervisor, at)

    def refuse(self, identity: int, supervisor: str, reason: str, at: int) -> bool:
        """Say no, and why; False when it no longer waits."""
        if self.get(identity).verdict:
            return False
        self._decide(identity, "refused", supervisor, at, reason)
        return True

    def get(self, identity: int) -> Application:
        """Raises KeyError."""
        return _application(self._row(identity))

    def waiting(self) -> list[Application]:
        """Those that nobody has decided, oldest first."""
        rows = self._database.all("""SELECT * FROM order_applications INDEXED BY order_applications_waiting
               WHERE verdict = '' ORDER BY id""")
        return [_application(row) for row in rows]

    def waiting_count(self) -> int:
        """How many nobody has decided."""
        return self._database.remembered("waiting_applications", self._count_waiting)

    def _count_waiting(self) -> int:
        row = self._database.one(
            """SELECT count(*) AS n FROM order_applications INDEXED BY order_applications_waiting
               WHERE verdict = ''"""
        )
        return 0 if row is None else int(row["n"])

    def of_order(self, order: int) -> list[Application]:
        """Every one about this order, oldest first."""
        rows = self._database.all(
            "SELECT * FROM order_applications WHERE order_id = ? ORDER BY id", (order,)
        )
        return [_application(row) for row in rows]

    def _carry_out(self, application: Application, supervisor: str, at: int) -> Obstacle | None:
        order, operator, reason = application.order, application.operator, application.reason
        match Action(application.what):
            case Action.AMEND:
                return self._orders.amend(order, application.amount, at, operator, supervisor)
            case Action.PAID_OTHERWISE:
                return self._orders.pay_otherwise(order, reason, at, operator, supervisor)
            case Action.CANCEL:
                return self._orders.cancel(order, at, operator, reason, supervisor)
            case Action.SET_BACK:
                return self._orders.set_back(order, at, operator, reason, supervisor)
        raise AssertionError(f"nobody applies for {application.what}")

    def _decide(
        self, identity: int, verdict: str, supervisor: str, at: int, refusal: str = ""
    ) -> None:
        self._database.write(
            """UPDATE order_applications SET verdict = ?, supervisor = ?, decided_at = ?, refusal = ?
               WHERE id = ?""",
            (verdict, supervisor, at, refusal, identity),
        )
        self._tell(identity, verdict)

    def _tell(self, identity: int, what: str) -> None:
        row = self._row(identity)
        order = self._orders.get(row["order_id"])
        body = application_body(row, order, row["supervisor"], row["refusal"])
        self._outbox.append(f"application.{what}", body)

    def _row(self, identity: int) -> sqlite3.Row:
        row = self._database.one("SELECT * FROM order_applications WHERE id = ?", (identity,))
        if row is None:
            raise KeyError(identity)
        return row


def _application(row: sqlite3.Row) -> Application:
    return Application(
        row["id"], row["order_id"], row["what"], row["amount"], row["reason"], row["operator"],
        row["at"], row["verdict"], row["supervisor"], row["decided_at"], row["refusal"],
    )  # fmt: skip
