"""The lock holds whatever happens behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from posd.ledger.records import State
from tests.posd.terminal.rig import Clerk


@pytest.fixture
def locked(tmp_path: Path) -> Clerk:
    clerk = Clerk(tmp_path)
    clerk.sign_in()
    clerk.press("确认 9 5")
    assert clerk.state == "lock.locked"
    return clerk


def test_it_is_written_down_who_locked_and_who_opened(locked: Clerk) -> None:
    with locked as clerk:
        clerk.press("1 123456 确认")
        entries = [(who, what, dict(more)) for _, who, what, more in clerk.ledger.audit.entries()]
        assert entries[-2:] == [
            ("01", "terminal_locked", {}),
            ("00", "terminal_unlocked", {"locked_by": "01"}),
        ]


def test_a_fault_of_ours_does_not_open_it(locked: Clerk) -> None:
    with locked as clerk:
        clerk.dialogue.fault("E900")
        clerk.dialogue.refresh()
        clerk.press("确认")
        assert clerk.state == "lock.locked"


def test_nothing_opens_it_but_a_password(locked: Clerk) -> None:
    with locked as clerk:
        for keys in ("取消", "清除", "0", "9", "▲", "▼", "功能 取消", "确认 取消", "1 清除"):
            clerk.press(keys)
            clerk.wait(200)
            assert clerk.state == "lock.locked", keys
        clerk.swipe()
        assert clerk.state == "lock.locked"
        clerk.restart()
        assert clerk.state == "lock.locked"


def test_what_nobody_has_seen_is_shown_when_it_is_opened(tmp_path: Path) -> None:
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        clerk.host_does("no-answer", "sale")
        clerk.pay("5500")
        clerk.wait(1)
        clerk.restart()
        clerk.press("取消")
        clerk.press("▼ 9 5")
        assert clerk.state == "lock.locked"
        clerk.stage.let_pass(200, lambda: not clerk.ledger.transactions.in_states(State.REVERSING))
        assert clerk.state == "lock.locked"
        clerk.press("确认 0000 确认")
        assert clerk.state == "last.shown"
        assert "55.00" in clerk.screen


def test_an_operator_who_is_gone_leaves_the_lock_to_the_supervisor(locked: Clerk) -> None:
    with locked as clerk:
        with clerk.ledger.commit("gone"):
            clerk.ledger.operators.remove("01")
        assert "主管密码" in clerk.press("确认")
        clerk.press("123456 确认")
        assert clerk.state == "idle.ready"
