"""重打: the last one, any one, fault slips too; always marked, and never more than is stored."""

from __future__ import annotations

from posd.ledger.records import State
from tests.posd.terminal.rig import Clerk


def take_both(clerk: Clerk) -> list[str]:
    """Both copies, torn off."""
    before = len(clerk.paper)
    clerk.take_slips()
    return clerk.paper[before:]


def test_the_last_one_is_shown_then_printed_in_both_copies_and_marked(clerk: Clerk) -> None:
    clerk.sell("100")
    sale = clerk.sell()
    shown = clerk.press("确认 6 1")
    assert f"消费 {sale.stan}" in shown
    assert "RMB 123.45" in shown
    clerk.press("确认")
    merchant, cardholder = take_both(clerk)
    assert "商户存根" in merchant
    assert "持卡人存根" in cardholder
    assert all(slip.count("DUPLICATED") == 1 for slip in (merchant, cardholder))
    clerk.press("确认 6 1 确认")
    assert all(slip.count("DUPLICATED") == 1 for slip in take_both(clerk))


def test_nothing_to_print_is_said(clerk: Clerk) -> None:
    assert "没有可重打的" in clerk.press("确认 6 1")
    clerk.press("确认")
    assert clerk.state == "idle.ready"


def test_any_one_is_named_by_its_voucher(clerk: Clerk) -> None:
    sale = clerk.sell()
    clerk.sell("100")
    assert "没有这样的交易" in clerk.press("确认 6 2 999 确认")
    shown = clerk.press(f"清除 清除 清除 {int(sale.stan)} 确认")
    assert "RMB 123.45" in shown
    clerk.press("确认")
    merchant, _ = take_both(clerk)
    assert f"{sale.stan}" in merchant
    assert "DUPLICATED" in merchant


def test_what_was_declined_has_no_slip_and_a_way_to_its_story(clerk: Clerk) -> None:
    clerk.pay("5000", "poor")
    clerk.wait_for_state("sale.declined")
    clerk.press("取消")
    declined = clerk.ledger.transactions.last("sale", State.DECLINED)
    assert declined is not None
    assert "可在交易查询看" in clerk.press(f"确认 6 2 {declined.stan} 确认")


def test_a_fault_slip_is_printed_again(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.host_does("lost", "reversal", 9)
    clerk.pay()
    clerk.wait_for("冲正未成功")
    clerk.wait(2000)  # until the tries are spent
    clerk.press("取消 ▲ 6 7 确认")
    clerk.wait_for_state("idle.ready")
    printed = len(clerk.paper)
    clerk.press("▲ 6 1 确认")
    clerk.wait_for_state("idle.ready")
    (slip,) = clerk.paper[printed:]
    assert "冲正故障单" in slip
    assert "DUPLICATED" in slip


def test_a_story_that_was_printed_is_no_slip_to_print_again(clerk: Clerk) -> None:
    sale = clerk.sell()
    clerk.pay("5000", "poor")
    clerk.wait_for_state("sale.declined")
    clerk.press("取消 确认 8 4 确认 确认")
    clerk.wait_for_state("idle.ready")
    assert f"消费 {sale.stan}" in clerk.press("确认 6 1")


def test_what_has_not_come_out_yet_is_printed_as_it_is(clerk: Clerk) -> None:
    clerk.stage.paper_out(0)
    clerk.pay()
    clerk.wait_for_state("slip.trouble")
    clerk.press("取消")
    clerk.stage.load_paper()
    clerk.press("取消 确认 6 1 确认")
    clerk.take_slips()
    assert clerk.ledger.print_jobs.waiting() == []


def test_clear_leads_back_to_the_menu(clerk: Clerk) -> None:
    clerk.press("确认 6 1 清除")
    assert clerk.state == "menu.print"
    clerk.press("2 清除")
    assert clerk.state == "menu.print"
