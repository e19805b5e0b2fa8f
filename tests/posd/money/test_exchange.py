"""A request from intent to outcome: M1, M2, M4, M6, M7, M9 and M10."""

from __future__ import annotations

import pytest

from posd.acquirer import Fault
from posd.core.events import Outcome
from posd.ledger.records import OrderState, State
from tests.posd.money.rig import Counter, outcomes


def test_an_approved_sale_is_in_both_ledgers_with_its_slips(counter: Counter) -> None:
    sale = counter.approved_sale(12345)
    assert (sale.state, sale.approved_amount, sale.response_code) == (State.APPROVED, 12345, "00")
    assert sale.retrieval_reference
    assert [job.copy for job in counter.ledger.print_jobs.waiting(sale.id)] == [
        "merchant",
        "cardholder",
    ]
    assert counter.net_here() == counter.net_there() == 12345


def test_the_intent_is_on_disk_before_the_first_byte_and_the_outcome_before_the_report(
    counter: Counter,
) -> None:
    counter.diary.clear()
    counter.approved_sale(100)
    after_order = counter.diary[counter.diary.index("after order") + 1 :]
    assert after_order == [
        "before intent",
        "after intent",
        "send 0200",
        "before outcome",
        "after outcome",
    ]


def test_an_order_is_paid_by_the_approval_and_stays_unpaid_after_a_decline(
    counter: Counter,
) -> None:
    assert outcomes(counter.sale(51)) == [Outcome.DECLINED]
    declined = counter.newest()
    assert (declined.state, declined.response_code) == (State.DECLINED, "51")
    assert declined.order is not None
    assert counter.ledger.orders.get(declined.order).state is OrderState.UNPAID
    sale = counter.approved_sale(5100)
    assert sale.order is not None
    assert counter.ledger.orders.get(sale.order).state is OrderState.PAID


def test_only_a_connection_that_was_never_made_means_not_sent(counter: Counter) -> None:
    counter.link.up = False
    assert outcomes(counter.sale(100)) == [Outcome.NOT_SENT]
    assert counter.newest().state is State.NOT_SENT
    assert counter.money.link_trouble
    counter.link.up = True
    counter.approved_sale(100)
    assert not counter.money.link_trouble
    assert counter.net_here() == counter.net_there() == 100


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.NO_ANSWER, "98"),
        (Fault.LOST, "98"),
        (Fault.CLOSED, "98"),
        (Fault.CUT, "98"),
        (Fault.LATE, "98"),
        (Fault.GARBAGE, "98"),
        (Fault.WRONG_MAC, "A0"),
        (Fault.NO_MAC, "06"),
        (Fault.WRONG_AMOUNT, "06"),
        (Fault.NO_REFERENCE, "06"),
    ],
)
def test_without_a_usable_answer_the_sale_is_reversed_with_its_reason(
    counter: Counter, fault: Fault, reason: str
) -> None:
    counter.order_at_host("sale", fault)
    assert outcomes(counter.sale(12345)) == [Outcome.REVERSED]
    record = counter.newest()
    assert (record.state, record.reversal_reason) == (State.REVERSED, reason)
    assert counter.sent[-1].elements[39] == reason
    assert counter.net_here() == counter.net_there() == 0
    counter.let_pass(100)  # a late approval arrives, and changes nothing
    assert counter.ledger.transactions.get(record.id).state is State.REVERSED
    assert counter.net_there() == 0


@pytest.mark.parametrize(
    "fault", [Fault.TWICE, Fault.FOREIGN_FIRST, Fault.GARBAGE_FIRST, Fault.SLOW]
)
def test_a_usable_answer_counts_whatever_else_comes(counter: Counter, fault: Fault) -> None:
    counter.order_at_host("sale", fault)
    assert outcomes(counter.sale(12345)) == [Outcome.APPROVED]
    assert counter.net_here() == counter.net_there() == 12345


def test_a_partial_approval_that_was_not_asked_for_is_reversed(counter: Counter) -> None:
    assert outcomes(counter.sale(10)) == [Outcome.REVERSED]
    assert counter.newest().reversal_reason == "06"
    assert counter.net_here() == counter.net_there() == 0


def test_the_reversal_repeats_the_original_and_leaves_out_what_it_must(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.sale(12345, card="good")
    sale, reversal = counter.sent[-2:]
    for number in (3, 4, 11, 22, 25, 41, 42, 49, 60):
        assert reversal.elements[number] == sale.elements[number], number
    assert not {2, 26, 35, 36, 37, 52, 53, 63} & reversal.elements.keys()


def test_every_voucher_number_names_one_thing(counter: Counter) -> None:
    sale = counter.approved_sale(100)
    counter.sale(51)
    declined = counter.newest()
    assert declined.order is not None
    order = counter.ledger.orders.get(declined.order)
    assert len({sale.stan, declined.stan, order.number}) == 3


def test_a_duplicate_number_at_the_host_is_declined_and_the_counter_jumps(
    counter: Counter,
) -> None:
    counter.order_at_host("sale", "94")
    assert outcomes(counter.sale(100)) == [Outcome.DECLINED]
    declined = int(counter.newest().stan)
    assert "0400" not in counter.sent_mtis()
    counter.approved_sale(100)
    assert int(counter.newest().stan) > declined + 100


def test_no_track_pin_block_or_full_number_is_in_the_file(counter: Counter) -> None:
    counter.approved_sale(100)
    files = list(counter.ledger_path.parent.glob("ledger.db*"))
    assert any(b"622500******0048" in file.read_bytes() for file in files)
    for file in files:
        assert b"6225000000000048" not in file.read_bytes()
        assert b"=4710" not in file.read_bytes()


def test_a_fault_after_an_approval_is_reversed(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_slips(*_: object) -> None:
        raise ArithmeticError("a mistake of ours")

    monkeypatch.setattr("posd.receipts.slips", no_slips)
    assert outcomes(counter.sale(12345)) == [Outcome.REVERSED]
    assert counter.newest().reversal_reason == "96"
    assert counter.net_here() == counter.net_there() == 0
