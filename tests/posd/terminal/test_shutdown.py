"""The end at the keypad: who ended it is written down first, and nothing happens afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.core.ending import Ending
from posd.core.events import Key, KeyPressed
from tests.posd.terminal.rig import Clerk


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[Clerk]:
    with Clerk(tmp_path) as clerk:
        clerk.sign_in()
        yield clerk


@pytest.mark.parametrize(("digit", "ending"), [("1", Ending.RESTART), ("2", Ending.SHUT_DOWN)])
def test_who_ended_it_is_on_the_disk_before_it_ends(
    clerk: Clerk, digit: str, ending: Ending
) -> None:
    clerk.press(f"确认 9 9 123456 确认 {digit}")
    terminal = clerk.terminal
    clerk.press("确认")
    assert terminal.core.ending is ending
    clerk.wait(3)
    if not clerk.stage.powered:
        assert ending is Ending.SHUT_DOWN
        clerk.stage.power_on()
    entries = [entry[1:3] for entry in clerk.ledger.audit.entries()]
    assert entries[-1] == ("00", f"terminal_{ending}")


def test_nothing_is_taken_after_the_end(clerk: Clerk) -> None:
    clerk.press("确认 9 9 123456 确认 2")
    terminal = clerk.terminal
    clerk.press("确认")
    commits, screens = terminal.ledger.commits, len(clerk.stage.witness.screens)
    terminal.core.handle(KeyPressed(Key.D1))
    clerk.wait(400)
    assert len(clerk.stage.witness.screens) == screens
    assert terminal.ledger.commits == commits
    assert "可以断电" in clerk.screen


def test_while_the_host_is_about_to_answer_it_does_not_end(clerk: Clerk) -> None:
    clerk.press("确认 9 9 123456 确认 1")
    clerk.core.money.echo(lambda _exchange: None)
    assert "线路正忙" in clerk.press("确认")
    assert clerk.core.ending is None
    clerk.wait(2)
    clerk.press("确认")
    clerk.wait_for("请刷卡或输入金额")


def test_without_the_supervisor_nobody_ends_it(clerk: Clerk) -> None:
    clerk.press("确认 9 9 0000 确认")
    assert clerk.state == "shutdown.password"
    clerk.wait(200)
    assert clerk.state == "idle.ready"
