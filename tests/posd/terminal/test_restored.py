"""A ledger that was put back from a copy: the clerk is told, and a supervisor confirms the list."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.ledger.records import State
from posd.money.money import Refusal
from tests.posd.terminal.rig import Clerk


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[Clerk]:
    """A copy taken while a sale waited for its answer, put back after the sale was reversed."""
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        ledger = clerk.stage.installation.state_directory / "ledger.db"
        clerk.host_does("no-answer", "sale")
        clerk.pay()
        clerk.wait(1)
        clerk.stage.power_cut()
        copy = tmp_path / "copy.db"
        shutil.copyfile(ledger, copy)
        clerk.stage.power_on()
        clerk.wait_for("已冲正")
        clerk.stage.power_cut()
        for suffix in ("-wal", "-shm"):
            Path(f"{ledger}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(copy, ledger)
        clerk.stage.power_on()
        yield clerk


def test_the_clerk_is_told_at_once_what_it_means(restored: Clerk) -> None:
    said = restored.screen + restored.press("▼ ▼")
    assert "账本已恢复" in said
    assert "这是以前的备份" in said
    assert "请用签购单核对" in said


def test_until_a_supervisor_has_confirmed_nothing_is_sold(restored: Clerk) -> None:
    sent = len(restored.stage.witness.received)
    restored.press("取消")
    assert "待确认" in restored.screen
    restored.press("5")
    assert "E302" in restored.screen + restored.press("▼ ▼")
    restored.wait(1000)
    assert restored.dialogue.money.refusal() is Refusal.RESTORED
    kinds = [received.mti for received in restored.stage.witness.received[sent:]]
    assert set(kinds) <= {"0800"}, "it signs in, and reverses nothing by itself"


def test_a_supervisor_sees_the_list_confirms_it_and_the_terminal_signs_in(restored: Clerk) -> None:
    restored.press("取消 5")
    assert "账本已恢复" in restored.press("确认")
    case = restored.ledger.transactions.last("sale", *State)
    assert case is not None
    assert case.state is State.UNRESOLVED
    assert f"{case.stan} 人工" in restored.press("确认")
    assert "主管密码" in restored.press("确认")
    restored.press("123456 确认")
    restored.wait_for("签到成功")
    assert restored.dialogue.money.refusal() is None
    audit = [entry[1:3] for entry in restored.ledger.audit.entries()]
    assert audit[-2:] == [("00", "restored_confirmed"), ("01", "signed_in")]
    restored.sell("100")
    assert "人工" in restored.press("确认 8 5"), "the case stays until it is closed"


def test_a_wrong_password_confirms_nothing(restored: Clerk) -> None:
    restored.press("确认 确认 654321 确认")
    assert "密码错" in restored.screen
    assert restored.dialogue.money.refusal() is Refusal.RESTORED


def test_after_the_word_of_a_supervisor_it_is_not_told_again(restored: Clerk) -> None:
    restored.press("确认 确认 123456 确认")
    restored.wait_for("签到成功")
    restored.restart()
    assert not restored.state.startswith("restored")
