"""Settlement at the keys: what is shown, what can be pressed, what is told again until it is done."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from posd.core.events import SettlementProgress, SettlementStep
from posd.money.totals import totals_of
from posd.terminal.flows.settlement import ended_screen, unfinished_screen, waiting_screen
from posd.terminal.screens import lay_out
from posd.testing.world import World
from posd.texts import LANGUAGES
from tests.posd.terminal.rig import Clerk


def settle(clerk: Clerk) -> str:
    """From idle to the end, with its slip on paper."""
    clerk.press("▼ 7 确认")
    clerk.wait_for_state("settlement.ended")
    said = clerk.press("确认")
    clerk.wait_for_state("idle.ready")
    return said


def test_the_totals_come_first_and_cancel_leaves_everything_as_it_was(clerk: Clerk) -> None:
    clerk.sell("12345")
    assert "借记 1 笔 123.45" in clerk.press("▼ 7")
    clerk.press("取消")
    assert clerk.state == "idle.ready"
    assert clerk.ledger.transactions.unsettled_count() == 1
    assert clerk.ledger.batches.unfinished() is None


def test_clear_leads_from_the_totals_back_to_the_menu(clerk: Clerk) -> None:
    clerk.press("▼ 7 清除")
    assert clerk.state == "menu.main"


def test_an_amount_typed_one_key_too_late_settles_nothing(clerk: Clerk) -> None:
    clerk.sell("12345")
    clerk.press("▼")
    assert "这里不输金额" in clerk.press("700")  # 7 opened the totals
    assert "再按确认" in clerk.press("确认")
    assert clerk.state == "settlement.totals"
    clerk.press("确认")
    clerk.wait_for_state("settlement.ended")


def test_foreign_cards_have_totals_of_their_own(clerk: Clerk) -> None:
    clerk.sell("12345")
    clerk.sell("700", "visa")
    said = clerk.press("▼ 7")
    for _ in range(12):
        said += " " + clerk.press("▼")
    for words in ("130.45", "内卡", "123.45", "外卡", "7.00"):
        assert words in said


def test_the_wait_is_left_by_no_key(clerk: Clerk) -> None:
    clerk.sell()
    clerk.host_does("slow", "settlement")
    clerk.press("▼ 7 确认")
    for key in ("取消", "清除", "确认", "5"):
        clerk.press(key)
        assert clerk.state == "settlement.waiting"
    clerk.wait_for_state("settlement.ended")


def test_the_result_that_nobody_confirms_is_printed_all_the_same(clerk: Clerk) -> None:
    clerk.sell()
    clerk.press("▼ 7 确认")
    clerk.wait_for_state("settlement.ended")
    clerk.wait(60)
    assert "结算总计单" in clerk.paper[-1]
    assert clerk.state == "idle.ready"


def test_only_the_slips_of_the_settlement_are_printed(clerk: Clerk) -> None:
    clerk.pay()
    clerk.wait_for_state("slip.tear")
    clerk.stage.plug("printer", plugged=False)
    clerk.press("确认")
    clerk.wait_for_state("slip.trouble")
    clerk.press("取消")
    clerk.stage.plug("printer", plugged=True)
    clerk.wait(2)
    clerk.press("取消")
    before = len(clerk.paper)
    settle(clerk)
    assert ["结算总计单" in slip for slip in clerk.paper[before:]] == [True]
    assert clerk.ledger.print_jobs.waiting_count() >= 1  # the sale's own slip waits on


def test_a_sale_is_refused_while_it_is_unfinished_and_a_key_goes_on(clerk: Clerk) -> None:
    clerk.sell()
    clerk.host_does("96", "settlement")
    clerk.press("▼ 7 确认")
    assert "结算未完成" in clerk.wait_for("96")
    clerk.press("取消")
    assert "结算未完成" in clerk.screen
    assert "确认=继续结算" in clerk.press("5")
    clerk.press("确认")
    clerk.wait_for_state("settlement.ended")


def test_it_is_told_at_every_power_up_and_by_the_menu(clerk: Clerk) -> None:
    clerk.sell()
    clerk.host_does("96", "settlement", times=2)
    clerk.press("▼ 7 确认")
    clerk.wait_for_state("settlement.unfinished")
    for _ in range(2):
        clerk.restart()
        assert clerk.state == "settlement.unfinished"
        assert "从中断处继续" in clerk.screen
    clerk.press("取消")
    clerk.press("▼ 7")
    assert clerk.state == "settlement.unfinished"
    clerk.press("确认")
    clerk.wait_for("96")
    clerk.press("确认")
    clerk.wait_for_state("settlement.ended")


def test_it_is_told_after_what_nobody_has_seen_of_the_last_sale(clerk: Clerk) -> None:
    clerk.pay()
    clerk.wait_for_state("slip.tear")
    clerk.restart()
    assert clerk.state == "last.shown"
    clerk.press("取消")
    clerk.host_does("96", "settlement")
    clerk.press("▼ 7 确认")
    clerk.wait_for_state("settlement.unfinished")
    with clerk.ledger.commit("as if nobody had seen it"):
        clerk.ledger._database.write("UPDATE transactions SET acknowledged = 0")
    clerk.restart()
    assert clerk.state == "last.shown"
    clerk.press("取消")
    assert clerk.state == "settlement.unfinished"


def test_a_wrong_administrators_password_closes_nothing(clerk: Clerk) -> None:
    clerk.sell()
    clerk.host_does("96", "settlement")
    clerk.press("▼ 7 确认")
    clerk.wait_for_state("settlement.unfinished")
    clerk.press("9")
    assert "密码错" in clerk.press("11111111 确认")
    assert clerk.ledger.batches.unfinished() is not None


def test_without_a_begun_settlement_there_is_nothing_to_close_by_hand(clerk: Clerk) -> None:
    clerk.sell()
    clerk.stage.link(up=False)
    clerk.press("▼ 7 确认")
    clerk.wait_for("未开始结算")
    assert "此键无效" in clerk.press("9")


def test_it_begins_by_itself_at_the_set_time(tmp_path: Path) -> None:
    at = (World().now() + timedelta(hours=1)).strftime("%H:%M")
    with Clerk(tmp_path, settlement__at=at) as clerk:
        clerk.sign_in()
        clerk.sell()
        clerk.wait(4_000)
        assert "结算总计单" in clerk.paper[-1]
        assert clerk.state == "idle.ready"
        assert clerk.ledger.counters.batch_number == "000002"


def test_it_waits_for_idle_when_somebody_uses_the_terminal(tmp_path: Path) -> None:
    at = (World().now() + timedelta(minutes=2)).strftime("%H:%M")
    with Clerk(tmp_path, settlement__at=at, timeouts__prompt_seconds=600) as clerk:
        clerk.sign_in()
        clerk.sell()
        clerk.press("500")
        clerk.wait(300)
        assert clerk.state == "sale.amount"
        assert clerk.ledger.counters.batch_number == "000001"
        clerk.press("取消")
        clerk.wait(120)
        assert clerk.ledger.counters.batch_number == "000002"


@pytest.mark.parametrize(("keys", "title"), [("6 3", "交易明细"), ("6 4", "交易汇总")])
def test_a_list_that_the_printer_would_not_take_is_kept(
    clerk: Clerk, keys: str, title: str
) -> None:
    clerk.sell()
    clerk.stage.plug("printer", plugged=False)
    clerk.press(f"▼ {keys}")
    clerk.wait_for_state("slip.trouble")
    clerk.press("取消")
    clerk.stage.plug("printer", plugged=True)
    clerk.wait_for_state("kept.offer")
    clerk.press("确认")
    clerk.wait(10)
    assert title in clerk.paper[-1]


def test_a_full_batch_leads_to_the_totals(tmp_path: Path) -> None:
    with Clerk(tmp_path, money__batch_warning=1, money__batch_limit=1) as clerk:
        clerk.sign_in()
        clerk.sell()
        assert "请结算" in clerk.screen
        assert "确认=结算" in clerk.press("5")
        clerk.press("确认")
        assert clerk.state == "settlement.totals"


def test_please_settle_is_said_once_after_each_transaction(tmp_path: Path) -> None:
    with Clerk(tmp_path, money__batch_warning=1) as clerk:
        clerk.sign_in()
        clerk.sell()
        assert "已存 1 笔 请结算" in clerk.screen
        clerk.press("▼ 取消")
        assert "已存 1 笔" not in clerk.screen
        assert "请结算" in clerk.screen  # as a word of the last row
        clerk.sell("500")
        assert "已存 2 笔 请结算" in clerk.screen


def test_a_locked_terminal_settles_behind_its_lock(tmp_path: Path) -> None:
    at = (World().now() + timedelta(hours=1)).strftime("%H:%M")
    with Clerk(tmp_path, settlement__at=at) as clerk:
        clerk.sign_in()
        clerk.sell()
        clerk.press("▼ 9 5")
        assert clerk.state == "lock.locked"
        clerk.wait(4_000)
        assert clerk.state == "lock.locked"
        assert clerk.ledger.counters.batch_number == "000002"
        clerk.press("确认")
        clerk.press("0000 确认")
        assert clerk.state == "idle.ready"
        clerk.wait(10)
        assert "待打1" in clerk.screen


def test_what_ends_while_nobody_waits_for_it_is_told_on_idle(clerk: Clerk) -> None:
    clerk.sell()
    clerk.dialogue.money.settle("01")
    clerk.wait_for_state("settlement.ended")


def test_a_restored_ledger_settles_nothing_before_a_supervisor_has_confirmed_it(
    clerk: Clerk,
) -> None:
    clerk.sell()
    clerk.host_does("96", "settlement")
    clerk.press("▼ 7 确认")
    clerk.wait_for_state("settlement.unfinished")
    with clerk.ledger.commit("as a copy of the past"):
        clerk.ledger.settings.put("restored", True)
    clerk.press("确认")
    assert clerk.state == "blocked.shown"
    clerk.press("确认")
    assert clerk.state == "restored.told"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("digits", ["11", "12", "23", "33"])
def test_every_result_is_drawn_whole(tmp_path: Path, language: str, digits: str) -> None:
    with Clerk(tmp_path, terminal__language=language) as clerk:
        settlement = _a_settlement(clerk, digits)
        clerk.dialogue.form.settlement = settlement
        assert lay_out(ended_screen(clerk.dialogue), "", 0, 16, 4).cut == ()
        reasons = ("not_connected", "no_answer", "no_result", "sign_in_failed", "")
        for reason in reasons:
            clerk.dialogue.form.refusal = reason
            assert lay_out(unfinished_screen(clerk.dialogue), "", 0, 16, 4).cut == ()
        for step in SettlementStep:
            clerk.dialogue.form.settling = SettlementProgress(step, 65, 65, 60.0)
            assert lay_out(waiting_screen(clerk.dialogue), "", 0, 16, 4).cut == ()


def _a_settlement(clerk: Clerk, digits: str) -> int:
    """Begun and answered with these results."""
    class_totals = f"{0:012d}{0:03d}" * 2
    with clerk.ledger.commit("answered"):
        batches = clerk.ledger.batches
        settlement = batches.begin("000001", "01", {}, totals_of([]).plain(), clerk.ledger.now())
        answer = "".join(class_totals + digit for digit in digits)
        batches.answered(settlement, "00", answer, [], clerk.ledger.now())
    return settlement


def test_a_settled_batch_goes_after_its_months_while_nobody_waits(clerk: Clerk) -> None:
    sale = clerk.sell()
    settle(clerk)
    clerk.stage.world.step_clock(timedelta(days=700))
    clerk.core.look_after_ledger()
    assert clerk.ledger.transactions.get(sale.id).stan == sale.stan
    clerk.stage.world.step_clock(timedelta(days=60))
    for _bite in range(10):  # its transactions, its orders, then the batch itself
        clerk.core.look_after_ledger()
    with pytest.raises(KeyError):
        clerk.ledger.transactions.get(sale.id)
    assert "没有结算单" in clerk.press("▼ 6 5")
