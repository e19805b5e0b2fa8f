"""交易查询: every way to find a transaction, its story on the screen and on paper."""

from __future__ import annotations

import pytest

from posd.ledger.records import State, TransactionRecord
from tests.posd.terminal.rig import Clerk


@pytest.fixture
def sale(clerk: Clerk) -> TransactionRecord:
    return clerk.sell()


def whole(clerk: Clerk) -> str:
    """The body, scrolled through to its end."""
    return " ".join([clerk.screen, *(clerk.press("▼") for _ in range(20))])


def test_a_voucher_leads_to_the_story(clerk: Clerk, sale: TransactionRecord) -> None:
    assert "请输凭证号" in clerk.press("确认 8 1")
    assert f"消费 {sale.stan}" in clerk.press(f"{int(sale.stan)} 确认")
    story = whole(clerk)
    assert "RMB 123.45" in story
    assert "622500****0048" in story
    assert "已收款 123.45" in story
    assert "应答 00" in story


def test_the_story_of_a_sale_says_what_was_given_back(
    clerk: Clerk, sale: TransactionRecord
) -> None:
    clerk.press("确认 2 123456 确认")
    clerk.swipe()
    clerk.press(f"{int(sale.stan)} 确认 2345 确认 确认 确认")
    clerk.take_slips()
    clerk.press(f"确认 8 1 {int(sale.stan)} 确认")
    story = whole(clerk)
    assert "已收款 123.45" in story
    assert "其中退货 23.45" in story


def test_the_number_of_an_order_finds_the_attempts_to_pay_it(clerk: Clerk) -> None:
    clerk.pay("5000", "poor")
    clerk.wait_for_state("sale.declined")
    clerk.press("确认")
    clerk.swipe_and_type_pin("nopin")
    clerk.take_slips()
    sale = clerk.ledger.transactions.last("sale")
    assert sale is not None
    order = clerk.ledger.orders.get(sale.order or 0).number
    shown = clerk.press(f"确认 8 1 {order} 确认")
    assert f"{sale.stan} 50.00" in shown
    assert "x50.00" in shown
    assert f"消费 {sale.stan}" in clerk.press(f"取消 确认 6 2 {order} 确认")
    clerk.press("取消 确认 2 123456 确认")
    clerk.swipe()
    assert "可退 50.00" in clerk.press(f"{order} 确认")


def test_a_number_that_is_nowhere_is_asked_again(clerk: Clerk) -> None:
    assert "请输凭证号" in clerk.press("确认 8 1 确认")
    assert "没有这样的交易" in clerk.press("999 确认")
    assert clerk.state == "query.voucher"


def test_the_end_of_a_card_number_finds_its_transactions(clerk: Clerk) -> None:
    clerk.sell("100", "good")
    clerk.sell("400")
    of_card = clerk.sell("200")
    clerk.sell("300", "good")
    assert "要4位" in clerk.press("确认 8 2 004 确认")
    assert f"{of_card.stan} 2.00" in clerk.press("8 确认")
    assert "4.00" in clerk.screen
    assert "3.00" not in clerk.screen
    assert "没有更早的" in clerk.press("▼ ▼")


def test_an_amount_finds_its_transactions(clerk: Clerk, sale: TransactionRecord) -> None:
    clerk.sell("500")
    assert f"消费 {sale.stan}" in clerk.press("确认 8 3 12345 确认")
    assert "没有这样的交易" in clerk.press("清除 清除 确认")
    assert clerk.state == "query.amount"


def test_the_journal_shows_the_newest_first_and_scrolls(clerk: Clerk) -> None:
    sales = [clerk.sell(f"{number}00") for number in (5, 6, 7)]
    shown = clerk.press("确认 8 4")
    assert f"{sales[2].stan} 7.00" in shown
    assert f"{sales[1].stan} 6.00" in shown
    assert f"{sales[0].stan} 5.00" in clerk.press("▼")
    assert f"{sales[2].stan} 7.00" in clerk.press("▲")
    assert "没有更新的" in clerk.press("▲")
    assert "消费" in clerk.press("▼ 确认")
    assert f"{sales[1].stan}" in clerk.rows[0]
    clerk.press("清除")
    assert clerk.state == "query.list"
    clerk.press("清除")
    assert clerk.state == "menu.query"


def test_the_journal_marks_what_went_back_and_what_came_to_nothing(
    clerk: Clerk, sale: TransactionRecord
) -> None:
    clerk.pay("6300", "poor")
    clerk.wait_for_state("sale.declined")
    clerk.press("取消")
    clerk.go_to_void()
    clerk.press(f"{sale.stan} 确认 确认")
    clerk.swipe()
    clerk.take_slips()
    void = clerk.ledger.transactions.last("sale_void")
    declined = clerk.ledger.transactions.last("sale", State.DECLINED)
    assert void is not None
    assert declined is not None
    shown = clerk.press("确认 8 4")
    assert f"{void.stan}-123.45" in shown
    assert f"{declined.stan}x63.00" in shown


def test_an_empty_journal_says_so(clerk: Clerk) -> None:
    assert "没有交易" in clerk.press("确认 8 4")
    clerk.press("▲ ▼ 确认")
    assert clerk.state == "idle.ready"


def test_the_story_is_printed_for_the_customer(clerk: Clerk, sale: TransactionRecord) -> None:
    clerk.press("确认 8 4 确认 确认")
    clerk.wait_for_state("idle.ready")
    slip = clerk.paper[-1]
    assert "交易查询单" in slip
    assert f"凭证号                    {sale.stan}" in slip
    assert "已收款 123.45" in slip
    assert sale.retrieval_reference in slip
    assert "不作付款凭证" in slip
    assert "622500******0048" in slip


def test_the_story_of_a_reversed_sale_says_that_nothing_was_debited(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.pay()
    clerk.wait_for("已冲正")
    clerk.press("取消 确认 8 4 确认")
    story = whole(clerk)
    assert "已冲正" in story
    assert "等于没有做" in story


def test_a_query_needs_no_sign_in_and_no_open_terminal(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.host_does("lost", "reversal", 9)
    clerk.pay()
    clerk.wait_for("冲正未成功")
    clerk.press("取消 ▲ 8 4")
    assert "?123.45" in clerk.screen
    clerk.press("确认")
    assert "还没有冲正" in whole(clerk)
