"""Printing: the copies, the paper that ends, slips that wait for the next start."""

from __future__ import annotations

from posd.core.events import PrintEnded
from tests.posd.terminal.rig import Clerk


def waiting(clerk: Clerk) -> list[str]:
    return [job.copy for job in clerk.ledger.print_jobs.waiting()]


def test_the_second_copy_comes_by_itself_when_nobody_presses(clerk: Clerk) -> None:
    clerk.pay()
    clerk.wait_for_state("slip.tear")
    clerk.wait_for_state("idle.ready", 25)
    assert len(clerk.paper) == 2


def test_cancel_between_the_copies_leaves_the_second_out(clerk: Clerk) -> None:
    clerk.pay()
    clerk.wait_for_state("slip.tear")
    clerk.press("取消")
    assert clerk.state == "idle.ready"
    assert len(clerk.paper) == 1
    assert waiting(clerk) == []


def test_no_key_stops_a_slip_on_its_way(clerk: Clerk) -> None:
    clerk.pay()
    clerk.wait_for_state("slip.printing")
    assert "正在打印" in clerk.press("取消")
    assert clerk.state == "slip.printing"


def test_the_paper_ends_in_a_slip_and_the_whole_slip_comes_again(clerk: Clerk) -> None:
    clerk.stage.paper_out(8)
    clerk.pay()
    said = clerk.wait_for("缺纸")
    assert "签购单已保存" in said
    clerk.stage.load_paper()
    clerk.press("确认")
    clerk.take_slips()
    assert "商户存根" not in clerk.paper[0]
    assert "商户存根" in clerk.paper[1]
    assert "重打印凭证/DUPLICATED" in clerk.paper[1], "the printer may have held all of the first"


def with_a_kept_slip(clerk: Clerk) -> None:
    """The merchant's copy of a sale came out, the rest is wanted later; a printer prints again."""
    clerk.stage.paper_out(0)
    clerk.pay()
    clerk.wait_for("缺纸")
    clerk.press("取消")
    clerk.stage.load_paper()
    clerk.wait_for("张待打印")


def test_slips_that_are_put_off_are_not_offered_after_each_sale(clerk: Clerk) -> None:
    with_a_kept_slip(clerk)
    clerk.press("取消")
    clerk.sell("500")
    assert clerk.state == "idle.ready"
    assert "张待打印" in clerk.press("确认 6 7"), "the menu has them"
    clerk.press("取消")
    clerk.stage.paper_out(0)
    clerk.wait(60)
    clerk.stage.load_paper()
    clerk.wait_for("张待打印")


def test_an_amount_is_taken_while_slips_are_offered(clerk: Clerk) -> None:
    with_a_kept_slip(clerk)
    assert "RMB 7.00" in clerk.press("700")
    clerk.press("取消")
    with_a_kept_slip(clerk)
    clerk.swipe("nopin")
    assert "RMB 8.00" in clerk.press("800")
    assert "请持卡人输密码" in clerk.press("确认")


def test_a_slip_that_may_be_complete_comes_again_as_a_duplicate(clerk: Clerk) -> None:
    clerk.pay()
    clerk.wait_for_state("slip.printing")
    job = clerk.dialogue.form.jobs[0].id
    clerk.tell(PrintEnded(job, printed=False, reason="timeout", perhaps_complete=True))
    assert "打印机无响应" in clerk.screen
    clerk.wait(5)
    clerk.press("确认")
    clerk.take_slips()
    assert "重打印凭证/DUPLICATED" in clerk.paper[-2]
    assert "重打印凭证/DUPLICATED" not in clerk.paper[-1]


def test_cancel_leaves_the_slips_waiting_and_nothing_is_acknowledged(clerk: Clerk) -> None:
    clerk.stage.plug("printer", plugged=False)
    clerk.pay()
    clerk.wait_for("打印机未连接")
    assert "已保存" in clerk.press("取消")
    assert waiting(clerk) == ["merchant", "cardholder"]
    assert clerk.ledger.transactions.last_unacknowledged() is not None


def test_slips_that_wait_are_offered_at_the_next_start_as_duplicates(clerk: Clerk) -> None:
    clerk.stage.plug("printer", plugged=False)
    clerk.pay()
    clerk.wait_for("打印机未连接")
    clerk.stage.plug("printer", plugged=True)
    clerk.restart()
    assert "上笔 123.45 成功" in clerk.screen
    clerk.press("确认")
    clerk.take_slips()
    assert all("重打印凭证/DUPLICATED" in slip for slip in clerk.paper[-2:])
    assert waiting(clerk) == []


def test_an_ended_job_that_nobody_waits_for_is_dropped_and_counted(clerk: Clerk) -> None:
    clerk.tell(PrintEnded(4711, printed=True))
    assert clerk.state == "idle.ready"
    assert clerk.dialogue.stale == 1
