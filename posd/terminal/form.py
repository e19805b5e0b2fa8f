"""What the clerk has typed and chosen since idle, and what the flow knows about it."""

from __future__ import annotations

from msgspec import Struct, field

from posd.core.events import Phase, SettlementProgress
from posd.ledger.records import PrintJob, TransactionRecord
from posd.ledger.search import Wanted
from posd.money.requests import SwipedCard
from posd.terminal.order_choice import OrderChoice


class Form(Struct):
    """One form a walk through the dialogue; idle begins a new one. Amounts in fen.

    A PIN, a password or a PIN block is never in it, only how many characters were typed.
    """

    amount: int = 0
    number: str = ""  # digits of a voucher number, as typed
    reference: str = ""  # an original's reference number (37), as typed
    authorisation: str = ""  # an original's authorisation code (38), as typed
    date: str = ""  # an original's date, MMDD, as typed
    card_end: str = ""  # the last digits of a card number, as typed
    wanted: Wanted = field(default_factory=Wanted)  # which transactions a list shows
    operator: str = ""  # digits of an operator's number, as typed
    card: SwipedCard | None = None
    secret_length: int = 0
    pressed: tuple[str, ...] = ()  # keys that were tested, the last one last
    repeating: bool = False  # a new password is being typed for the second time
    selected: int = 0  # the row chosen in a list
    reason: str = ""  # why an order is cancelled or a sale voided, a key of its list
    supervisor: str = ""  # whose password was right, 2 digits

    order: int | None = None
    order_number: str = ""
    label: str = ""  # of a held order, as typed: up to 11 digits
    orders: OrderChoice = field(default_factory=OrderChoice)
    original: TransactionRecord | None = None
    attempted: bool = False  # a request for the order was made
    similar: str = ""  # voucher number of an approved sale of the same card and amount

    settlement: int | None = None  # the one that ended, or is unfinished
    settling: SettlementProgress | None = None  # its message on the line

    transaction: int | None = None  # the request on its way, or the one that is shown
    phase: Phase | None = None
    deadline: float = 0.0  # monotonic; when the phase gives up
    refusal: str = ""  # a Refusal's value
    code: str = ""  # an error code, or element 39 of a refused sign-in

    jobs: list[PrintJob] = field(default_factory=list)  # still to be printed, in order
    printed: list[int] = field(default_factory=list)  # jobs that came out whole
    printer_reason: str = ""
