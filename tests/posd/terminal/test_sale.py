"""A sale at the keypad, from the first digit to the last slip, and everything beside that way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from posd.ledger.records import OrderState, State
from tests.posd.terminal.rig import Clerk


def order_state(clerk: Clerk, number: str) -> OrderState:
    order = clerk.ledger.orders.by_number(number)
    assert order is not None
    return order.state


def seconds_left(clerk: Clerk) -> int:
    match = re.search(r"正在处理 剩余 (\d+) 秒", clerk.screen)
    assert match, clerk.rows
    return int(match[1])


def test_a_sale_leads_from_the_amount_over_the_card_to_two_slips(clerk: Clerk) -> None:
    assert "123.45" in clerk.press("12345")
    assert "请刷卡" in clerk.press("确认")
    assert "请持卡人输密码" in clerk.swipe("good")
    assert "******" in clerk.press("123456")
    clerk.press("确认")
    clerk.wait_for("交易成功")
    clerk.wait_for("请撕纸,按确认")
    clerk.press("确认")
    clerk.wait_for_state("idle.ready")
    merchant, cardholder = clerk.paper
    assert "商户存根" in merchant
    assert "持卡人存根" in cardholder


def test_the_screen_of_an_approved_sale_shows_the_authorisation_code(clerk: Clerk) -> None:
    clerk.pay()
    clerk.wait_for_state("slip.tear")
    record = clerk.ledger.transactions.last("sale")
    assert record is not None
    assert f"授权码 {record.authorisation_code}" in clerk.screen


def test_done_slips_and_the_seen_outcome_are_one_commit(clerk: Clerk) -> None:
    clerk.pay()
    clerk.wait_for_state("slip.tear")
    assert clerk.ledger.transactions.last_unacknowledged() is not None
    commits = clerk.ledger.commits
    clerk.press("确认")
    clerk.wait_for_state("idle.ready")
    assert clerk.ledger.commits == commits + 1
    assert clerk.ledger.transactions.last_unacknowledged() is None
    assert clerk.ledger.print_jobs.waiting() == []


def test_a_swipe_begins_a_sale_and_asks_the_amount(clerk: Clerk) -> None:
    assert "622500******0048" in clerk.swipe("nopin")
    clerk.press("100 确认")
    assert clerk.state == "sale.pin"
    clerk.press("确认")
    clerk.wait_for("交易成功")


def test_a_card_swiped_at_the_amount_is_kept(clerk: Clerk) -> None:
    clerk.press("100")
    assert "已刷卡" in clerk.swipe("nopin")
    clerk.press("确认")
    assert clerk.state == "sale.pin"


def test_without_software_pin_no_pin_is_asked(tmp_path: Path) -> None:
    with Clerk(tmp_path, terminal__software_pin=False) as clerk:
        clerk.sign_in()
        clerk.press("100 确认")
        clerk.swipe("nopin")
        assert clerk.state == "sale.waiting"


def test_zero_is_refused_on_the_same_screen(clerk: Clerk) -> None:
    clerk.press("1 清除 0")
    assert clerk.state == "sale.amount"
    assert "金额不能为零" in clerk.press("确认")
    assert clerk.ledger.orders.by_number("000002") is None


def test_an_amount_above_the_limit_is_refused_and_stays(clerk: Clerk) -> None:
    said = clerk.press("10000001 确认")
    assert "超过限额" in said
    assert "100000.00" in said
    assert "100000.01" in said
    assert clerk.press("清除 确认").startswith("消费 10000.00")


def test_digits_that_have_no_room_are_refused_and_change_nothing(clerk: Clerk) -> None:
    said = clerk.press("12345678901")
    assert "金额位数太多" in said
    assert "12345678.90" in said


def test_clear_takes_the_last_digit_and_then_leads_back_to_idle(clerk: Clerk) -> None:
    assert "0.12" in clerk.press("123 清除")
    clerk.press("清除 清除")
    assert clerk.state == "sale.amount"
    clerk.press("清除")
    assert clerk.state == "idle.ready"


def test_the_order_exists_from_the_moment_the_amount_is_confirmed(clerk: Clerk) -> None:
    clerk.press("5000 确认")
    order = clerk.ledger.orders.by_number("000002")
    assert order is not None
    assert (order.amount, order.state) == (5000, OrderState.UNPAID)


def test_cancel_before_anything_was_sent_closes_the_order_with_the_operators_password(
    clerk: Clerk,
) -> None:
    clerk.press("5000 确认 取消")
    assert clerk.state == "sale.password"
    assert "已取消" in clerk.press("0000 确认")
    assert order_state(clerk, "000002") is OrderState.CANCELLED
    assert clerk.ledger.audit.entries()[-1][1:3] == ("01", "order_cancelled")


def test_without_that_password_the_order_stays_unpaid(clerk: Clerk) -> None:
    clerk.press("5000 确认 取消")
    assert "000002 未支付" in clerk.press("取消")
    assert order_state(clerk, "000002") is OrderState.UNPAID


def test_a_time_out_at_the_card_leaves_the_order_unpaid(clerk: Clerk) -> None:
    clerk.press("5000 确认")
    clerk.wait(59)
    assert clerk.state == "sale.card"
    clerk.wait(2)
    assert clerk.state == "idle.ready"
    assert order_state(clerk, "000002") is OrderState.UNPAID


def test_a_decline_says_the_code_why_and_what_to_do(clerk: Clerk) -> None:
    clerk.pay("5000", "poor")
    said = clerk.wait_for("51")
    assert "可用余额不足" in said
    assert "请换卡" in said
    assert "确认=重刷" in said


def test_another_card_pays_the_same_order(clerk: Clerk) -> None:
    clerk.pay("5000", "poor")
    clerk.wait_for_state("sale.declined")
    clerk.press("确认")
    clerk.swipe_and_type_pin()
    clerk.take_slips()
    assert order_state(clerk, "000002") is OrderState.PAID


def test_cancel_after_a_decline_leaves_the_order_in_the_list(clerk: Clerk) -> None:
    clerk.pay("5000", "poor")
    clerk.wait_for_state("sale.declined")
    clerk.press("取消")
    assert clerk.state == "idle.ready"
    assert order_state(clerk, "000002") is OrderState.UNPAID
    assert clerk.ledger.transactions.last_unacknowledged() is None


@pytest.mark.parametrize("leave", ["cancel", "time-out"])
@pytest.mark.parametrize(
    ("host", "screen"), [("51", "sale.declined"), ("no-answer", "sale.reversed")]
)
def test_who_leaves_a_sale_that_failed_hears_that_its_order_is_not_paid(
    clerk: Clerk, host: str, screen: str, leave: str
) -> None:
    clerk.host_does(host, "sale")
    clerk.pay()
    clerk.wait_for_state(screen)
    if leave == "cancel":
        clerk.press("取消")
    clerk.wait_for("订单000002 未支付")
    clerk.restart()
    assert clerk.state == "idle.ready", "how it ended was on the screen"


def test_clear_at_the_card_says_that_the_amount_is_confirmed(clerk: Clerk) -> None:
    clerk.press("12345 确认")
    assert "金额已确认 取消可放弃" in clerk.press("清除")
    assert clerk.state == "sale.card"


def test_after_an_attempt_no_password_cancels_the_order(clerk: Clerk) -> None:
    clerk.pay("5000", "poor")
    clerk.wait_for_state("sale.declined")
    clerk.press("确认 取消")
    assert clerk.state == "idle.ready"
    assert order_state(clerk, "000002") is OrderState.UNPAID


def test_a_card_to_be_kept_is_said_to_be_kept(clerk: Clerk) -> None:
    clerk.pay("5000", "stolen")
    clerk.wait_for_state("sale.declined")
    text = clerk.screen + clerk.press("▼ ▼ ▼")
    assert "请勿退卡" in text


def test_the_same_card_and_amount_again_is_asked_about(clerk: Clerk) -> None:
    first = clerk.sell("1200")
    clerk.press("1200 确认")
    said = clerk.swipe("nopin")
    assert "疑似重复" in said
    assert first.stan in said
    clerk.press("确认 确认")
    clerk.wait_for("交易成功")


@pytest.mark.parametrize("other", [("1201", "nopin"), ("1200", "second")])
def test_another_amount_or_card_is_no_duplicate(clerk: Clerk, other: tuple[str, str]) -> None:
    clerk.sell("1200")
    amount, card = other
    clerk.press(f"{amount} 确认")
    clerk.swipe(card)
    assert clerk.state == "sale.pin"


def test_after_ten_minutes_it_is_no_duplicate_any_more(clerk: Clerk) -> None:
    clerk.sell("1200")
    clerk.wait(601)
    clerk.press("1200 确认")
    clerk.swipe("nopin")
    assert clerk.state == "sale.pin"


def test_a_pin_that_is_too_short_is_answered_and_kept(clerk: Clerk) -> None:
    clerk.press("1200 确认")
    clerk.swipe("nopin")
    assert "密码位数不够" in clerk.press("123 确认")
    assert clerk.state == "sale.pin"
    assert "****" in clerk.press("4")


def test_clear_leads_from_the_pin_back_to_the_card(clerk: Clerk) -> None:
    clerk.press("1200 确认")
    clerk.swipe("good")
    clerk.press("12 清除 清除")
    assert clerk.state == "sale.pin"
    clerk.press("清除")
    assert clerk.state == "sale.card"


def test_the_pin_prompt_waits_half_a_minute_and_is_closed(clerk: Clerk) -> None:
    clerk.press("1200 确认")
    clerk.swipe("good")
    clerk.wait(31)
    assert clerk.state == "idle.ready"
    assert "0.01" in clerk.press("1")


@pytest.mark.parametrize("key", ["取消", "清除", "确认", "5"])
def test_no_key_ends_the_wait_for_the_answer(clerk: Clerk, key: str) -> None:
    clerk.host_does("slow", "sale")
    clerk.pay()
    clerk.wait(0.5)
    assert "请等待" in clerk.press(key)
    assert clerk.state == "sale.waiting"
    clerk.wait_for("交易成功")


def test_the_wait_shows_the_seconds_that_are_left(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.pay()
    clerk.wait(0.5)
    before = seconds_left(clerk)
    clerk.wait(10)
    assert before - seconds_left(clerk) in (9, 10)


def test_an_answer_to_a_key_gives_the_seconds_back_after_a_while(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.pay()
    clerk.wait(0.5)
    clerk.press("取消")
    clerk.wait(3)
    assert "请等待应答" in clerk.screen
    clerk.wait(4)
    assert seconds_left(clerk) > 0


def test_no_answer_is_reversed_and_the_order_can_be_paid_again(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.pay()
    assert "已冲正 未扣款" in clerk.wait_for("已冲正")
    assert "确认=重新收款" in clerk.screen
    clerk.press("确认")
    clerk.swipe_and_type_pin()
    clerk.take_slips()
    assert order_state(clerk, "000002") is OrderState.PAID


def test_while_it_reverses_the_screen_says_so(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.host_does("lost", "reversal")
    clerk.pay()
    assert "秒" in clerk.wait_for("无应答 正在冲正")
    assert "请勿交货" in clerk.press("取消")


def test_a_pending_reversal_says_keep_the_goods_and_opens_by_itself(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.host_does("lost", "reversal")
    clerk.pay()
    said = clerk.wait_for("冲正未成功")
    assert "请勿交货" in said
    clerk.wait_for("已冲正 未扣款")


def test_not_sent_is_no_debit_and_can_be_tried_again(clerk: Clerk) -> None:
    clerk.stage.link(up=False)
    clerk.pay()
    assert "未扣款" in clerk.wait_for("未发送")
    clerk.stage.link(up=True)
    clerk.press("确认")
    clerk.swipe_and_type_pin()
    clerk.wait_for("交易成功")


@pytest.mark.parametrize("fault", ["garbled", "half"])
def test_a_card_that_cannot_be_read_is_asked_again(clerk: Clerk, fault: str) -> None:
    clerk.press("100 确认")
    assert "请重新刷卡" in clerk.swipe("nopin", fault)
    assert clerk.state == "sale.card"


def test_the_form_holds_no_track_once_the_request_is_made(clerk: Clerk) -> None:
    clerk.pay()
    assert clerk.state == "sale.waiting"
    assert clerk.dialogue.form.card is None


def test_an_outcome_that_nobody_waited_for_is_shown_at_idle(clerk: Clerk) -> None:
    """The dialogue stumbled while the host was working: the result still comes to the clerk."""
    clerk.host_does("slow", "sale")
    clerk.pay()
    clerk.dialogue.fault("E900")
    clerk.press("确认")
    assert "上笔 123.45" in clerk.wait_for("成功")
    clerk.press("确认")
    clerk.take_slips()
    assert "重打印" not in clerk.paper[0]
    record = clerk.ledger.transactions.last("sale")
    assert record is not None
    assert record.state is State.APPROVED
