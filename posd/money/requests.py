"""What a financial request consists of, and its elements (dialect: transactions)."""

from __future__ import annotations

from msgspec import Struct

from posd.ledger.records import TransactionRecord
from posd.money.kinds import KINDS, Kind
from protocol import Dialect, Pan, PinBlock, Track
from protocol.elements import Value
from protocol.private import element_60, original_transaction
from protocol.transactions import Original, Transaction

NO_CARD_PRESENTED = "01"
SWIPED = "02"
WITH_PIN, WITHOUT_PIN = "1", "2"
TRACK_WITHOUT_PIN = "0600000000000000"  # element 53
CURRENCY = "156"  # renminbi
NOT_KNOWN = "000000"  # batch and STAN of an original that this ledger does not hold
NO_OPERATOR = "000"  # element 63 of a refund


class SwipedCard(Struct, frozen=True):
    """What the magnetic stripe gave. Lives in memory only, for one request (money M10)."""

    track2: Track
    track3: Track | None = None


class Reference(Struct, frozen=True):
    """How an earlier transaction is named: by the ledger, or by a clerk who reads it from its slip.

    date is MMDD, of the answer. What is not known is empty.
    """

    batch_number: str = NOT_KNOWN
    stan: str = NOT_KNOWN
    date: str = ""
    retrieval_reference: str = ""
    authorisation_code: str = ""

    @classmethod
    def of(cls, record: TransactionRecord) -> Reference:
        return cls(
            record.batch_number,
            record.stan,
            record.host_date,
            record.retrieval_reference,
            record.authorisation_code,
        )


class Request(Struct, frozen=True):
    """One financial request as the dialogue makes it. account is the card's number and expiry (YYMM).

    amount is in fen, 0 for a balance inquiry. reference names the original, which is there itself
    when this ledger holds it.
    """

    kind: Kind
    amount: int
    account: tuple[Pan, str]
    card: SwipedCard | None = None
    pin_block: PinBlock | None = None
    order: int | None = None
    original: TransactionRecord | None = None
    reference: Reference | None = None
    supervisor: str = ""

    @property
    def row(self) -> Transaction:
        return self.kind.row

    @property
    def entry_mode(self) -> str:
        """Element 22."""
        entry = SWIPED if self.card else NO_CARD_PRESENTED
        return entry + (WITH_PIN if self.pin_block else WITHOUT_PIN)


def request_of(kind: str, amount: int, card: SwipedCard, **more: object) -> Request:
    """A request with a card that was swiped."""
    account = (card.track2.pan, card.track2.expiry)
    return Request(KINDS[kind], amount, account, card, **more)  # type: ignore[arg-type]


def own_element_60(transaction: Transaction, batch_number: str, dialect: Dialect) -> str:
    """Kind, batch, network code; in financial requests also capability, chip condition (0, there is no
    chip reader that could have failed) and partial approval."""
    assert transaction.kind is not None
    assert transaction.network_code is not None
    financial = (dialect.terminal_capability, "0", dialect.partial_approval)
    return element_60(
        transaction.kind,
        batch_number,
        transaction.network_code,
        *(financial if transaction.financial else ()),
    )


def request_elements(
    request: Request,
    *,
    stan: str,
    batch_number: str,
    terminal: str,
    merchant: str,
    dialect: Dialect,
) -> dict[int, Value]:
    """All elements of the request but 64, which is computed at each sending (money M13)."""
    row = request.row
    assert row.processing_code is not None
    assert row.condition_code is not None
    elements: dict[int, Value] = {
        3: row.processing_code,
        11: stan,
        22: request.entry_mode,
        25: row.condition_code,
        41: terminal,
        42: merchant,
        49: CURRENCY,
        60: own_element_60(row, batch_number, dialect),
    }
    if 4 in row.required:
        elements[4] = f"{request.amount:012d}"
    elements.update(_card(request, dialect))
    if request.reference is not None:
        elements.update(_original(row, request.reference))
    if 63 in row.required:
        elements[63] = NO_OPERATOR
    return elements


def _card(request: Request, dialect: Dialect) -> dict[int, Value]:
    elements: dict[int, Value] = {}
    if request.card is not None:
        elements[35] = request.card.track2
        elements[53] = TRACK_WITHOUT_PIN
    else:
        elements[2], elements[14] = request.account
    if request.pin_block is not None:
        elements[26] = f"{dialect.pin_length:02d}"
        elements[52] = request.pin_block
        elements[53] = f"2{dialect.security_method}00000000000000"
    return elements


def _original(row: Transaction, reference: Reference) -> dict[int, Value]:
    """37, 38 and 61 as this kind carries them."""
    elements: dict[int, Value] = {}
    if 37 in row.required:
        elements[37] = reference.retrieval_reference
    if 38 in row.required | row.optional and reference.authorisation_code:
        elements[38] = reference.authorisation_code
    match row.original:
        case Original.STAN:
            elements[61] = original_transaction(reference.batch_number, reference.stan)
        case Original.DATED:
            elements[61] = original_transaction(
                reference.batch_number, reference.stan, reference.date
            )
        case Original.DATE:
            elements[61] = original_transaction(NOT_KNOWN, NOT_KNOWN, reference.date)
        case Original.NONE:
            pass
    return elements
