"""退货: of what this ledger holds and of what it does not, in parts, refused for every reason there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from posd.ledger.records import State, TransactionRecord
from tests.posd.terminal.rig import Clerk


def go_to_voucher(clerk: Clerk, card: str = "nopin") -> str:
    """Over the supervisor's password and the card."""
    clerk.press("确认 2")
    clerk.press("123456 确认")
    return clerk.swipe(card)


def refund(clerk: Clerk, sale: TransactionRecord, amount: str = "", goods: str = "确认") -> None:
    """To the answer; no amount is all that is left."""
    go_to_voucher(clerk)
    clerk.press(f"{sale.stan} 确认 {amount} 确认 {goods} 确认")


def last_refund(clerk: Clerk) -> TransactionRecord:
    record = clerk.ledger.transactions.last("refund", *State)
    assert record is not None
    return record


@pytest.fixture
def sale(clerk: Clerk) -> TransactionRecord:
    return clerk.sell()


def test_a_refund_goes_over_password_card_voucher_amount_and_goods(clerk: Clerk) -> None:
    sale = clerk.sell()
    assert "主管密码" in clerk.press("确认 2")
    assert "请刷卡" in clerk.press("123456 确认")
    assert "请输原凭证号" in clerk.swipe("nopin")
    shown = clerk.press(f"{int(sale.stan)} 确认")
    assert "可退 123.45" in shown
    assert "RMB 50.00" in clerk.press("5000")
    assert "已收到退货商品?" in clerk.press("确认")
    shown = clerk.press("确认")
    assert "退货 50.00" in shown
    assert "622500****0048" in shown
    assert sale.stan in shown
    clerk.press("确认")
    clerk.wait_for("交易成功")
    clerk.take_slips()
    record = last_refund(clerk)
    assert (record.state, record.amount, record.original) == (State.APPROVED, 5000, sale.id)
    assert record.supervisor == "00"
    assert "退货/REFUND" in clerk.paper[-2]
    assert f"原凭证号 {sale.stan}" in clerk.paper[-2]
    assert clerk.ledger.transactions.get(sale.id).state is State.APPROVED


def test_an_empty_amount_is_all_that_is_left(clerk: Clerk, sale: TransactionRecord) -> None:
    refund(clerk, sale, "5000")
    clerk.take_slips()
    go_to_voucher(clerk)
    assert "可退 73.45" in clerk.press(f"{sale.stan} 确认")
    clerk.press("确认 确认 确认")
    clerk.take_slips()
    assert last_refund(clerk).amount == 7345


def test_parts_add_up_and_never_exceed_the_original(clerk: Clerk, sale: TransactionRecord) -> None:
    refund(clerk, sale, "5000")
    clerk.take_slips()
    go_to_voucher(clerk)
    said = clerk.press(f"{sale.stan} 确认 7346 确认")
    assert "超过可退 请改小 73.45" in said
    assert clerk.state == "refund.amount"
    clerk.press("清除 清除 清除 清除 7345 确认 确认 确认")
    clerk.take_slips()
    go_to_voucher(clerk)
    assert "已全部退货" in clerk.press(f"{sale.stan} 确认")


def test_a_refund_on_its_way_counts_at_once(clerk: Clerk, sale: TransactionRecord) -> None:
    clerk.host_does("lost", "refund", 9)
    refund(clerk, sale, "10000")
    said = clerk.wait_for("退货处理中")
    assert "请勿重复退货" in said
    clerk.press("确认")
    clerk.wait_for_state("idle.ready")
    assert "未决" in clerk.paper[-1]
    assert "成功" not in clerk.paper[-1]
    go_to_voucher(clerk)
    assert "可退 23.45" in clerk.press(f"{sale.stan} 确认")


def test_what_is_not_in_this_ledger_is_named_by_reference_and_date(clerk: Clerk) -> None:
    go_to_voucher(clerk)
    assert "空着确认输参考号" in clerk.press("999 确认")
    clerk.press("清除 清除 清除")
    assert "请输原参考号" in clerk.press("确认")  # empty
    assert "要12位" in clerk.press("123 确认")
    assert "最多12位" in clerk.press("4567890122")
    assert "12345678901" in clerk.press("清除")
    assert "12345678901A" in clerk.press("2 ▼")
    assert "请输原交易日期" in clerk.press("确认")
    assert "没有这一天" in clerk.press("1332 确认")
    clerk.press("清除 清除 清除 清除 0514 确认")
    assert clerk.state == "refund.amount"
    assert "金额不能为零" in clerk.press("确认")
    shown = clerk.press("100 确认 确认")
    assert clerk.state == "refund.shown"
    assert "0514" in shown + clerk.press("▼")
    clerk.press("确认")
    clerk.wait_for("交易失败 25")
    assert "请核对卡号日期" in clerk.screen + clerk.press("▼ ▼")
    record = last_refund(clerk)
    assert record.original is None
    assert str(record.request[61])[12:16] == "0514"


def test_a_reference_of_this_ledger_finds_its_original(
    clerk: Clerk, sale: TransactionRecord
) -> None:
    go_to_voucher(clerk)
    clerk.press(f"确认 {sale.retrieval_reference} 确认 {sale.host_date} 确认")
    assert "可退 123.45" in clerk.screen
    clerk.press("100 确认 确认 确认")
    clerk.take_slips()
    assert last_refund(clerk).original == sale.id


def test_letters_are_stepped_through_in_both_directions(clerk: Clerk) -> None:
    go_to_voucher(clerk)
    clerk.press("确认 2")
    assert [clerk.press("▼").split()[1] for _ in range(4)] == ["A", "B", "C", "2"]
    assert "C" in clerk.press("▲").split()
    assert clerk.press("1 ▲").split()[1] == "CZ"
    assert clerk.press("0 ▼").split()[1] == "CZ0"


def test_another_card_is_refused_with_the_way_back(clerk: Clerk, sale: TransactionRecord) -> None:
    go_to_voucher(clerk, "second")
    said = clerk.press(f"{sale.stan} 确认")
    assert "不是原卡 按清除 622500****0048" in said
    clerk.press("清除 清除 清除 清除 清除 清除 清除")
    assert clerk.state == "refund.card"
    clerk.swipe("nopin")
    assert "可退" in clerk.press(f"{sale.stan} 确认")


def test_a_voided_sale_is_refused(clerk: Clerk, sale: TransactionRecord) -> None:
    clerk.go_to_void()
    clerk.press("确认 确认")
    clerk.swipe("nopin")
    clerk.take_slips()
    go_to_voucher(clerk)
    assert "已撤销" in clerk.press(f"{sale.stan} 确认")
    void = clerk.ledger.transactions.last("sale_void")
    assert void is not None
    clerk.press("清除 清除 清除 清除 清除 清除")
    assert "不能退货" in clerk.press(f"{void.stan} 确认")


def test_a_declined_sale_is_refused(clerk: Clerk) -> None:
    clerk.pay("5000", "poor")
    clerk.wait_for_state("sale.declined")
    declined = clerk.ledger.transactions.last("sale", State.DECLINED)
    assert declined is not None
    clerk.press("取消")
    go_to_voucher(clerk)
    assert "该笔未成功" in clerk.press(f"{declined.stan} 确认")


def test_the_limit_and_the_goods_are_settings(tmp_path: Path) -> None:
    with Clerk(tmp_path, refund__amount_limit=1000, refund__ask_goods=False) as clerk:
        clerk.sign_in()
        sale = clerk.sell()
        go_to_voucher(clerk)
        assert "退货限额 请改小 10.00" in clerk.press(f"{sale.stan} 确认 确认")
        clerk.press("1000 确认")
        assert clerk.state == "refund.shown"


def test_while_the_terminal_is_closed_the_clerk_is_told_in_the_menu(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.host_does("lost", "reversal", 9)
    clerk.pay()
    clerk.wait_for("冲正未成功")
    clerk.press("取消 ▲ 2")
    assert clerk.state == "blocked.shown"
    assert "请勿交货" in clerk.screen


def test_clear_leads_back_step_by_step_to_the_menu(clerk: Clerk, sale: TransactionRecord) -> None:
    go_to_voucher(clerk)
    clerk.press(f"{sale.stan} 确认 确认 确认")
    states = []
    for _ in range(60):
        if clerk.state != (states[-1] if states else ""):
            states.append(clerk.state)
        if clerk.state == "menu.main":
            break
        clerk.press("清除")
    steps = ["shown", "goods", "amount", "voucher", "card", "password"]
    assert states == [*(f"refund.{step}" for step in steps), "menu.main"]


@pytest.fixture
def closed(clerk: Clerk, sale: TransactionRecord) -> TransactionRecord:
    """The sale lies in a batch that is closed, as after a settlement."""
    with clerk.ledger.commit("closed"):
        clerk.ledger._database.write("UPDATE batches SET closed_at = 1")
        clerk.ledger._database.write("INSERT INTO batches (opened_at) VALUES (2)")
    return sale


def test_a_sale_of_a_closed_batch_is_named_by_voucher_and_date(
    clerk: Clerk, closed: TransactionRecord
) -> None:
    go_to_voucher(clerk)
    assert "请输原交易日期" in clerk.press(f"{closed.stan} 确认")
    assert "日期与凭证不符" in clerk.press("0101 确认")
    clerk.press(f"清除 清除 清除 清除 {closed.host_date} 确认")
    assert "可退 123.45" in clerk.screen
    clerk.press("确认 确认 确认")
    clerk.take_slips()
    assert last_refund(clerk).original == closed.id
