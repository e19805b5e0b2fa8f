"""部分批准: taken with a slip and a rest that stays due, or voided at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.ledger.records import OrderState, State, TransactionRecord
from tests.posd.terminal.rig import Clerk


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Clerk]:
    """A terminal that takes partial approvals."""
    with Clerk(tmp_path, dialect__partial_approval="1", host__answer_seconds=10) as clerk:
        clerk.sign_in()
        yield clerk


def pay_in_part(clerk: Clerk) -> TransactionRecord:
    """123.45 asked, 50.00 approved."""
    clerk.host_does("partial:5000", "sale")
    clerk.pay()
    clerk.wait_for_state("partial.offered")
    record = clerk.ledger.transactions.last("sale")
    assert record is not None
    return record


def order_of(clerk: Clerk, sale: TransactionRecord) -> OrderState:
    return clerk.ledger.orders.get(sale.order or 0).state


def state_of(clerk: Clerk, sale: TransactionRecord) -> State:
    return clerk.ledger.transactions.get(sale.id).state


def test_what_was_approved_and_what_is_due_are_shown(clerk: Clerk) -> None:
    pay_in_part(clerk)
    assert "部分批准" in clerk.screen
    assert "批准 50.00" in clerk.screen
    assert "还差 73.45" in clerk.screen
    assert clerk.paper == []


def test_taken_it_is_printed_and_the_rest_stays_due(clerk: Clerk) -> None:
    sale = pay_in_part(clerk)
    clerk.press("确认")
    clerk.take_slips()
    assert "还差 73.45" in clerk.screen
    slip = " ".join(clerk.paper[-1].split())
    assert "RMB 50.00" in slip
    assert "应收 RMB 123.45 实收 RMB 50.00 未收 RMB 73.45" in slip
    assert state_of(clerk, sale) is State.APPROVED
    assert order_of(clerk, sale) is OrderState.UNPAID
    assert clerk.ledger.transactions.last_unacknowledged() is None


@pytest.mark.parametrize("way", ["取消", ""])
def test_cancel_and_the_time_out_void_it_without_a_password(clerk: Clerk, way: str) -> None:
    sale = pay_in_part(clerk)
    clerk.press(way)
    if way:
        clerk.wait_for_state("slip.printing")
        assert "撤销 0" in clerk.screen  # what succeeded is no payment
        clerk.take_slips()
    else:
        clerk.wait_for_state("idle.ready")
    assert state_of(clerk, sale) is State.VOIDED
    void = clerk.ledger.transactions.last("sale_void")
    assert void is not None
    assert (void.amount, void.supervisor, void.entry_mode) == (5000, "", "012")
    assert order_of(clerk, sale) is OrderState.UNPAID
    assert all("消费撤销/VOID" in slip for slip in clerk.paper)
    assert clerk.ledger.print_jobs.waiting() == []
    assert [entry[2] for entry in clerk.ledger.audit.entries()][-1] == "partial_refused"


def test_a_void_that_is_declined_is_decided_again(clerk: Clerk) -> None:
    sale = pay_in_part(clerk)
    clerk.host_does("96", "sale_void")
    clerk.press("取消")
    clerk.wait_for("交易失败 96")
    clerk.press("确认")
    assert clerk.state == "partial.offered"
    clerk.press("取消")
    clerk.take_slips()
    assert state_of(clerk, sale) is State.VOIDED


def test_leaving_a_void_that_was_declined_leads_back_to_the_decision(clerk: Clerk) -> None:
    sale = pay_in_part(clerk)
    clerk.host_does("96", "sale_void")
    clerk.press("取消")
    clerk.wait_for_state("partial.declined")
    assert "还差 73.45" in clerk.press("取消")
    clerk.press("取消")
    clerk.wait_for_state("slip.printing")
    clerk.take_slips()
    assert state_of(clerk, sale) is State.VOIDED


@pytest.mark.parametrize("key", ["5", "确认", ""])
def test_when_nobody_was_there_it_is_offered_before_anything_else_is_begun(
    clerk: Clerk, key: str
) -> None:
    sale = pay_in_part(clerk)
    clerk.host_does("96", "sale_void")
    clerk.press("取消")
    clerk.wait_for_state("partial.declined")
    clerk.wait_for_state("idle.ready")
    clerk.press(key) if key else clerk.swipe("good")
    assert clerk.state == "partial.offered"
    clerk.press("确认")
    clerk.take_slips()
    assert state_of(clerk, sale) is State.APPROVED
    clerk.press("5")
    assert clerk.state == "sale.amount"


def test_a_void_in_doubt_is_reversed_and_the_part_is_offered_again(clerk: Clerk) -> None:
    sale = pay_in_part(clerk)
    clerk.host_does("no-answer", "sale_void")
    clerk.press("取消")
    clerk.wait_for("原交易仍有效")
    clerk.press("确认 确认")
    clerk.take_slips()
    assert state_of(clerk, sale) is State.APPROVED


def test_after_a_power_cut_it_is_still_to_be_decided(clerk: Clerk) -> None:
    sale = pay_in_part(clerk)
    clerk.restart()
    assert clerk.state == "partial.offered"
    clerk.press("取消")
    clerk.take_slips()
    assert state_of(clerk, sale) is State.VOIDED


def test_what_was_taken_is_not_offered_again_when_its_slip_did_not_come_out(clerk: Clerk) -> None:
    sale = pay_in_part(clerk)
    clerk.stage.paper_out(0)
    clerk.press("确认")
    clerk.wait_for_state("slip.trouble")
    clerk.restart()
    clerk.wait(100)
    assert state_of(clerk, sale) is State.APPROVED
    assert len(clerk.ledger.print_jobs.waiting(sale.id)) == 2


def test_of_a_part_no_more_than_the_part_is_refunded(clerk: Clerk) -> None:
    sale = pay_in_part(clerk)
    clerk.press("确认")
    clerk.take_slips()
    clerk.press("确认 2 123456 确认")
    clerk.swipe()
    assert "可退 50.00" in clerk.press(f"{sale.stan} 确认")


def test_its_void_by_the_clerk_is_about_the_part(clerk: Clerk) -> None:
    sale = pay_in_part(clerk)
    clerk.press("确认")
    clerk.take_slips()
    clerk.go_to_void()
    assert "RMB 50.00" in clerk.press(f"{sale.stan} 确认")
    clerk.press("确认")
    clerk.swipe()
    clerk.take_slips()
    assert state_of(clerk, sale) is State.VOIDED
