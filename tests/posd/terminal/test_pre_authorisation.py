"""The pre-authorisation family: held, completed, freed, undone; by what this ledger holds and by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from posd.ledger.records import State, TransactionRecord
from tests.posd.terminal.rig import Clerk


def last(clerk: Clerk, kind: str) -> TransactionRecord:
    record = clerk.ledger.transactions.last(kind, *State)
    assert record is not None
    return record


def state_of(clerk: Clerk, record: TransactionRecord) -> State:
    return clerk.ledger.transactions.get(record.id).state


def hold(clerk: Clerk, amount: str = "10000", card: str = "nopin") -> TransactionRecord:
    clerk.press(f"确认 3 1 {amount} 确认")
    clerk.swipe_and_type_pin(card)
    clerk.take_slips()
    return last(clerk, "pre_authorisation")


def complete(
    clerk: Clerk, held: TransactionRecord, amount: str = "", key: str = "2"
) -> TransactionRecord:
    clerk.press(f"确认 3 {key}")
    clerk.swipe("nopin")
    clerk.press(f"{held.stan} 确认 {amount} 确认 确认")
    clerk.take_slips()
    return last(clerk, "completion" if key == "2" else "completion_notice")


@pytest.fixture
def held(clerk: Clerk) -> TransactionRecord:
    """100.00 of the card without a PIN."""
    return hold(clerk)


def test_a_hold_asks_amount_card_and_pin(clerk: Clerk) -> None:
    assert "预授权撤销" in clerk.press("确认 3") + clerk.press("▼ ▼")
    assert "预授权 金额" in clerk.press("1")
    assert "金额不能为零" in clerk.press("确认")
    assert "请刷卡" in clerk.press("10000 确认")
    clerk.swipe("good")
    assert "请持卡人输密码" in clerk.screen
    clerk.press("123456 确认")
    clerk.wait_for("交易成功")
    clerk.take_slips()
    record = last(clerk, "pre_authorisation")
    assert (record.state, record.amount) == (State.APPROVED, 10000)
    assert "预授权/AUTH" in clerk.paper[-2]
    assert record.authorisation_code in clerk.paper[-2]


def test_a_hold_in_doubt_is_reversed_and_done_again(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "pre_authorisation")
    clerk.press("确认 3 1 10000 确认")
    clerk.swipe_and_type_pin()
    assert "没有冻结" in clerk.wait_for("已冲正")
    clerk.press("确认")
    assert clerk.state == "pre_authorisation.card"


@pytest.mark.parametrize(("key", "kind"), [("2", "completion"), ("5", "completion_notice")])
def test_a_completion_of_a_known_hold_is_chosen_by_its_voucher(
    clerk: Clerk, held: TransactionRecord, key: str, kind: str
) -> None:
    clerk.press(f"确认 3 {key}")
    assert "请输原凭证号" in clerk.swipe("nopin")
    assert "原额 100.00" in clerk.press(f"{int(held.stan)} 确认")
    shown = clerk.press("8000 确认")
    assert "完成 80.00" in shown
    assert held.stan in shown
    clerk.press("确认")
    clerk.wait_for("交易成功")
    clerk.take_slips()
    record = last(clerk, kind)
    assert (record.state, record.amount, record.original) == (State.APPROVED, 8000, held.id)
    assert state_of(clerk, held) is State.COMPLETED
    assert "预授权完成/\nAUTH COMPLETE" in clerk.paper[-2]
    assert f"原凭证号 {held.stan}" in clerk.paper[-2]


def test_an_empty_amount_takes_what_was_held(clerk: Clerk, held: TransactionRecord) -> None:
    assert complete(clerk, held).amount == 10000


def test_a_completion_is_115_percent_at_most(clerk: Clerk, held: TransactionRecord) -> None:
    clerk.press("确认 3 2")
    clerk.swipe("nopin")
    assert "超过额度 请改小 115.00" in clerk.press(f"{held.stan} 确认 11501 确认")
    clerk.press("清除 清除 清除 清除 清除 11500 确认 确认")
    clerk.take_slips()
    assert last(clerk, "completion").amount == 11500


def test_what_is_completed_is_refused_with_what_to_do(
    clerk: Clerk, held: TransactionRecord
) -> None:
    complete(clerk, held)
    clerk.press("确认 3 2")
    clerk.swipe("nopin")
    assert "请用完成撤销" in clerk.press(f"{held.stan} 确认")


def test_a_sale_is_no_hold_and_a_hold_is_no_completion(
    clerk: Clerk, held: TransactionRecord
) -> None:
    sale = clerk.sell()
    clerk.press("确认 3 2")
    clerk.swipe("nopin")
    assert "不是预授权" in clerk.press(f"{sale.stan} 确认")
    clerk.press("取消 确认 3 4 123456 确认")
    assert "不是完成" in clerk.press(f"{held.stan} 确认")


def test_a_hold_of_another_terminal_is_named_by_code_and_date(clerk: Clerk) -> None:
    clerk.press("确认 3 2")
    clerk.swipe("nopin")
    assert "请输原授权码" in clerk.press("确认")
    clerk.press("123456 确认 0514 确认")
    assert clerk.state == "completion.amount"
    assert "金额不能为零" in clerk.press("确认")
    clerk.press("100 确认 确认")
    clerk.wait_for("交易失败 25")
    record = last(clerk, "completion")
    assert record.original is None
    assert record.request[38] == "123456"
    assert str(record.request[61]) == "0000000000000514"


def test_the_code_and_date_of_a_hold_of_this_ledger_find_it(
    clerk: Clerk, held: TransactionRecord
) -> None:
    clerk.press("确认 3 2")
    clerk.swipe("nopin")
    clerk.press(f"确认 {held.authorisation_code} 确认 {held.host_date} 确认")
    assert "原额 100.00" in clerk.screen


def test_a_completion_may_ask_for_the_pin(tmp_path: Path) -> None:
    with Clerk(tmp_path, pre_authorisation__completion_pin=True) as clerk:
        clerk.sign_in()
        held = hold(clerk, card="good")
        clerk.press("确认 3 2")
        clerk.swipe("good")
        assert "请持卡人输密码" in clerk.press(f"{held.stan} 确认 确认 确认")
        clerk.press("123456 确认")
        clerk.take_slips()
        assert last(clerk, "completion").entry_mode == "021"


def test_a_shop_may_complete_without_the_card_what_is_in_its_ledger(tmp_path: Path) -> None:
    with Clerk(tmp_path, pre_authorisation__completion_card=False) as clerk:
        clerk.sign_in()
        held = hold(clerk)
        assert "请输原凭证号" in clerk.press("确认 3 2")
        assert "完成通知" in clerk.press("清除") + clerk.press("▼ ▼ ▼ ▼")
        clerk.press(f"2 {held.stan} 确认 确认 确认")
        clerk.take_slips()
        record = last(clerk, "completion")
        assert (record.state, record.entry_mode) == (State.APPROVED, "012")
        assert "/M" in clerk.paper[-2]


def test_without_the_ledgers_number_the_card_is_asked_for_after_all(tmp_path: Path) -> None:
    with Clerk(tmp_path, pre_authorisation__completion_card=False) as clerk:
        clerk.sign_in()
        clerk.press("确认 3 2 确认 123456 确认 0514 确认 100 确认")
        assert "请刷卡" in clerk.press("确认")
        assert "完成 1.00" in clerk.swipe("nopin")
        clerk.press("确认")
        clerk.wait_for("交易失败 25")
        assert last(clerk, "completion").entry_mode == "022"


def test_a_completion_in_doubt_is_reversed_and_the_hold_stands(
    clerk: Clerk, held: TransactionRecord
) -> None:
    clerk.host_does("no-answer", "completion")
    clerk.press("确认 3 2")
    clerk.swipe("nopin")
    clerk.press(f"{held.stan} 确认 确认 确认")
    assert "预授权仍有效" in clerk.wait_for("已冲正")
    assert state_of(clerk, held) is State.APPROVED


def test_a_notice_in_doubt_is_repeated_and_not_done_again(
    clerk: Clerk, held: TransactionRecord
) -> None:
    clerk.host_does("lost", "completion_notice")
    clerk.press("确认 3 5")
    clerk.swipe("nopin")
    clerk.press(f"{held.stan} 确认 确认 确认")
    assert "请勿重复操作" in clerk.wait_for("完成处理中")
    clerk.press("取消 取消 确认 3 2")
    clerk.swipe("nopin")
    assert "正在处理" in clerk.press(f"{held.stan} 确认")
    clerk.press("取消")
    clerk.wait_for("成功")
    assert state_of(clerk, held) is State.COMPLETED


def test_a_known_hold_is_freed_whole_by_its_voucher(clerk: Clerk, held: TransactionRecord) -> None:
    assert "请输原凭证号" in clerk.press("确认 3 3")
    shown = clerk.press(f"{held.stan} 确认")
    assert "预撤 100.00" in shown
    assert "请刷卡" in clerk.press("确认")
    assert "不是原卡" in clerk.swipe("second")
    assert "主管密码" in clerk.swipe("nopin")
    clerk.press("123456 确认")
    clerk.take_slips()
    record = last(clerk, "pre_authorisation_void")
    assert (record.state, record.supervisor) == (State.APPROVED, "00")
    assert state_of(clerk, held) is State.VOIDED
    assert "预授权撤销/\nCANCEL" in clerk.paper[-2]


def test_a_hold_that_is_not_here_is_freed_by_code_date_and_amount(clerk: Clerk) -> None:
    clerk.press("确认 3 3 确认 123456 确认 0514 确认")
    assert clerk.state == "pre_authorisation_void.amount"
    clerk.press("10000 确认 确认")
    clerk.swipe("nopin")
    clerk.press("123456 确认")
    clerk.wait_for("交易失败 25")


def test_a_freed_hold_is_refused(clerk: Clerk, held: TransactionRecord) -> None:
    clerk.press(f"确认 3 3 {held.stan} 确认 确认")
    clerk.swipe("nopin")
    clerk.press("123456 确认")
    clerk.take_slips()
    assert "已撤销" in clerk.press(f"确认 3 3 {held.stan} 确认")


@pytest.mark.parametrize("key", ["2", "5"])
def test_a_completion_is_undone_and_the_hold_is_there_again(
    clerk: Clerk, held: TransactionRecord, key: str
) -> None:
    done = complete(clerk, held, "8000", key)
    assert "主管密码" in clerk.press("确认 3 4")
    clerk.press("123456 确认")
    assert "请输凭证号" in clerk.press("确认")
    assert "本机无此凭证 请核对凭证号" in clerk.press("999 确认")
    clerk.press("清除 清除 清除")
    assert "完撤 80.00" in clerk.press(f"{done.stan} 确认")
    clerk.press("确认")
    clerk.swipe("nopin")
    clerk.take_slips()
    assert state_of(clerk, done) is State.VOIDED
    assert state_of(clerk, held) is State.APPROVED
    assert "预授权完成撤销/\nCOMPLETE VOID" in clerk.paper[-2]


def test_undoing_without_the_card_where_the_shop_does_not_ask_for_it(tmp_path: Path) -> None:
    with Clerk(tmp_path, void__ask_card=False) as clerk:
        clerk.sign_in()
        done = complete(clerk, hold(clerk))
        clerk.press(f"确认 3 4 123456 确认 {done.stan} 确认 确认")
        clerk.take_slips()
        assert last(clerk, "completion_void").entry_mode == "012"


def test_a_completion_of_an_earlier_day_is_refunded_instead(
    clerk: Clerk, held: TransactionRecord
) -> None:
    done = complete(clerk, held)
    clerk.wait(86_400)
    clerk.press("确认")
    clerk.wait_for("签到成功")
    clerk.press("确认 3 4 123456 确认")
    assert "请用退货" in clerk.press(f"{done.stan} 确认")
    clerk.press("取消 确认 2 123456 确认")
    clerk.swipe("nopin")
    assert "可退 100.00" in clerk.press(f"{done.stan} 确认")
