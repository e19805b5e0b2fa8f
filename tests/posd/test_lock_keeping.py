"""The running time of lock-outs is written down, so that no restart begins one anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.posd.terminal.rig import Clerk


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Clerk]:
    """A supervisor who has just been locked out for five minutes."""
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        clerk.go_to_void("1")
        assert "请等待 5:00" in clerk.press("2 确认 3 确认")
        yield clerk


def test_a_lock_goes_on_through_any_number_of_restarts(locked: Clerk) -> None:
    for left in ("4:00", "3:00", "2:00", "1:00"):
        locked.wait(61)
        locked.restart()
        assert f"请等待 {left}" in locked.press("▲ 1")
        locked.press("取消")


def test_after_a_restart_it_is_written_down_minute_by_minute_too(locked: Clerk) -> None:
    locked.wait(61)
    locked.restart()
    locked.wait(121)
    locked.restart()
    assert "请等待 2:00" in locked.press("▲ 1")


def test_a_lock_that_ended_is_over_after_a_restart_and_the_next_one_is_longer(
    locked: Clerk,
) -> None:
    locked.wait(300)
    locked.restart()
    locked.press("▲ 1")
    assert locked.state == "void.password"
    locked.press("1 确认 2 确认")
    assert "请等待 10:00" in locked.press("3 确认")


def test_nothing_is_written_while_nothing_is_locked(locked: Clerk) -> None:
    locked.wait(601)
    before = locked.ledger.commits
    locked.wait(601)
    assert locked.ledger.commits == before
