"""What a batch comes to: against a sum that is written down a second time, in another way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posd.ledger.records import State, TransactionRecord
from posd.money.kinds import KINDS
from posd.money.totals import (
    ClassTotals,
    SettlementTotals,
    is_foreign,
    parse_answer,
    totals_of,
)
from protocol.errors import EncodeError
from protocol.settlement_data import BatchTotals, parse_48

ORGANISATIONS = ["CUP", "VIS", "MCC", "JCB", "AMX", "", "   ", "CUP和文字", b"VIS\xff", b"CUP\xff"]

# As dialect.md says it, by hand: nothing here is taken from the program's own tables.
PLUS = ("sale", "completion", "completion_notice")
MINUS = ("refund", "sale_void", "completion_void")
MADE = ("approved", "voided", "completed")


def a_record(**values: Any) -> TransactionRecord:
    fixed: dict[str, Any] = {
        "id": 1,
        "batch": 1,
        "batch_number": "000001",
        "stan": "000001",
        "operator": "01",
        "supervisor": "",
        "masked_card": "622500******0014",
        "entry_mode": "022",
        "created_at": 0,
    }
    return TransactionRecord(**(fixed | values))


records = st.lists(
    st.builds(
        a_record,
        kind=st.sampled_from(sorted(KINDS)),
        state=st.sampled_from(State),
        amount=st.integers(0, 10**9),
        approved_amount=st.none() | st.integers(1, 10**9),
        answer=st.sampled_from([{63: one} for one in ORGANISATIONS] + [{}]),
    ),
    max_size=40,
)


def independent_sum(batch: list[TransactionRecord], *, foreign: bool, kinds: Any) -> list[int]:
    """Fen of everything of these kinds that was made with cards of this class."""
    amounts = []
    for record in batch:
        sixty_three = record.answer.get(63, b"")
        raw = sixty_three if isinstance(sixty_three, bytes) else sixty_three.encode("gb18030")
        from_abroad = raw[:3].strip() not in (b"", b"CUP")
        if record.kind in kinds and str(record.state) in MADE and from_abroad is foreign:
            approved = record.approved_amount
            amounts.append(record.amount if approved is None else approved)
    return amounts


@given(records)
def test_totals_are_those_of_an_independent_sum(batch: list[TransactionRecord]) -> None:
    totals = totals_of(batch)
    for foreign, ours in ((False, totals.domestic), (True, totals.foreign)):
        plus = independent_sum(batch, foreign=foreign, kinds=PLUS)
        minus = independent_sum(batch, foreign=foreign, kinds=MINUS)
        assert ours == ClassTotals(sum(plus), len(plus), sum(minus), len(minus))


@given(records)
def test_kinds_and_both_classes_come_to_the_same(batch: list[TransactionRecord]) -> None:
    totals = totals_of(batch)
    by_kind = {each.kind: each for each in totals.kinds}
    assert totals.whole.debit == sum(by_kind[kind].amount for kind in PLUS if kind in by_kind)
    assert totals.whole.credit == sum(by_kind[kind].amount for kind in MINUS if kind in by_kind)
    assert "balance_inquiry" not in by_kind
    assert all(each.count > 0 for each in totals.kinds)


@given(records)
def test_totals_survive_the_ledger_and_the_wire(batch: list[TransactionRecord]) -> None:
    totals = totals_of(batch)
    assert SettlementTotals.from_plain(totals.plain()) == totals
    element = totals.element_48()
    assert isinstance(parse_48(element), BatchTotals)
    domestic, foreign = parse_answer(element)
    assert foreign is not None
    assert (domestic.totals, foreign.totals) == (totals.domestic, totals.foreign)
    assert len(totals.element_48(with_foreign=False)) == 31


def test_a_voided_sale_counts_as_debit_and_its_void_as_credit() -> None:
    sale = a_record(kind="sale", state=State.VOIDED, amount=12_345, approved_amount=12_345)
    void = a_record(kind="sale_void", state=State.APPROVED, amount=12_345, approved_amount=12_345)
    assert totals_of([sale, void]).domestic == ClassTotals(12_345, 1, 12_345, 1)


@pytest.mark.parametrize(
    "state", sorted(set(State) - {State.APPROVED, State.VOIDED, State.COMPLETED})
)
def test_what_is_in_doubt_or_was_never_made_does_not_count(state: State) -> None:
    batch = [a_record(kind=kind, state=state, amount=100) for kind in KINDS]
    assert totals_of(batch) == SettlementTotals(ClassTotals(), ClassTotals())


@pytest.mark.parametrize("organisation", ORGANISATIONS)
def test_foreign_is_what_is_named_and_not_cup(organisation: str | bytes) -> None:
    name = organisation[:3] if isinstance(organisation, str) else organisation[:3].decode()
    record = a_record(kind="sale", state=State.APPROVED, amount=1, answer={63: organisation})
    assert is_foreign(record) is (name.strip() not in ("", "CUP"))


def test_more_than_an_element_holds_is_an_error_and_not_another_sum() -> None:
    with pytest.raises(EncodeError):
        SettlementTotals(ClassTotals(10**12, 1), ClassTotals()).element_48()
    with pytest.raises(EncodeError):
        SettlementTotals(ClassTotals(1, 1_000), ClassTotals()).element_48()
