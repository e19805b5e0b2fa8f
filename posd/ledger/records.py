"""What the ledger holds, as frozen values. Amounts are in fen; times are milliseconds of local time."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct, field

from devices.slip import Slip


class State(StrEnum):
    """An intent is open or reversing; every other state is its one outcome (money M4)."""

    OPEN = "open"
    REVERSING = "reversing"
    NOT_SENT = "not_sent"
    APPROVED = "approved"
    VOIDED = "voided"
    COMPLETED = "completed"  # a pre-authorisation whose completion is approved
    DECLINED = "declined"
    REVERSED = "reversed"
    NO_ANSWER = "no_answer"
    PENDING = "pending"
    UNRESOLVED = "unresolved"


IN_DOUBT = frozenset({State.OPEN, State.REVERSING, State.PENDING, State.UNRESOLVED})


class OrderState(StrEnum):
    UNPAID = "unpaid"
    PAID = "paid"
    VOIDED = "voided"
    CANCELLED = "cancelled"


class TransactionRecord(Struct, frozen=True):
    """One financial request and what became of it. Its card number: Transactions.card()."""

    id: int
    kind: str  # the name of a protocol.transactions row: sale, sale_void...
    state: State
    batch: int  # the ledger's own batch (an identity), not the number on the wire
    batch_number: str  # 60.2 as it was sent, 6 digits
    stan: str  # element 11 = voucher number, 6 digits
    amount: int  # requested
    operator: str  # 2 digits
    supervisor: str  # 2 digits, or "" where none was needed
    masked_card: str  # first 6 and last 4: 622500******0014
    entry_mode: str  # element 22
    created_at: int
    original: int | None = (
        None  # the id of the transaction that this one voids, refunds or completes
    )
    order: int | None = None
    request: Mapping[int, str | bytes] = field(
        default_factory=dict
    )  # without 2, 14, 35, 36, 52, 64
    answer: Mapping[int, str | bytes] = field(
        default_factory=dict
    )  # likewise; empty before the outcome
    approved_amount: int | None = None
    response_code: str = ""
    retrieval_reference: str = ""
    authorisation_code: str = ""
    host_date: str = ""  # MMDD of the answer
    host_time: str = ""  # hhmmss of the answer
    ended_at: int | None = None
    reversal_reason: str = ""  # element 39 of the 0400
    reversal_tries: int = 0  # 0400s handed to an established connection
    reversal_code: str = ""  # 39 of the last 0410
    host_had_none: bool = False  # a first 25 or 12 came back; one more 0400 decides (money M5)
    notice_tries: int = 0  # how often a notice was sent
    acknowledged: bool = False  # the clerk has seen the outcome

    @property
    def booked_amount(self) -> int:
        """Fen that the host booked: of a partial approval (code 10) the part, else what was asked."""
        return self.amount if self.approved_amount is None else self.approved_amount


class StepRecord(Struct, frozen=True):
    """One line of a transaction's story."""

    at: int
    what: str
    details: Mapping[str, object]


class OrderRecord(Struct, frozen=True):
    """What a customer owes. Closed (paid, voided, cancelled) it is the archive: it is never erased."""

    id: int
    number: str  # 6 digits from the STAN counter
    amount: int
    state: OrderState
    created_at: int
    closed_at: int | None = None
    closed_by: str = ""  # 2 digits; posd when it expired
    reason: str = ""  # a digit of the list that it was chosen from, or a word
    operator: str = ""  # who confirmed the amount
    paid: int = 0  # received so far, by whatever means
    means: str = ""  # of the last payment: card, cash, other
    held_at: int | None = None  # 挂单: parked since
    label: str = ""  # of a held order: up to 11 digits
    aged_minutes: int = 0  # of running time, while unpaid and not held, as far as it is counted

    @property
    def due(self) -> int:
        """What is still to be paid."""
        return max(0, self.amount - self.paid)

    @property
    def held(self) -> bool:
        return self.held_at is not None and self.state is OrderState.UNPAID


class OrderStep(Struct, frozen=True):
    """One change of an order: who did what, and what was due after it."""

    at: int
    what: str  # the name of its event, without "order."
    operator: str
    supervisor: str
    reason: str
    amount: int


NOT_DONE: Final = "1"
"""The verdict of a closed case that says: the acquirer has not carried this transaction out. Any other
leaves it possible that it has."""


class Application(Struct, frozen=True):
    """What an operator wants done with an order, and what a supervisor says to it."""

    id: int
    order: int
    what: str  # amend, paid_otherwise, cancel, set_back
    amount: int  # the new one, of amend
    reason: str
    operator: str
    at: int
    verdict: str  # "" while it waits; approved, refused, lapsed
    supervisor: str
    decided_at: int | None
    refusal: str  # why it was refused: a digit of its list


class PrintJob(Struct, frozen=True):
    """A slip to be printed, committed with the outcome it shows (money M6)."""

    id: int
    transaction: int | None
    copy: str  # merchant, cardholder, fault
    slip: Slip
