"""What the checker looks at: both ledgers and the traffic, as values. Plain SQL, nothing of the daemon.

Amounts are in fen. An identity is (batch number as sent, STAN).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

import cbor2

from posd.testing.checks.wire import Traffic, Wire

Identity = tuple[str, str]

REVERSED_ON_DOUBT: Final = frozenset({
    "sale", "sale_void", "pre_authorisation", "pre_authorisation_void", "completion",
    "completion_void",
})  # fmt: skip
NOTICES: Final = frozenset({"refund", "completion_notice"})
LOCKING: Final = {
    "sale_void": "voided",
    "pre_authorisation_void": "voided",
    "completion": "completed",
    "completion_notice": "completed",
    "completion_void": "voided",
}
"""Kinds that change their original, and what it is once they are approved."""
DIRECTION: Final = {
    "sale": 1, "completion": 1, "completion_notice": 1,
    "sale_void": -1, "refund": -1, "completion_void": -1,
}  # fmt: skip
"""+1: money to the merchant, -1: money back. What is not here moves none."""
_REPRINT: Final = "DUPLICATED"
"""On a slip that somebody wanted again. It belongs to no outcome."""
STANDING: Final = ("approved", "voided", "completed")
UNFINISHED: Final = ("open", "reversing", "pending")
STATES: Final = frozenset({
    "not_sent", "approved", "voided", "completed", "declined", "reversed", "no_answer",
    "pending", "unresolved", "reversing",
})  # fmt: skip
"""Words of steps that are states; other steps are notes."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that does not hold. rule: M1..M17, or `net` for the money itself."""

    rule: str
    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what} ({self.where})"


@dataclass(frozen=True, slots=True)
class Expectations:
    """Settings of the terminal that rules depend on.

    at_rest: the terminal could reach a healthy host long enough to finish everything.
    reversals_needing_mac: code 00 of an 0410 counts only with 64. counter_came_round: all numbers have
    been used; those of sign-ins and of refused orders may come again.
    """

    at_rest: bool = True
    reversal_tries: int = 3
    notice_tries: int = 3
    reversals_needing_mac: bool = True
    counter_came_round: bool = False


class Step(NamedTuple):
    """One line of a story. place: among all steps of the ledger."""

    place: int
    what: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Transaction:
    """A row of the terminal's ledger, with its story and its print jobs."""

    id: int
    kind: str
    state: str
    batch: int
    batch_number: str
    stan: str
    amount: int
    approved_amount: int | None
    original: int | None
    order: int | None
    sent_date: str
    response_code: str
    reversal_reason: str
    reversal_tries: int
    notice_tries: int
    request: bytes = field(repr=False)
    answer: bytes | None = field(repr=False)
    card_kept: bool
    steps: tuple[Step, ...]
    copies: tuple[str, ...]

    @property
    def identity(self) -> Identity:
        return self.batch_number, self.stan

    @property
    def name(self) -> str:
        return f"voucher {self.stan} of batch {self.batch_number}, a {self.kind}"

    @property
    def net(self) -> int:
        amount = self.amount if self.approved_amount is None else self.approved_amount
        return DIRECTION.get(self.kind, 0) * amount if self.state in STANDING else 0

    @cached_property
    def foreign(self) -> bool:
        """Does its answer name a card organisation that is not CUP (63.1)?"""
        said: str | bytes = _elements(self.answer).get(63, "")
        organisation = said if isinstance(said, str) else said.decode("latin-1")
        return organisation[:3].strip() not in ("", "CUP")

    @cached_property
    def story(self) -> tuple[tuple[int, str], ...]:
        """Its states in their order: (place among all steps, state). It begins as open."""
        moves = tuple((step.place, step.what) for step in self.steps if step.what in STATES)
        return ((self.steps[0].place if self.steps else 0, "open"), *moves)

    def state_at(self, place: int) -> str:
        """The state it was in when the step of this place was written; "" before it was stored."""
        state = ""
        for at, became in self.story:
            if at <= place:
                state = became
        return state

    def is_closed_as_not_done(self, before: float = float("inf")) -> bool:
        """Had a person heard from the acquirer, before the step of this place, that it was not done?"""
        return any(
            step.what == "case_closed" and step.details.get("verdict") == "1"
            for step in self.steps
            if step.place < before
        )

    @cached_property
    def stored(self) -> Mapping[int, str]:
        """The elements that were stored with the intent; none when they cannot be read."""
        return _elements(self.request)


def _elements(stored: bytes | None) -> Mapping[int, Any]:
    try:
        elements = cbor2.loads(stored or b"")
    except ValueError:
        return {}
    return elements if isinstance(elements, dict) else {}


@dataclass(frozen=True, slots=True)
class Order:
    """A row of the terminal's orders. paid: fen. otherwise: was some of it paid in cash or the like?"""

    id: int
    batch: int
    number: str
    state: str
    amount: int
    paid: int
    otherwise: bool


@dataclass(frozen=True, slots=True)
class HostTransaction:
    """A row of the acquirer's ledger."""

    id: int
    kind: str
    state: str
    batch: str
    stan: str
    amount_requested: int
    amount: int
    original: int | None
    foreign: bool
    settlement: int | None

    @property
    def net(self) -> int:
        return DIRECTION.get(self.kind, 0) * self.amount if self.state in STANDING else 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """A row of the terminal's settlements. request: the elements of its 0500 as they were stored."""

    batch: int
    batch_number: str
    state: str
    closed_by: str
    request: Mapping[int, str]

    @property
    def name(self) -> str:
        return f"settlement of batch {self.batch_number}"


@dataclass(frozen=True, slots=True)
class HostSettlement:
    """A row of the acquirer's. claimed, counted: element 48 of the request and of the answer."""

    id: int
    batch: str
    claimed: str
    counted: str
    state: str


@dataclass(frozen=True)
class Evidence:
    """Everything that the rules may look at. traffic: None when none was captured."""

    transactions: Sequence[Transaction]
    orders: Sequence[Order]
    audit: Sequence[tuple[str, Mapping[str, Any]]]  # what, details
    batches: Mapping[int, bool]  # id -> is it closed?
    settlements: Sequence[Settlement]
    outbox: Sequence[tuple[str, Mapping[str, Any]]]  # name, body
    outbox_was_pruned: bool
    host: Sequence[HostTransaction]
    host_settlements: Sequence[HostSettlement]
    traffic: Traffic | None
    raw: bytes = field(repr=False)  # the terminal's file(s), byte by byte
    expected: Expectations = Expectations()

    @cached_property
    def by_id(self) -> Mapping[int, Transaction]:
        return {one.id: one for one in self.transactions}

    @cached_property
    def by_identity(self) -> Mapping[Identity, Sequence[Transaction]]:
        found: dict[Identity, list[Transaction]] = {}
        for one in self.transactions:
            found.setdefault(one.identity, []).append(one)
        return found

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Every voucher and order number of the ledger."""
        return frozenset(
            [*(one.stan for one in self.transactions), *(order.number for order in self.orders)]
        )

    @cached_property
    def host_by_identity(self) -> Mapping[Identity, Sequence[HostTransaction]]:
        found: dict[Identity, list[HostTransaction]] = {}
        for one in self.host:
            found.setdefault((one.batch, one.stan), []).append(one)
        return found

    @cached_property
    def about(self) -> Mapping[int, Sequence[Transaction]]:
        """Original's id -> what is about it, oldest first."""
        found: dict[int, list[Transaction]] = {}
        for one in self.transactions:
            if one.original is not None:
                found.setdefault(one.original, []).append(one)
        return found

    @property
    def messages(self) -> Sequence[Wire]:
        return () if self.traffic is None else self.traffic.messages

    def has_no_taker(self, one: Transaction) -> bool:
        """Is it a notice that can never be answered otherwise: the host has changed the batch number since,
        has no copy on file, and says 77 to every copy? It goes on being repeated (money M15)."""
        if one.kind != "completion_notice" or one.state != "pending":
            return False
        answers = self.answers.get(("0230", one.stan), ())
        batches = [
            answer.batch for answer in self.messages
            if answer.mti == "0810" and not answer.outgoing and answer.get(39) == "00"
        ]  # fmt: skip
        return bool(
            answers and answers[-1].get(39) == "77" and batches and batches[-1] != one.batch_number
        )

    def intent_of(self, message: Wire) -> Transaction | None:
        """The transaction that a request, its reversal or an answer names by 60.2, 11, 3, 25, 60.1."""
        named = self.by_identity.get((message.batch, message.get(11)), ())
        return next((one for one in reversed(named) if one.kind == message.kind), None)

    @cached_property
    def requests(self) -> Mapping[int, Sequence[Wire]]:
        """Transaction's id -> its 0100, 0200, 0220 as they went out."""
        return self._sent("0100", "0200", "0220")

    @cached_property
    def reversals(self) -> Mapping[int, Sequence[Wire]]:
        """Transaction's id -> its 0400s."""
        return self._sent("0400")

    def _sent(self, *mtis: str) -> Mapping[int, Sequence[Wire]]:
        found: dict[int, list[Wire]] = {}
        for message in self.messages:
            if message.outgoing and message.mti in mtis:
                transaction = self.intent_of(message)
                if transaction is not None:
                    found.setdefault(transaction.id, []).append(message)
        return found

    @cached_property
    def answers(self) -> Mapping[tuple[str, str], Sequence[Wire]]:
        """(MTI, STAN) -> what came to the terminal with them."""
        found: dict[tuple[str, str], list[Wire]] = {}
        for message in self.messages:
            if not message.outgoing:
                found.setdefault((message.mti, message.get(11)), []).append(message)
        return found


def read_terminal(connection: sqlite3.Connection) -> dict[str, Any]:
    """The terminal's side of an Evidence. Raises sqlite3.Error."""
    steps: dict[int, list[Step]] = {}
    for place, owner, what, details in connection.execute(
        "SELECT id, transaction_id, what, details FROM steps ORDER BY id"
    ):
        steps.setdefault(owner, []).append(Step(place, what, cbor2.loads(details)))
    copies: dict[int, list[str]] = {}
    for owner, copy, slip in connection.execute(
        "SELECT transaction_id, copy, slip FROM print_jobs ORDER BY id"
    ):
        if not _is_reprint(cbor2.loads(slip)):
            copies.setdefault(owner, []).append(copy)
    rows = connection.execute(
        """SELECT id, kind, state, batch, batch_number, stan, amount, approved_amount, original,
           order_id, sent_date, response_code, reversal_reason, reversal_tries, notice_tries, request,
           answer, account_number IS NOT NULL OR expiry IS NOT NULL
           FROM transactions ORDER BY id"""
    )
    transactions = [_transaction(row, steps, copies) for row in rows]
    audit = connection.execute("SELECT what, details FROM audit ORDER BY id")
    outbox = connection.execute("SELECT number, name, body FROM outbox ORDER BY number").fetchall()
    return {
        "transactions": transactions,
        "orders": [
            Order(identity, batch, number, state, amount, paid, bool(otherwise))
            for identity, batch, number, state, amount, paid, otherwise in connection.execute(
                """SELECT id, batch, number, state, amount, paid, EXISTS (SELECT 1 FROM order_steps
                   WHERE order_id = orders.id AND what = 'paid' AND reason <> '')
                   FROM orders ORDER BY id"""
            )
        ],
        "audit": [(what, cbor2.loads(details)) for what, details in audit],
        "outbox": [(name, cbor2.loads(body)) for _, name, body in outbox],
        "outbox_was_pruned": not outbox or outbox[0][0] != 1,
        "batches": {
            batch: closed is not None
            for batch, closed in connection.execute("SELECT id, closed_at FROM batches")
        },
        "settlements": [
            Settlement(batch, number, state, closed_by, _elements(request))
            for batch, number, state, closed_by, request in connection.execute(
                "SELECT batch, batch_number, state, closed_by, request FROM settlements ORDER BY id"
            )
        ],
    }


def _is_reprint(slip: Sequence[Mapping[str, Any]]) -> bool:
    return any(_REPRINT in str(row.get("text", "")) for row in slip)


def _transaction(
    row: tuple[Any, ...], steps: Mapping[int, list[Step]], copies: Mapping[int, list[str]]
) -> Transaction:
    identity = row[0]
    story, printed = tuple(steps.get(identity, ())), tuple(copies.get(identity, ()))
    return Transaction(*(*row, story, printed))


def read_host(connection: sqlite3.Connection) -> dict[str, Any]:
    """The acquirer's side of an Evidence. Raises sqlite3.Error."""
    rows = connection.execute(
        """SELECT id, kind, state, batch, stan, amount_requested, amount, original, foreign_card,
           settlement FROM transactions ORDER BY id"""
    )
    settlements = connection.execute(
        "SELECT id, batch, terminal_totals, host_totals, state FROM settlements ORDER BY id"
    )
    return {
        "host": [HostTransaction(*row) for row in rows],
        "host_settlements": [HostSettlement(*row) for row in settlements],
    }
