"""What a financial request consists of, and its elements (dialect: transactions)."""

from __future__ import annotations

from dataclasses import dataclass

from posd.ledger.records import TransactionRecord
from protocol import Dialect, Pan, PinBlock, Track
from protocol.elements import Value
from protocol.private import element_60, original_transaction
from protocol.transactions import SALE_VOID, Transaction

NO_CARD_PRESENTED = "01"
SWIPED = "02"
WITH_PIN, WITHOUT_PIN = "1", "2"
TRACK_WITHOUT_PIN = "0600000000000000"  # element 53
CURRENCY = "156"  # renminbi


@dataclass(frozen=True, slots=True)
class SwipedCard:
    """What the magnetic stripe gave. Lives in memory only, for one request (money M10)."""

    track2: Track
    track3: Track | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One financial request as the dialogue makes it. account is the card's number and expiry (YYMM)."""

    transaction: Transaction
    amount: int
    account: tuple[Pan, str]
    card: SwipedCard | None = None
    pin_block: PinBlock | None = None
    order: int | None = None
    original: TransactionRecord | None = None
    supervisor: str = ""

    @property
    def entry_mode(self) -> str:
        """Element 22."""
        entry = SWIPED if self.card else NO_CARD_PRESENTED
        return entry + (WITH_PIN if self.pin_block else WITHOUT_PIN)


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
    row = request.transaction
    assert row.processing_code is not None
    assert row.condition_code is not None
    elements: dict[int, Value] = {
        3: row.processing_code,
        4: f"{request.amount:012d}",
        11: stan,
        22: request.entry_mode,
        25: row.condition_code,
        41: terminal,
        42: merchant,
        49: CURRENCY,
        60: own_element_60(row, batch_number, dialect),
    }
    if request.card is not None:
        elements[35] = request.card.track2
        elements[53] = TRACK_WITHOUT_PIN
    else:
        elements[2], elements[14] = request.account
    if request.pin_block is not None:
        elements[26] = f"{dialect.pin_length:02d}"
        elements[52] = request.pin_block
        elements[53] = f"2{dialect.security_method}00000000000000"
    if row is SALE_VOID:
        original = request.original
        assert original is not None
        elements[37] = original.retrieval_reference
        if original.authorisation_code:
            elements[38] = original.authorisation_code
        elements[61] = original_transaction(original.batch_number, original.stan)
    return elements
