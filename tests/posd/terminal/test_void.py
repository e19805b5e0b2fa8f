"""撤销 as every manual teaches it, its refusals, and orders that were never paid."""

from __future__ import annotations

from pathlib import Path

import pytest

from posd.ledger.records import OrderState, State
from posd.terminal.originals import is_earlier
from tests.posd.terminal.rig import Clerk


def test_a_void_goes_over_password_voucher_original_and_card(clerk: Clerk) -> None:
    sale = clerk.sell()
    assert "撤销" in clerk.press("确认")
    assert "主管密码" in clerk.press("1")
    assert "******" in clerk.press("123456")
    assert "请输原凭证号" in clerk.press("确认")
    shown = clerk.press(f"{int(sale.stan)} 确认")
    assert f"消费 {sale.stan}" in shown
    assert "622500****0048" in shown
    assert "RMB 123.45" in shown
    assert "05-14" in shown + clerk.press("▼")
    assert "请刷卡" in clerk.press("确认")
    clerk.swipe("nopin")
    clerk.wait_for("交易成功")
    clerk.take_slips()
    assert clerk.ledger.transactions.get(sale.id).state is State.VOIDED
    assert "消费撤销/VOID" in clerk.paper[-2]
    assert sale.stan in clerk.paper[-2].split("备注")[1]


def test_no_voucher_number_is_the_last_sale(clerk: Clerk) -> None:
    clerk.sell("100")
    last = clerk.sell("200")
    clerk.go_to_void()
    assert last.stan in clerk.press("确认")


def test_the_number_of_the_order_finds_the_sale_that_paid_it(clerk: Clerk) -> None:
    sale = clerk.sell()
    order = clerk.ledger.orders.get(sale.order or 0)
    clerk.go_to_void()
    assert sale.stan in clerk.press(f"{order.number} 确认")


def test_the_settings_choose_what_is_asked_again(tmp_path: Path) -> None:
    with Clerk(tmp_path, void__ask_card=False, void__ask_reason=True) as clerk:
        clerk.sign_in()
        sale = clerk.sell()
        clerk.go_to_void()
        clerk.press("确认")
        assert "顾客取消" in clerk.press("确认")
        clerk.press("3")
        clerk.take_slips()
        assert clerk.ledger.transactions.get(sale.id).state is State.VOIDED
        (entry,) = [e for e in clerk.ledger.audit.entries() if e[2] == "void_reason"]
        assert entry[3] == {"original": sale.stan, "reason": "3"}


def test_a_pin_is_asked_when_the_setting_says_so_also_without_the_card(tmp_path: Path) -> None:
    with Clerk(tmp_path, void__ask_card=False, void__ask_pin=True) as clerk:
        clerk.sign_in()
        clerk.sell("100", "good")
        clerk.go_to_void()
        clerk.press("确认")
        assert "请持卡人输密码" in clerk.press("确认")
        clerk.press("123456 确认")
        clerk.wait_for("交易成功")


def test_an_unknown_voucher_is_refused_and_stays_on_the_screen(clerk: Clerk) -> None:
    clerk.go_to_void()
    said = clerk.press("999 确认")
    assert "无此凭证号" in said
    assert "999" in said


def test_without_a_sale_there_is_nothing_to_void(clerk: Clerk) -> None:
    clerk.go_to_void()
    assert "没有可撤销的消费" in clerk.press("确认")


def test_what_is_voided_is_refused(clerk: Clerk) -> None:
    sale = clerk.sell()
    clerk.go_to_void()
    clerk.press("确认 确认")
    clerk.swipe("nopin")
    clerk.take_slips()
    clerk.go_to_void()
    assert "已撤销" in clerk.press(f"{sale.stan} 确认")


def test_a_void_is_not_a_sale(clerk: Clerk) -> None:
    clerk.sell()
    clerk.go_to_void()
    clerk.press("确认 确认")
    clerk.swipe("nopin")
    clerk.take_slips()
    void = clerk.ledger.transactions.last("sale_void")
    assert void is not None
    clerk.go_to_void()
    assert "不是消费" in clerk.press(f"{void.stan} 确认")


def test_what_has_a_void_of_its_own_is_named_by_its_menu(clerk: Clerk) -> None:
    clerk.press("确认 3 1 10000 确认")
    clerk.swipe("nopin")
    clerk.press("确认")
    clerk.take_slips()
    held = clerk.ledger.transactions.last("pre_authorisation")
    assert held is not None
    clerk.go_to_void()
    assert "请用菜单3" in clerk.press(f"{held.stan} 确认")


def test_what_is_left_of_a_sale_that_was_refunded_in_part_goes_back_by_refund(
    clerk: Clerk,
) -> None:
    sale = clerk.sell("10000")
    for amount, refusal in (("4000", "余款请用退货"), ("", "请核对凭证号")):
        clerk.press("确认 2")
        clerk.press("123456 确认")
        clerk.swipe("nopin")
        clerk.press(f"{sale.stan} 确认 {amount} 确认 确认 确认")
        clerk.take_slips()
        clerk.go_to_void()
        assert refusal in clerk.press(f"{sale.stan} 确认")
        clerk.press("取消")


def test_a_sale_that_is_being_reversed_is_refused(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.host_does("lost", "reversal")
    clerk.pay()
    clerk.wait_for("冲正未成功")
    clerk.press("取消")
    doubt = clerk.ledger.transactions.in_states(State.REVERSING)[0]
    clerk.press("▲ 1")
    clerk.press("123456 确认")
    assert "冲正未完成" in clerk.press(f"{doubt.stan} 确认")


def test_the_number_of_an_order_in_doubt_cancels_nothing(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.host_does("lost", "reversal")
    clerk.pay()
    clerk.wait_for("冲正未成功")
    clerk.press("取消 ▲ 1")
    clerk.press("123456 确认")
    assert "冲正未完成" in clerk.press("2 确认")
    assert clerk.state == "void.voucher"


def test_another_card_is_refused_and_the_right_one_taken(clerk: Clerk) -> None:
    clerk.sell()
    clerk.go_to_void()
    clerk.press("确认 确认")
    said = clerk.swipe("second")
    assert "不是原卡" in said
    assert "622500****0048" in said
    clerk.swipe("nopin")
    clerk.wait_for("交易成功")


def test_a_void_the_host_does_not_know_says_refund_instead(clerk: Clerk) -> None:
    clerk.sell()
    clerk.host_does("25", "sale_void")
    clerk.go_to_void()
    clerk.press("确认 确认")
    clerk.swipe("nopin")
    clerk.wait_for("交易失败 25")
    assert "用退货" in clerk.screen + clerk.press("▼ ▼ ▼")
    clerk.press("确认")
    assert clerk.state == "void.voucher"


def test_a_void_in_doubt_is_reversed_and_the_original_stands(clerk: Clerk) -> None:
    sale = clerk.sell()
    clerk.host_does("no-answer", "sale_void")
    clerk.go_to_void()
    clerk.press("确认 确认")
    clerk.swipe("nopin")
    assert "原交易仍有效" in clerk.wait_for("已冲正")
    assert "未扣款" not in clerk.screen  # of the sale the customer was debited
    assert clerk.ledger.transactions.get(sale.id).state is State.APPROVED


def test_a_wrong_password_is_asked_again_on_the_same_screen(clerk: Clerk) -> None:
    assert "密码错" in clerk.go_to_void("111111")
    assert clerk.state == "void.password"
    clerk.press("123456 确认")
    assert clerk.state == "void.voucher"


def test_three_wrong_passwords_lock_for_five_minutes_and_then_ten(clerk: Clerk) -> None:
    clerk.go_to_void("1")
    clerk.press("2 确认")
    assert "请等待 5:00" in clerk.press("3 确认")
    clerk.wait(298)
    assert "请等待 0:02" in clerk.press("▲ 1")
    assert "请等待 0:02" in clerk.press("123456 确认 清除")  # nothing stands over the countdown
    clerk.wait(3)
    assert clerk.state == "void.password"
    clerk.press("1 确认 2 确认")
    assert "请等待 10:00" in clerk.press("3 确认")


def test_the_lock_is_kept_through_a_restart_and_audited(clerk: Clerk) -> None:
    clerk.go_to_void("1")
    clerk.press("2 确认 3 确认")
    assert [e[2] for e in clerk.ledger.audit.entries()][-1] == "role_locked"
    clerk.wait(100)
    clerk.restart()
    assert "请等待 4:00" in clerk.press("▲ 1")  # as of the last whole minute


def test_the_right_password_forgets_the_wrong_ones(clerk: Clerk) -> None:
    clerk.go_to_void("1")
    clerk.press("2 确认 123456 确认 取消")
    clerk.go_to_void("1")
    clerk.press("2 确认")
    assert clerk.state == "void.password"


def test_clear_leads_back_step_by_step_to_the_menu(clerk: Clerk) -> None:
    clerk.sell()
    clerk.go_to_void()
    clerk.press("确认 确认")
    states = []
    for _ in range(5):
        states.append(clerk.state)
        clerk.press("清除")
    assert states == ["void.card", "void.shown", "void.voucher", "void.password", "menu.main"]


def test_an_unpaid_order_is_cancelled_here_with_a_reason_and_audited(clerk: Clerk) -> None:
    clerk.press("8100 确认 取消 取消")
    clerk.go_to_void()
    shown = clerk.press("2 确认")
    assert "未支付订单" in shown
    assert "81.00" in shown
    clerk.press("确认")
    assert "000002 已取消" in clerk.press("2")
    order = clerk.ledger.orders.by_number("000002")
    assert order is not None
    assert (order.state, order.reason, order.closed_by) == (OrderState.CANCELLED, "2", "01")
    entry = clerk.ledger.audit.entries()[-1]
    assert entry[2] == "order_cancelled"
    assert entry[3]["supervisor"] == "00"


def test_the_reason_can_be_chosen_with_the_arrows(clerk: Clerk) -> None:
    clerk.press("8100 确认 取消 取消")
    clerk.go_to_void()
    clerk.press("2 确认 确认 ▼ ▼ 确认")
    order = clerk.ledger.orders.by_number("000002")
    assert order is not None
    assert order.reason == "3"


def test_a_digit_that_is_no_reason_is_refused(clerk: Clerk) -> None:
    clerk.press("8100 确认 取消 取消")
    clerk.go_to_void()
    assert "没有第7项" in clerk.press("2 确认 确认 7")
    assert clerk.state == "void.order_reason"


def test_the_number_of_a_declined_attempt_names_its_unpaid_order(clerk: Clerk) -> None:
    clerk.pay("5000", "poor")
    clerk.wait_for_state("sale.declined")
    attempt = clerk.ledger.transactions.last("sale", State.DECLINED)
    assert attempt is not None
    clerk.press("取消")
    clerk.go_to_void()
    assert "订单号 000002" in clerk.press(f"{attempt.stan} 确认")


def test_a_cancelled_order_is_said_to_be_cancelled(clerk: Clerk) -> None:
    clerk.press("8100 确认 取消 0000 确认")
    clerk.go_to_void()
    assert "订单已取消" in clerk.press("2 确认")


def test_of_an_order_that_was_paid_in_cash_there_is_nothing_to_void(clerk: Clerk) -> None:
    clerk.press("8100 确认 取消 取消 确认 5 1 确认 3 1 1")
    clerk.press("123456 确认 取消")
    clerk.go_to_void()
    assert "该订单其他已付" in clerk.press("2 确认")


@pytest.mark.parametrize("digits", ["1234567", "00000002"])
def test_a_voucher_number_has_six_digits_at_most(clerk: Clerk, digits: str) -> None:
    clerk.go_to_void()
    assert "最多6位" in clerk.press(digits)


def test_a_sale_of_an_earlier_settlement_day_is_not_voided_but_refunded(clerk: Clerk) -> None:
    clerk.sell()
    clerk.wait(86_400)
    clerk.press("确认")
    clerk.wait_for("签到成功")
    clerk.go_to_void()
    sent = len(clerk.stage.witness.received)
    assert "隔日不能撤销 请用退货" in clerk.press("确认")
    assert len(clerk.stage.witness.received) == sent
    assert clerk.state == "void.voucher"


@pytest.mark.parametrize(
    ("date", "today", "earlier"),
    [
        ("0514", "0514", False),
        ("0513", "0514", True),
        ("0515", "0514", False),  # the host books under tomorrow's date already
        ("1231", "0101", True),
        ("0101", "1231", False),
        ("0228", "0301", True),
        ("0229", "0301", True),
        ("", "0514", False),
        ("9999", "0514", False),
    ],
)
def test_earlier_is_decided_across_the_turn_of_the_year(
    date: str, today: str, earlier: bool
) -> None:
    assert is_earlier(date, today) is earlier
