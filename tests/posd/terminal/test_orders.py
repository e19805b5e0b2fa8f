"""订单: what a clerk does with orders that nobody paid, and what the screens refuse and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from posd.ledger.records import OrderRecord, OrderState, State
from posd.ledger.retirement import retire
from tests.posd.terminal.rig import Clerk


def leave_unpaid(clerk: Clerk, amount: str = "8000") -> OrderRecord:
    """An amount is confirmed, and nobody pays."""
    clerk.press(f"{amount} 确认 取消 取消")
    assert clerk.state == "idle.ready"
    (*_, order) = clerk.ledger.orders.unpaid(held=False)
    return order


def state(clerk: Clerk, order: OrderRecord) -> OrderState:
    return clerk.ledger.orders.get(order.id).state


def unresolved(clerk: Clerk, order: OrderRecord) -> None:
    """The order's attempt, as after a lost answer that a supervisor gave up."""
    (attempt,) = clerk.ledger.transactions.of_order(order.id)
    with clerk.ledger.commit("test"):
        assert clerk.ledger.transactions.move(
            attempt.id, [State.DECLINED], State.UNRESOLVED, {"because": "test"}
        )


# --- 未支付订单 -----------------------------------------------------------------------------------


def test_unpaid_orders_are_listed_by_age_and_one_is_paid(clerk: Clerk) -> None:
    first = leave_unpaid(clerk)
    clerk.wait(180)
    leave_unpaid(clerk, "9000")
    shown = clerk.press("确认 5 1")
    assert "未支付 2笔" in shown
    assert f"{first.number} 80.00" in shown
    assert "1付款" not in shown
    assert f"{first.number} 80.00" in clerk.press("确认")
    assert "请刷卡" in clerk.press("1")
    assert "消费 80.00" in clerk.screen
    clerk.swipe_and_type_pin()
    clerk.take_slips()
    assert state(clerk, first) is OrderState.PAID


def test_cancel_while_paying_an_old_order_leaves_it_in_the_list(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    clerk.press("确认 5 1 确认 1")
    assert f"订单{order.number} 未支付" in clerk.press("取消")
    assert state(clerk, order) is OrderState.UNPAID


def test_a_declined_attempt_leaves_the_order_and_it_is_paid_by_another_card(clerk: Clerk) -> None:
    clerk.host_does("51", "sale")
    clerk.pay("7000")
    clerk.wait_for("交易失败")
    clerk.press("取消")
    (order,) = clerk.ledger.orders.unpaid(held=False)
    clerk.press("确认 5 1 确认 1")
    clerk.swipe_and_type_pin("good")
    clerk.take_slips()
    assert state(clerk, order) is OrderState.PAID


def test_the_list_is_filtered_by_amount_and_time(clerk: Clerk) -> None:
    leave_unpaid(clerk)
    clerk.wait(7200)
    late = leave_unpaid(clerk, "9000")
    clerk.press("确认 5 1")
    assert "请输订单金额" in clerk.press("2")
    shown = clerk.press("9000 确认")
    assert "未支付 1笔" in shown
    assert late.number in shown
    assert "未支付 2笔" in clerk.press("2 确认")
    assert "一小时内" in clerk.press("3")
    shown = clerk.press("1")
    assert "未支付 1笔" in shown
    assert late.number in shown
    clerk.press("3 3")
    assert "没有订单" in clerk.screen
    assert "未支付 2笔" in clerk.press("3 4")
    assert "没有第9项" in clerk.press("9")


def test_an_order_is_found_by_its_number_or_by_that_of_an_attempt(clerk: Clerk) -> None:
    clerk.host_does("51", "sale")
    clerk.pay("7000")
    clerk.wait_for("交易失败")
    clerk.press("取消")
    (order,) = clerk.ledger.orders.unpaid(held=False)
    (attempt,) = clerk.ledger.transactions.of_order(order.id)
    clerk.press("确认 5 1 1")
    assert f"{order.number} 70.00" in clerk.press(f"{int(attempt.stan)} 确认")
    clerk.press("取消 确认 5 1 1")
    assert "没有这个订单" in clerk.press("777 确认")


def test_a_paid_order_is_not_found_among_the_unpaid_and_the_screen_says_where_to_look(
    clerk: Clerk,
) -> None:
    sale = clerk.sell()
    assert "该订单已支付" in clerk.press(f"确认 5 1 1 {int(sale.stan)} 确认")


def test_nothing_unpaid_is_said_and_left(clerk: Clerk) -> None:
    assert "没有订单" in clerk.press("确认 5 1")
    clerk.press("确认")
    assert clerk.state == "idle.ready"


# --- what two people change -----------------------------------------------------------------------


def test_another_amount_is_approved_at_once(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    clerk.press("确认 5 1 确认")
    assert "原 80.00" in clerk.press("2")
    assert "金额不能为零" in clerk.press("确认")
    assert "超过限额" in clerk.press("99999999 确认")
    clerk.press("清除 清除 清除 清除 清除 清除 清除 清除 6000 确认")
    assert "主管现在审批" in clerk.screen
    assert "主管密码" in clerk.press("1")
    assert f"订单{order.number} 已办理" in clerk.press("123456 确认")
    assert clerk.state == "orders.list"
    assert clerk.ledger.orders.get(order.id).amount == 6000
    clerk.press("确认 7")
    story = clerk.screen
    for _ in range(8):
        story += clerk.press("▼")
    assert "改金额 01 00" in story
    assert "还差 60.00" in story
    (entry,) = [entry for entry in clerk.ledger.audit.entries() if entry[2] == "order_amend"]
    assert entry[1] == "00"
    assert entry[3]["operator"] == "01"


def test_cash_closes_the_order(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    assert "现金" in clerk.press("确认 5 1 确认 3")
    clerk.press("1 1")
    clerk.press("123456 确认")
    found = clerk.ledger.orders.get(order.id)
    assert (found.state, found.means) == (OrderState.PAID, "cash")
    clerk.press("取消 确认 5 1 1")
    assert "该订单其他已付" in clerk.press(f"{int(order.number)} 确认")


def test_a_cancellation_waits_for_the_supervisor_and_is_approved_later(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    assert "撤销原因" in clerk.press("确认 5 1 确认 4")
    assert f"订单{order.number} 待主管审批" in clerk.press("2 2")
    assert state(clerk, order) is OrderState.UNPAID
    clerk.press("取消")
    assert "待批1" in clerk.screen
    shown = clerk.press("确认 5 6")
    assert "待审批 1笔" in shown
    assert f"{order.number} 取消" in shown
    shown = clerk.press("确认")
    assert "取消订单" in shown
    assert "重复订单" in shown
    assert "主管密码" in clerk.press("1")
    assert "已办理" in clerk.press("123456 确认")
    assert state(clerk, order) is OrderState.CANCELLED
    assert "没有待审批的" in clerk.press("▲")


def test_a_refusal_has_a_reason_and_the_order_stays(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    clerk.press("确认 5 1 确认 4 1 2 取消")
    clerk.press("确认 5 6 确认 2")
    assert "为何不同意" in clerk.press("123456 确认")
    assert "不同意 订单不变" in clerk.press("2")
    assert state(clerk, order) is OrderState.UNPAID
    (application,) = clerk.ledger.applications.of_order(order.id)
    assert (application.verdict, application.refusal) == ("refused", "2")
    clerk.press("取消 确认 5 1 确认 7")
    story = clerk.screen
    for _ in range(12):
        story += clerk.press("▼")
    assert "不同意 取消订单" in story
    assert "理由不足" in story


def test_a_wrong_supervisor_password_changes_nothing(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    clerk.press("确认 5 1 确认 4 1 1")
    assert "密码错" in clerk.press("000000 确认")
    clerk.press("取消")
    assert clerk.state == "idle.ready"
    assert state(clerk, order) is OrderState.UNPAID
    assert clerk.ledger.applications.waiting() == []


def test_what_changed_in_the_meantime_is_not_approved(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    clerk.press("确认 5 1 确认 4 1 2 取消")
    clerk.press("确认 5 6 确认 1")
    with clerk.ledger.commit("test"):
        clerk.ledger.orders.receive(order.id, order.amount, clerk.ledger.now(), "01")
    assert "申请已失效" in clerk.press("123456 确认")
    assert state(clerk, order) is OrderState.PAID


# --- an attempt in doubt --------------------------------------------------------------------------


@pytest.fixture
def doubtful(clerk: Clerk) -> OrderRecord:
    clerk.host_does("51", "sale")
    clerk.pay("7000")
    clerk.wait_for("交易失败")
    clerk.press("取消")
    (order,) = clerk.ledger.orders.unpaid(held=False)
    unresolved(clerk, order)
    return order


@pytest.mark.parametrize("key", "1234")
def test_an_order_in_doubt_is_neither_paid_nor_changed_and_the_screen_says_why(
    clerk: Clerk, doubtful: OrderRecord, key: str
) -> None:
    assert "有付款未决" in clerk.press(f"确认 5 1 确认 {key}")
    assert clerk.state == "orders.actions"
    assert state(clerk, doubtful) is OrderState.UNPAID


def test_the_money_core_asks_again_whether_the_order_may_be_paid(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    clerk.press("确认 5 1 确认 1")
    clerk.swipe()
    with clerk.ledger.commit("test"):
        assert clerk.ledger.orders.cancel(order.id, clerk.ledger.now(), "01", "1") is None
    clerk.press("确认")
    assert "订单已有变化" in clerk.wait_for("不能交易")
    assert clerk.ledger.transactions.of_order(order.id) == []


def test_an_order_in_doubt_is_not_cancelled_from_the_void_either(
    clerk: Clerk, doubtful: OrderRecord
) -> None:
    clerk.go_to_void()
    assert "冲正未完成" in clerk.press(f"{int(doubtful.number)} 确认")


def test_what_the_acquirer_said_is_an_event_and_lets_the_order_be_paid(
    clerk: Clerk, doubtful: OrderRecord
) -> None:
    (attempt,) = clerk.ledger.transactions.of_order(doubtful.id)
    assert clerk.core.money.close_case(attempt.id, "00", "1")
    event = clerk.ledger.outbox.read()[-1]
    assert event.name == "case.closed"
    assert event.body["verdict"] == "1"
    assert event.body["order"] == doubtful.number
    assert "请刷卡" in clerk.press("确认 5 1 确认 1")


def test_who_has_applied_is_not_who_approves(clerk: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    order = leave_unpaid(clerk)
    monkeypatch.setattr(type(clerk.core.money), "operator", "00")
    clerk.press("确认 5 1 确认 4 1 1")
    assert "请另一人审批" in clerk.press("123456 确认")
    assert state(clerk, order) is OrderState.UNPAID
    assert len(clerk.ledger.applications.waiting()) == 1


def test_nobody_pays_at_a_terminal_that_is_closed_and_the_order_stays(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    clerk.press("确认 9 2")
    clerk.wait_for("签退成功")
    clerk.dialogue._dispatch("up", None)
    clerk.press("5 1 确认 1")
    assert clerk.state == "blocked.shown"
    assert state(clerk, order) is OrderState.UNPAID


def test_at_a_terminal_that_has_moved_orders_are_only_looked_at(clerk: Clerk) -> None:
    clerk.press("确认 5 2 5600 确认 7 确认")
    (held,) = clerk.ledger.orders.unpaid(held=True)
    cash = leave_unpaid(clerk)
    clerk.press("确认 5 1 确认 3 1 1")
    clerk.press("123456 确认 取消")
    order = leave_unpaid(clerk)
    clerk.press("确认 5 1 确认 4 1 2 取消")  # applied for before
    retire(clerk.ledger, "moved", "an archive")
    clerk.restart()
    events, before = clerk.ledger.outbox.newest(), clerk.ledger.orders.get(order.id)
    assert "只能查询和重打" in clerk.press("取消")
    clerk.press("确认 5 1 确认")
    for key in "12346":
        assert "订单只能查看" in clerk.press(key), key
    assert "订单只能查看" in clerk.press("取消 确认 5 3 确认 2")
    assert "订单只能查看" in clerk.press("取消 确认 5 2 900 确认")
    assert "订单只能查看" in clerk.press("取消 确认 5 6 确认 1")
    assert "订单只能查看" in clerk.press("2")
    assert "订单只能查看" in clerk.press(f"取消 确认 5 4 1 {int(cash.number)} 确认 2")
    clerk.press("取消")
    clerk.go_to_void()
    assert "订单只能查看" in clerk.press(f"{int(order.number)} 确认")
    assert (clerk.ledger.outbox.newest(), clerk.ledger.orders.get(order.id)) == (events, before)
    assert clerk.ledger.orders.get(held.id).held


# --- 挂单, 解挂 -----------------------------------------------------------------------------------


def test_an_order_is_held_under_a_label_resumed_and_paid(clerk: Clerk) -> None:
    clerk.press("确认 5 2")
    assert "挂单 标签" in clerk.press("5600 确认")
    assert "请输桌号或电话" in clerk.press("确认")
    assert "已挂单 13800138000" in clerk.press("13800138000 确认")
    (order,) = clerk.ledger.orders.unpaid(held=True)
    assert "没有订单" in clerk.press("确认 5 1")
    clerk.press("取消")
    shown = clerk.press("确认 5 3")
    assert "挂单 1笔" in shown
    assert "*800138000 56.00" in shown
    assert "没有这个标签" in clerk.press("9")
    assert "没有这个标签 请按清除改正" in clerk.press("确认")
    shown = clerk.press("清除 138")
    assert "挂单 138" in shown
    assert "*800138000 56.00" in shown
    assert "RMB 56.00" in clerk.press("确认")
    assert "请刷卡" in clerk.press("1")
    clerk.swipe_and_type_pin()
    clerk.take_slips()
    assert state(clerk, order) is OrderState.PAID


def test_a_held_order_is_not_held_twice_and_not_resumed_at_a_closed_terminal(clerk: Clerk) -> None:
    clerk.press("确认 5 2 5600 确认 7 确认")
    (order,) = clerk.ledger.orders.unpaid(held=True)
    clerk.press(f"确认 5 1 1 {int(order.number)} 确认")
    assert "已经挂单" in clerk.press("6")
    clerk.press("取消 确认 9 2")
    clerk.wait_for("签退成功")
    clerk.dialogue._dispatch("up", None)
    clerk.press("5 3 确认 1")
    assert clerk.state == "blocked.shown"
    assert clerk.ledger.orders.get(order.id).held


def test_a_label_has_at_most_eleven_digits(clerk: Clerk) -> None:
    clerk.press("确认 5 2 5600 确认")
    assert "11" in clerk.press("138001380001")
    assert clerk.dialogue.form.label == "13800138000"


def test_an_unpaid_order_is_chosen_to_be_held_and_only_resumed(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    assert "未支付 1笔" in clerk.press("确认 5 2 确认")
    assert "挂单 标签" in clerk.press("确认")
    clerk.press("7 确认")
    assert clerk.ledger.orders.get(order.id).held
    clerk.press("确认 5 3 确认")
    assert f"订单{order.number} 已解挂" in clerk.press("2")
    assert clerk.state == "orders.list"
    assert not clerk.ledger.orders.get(order.id).held


def test_cancel_before_the_label_leaves_the_order_unpaid(clerk: Clerk) -> None:
    assert "未支付" in clerk.press("确认 5 2 5600 确认 取消")
    (order,) = clerk.ledger.orders.unpaid(held=False)
    assert order.amount == 5600


def test_an_order_is_held_from_the_list_of_unpaid_ones(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    clerk.press("确认 5 1 确认 6 8 确认")
    assert clerk.ledger.orders.get(order.id).label == "8"


# --- 查询 -----------------------------------------------------------------------------------------


def test_an_archived_order_is_found_by_number_amount_and_date(clerk: Clerk) -> None:
    sale = clerk.sell("4321")
    order = clerk.ledger.orders.get(sale.order or 0)
    for keys in (
        f"1 {int(order.number)} 确认",
        f"1 {int(sale.stan)} 确认",
        "2 4321 确认 确认",
        "3 0514 确认 确认",
    ):
        shown = clerk.press(f"确认 5 4 {keys}")
        assert f"订单 {order.number}" in shown, keys
        assert "已支付" in clerk.press("▼") + shown
        clerk.press("取消")
    assert "没有订单" in clerk.press("确认 5 4 3 0513 确认")
    clerk.press("取消")
    assert clerk.press("确认 5 4 3 1341 确认")
    assert clerk.state == "order_query.date"


def test_an_order_that_was_not_paid_is_set_back_and_paid(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    clerk.press("确认 5 1 确认 3 1 1")
    clerk.press("123456 确认 取消")
    clerk.press(f"确认 5 4 1 {int(order.number)} 确认")
    assert "为何改回未付" in clerk.press("2")
    clerk.press("1 1")
    assert "已办理" in clerk.press("123456 确认")
    assert clerk.state == "order_query.shown"
    assert state(clerk, order) is OrderState.UNPAID
    clerk.press("确认 1")
    clerk.swipe_and_type_pin()
    clerk.take_slips()
    assert state(clerk, order) is OrderState.PAID


def test_an_order_with_an_approved_sale_is_not_set_back_and_the_screen_says_why(
    clerk: Clerk,
) -> None:
    sale = clerk.sell()
    assert "有成功的交易" in clerk.press(f"确认 5 4 1 {int(sale.stan)} 确认 2")
    assert clerk.state == "order_query.shown"


def test_a_paid_order_has_no_note_that_it_is_not_paid(clerk: Clerk) -> None:
    sale = clerk.sell()
    slips = len(clerk.paper)
    assert "只有未支付的订单" in clerk.press(f"确认 5 4 1 {int(sale.stan)} 确认 1")
    assert len(clerk.paper) == slips


def test_an_unpaid_order_needs_no_setting_back(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    assert "不用改回" in clerk.press(f"确认 5 4 1 {int(order.number)} 确认 2")


# --- on paper -------------------------------------------------------------------------------------


def test_a_note_says_in_words_what_happened_and_that_it_is_no_slip_of_sale(clerk: Clerk) -> None:
    clerk.host_does("51", "sale")
    clerk.pay("7000")
    clerk.wait_for("交易失败")
    clerk.press("取消")
    clerk.press("确认 5 1 确认 5")
    clerk.wait_for_state("idle.ready")
    note = clerk.paper[-1]
    assert "未支付凭条" in note
    assert "70.00" in note
    assert "余额不足" in note
    assert "不是签购单" in note
    assert "签购单\n" not in note.replace("不是签购单\n", "")
    assert clerk.ledger.print_jobs.waiting() == []


def test_a_report_is_shown_and_printed(clerk: Clerk) -> None:
    order = leave_unpaid(clerk)
    clerk.press("确认 5 2 5600 确认 7 确认")
    clerk.press("8000 确认 取消")
    clerk.press("0000 确认")
    clerk.press("确认 5 5")
    shown = clerk.press("1")
    assert "未支付 1笔" in shown
    for _ in range(6):
        shown += clerk.press("▼")
    assert "挂单 1笔" in shown
    assert "已取消 1笔" in shown
    clerk.press("确认")
    clerk.wait_for_state("idle.ready")
    report = clerk.paper[-1]
    assert f"{order.number}" in report
    assert "顾客没有付款" in report
    assert "操作员 01  1笔" in report


def test_a_printer_without_paper_keeps_the_note_for_later(clerk: Clerk) -> None:
    leave_unpaid(clerk)
    clerk.stage.paper_out(0)
    clerk.press("确认 5 1 确认 5")
    clerk.wait_for("缺纸")
    clerk.press("取消")
    clerk.wait_for("待打1")
    clerk.stage.load_paper()
    clerk.wait_for("1 张待打印")
    clerk.press("确认")
    clerk.wait_for_state("idle.ready")
    assert "未支付凭条" in clerk.paper[-1]


def test_a_settlement_is_an_event_and_brings_the_report_of_its_orders(tmp_path: Path) -> None:
    with Clerk(tmp_path, orders__report_at_settlement=True) as clerk:
        clerk.sign_in()
        clerk.sell("4321")
        order = leave_unpaid(clerk)
        clerk.press("确认 7 确认")
        clerk.wait_for("结算完成")
        clerk.press("确认")
        clerk.wait_for_state("slip.tear")
        clerk.press("确认")
        clerk.wait_for_state("idle.ready")
        (report,) = [each for each in clerk.paper if "订单报表" in each]
        assert order.number in report
        (settled,) = [e for e in clerk.ledger.outbox.read() if e.name == "batch.settled"]
        assert settled.body["debit_count"] == 1
        assert settled.body["debit_amount"] == 4321
        assert settled.body["domestic"] == "1"
