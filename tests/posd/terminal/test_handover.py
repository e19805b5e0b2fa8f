"""交接班: totals by operator since the last one; nothing is counted twice and nothing is left out."""

from __future__ import annotations

from tests.posd.terminal.rig import Clerk


def hand_over(clerk: Clerk) -> str:
    clerk.press("确认 6 6 确认")
    clerk.wait_for_state("idle.ready")
    return " ".join(clerk.paper[-1].split())


def test_what_was_taken_and_given_back_is_shown_then_printed(clerk: Clerk) -> None:
    clerk.sell("10000")
    sale = clerk.sell("2000")
    clerk.go_to_void()
    clerk.press(f"{sale.stan} 确认 确认")
    clerk.swipe()
    clerk.take_slips()
    shown = clerk.press("确认 6 6")
    assert "收款 2笔" in shown
    assert "120.00" in shown
    assert "退款 1笔" in clerk.press("▼ ▼")
    clerk.press("取消")
    slip = hand_over(clerk)
    assert "交接班单" in slip
    assert "上次交班 无" in slip
    assert "操作员号 01" in slip
    assert "消费 2笔 RMB 120.00" in slip
    assert "消费撤销 1笔 RMB 20.00" in slip
    assert "收款合计 2笔 RMB 120.00" in slip
    assert "退款合计 1笔 RMB 20.00" in slip
    assert "接班人签名" in slip


def test_the_next_shift_begins_at_nothing(clerk: Clerk) -> None:
    clerk.sell("10000")
    hand_over(clerk)
    clerk.sell("500")
    slip = hand_over(clerk)
    assert "收款合计 1笔 RMB 5.00" in slip
    assert "上次交班 无" not in slip
    assert "收款合计 0笔 RMB 0.00" in hand_over(clerk)
    entries = [entry for entry in clerk.ledger.audit.entries() if entry[2] == "handover"]
    assert len(entries) == 3


def test_looking_hands_nothing_over(clerk: Clerk) -> None:
    clerk.sell("10000")
    clerk.press("确认 6 6 取消")
    clerk.press("确认 6 6")
    clerk.wait(61)
    assert clerk.state == "idle.ready"
    assert "收款合计 1笔" in hand_over(clerk)


def test_what_was_in_doubt_belongs_to_the_shift_in_which_it_ended(clerk: Clerk) -> None:
    sale = clerk.sell("10000")
    clerk.host_does("lost", "refund")
    clerk.press("确认 2 123456 确认")
    clerk.swipe()
    clerk.press(f"{sale.stan} 确认 确认 确认 确认")
    clerk.wait_for("退货处理中")
    clerk.press("取消")
    assert "退款合计 0笔" in hand_over(clerk)
    clerk.wait(500)  # the answer to its repetition, and everything that was said of it
    clerk.press("取消")
    assert "退款合计 1笔 RMB 100.00" in hand_over(clerk)


def test_a_handover_that_did_not_come_out_is_kept(clerk: Clerk) -> None:
    clerk.sell("10000")
    clerk.stage.paper_out(0)
    clerk.press("确认 6 6 确认")
    clerk.wait_for_state("slip.trouble")
    clerk.press("取消")
    assert len(clerk.ledger.print_jobs.waiting()) == 1
