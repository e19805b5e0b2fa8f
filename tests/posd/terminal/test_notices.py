"""Requests that are repeated instead of reversed, and those that simply go without an answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.acquirer.cards import BY_NAME as CARDS
from posd.ledger.records import State, TransactionRecord
from posd.money.requests import SwipedCard, request_of
from tests.posd.terminal.rig import Clerk

CARD = SwipedCard(CARDS["nopin"].track2)


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Clerk]:
    """A terminal with a sale, which asks nobody for the goods."""
    with Clerk(tmp_path, host__answer_seconds=10, refund__ask_goods=False) as clerk:
        clerk.sign_in()
        clerk.sell()
        yield clerk


def ask_refund(clerk: Clerk) -> None:
    """1.00 of the sale, to the wait for the host's answer."""
    sale = clerk.ledger.transactions.last("sale")
    assert sale is not None
    clerk.press("确认 2 123456 确认")
    clerk.swipe()
    clerk.press(f"{sale.stan} 确认 100 确认 确认")


def ask_balance(clerk: Clerk) -> None:
    clerk.press("确认 4")
    clerk.swipe_and_type_pin()


def refund(clerk: Clerk) -> TransactionRecord:
    record = clerk.ledger.transactions.last("refund", *State)
    assert record is not None
    return record


def test_a_refund_in_doubt_says_not_to_do_it_again_and_offers_its_slip(clerk: Clerk) -> None:
    clerk.host_does("lost", "refund", 9)
    ask_refund(clerk)
    said = clerk.wait_for("退货处理中")
    assert "请勿重复退货" in said
    assert "成功" not in said
    assert clerk.state == "refund.in_progress"
    clerk.press("确认")
    clerk.wait_for_state("idle.ready")
    assert "未决" in clerk.paper[-1]
    assert "成功" not in clerk.paper[-1]


def test_a_refund_in_doubt_is_a_case_and_is_sent_again_from_the_list(clerk: Clerk) -> None:
    clerk.host_does("lost", "refund")
    ask_refund(clerk)
    clerk.wait_for("退货处理中")
    clerk.press("取消 取消")
    said = clerk.press("确认 8 5")
    assert f"{refund(clerk).stan} 重发" in said
    assert "自动重试" in clerk.press("3")
    assert "正在重发" in clerk.press("1")
    clerk.wait_for("成功")
    assert refund(clerk).state is State.APPROVED
    clerk.press("确认")
    clerk.take_slips()
    assert any("退货/REFUND" in slip for slip in clerk.paper)


def test_the_slip_of_a_pending_refund_is_printed_again_and_marked(clerk: Clerk) -> None:
    clerk.host_does("lost", "refund", 9)
    ask_refund(clerk)
    clerk.wait_for("退货处理中")
    clerk.press("确认")
    clerk.wait_for_state("idle.ready")
    clerk.press("确认 8 5 2")
    clerk.wait_for_state("idle.ready", 4)
    assert "未决" in clerk.paper[-1]
    assert "DUPLICATED" in clerk.paper[-1]


def test_a_refund_whose_tries_are_spent_is_told_to_be_unknown(clerk: Clerk) -> None:
    clerk.host_does("lost", "refund", 9)
    ask_refund(clerk)
    clerk.wait_for("退货处理中")
    clerk.wait_for("结果未定", 2000)
    assert refund(clerk).state is State.UNRESOLVED


def test_the_wait_says_when_an_older_notice_goes_first_and_keeps_it_apart(clerk: Clerk) -> None:
    """Its approval is not taken for that of the sale that the clerk waits for."""
    clerk.host_does("lost", "refund")
    ask_refund(clerk)
    clerk.wait_for("退货处理中")
    clerk.press("取消 取消")
    older = refund(clerk)
    clerk.host_does("slow", "refund")
    clerk.pay("777")
    assert "正在重发" in clerk.screen
    clerk.wait_for_state("slip.tear")
    shown = clerk.dialogue.form.transaction
    assert shown != older.id
    assert clerk.ledger.transactions.get(older.id).state is State.APPROVED
    clerk.press("确认")
    clerk.wait_for(f"上笔 1.00 成功 退货 {older.stan}")


def test_a_balance_inquiry_without_an_answer_is_asked_again(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "balance_inquiry")
    ask_balance(clerk)
    clerk.wait_for("无应答")
    assert clerk.state == "balance.no_answer"
    clerk.press("确认")
    assert clerk.state == "balance.card"
    assert clerk.ledger.transactions.last_unacknowledged() is None


def test_what_ends_while_nobody_is_there_is_told_at_idle(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "balance_inquiry")
    clerk.dialogue.money.request(request_of("balance_inquiry", 0, CARD))
    assert "无应答" in clerk.wait_for("上笔 0.00")
