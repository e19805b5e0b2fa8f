"""余额查询: what the card may spend, on the screen only."""

from __future__ import annotations

from posd.ledger.records import State
from tests.posd.terminal.rig import Clerk


def ask(clerk: Clerk, card: str = "nopin") -> None:
    clerk.press("确认 4")
    clerk.swipe_and_type_pin(card)


def test_the_balance_is_shown_and_not_printed(clerk: Clerk) -> None:
    ask(clerk, "good")
    said = clerk.wait_for("可用余额")
    assert "100000000.00" in said
    record = clerk.ledger.transactions.last("balance_inquiry")
    assert record is not None
    assert record.state is State.APPROVED
    clerk.press("确认")
    assert clerk.state == "idle.ready"
    assert clerk.paper == []
    assert clerk.ledger.transactions.last_unacknowledged() is None


def test_the_balance_goes_away_by_itself(clerk: Clerk) -> None:
    ask(clerk)
    clerk.wait_for("可用余额")
    clerk.wait(21)
    assert clerk.state == "idle.ready"


def test_without_an_answer_nothing_is_undone_and_it_is_asked_again(clerk: Clerk) -> None:
    clerk.host_does("lost", "balance_inquiry")
    ask(clerk)
    assert "可以再查一次" in clerk.wait_for("无应答")
    record = clerk.ledger.transactions.last("balance_inquiry", State.NO_ANSWER)
    assert record is not None
    clerk.press("确认")
    assert clerk.state == "balance.card"
    clerk.swipe_and_type_pin()
    clerk.wait_for("可用余额")


def test_a_wrong_pin_is_declined_and_it_is_tried_again(clerk: Clerk) -> None:
    clerk.press("确认 4")
    clerk.swipe("good")
    clerk.press("1111 确认")
    clerk.wait_for("交易失败 55")
    clerk.press("确认")
    assert clerk.state == "balance.card"


def test_an_inquiry_counts_as_nothing_to_settle(clerk: Clerk) -> None:
    ask(clerk)
    clerk.wait_for("可用余额")
    assert clerk.ledger.transactions.unsettled_count() == 0
