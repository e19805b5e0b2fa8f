"""Idle, sign-in and sign-off, the menu, power-up, and a terminal that is closed for business."""

from __future__ import annotations

from pathlib import Path

import pytest

from posd.core.events import DeviceChanged, PrinterChanged
from posd.ledger.records import State
from tests.posd.terminal.rig import Clerk


def test_idle_shows_the_merchant_what_to_do_and_the_state(clerk: Clerk) -> None:
    clerk.sell()
    clerk.wait(10)
    assert clerk.rows[0].strip() == "测试商户"
    assert clerk.rows[1] == "请刷卡或输入金额"
    assert clerk.rows[3] == "已签到 测试 1笔"


def test_before_sign_in_nothing_is_sold_and_one_key_signs_in(tmp_path: Path) -> None:
    with Clerk(tmp_path) as clerk:
        assert "未签到" in clerk.screen
        assert "请先签到" in clerk.press("1")
        clerk.press("确认")
        clerk.wait_for("签到成功")


def test_a_swipe_before_sign_in_sells_nothing(tmp_path: Path) -> None:
    with Clerk(tmp_path) as clerk:
        assert "请先签到" in clerk.swipe("nopin")
        assert clerk.dialogue.form.card is None


def test_a_sign_in_that_fails_says_why_and_is_tried_again_with_one_key(tmp_path: Path) -> None:
    with Clerk(tmp_path) as clerk:
        clerk.stage.link(up=False)
        clerk.press("确认")
        assert "连接不上收单机构" in clerk.wait_for("未成功")
        clerk.stage.link(up=True)
        clerk.press("确认")
        clerk.wait_for("签到成功")


def test_a_refused_sign_in_shows_the_code_and_its_text(tmp_path: Path) -> None:
    with Clerk(tmp_path) as clerk:
        clerk.host_does("97", "sign_in")
        clerk.press("确认")
        assert "终端未登记" in clerk.wait_for("未成功 97")


def test_a_sign_off_says_what_it_is(clerk: Clerk) -> None:
    clerk.press("确认 9 2")
    clerk.wait_for("签退 正在签退")


def test_sign_off_closes_the_terminal(clerk: Clerk) -> None:
    clerk.press("确认 9 2")
    clerk.wait_for("签退成功")
    assert "未签到" in clerk.wait(10)


def test_a_sign_off_that_fails_leaves_the_terminal_signed_in(clerk: Clerk) -> None:
    clerk.stage.link(up=False)
    clerk.press("确认 9 2")
    clerk.wait_for("未成功")
    assert "已签到" in clerk.press("取消")


def test_an_answer_on_idle_goes_away_by_itself(clerk: Clerk) -> None:
    assert "签到成功" in clerk.screen
    assert "已签到" in clerk.wait(6)


@pytest.mark.parametrize(
    ("event", "word"),
    [
        (PrinterChanged("paper_out"), "缺纸"),
        (PrinterChanged("cover_open"), "打印机"),
        (DeviceChanged("printer", present=False), "打印机"),
        (DeviceChanged("card_reader", present=False), "读卡器"),
    ],
)
def test_idle_shows_what_is_wrong_with_a_device_and_when_it_is_well_again(
    clerk: Clerk, event: PrinterChanged | DeviceChanged, word: str
) -> None:
    clerk.wait(10)
    assert word in clerk.tell(event)
    well = (
        PrinterChanged("")
        if isinstance(event, PrinterChanged)
        else DeviceChanged(event.role, present=True)
    )
    assert word not in clerk.tell(well)


def test_idle_shows_trouble_with_the_line(clerk: Clerk) -> None:
    clerk.stage.link(up=False)
    clerk.pay()
    clerk.wait_for("未发送")
    assert "未支付" in clerk.press("取消")
    assert "通讯" in clerk.press("取消")


def test_the_menu_is_chosen_from_with_arrows_or_digits(clerk: Clerk) -> None:
    clerk.press("确认")
    assert clerk.dialogue.state == "menu.main"
    clerk.press("▼ ▼ ▼ ▼ ▼ ▼ ▼ ▼ 确认")
    assert clerk.state == "menu.manage"
    clerk.press("8")
    assert clerk.state == "menu.version"
    assert "T" in clerk.screen


def test_the_selection_goes_round_at_both_ends(clerk: Clerk) -> None:
    clerk.press("确认 ▲ 确认")
    assert clerk.state == "menu.manage"
    clerk.press("▼ ▼ ▼ ▲ ▲ 确认")
    clerk.wait_for("签退成功")


def test_a_digit_without_an_item_is_refused_with_a_sentence(clerk: Clerk) -> None:
    assert "没有第0项" in clerk.press("确认 0")
    assert clerk.state == "menu.main"


def test_clear_leads_through_the_menus_back_to_idle(clerk: Clerk) -> None:
    clerk.press("确认 9 8 清除")
    assert clerk.state == "menu.manage"
    clerk.press("清除")
    assert clerk.state == "menu.main"
    clerk.press("清除")
    assert clerk.state == "idle.ready"


def test_after_a_power_cut_the_clerk_is_told_what_became_of_the_last_sale(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.pay()
    clerk.wait(1)
    clerk.restart()
    assert "上笔 123.45 冲正中" in clerk.screen
    clerk.wait_for("未成功 已冲正")
    clerk.press("确认")
    assert clerk.ledger.transactions.last_unacknowledged() is None
    clerk.restart()
    assert clerk.state == "idle.ready"


def test_what_the_clerk_has_seen_is_not_shown_again(clerk: Clerk) -> None:
    clerk.sell()
    clerk.restart()
    assert clerk.state == "idle.ready"


def test_a_pending_reversal_closes_the_terminal_and_opens_it_by_itself(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.pay()
    clerk.wait(1)
    clerk.stage.link(up=False)
    clerk.wait_for("冲正未成功")
    clerk.press("取消")
    assert "冲正中" in clerk.screen
    assert "E301" in clerk.press("5") + clerk.press("▼ ▼")
    assert clerk.state == "blocked.shown"
    clerk.stage.link(up=True)
    clerk.press("确认")
    clerk.wait_for("未成功 已冲正")
    assert clerk.ledger.transactions.in_states(State.REVERSING) == []


def test_spent_tries_print_a_fault_slip_that_is_no_duplicate(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "sale")
    clerk.host_does("lost", "reversal", 3)
    clerk.pay()
    clerk.wait_for("冲正未成功")
    clerk.press("取消")
    clerk.wait_for("确认=打印", 400)
    clerk.press("确认")
    clerk.wait_for_state("idle.ready")
    assert "冲正故障单" in clerk.paper[-1]
    assert "重打印" not in clerk.paper[-1]


def lost_sale(clerk: Clerk) -> None:
    """A sale without an answer, and no line for its reversal: left by its time-out."""
    clerk.host_does("no-answer", "sale")
    clerk.pay()
    clerk.wait(1)
    clerk.stage.link(up=False)
    clerk.wait_for("冲正未成功")


def test_a_reversal_that_ends_while_the_clerk_is_elsewhere_is_told_at_idle(clerk: Clerk) -> None:
    lost_sale(clerk)
    clerk.press("取消")
    clerk.press("▼ 1")
    clerk.stage.link(up=True)
    clerk.stage.let_pass(50, lambda: not clerk.ledger.transactions.in_states(State.REVERSING))
    assert clerk.state == "void.password", "nobody is interrupted"
    assert "上笔 123.45 未成功 已冲正" in clerk.press("取消")
    clerk.press("确认")
    assert clerk.state == "idle.ready"
    assert clerk.press("▼ 取消") == clerk.screen
    assert clerk.state == "idle.ready", "once is enough"


def test_a_fault_slip_that_comes_while_the_clerk_is_elsewhere_is_offered_at_idle(
    tmp_path: Path,
) -> None:
    with Clerk(tmp_path, money__reversal_tries=1, timeouts__prompt_seconds=300) as clerk:
        clerk.sign_in()
        clerk.host_does("lost", "reversal", 9)
        lost_sale(clerk)
        clerk.press("取消")
        clerk.press("▼ 1")
        clerk.stage.link(up=True)
        clerk.stage.let_pass(200, lambda: bool(clerk.ledger.print_jobs.waiting()))
        assert clerk.state == "void.password"
        clerk.press("取消")
        assert "上笔 123.45" in clerk.screen
        assert "确认=打印" in clerk.screen
        clerk.press("确认")
        clerk.wait_for_state("idle.ready")
        assert "冲正故障单" in clerk.paper[-1]
        assert "DUPLICATED" not in clerk.paper[-1]


def test_an_answer_on_idle_is_read_before_something_missed_is_told(clerk: Clerk) -> None:
    lost_sale(clerk)
    clerk.press("取消")
    clerk.press("▼ 9 2")
    clerk.stage.link(up=True)
    clerk.wait_for("签退成功")
    assert clerk.state == "idle.ready"
    clerk.wait_for("上笔 123.45 未成功 已冲正", 10)


@pytest.mark.parametrize(
    ("what", "state"), [("51", "sale.declined"), ("no-answer", "sale.reversed")]
)
def test_a_result_left_by_its_time_out_is_not_told_again(
    clerk: Clerk, what: str, state: str
) -> None:
    clerk.host_does(what, "sale")
    clerk.pay()
    clerk.wait_for_state(state)
    clerk.wait_for_state("idle.ready")
    assert clerk.ledger.transactions.last_unacknowledged() is None
    clerk.restart()
    assert clerk.state == "idle.ready"


def test_an_unresolved_sale_is_told_once_and_then_waits_in_the_list(clerk: Clerk) -> None:
    lost_sale(clerk)
    clerk.press("取消")
    record = clerk.ledger.transactions.last("sale", State.REVERSING)
    assert record is not None
    with clerk.ledger.commit("test"):
        clerk.ledger.transactions.move(record.id, [State.REVERSING], State.UNRESOLVED)
    clerk.restart()
    assert "上笔 123.45" in clerk.screen
    assert "结果未定 请联系收单机构" in clerk.screen
    clerk.press("确认")
    clerk.restart()
    assert clerk.state == "idle.ready"
    assert "未决1" in clerk.screen
