"""A batch's totals: one function of its transactions, by the dialect's rule (section 6).

Debit: sales and completions of both kinds. Credit: refunds, voids of sales and of completions. A voided
sale counts as debit, its void as credit. Only what is approved, or was before it was voided, counts; cases
in doubt do not, and neither do pre-authorisations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from posd.ledger.records import State, TransactionRecord
from posd.money.kinds import KINDS, Side
from protocol import settlement_data

STANDING: Final = frozenset({State.APPROVED, State.VOIDED, State.COMPLETED})
"""States in which a transaction counts as made."""

_DOMESTIC_ORGANISATION: Final = "CUP"  # 63.1; every other one is foreign


class ClassTotals(Struct, frozen=True):
    """The totals of one class of cards. Amounts in fen."""

    debit: int = 0
    debit_count: int = 0
    credit: int = 0
    credit_count: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.debit_count or self.credit_count)

    def __add__(self, other: ClassTotals) -> ClassTotals:
        return ClassTotals(
            self.debit + other.debit,
            self.debit_count + other.debit_count,
            self.credit + other.credit,
            self.credit_count + other.credit_count,
        )


class KindTotals(Struct, frozen=True):
    """How many of one kind, and fen of them all. kind is a name of protocol.transactions."""

    kind: str
    count: int
    amount: int


class SettlementTotals(Struct, frozen=True):
    """What the terminal counts of one batch: each class of cards, and each kind that there is."""

    domestic: ClassTotals
    foreign: ClassTotals
    kinds: tuple[KindTotals, ...] = ()

    @property
    def whole(self) -> ClassTotals:
        """Both classes together."""
        return self.domestic + self.foreign

    def element_48(self, *, with_foreign: bool = True) -> str:
        """The element of a 0500; with_foreign: both classes. Raises EncodeError above 12 and 3 digits."""
        return settlement_data.element_48(
            settlement_data.BatchTotals(
                _part(self.domestic), _part(self.foreign) if with_foreign else None
            )
        )

    def plain(self) -> Mapping[str, Any]:
        """As the ledger stores it."""
        return {
            "domestic": _plain(self.domestic),
            "foreign": _plain(self.foreign),
            "kinds": [[each.kind, each.count, each.amount] for each in self.kinds],
        }

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> SettlementTotals:
        return cls(
            ClassTotals(*stored["domestic"]),
            ClassTotals(*stored["foreign"]),
            tuple(KindTotals(*each) for each in stored["kinds"]),
        )


def totals_of(records: Iterable[TransactionRecord]) -> SettlementTotals:
    """The totals of these transactions, which are those of one batch."""
    classes = {False: ClassTotals(), True: ClassTotals()}
    kinds: dict[str, tuple[int, int]] = {}
    for record in records:
        if not is_counted(record):
            continue
        amount = record.booked_amount
        count, total = kinds.get(record.kind, (0, 0))
        kinds[record.kind] = (count + 1, total + amount)
        foreign = is_foreign(record)
        match KINDS[record.kind].side:
            case Side.DEBIT:
                classes[foreign] += ClassTotals(debit=amount, debit_count=1)
            case Side.CREDIT:
                classes[foreign] += ClassTotals(credit=amount, credit_count=1)
            case None:
                pass
    by_kind = tuple(KindTotals(kind, *kinds[kind]) for kind in KINDS if kind in kinds)
    return SettlementTotals(classes[False], classes[True], by_kind)


def is_counted(record: TransactionRecord) -> bool:
    """Was it made, also when something voided it since? An inquiry never is."""
    return record.state in STANDING and record.kind != "balance_inquiry"


def is_foreign(record: TransactionRecord) -> bool:
    """By 63.1 of its answer: present, and not CUP."""
    element_63 = record.answer.get(63, "")
    if isinstance(element_63, bytes):
        element_63 = element_63[:3].decode("ascii", "replace")
    organisation = element_63[:3].strip()
    return organisation not in ("", _DOMESTIC_ORGANISATION)


def parse_answer(element_48: str) -> tuple[ClassResult, ClassResult | None]:
    """The host's own totals and its results, domestic and foreign. Raises ProtocolError, ValueError."""
    parts = settlement_data.parse_48(element_48)
    if not isinstance(parts, settlement_data.BatchTotals):
        raise ValueError("expected totals in element 48 of a settlement's answer")
    foreign = None if parts.foreign is None else _result(parts.foreign)
    return _result(parts.domestic), foreign


class ClassResult(Struct, frozen=True):
    """What the host says of one class of cards: its totals; 1 balanced, 2 not, 3 error."""

    totals: ClassTotals
    result: str

    @property
    def balanced(self) -> bool:
        return self.result == settlement_data.BALANCED


def _part(totals: ClassTotals) -> settlement_data.Totals:
    return settlement_data.Totals(
        f"{totals.debit:012d}",
        f"{totals.debit_count:03d}",
        f"{totals.credit:012d}",
        f"{totals.credit_count:03d}",
    )


def _result(part: settlement_data.Totals) -> ClassResult:
    totals = ClassTotals(
        int(part.debit_amount),
        int(part.debit_count),
        int(part.credit_amount),
        int(part.credit_count),
    )
    return ClassResult(totals, part.result)


def _plain(totals: ClassTotals) -> list[int]:
    return [totals.debit, totals.debit_count, totals.credit, totals.credit_count]
