"""What is said when a script does not go as it says, word for word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from posd.testing.in_process import InProcessStage
from posd.testing.player import ExpectationError, Player
from posd.testing.script import ScriptError, parse
from posd.testing.stage import Stage

SIGNED_IN = """\
start
expect screen 未签到
press 确认
expect screen 请刷卡或输入金额
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with closing(InProcessStage(tmp_path)) as stage:
        yield stage


def report(stage: Stage, lines: str, before: str = SIGNED_IN) -> list[str]:
    """What the failing script says, line by line."""
    with pytest.raises(ExpectationError) as error:
        Player(parse(before + lines, "day.clerk"), stage).play()
    return str(error.value).splitlines()


def test_a_wrong_screen_is_shown_in_a_box_below_file_and_line(stage: Stage) -> None:
    assert report(stage, "wait 6 s\nexpect screen 交易成功 within 1 s") == [
        "day.clerk:6: expected on the screen: 交易成功",
        "the screen:",
        "┌────────────────┐",
        "│    测试商户    │",
        "│请刷卡或输入金额│",
        "│                │",
        "│已签到 测试     │",
        "└────────────────┘",
    ]


def test_texts_that_stand_on_two_screens_stand_on_none(stage: Stage) -> None:
    found = report(stage, "press 5 取消\nexpect screen 请刷卡或输入金额 | 0.05 within 1 s")
    assert found[0] == "day.clerk:6: expected on the screen: 请刷卡或输入金额 | 0.05"


def test_a_screen_that_should_not_be_there_is_shown(stage: Stage) -> None:
    found = report(stage, "expect no screen 请刷卡")
    assert found[0] == "day.clerk:5: expected not on the screen: 请刷卡"
    assert "│请刷卡或输入金额│" in found


def test_a_screen_that_comes_too_early_is_noticed_within_the_time(stage: Stage) -> None:
    lines = (
        "host does slow to next sign in\npress 取消 确认 9 1\nexpect no screen 签到成功 for 60 s"
    )
    found = report(stage, lines)
    assert found[0] == "day.clerk:7: expected not on the screen: 签到成功"


def test_paper_that_did_not_come_shows_the_screen_instead(stage: Stage) -> None:
    found = report(stage, "expect paper 消费/SALE within 1 s")
    assert found[:3] == [
        "day.clerk:5: expected on paper: 消费/SALE",
        "no paper came out",
        "the screen:",
    ]


SOLD = """\
press 700 确认
expect screen 请刷卡
swipe nopin
expect screen 请持卡人输密码
press 确认
expect screen 请撕纸
"""


def test_the_wrong_paper_is_shown(stage: Stage) -> None:
    found = report(stage, SOLD + "expect paper RMB 8.00 within 1 s")
    assert found[:2] == ["day.clerk:11: expected on paper: RMB 8.00", "the paper:"]
    assert " RMB 7.00" in found


def test_texts_on_two_slips_are_on_none(stage: Stage) -> None:
    lines = "press 确认\nexpect paper 商户存根 | 持卡人存根 within 1 s"
    assert report(stage, SOLD + lines)[0] == (
        "day.clerk:12: expected on paper: 商户存根 | 持卡人存根"
    )


def test_paper_that_should_not_have_come_is_shown(stage: Stage) -> None:
    found = report(stage, SOLD + "expect no paper")
    assert found[:2] == ["day.clerk:11: expected no paper", "the paper:"]


def test_a_slip_is_taken_once(stage: Stage) -> None:
    lines = "expect paper 商户存根\nexpect paper 商户存根 within 1 s"
    assert report(stage, SOLD + lines)[0] == "day.clerk:12: expected on paper: 商户存根"


def test_what_the_host_received_instead_is_listed_and_masked(stage: Stage) -> None:
    found = report(stage, SOLD + "expect host 0200 4=000000000800 within 1 s")
    assert found[0] == "day.clerk:11: expected at the host: 0200 4=000000000800"
    assert found[1] == "the host received:"
    assert found[2].startswith("  0800 ")
    assert found[3].startswith("  0200 ")
    assert "4=000000000700" in found[3]
    assert "6225000000000048" not in "\n".join(found)


def test_an_element_that_should_be_absent_or_present_is_looked_for(stage: Stage) -> None:
    lines = "expect host 0200 35=present 52=absent\nexpect host 0200 52=present within 1 s"
    assert report(stage, SOLD + lines)[:2] == [
        "day.clerk:12: expected at the host: 0200 52=present",
        "the host received nothing",
    ]


def test_a_request_that_should_not_have_been_made_is_listed(stage: Stage) -> None:
    found = report(stage, "expect host nothing")
    assert found[:2] == ["day.clerk:5: expected nothing at the host", "the host received:"]
    assert found[2].startswith("  0800 ")


def test_a_terminal_that_should_be_off_shows_its_screen(stage: Stage) -> None:
    found = report(stage, "expect off within 1 s")
    assert found[:2] == ["day.clerk:5: expected a terminal that is off", "the screen:"]


def test_a_wrong_state_is_named_with_the_one_that_was_found(stage: Stage) -> None:
    found = report(stage, SOLD + "expect ledger last declined within 1 s")
    assert found[0] == (
        "day.clerk:11: expected in the ledger: transaction last declined, found approved"
    )


def test_a_transaction_that_is_not_there_is_named(stage: Stage) -> None:
    found = report(stage, "expect ledger 77 approved within 1 s")
    assert found[0] == (
        "day.clerk:5: expected in the ledger: transaction 000077 approved, found none"
    )


def test_a_wrong_order_is_named(stage: Stage) -> None:
    found = report(stage, SOLD + "expect order last unpaid within 1 s")
    assert found[0] == "day.clerk:11: expected in the ledger: order last unpaid, found paid"


def test_a_pattern_that_is_nowhere_shows_the_newest_slip(stage: Stage) -> None:
    lines = "expect paper 商户存根\nremember x from paper 桌号 *"
    found = report(stage, SOLD + lines)
    assert found[:2] == ["day.clerk:12: expected 桌号 * on the paper", "the newest slip:"]


def test_a_voucher_of_no_transaction_is_named(stage: Stage) -> None:
    found = report(stage, "press {voucher}")
    assert found == ["day.clerk:5: expected a transaction in the ledger, for {voucher}; found none"]


def test_a_power_cut_while_waiting_needs_somebody_who_waits(stage: Stage) -> None:
    found = report(stage, "power cut while waiting")
    assert found[0] == "day.clerk:5: expected a request that the host has not answered"


def test_ledgers_that_disagree_are_shown_transaction_by_transaction(stage: Stage) -> None:
    lines = """\
host does no-answer to next sale
press 700 确认
expect screen 请刷卡
swipe nopin
expect screen 请持卡人输密码
press 确认
expect screen 正在处理
agree within 1 s
"""
    assert report(stage, lines) == [
        "day.clerk:12: expected ledgers that agree",
        "terminal and acquirer DO NOT AGREE: 1 transactions,"
        " 0.00 at the terminal, 7.00 at the acquirer",
        "  voucher 000003 of batch 000001: sale 7.00 open at the terminal,"
        " sale 7.00 approved at the acquirer; it is not finished",
        "  in sum: 0.00 and 7.00",
    ]


def test_both_ledgers_are_compared_at_the_end_without_being_asked(stage: Stage) -> None:
    lines = """\
host does no-answer to next sale
host does lost to next 500 reversal
press 700 确认
expect screen 请刷卡
swipe nopin
expect screen 请持卡人输密码
press 确认
"""
    assert report(stage, lines)[0] == "day.clerk:11: expected ledgers that agree"


def test_a_setting_that_the_terminal_does_not_know_is_named_with_its_line(stage: Stage) -> None:
    script = parse("set host.anser_seconds = 5\nstart\n", "day.clerk")
    with pytest.raises(ScriptError, match=r"^day\.clerk:1: host\.anser_seconds: expected one of"):
        Player(script, stage).play()


def test_power_that_is_on_cannot_be_put_on(stage: Stage) -> None:
    assert report(stage, "power on") == ["day.clerk:5: the terminal has power already"]


def test_a_key_without_power_is_an_error_of_the_script(stage: Stage) -> None:
    assert report(stage, "power cut\npress 1") == ["day.clerk:6: the terminal has no power"]
