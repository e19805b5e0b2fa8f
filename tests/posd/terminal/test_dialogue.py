"""What holds in every step: help, time-outs, answers to keys, prompts, faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from posd.core.events import Key, KeyPressed, PasswordChecked, PinEntered, SecretTyped
from tests.posd.terminal.rig import Clerk


def test_help_shows_pages_and_any_other_key_leads_back(clerk: Clerk) -> None:
    before = clerk.press("123")
    first = clerk.press("功能")
    assert "请输入金额" in first
    second = clerk.press("功能")
    assert second != first
    assert clerk.press("5") == before


def test_after_its_last_page_help_leads_back(clerk: Clerk) -> None:
    before = clerk.press("123")
    pages = len(clerk.dialogue.catalogue.pages("help.amount")) + len(["whom to call"])
    clerk.press("功能 " * pages)
    assert clerk.screen != before
    assert clerk.press("功能") == before


def test_the_last_page_of_help_says_whom_to_call(tmp_path: Path) -> None:
    with Clerk(tmp_path, terminal__hotline="95516") as clerk:
        pages = len(clerk.dialogue.catalogue.pages("help.idle")) + 1
        assert "95516" in clerk.press("功能 " * pages)


def test_help_goes_when_the_screen_below_it_changes(clerk: Clerk) -> None:
    clerk.host_does("slow", "sale")
    clerk.pay()
    clerk.wait(0.5)
    assert "不能取消" in clerk.press("功能")
    clerk.wait_for("交易成功")


def test_help_is_there_in_a_password_prompt_and_typing_goes_on(clerk: Clerk) -> None:
    clerk.press("确认 1 12")
    clerk.press("功能")
    assert "***" in clerk.press("3")


def test_a_key_without_meaning_is_answered(clerk: Clerk) -> None:
    clerk.press("确认 9 8")
    assert "此键无效" in clerk.press("5")


def test_a_card_at_the_wrong_moment_is_answered(clerk: Clerk) -> None:
    clerk.press("确认")
    assert "现在不用刷卡" in clerk.swipe("nopin")


def test_a_handled_key_starts_the_time_out_anew(clerk: Clerk) -> None:
    clerk.press("1")
    clerk.wait(50)
    clerk.press("2")
    clerk.wait(50)
    assert clerk.state == "sale.amount"
    clerk.wait(11)
    assert clerk.state == "idle.ready"


def test_typing_a_password_starts_the_time_out_anew(clerk: Clerk) -> None:
    clerk.press("确认 1")
    clerk.wait(50)
    clerk.press("1")
    clerk.wait(50)
    assert clerk.state == "void.password"


def test_stars_are_all_that_is_seen_of_a_password(clerk: Clerk) -> None:
    clerk.press("确认 1")
    assert "123" not in clerk.press("123")
    assert "***" in clerk.screen
    assert "123" not in repr(clerk.dialogue.form)


@pytest.mark.parametrize(
    "event", [SecretTyped(1, 3), PasswordChecked(1, matches=True), PinEntered(1, None)]
)
def test_what_comes_of_a_closed_prompt_is_dropped_and_counted(
    clerk: Clerk, event: SecretTyped | PasswordChecked | PinEntered
) -> None:
    clerk.press("确认 1 取消 确认 1")
    clerk.tell(event)
    assert clerk.state == "void.password"
    assert "*" not in clerk.screen
    assert clerk.dialogue.prompts.stale == 1


def test_a_right_password_that_comes_after_leaving_opens_nothing(clerk: Clerk) -> None:
    clerk.press("确认 1 取消")
    clerk.tell(PasswordChecked(1, matches=True))
    assert clerk.state == "idle.ready"


def test_after_a_fault_the_clerk_sees_its_code_and_then_idle(clerk: Clerk) -> None:
    clerk.press("123")
    clerk.dialogue.fault("E900")
    clerk.dialogue.refresh()
    assert "系统错误 E900" in clerk.screen
    clerk.wait(21)
    assert clerk.state == "idle.ready"
    assert "0.01" in clerk.press("1")


def test_a_fault_closes_an_open_prompt(clerk: Clerk) -> None:
    clerk.press("确认 1 12")
    clerk.dialogue.fault("E900")
    clerk.press("确认")
    assert "0.05" in clerk.press("5")


def test_an_unknown_code_is_shown_as_it_is(clerk: Clerk) -> None:
    clerk.dialogue.fault("E777")
    clerk.dialogue.refresh()
    assert "E777" in clerk.screen


def test_a_halted_terminal_stays_halted_whatever_happens(clerk: Clerk) -> None:
    clerk.dialogue.halt("E901")
    assert "系统错误 E901" in clerk.screen
    for key in Key:
        clerk.dialogue.handle(KeyPressed(key))
        clerk.dialogue.handle(KeyPressed(key))
    clerk.dialogue.refresh()
    clerk.wait(1000)
    assert "系统错误 E901" in clerk.screen


def test_english_is_spoken_where_it_is_configured(tmp_path: Path) -> None:
    with Clerk(tmp_path, terminal__language="en") as clerk:
        assert "Signed off" in clerk.screen
        clerk.press("确认")
        clerk.wait_for("Signed in")
        clerk.pay()
        clerk.wait_for("Approved")
