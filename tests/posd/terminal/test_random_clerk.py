"""A clerk who presses anything at any time, with a host, a printer and power that fail: nothing escapes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from posd.acquirer.cards import CARDS
from posd.core.events import Key
from posd.terminal.machine import IDLE
from posd.texts import LANGUAGES
from tests.posd.terminal.rig import Clerk

MOVES = 400
HOST_FAULTS = ("no-answer", "cut", "wrong-mac", "late", "lost", "51", "25", "slow")
USEFUL = [*(Key(digit) for digit in "0012345689"), *[Key.CONFIRM] * 7, *Key]

ASK_NEW_PASSWORD = ("operators.added", "operators.renewed", "password_change.new")


def move(clerk: Clerk, chance: random.Random) -> None:
    match chance.choices(range(8), (60, 12, 6, 10, 5, 3, 2, 2))[0]:
        case 0:
            clerk.stage.press(chance.choice(USEFUL))
        case 1:
            clerk.stage.swipe(chance.choice(CARDS).name, "good")
        case 2:
            clerk.stage.swipe("good", chance.choice(("garbled", "half")))
        case 3:
            clerk.wait(chance.choice((0.1, 1.0, 10.0, 65.0, 310.0)))
        case 4:
            clerk.host_does(chance.choice(HOST_FAULTS))
        case 5:
            clerk.stage.link(up=chance.random() < 0.7)
        case 6:
            clerk.stage.paper_out(chance.randrange(30))
            clerk.stage.load_paper() if chance.random() < 0.5 else clerk.stage.plug(
                "printer", plugged=True
            )
        case 7:
            clerk.restart()


def say_the_password(clerk: Clerk, chance: random.Random) -> None:
    """Now and then the right one, or nothing behind it would ever be seen."""
    if clerk.state.endswith("password") and chance.random() < 0.5:
        clerk.press("0000 确认" if clerk.state.startswith("sale") else "123456 确认")


def switch_on_again(clerk: Clerk) -> None:
    """It was restarted, or shut down, or the power was cut by a drill."""
    if not clerk.stage.powered:
        clerk.wait(5)
    if not clerk.stage.powered:
        clerk.stage.power_on()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_pressed_nothing_escapes_and_every_screen_is_whole(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    with Clerk(tmp_path, terminal__language=chance.choice(LANGUAGES)) as clerk:
        seen = set()
        for _ in range(MOVES):
            move(clerk, chance)
            switch_on_again(clerk)
            say_the_password(clerk, chance)
            switch_on_again(clerk)
            seen.add(clerk.state)
            assert clerk.dialogue.cut == (), clerk.rows
            assert clerk.core.faults == 0
        clerk.stage.link(up=True)
        clerk.stage.load_paper()
        clerk.wait(4000)
        clerk.press("取消 取消 取消 取消")
        if clerk.state == "lock.locked":
            clerk.press("1 123456 确认 取消")
        assert clerk.state == IDLE
        assert len(seen) > 8, "the walk went nowhere"


def manage(clerk: Clerk, chance: random.Random) -> None:
    """Somebody who knows the passwords and the way, most of the time."""
    state = clerk.state
    if state == IDLE and chance.random() < 0.7:
        clerk.press("取消 ▼ 9")
    elif state.endswith(("password", "operator", "supervisor")) and chance.random() < 0.6:
        own = state.startswith(("sign_in", "lock.operator", "password_change"))
        clerk.press("0000 确认" if own and chance.random() < 0.8 else "123456 确认")
    elif state in ASK_NEW_PASSWORD and chance.random() < 0.6:
        clerk.press("471111 确认")
        if clerk.state in ASK_NEW_PASSWORD:
            clerk.press("471111 确认")
    elif state in ("operators.add", "operators.delete", "operators.reset"):
        clerk.press(f"{chance.randrange(20):02d} 确认")


@pytest.mark.parametrize("seed", range(6))
def test_under_management_nothing_escapes_either_in_training_and_out_of_it(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    with Clerk(
        tmp_path,
        terminal__language=chance.choice(LANGUAGES),
        operators__sign_on=chance.choice(("never", "password")),
        training__answer_seconds=5,
    ) as clerk:
        seen = set()
        for _ in range(MOVES):
            move(clerk, chance)
            switch_on_again(clerk)
            manage(clerk, chance)
            switch_on_again(clerk)
            seen.add(clerk.state.partition(".")[0])
            assert clerk.dialogue.cut == (), clerk.rows
            assert clerk.core.faults == 0
        assert len(seen) > 5, "the walk went nowhere"
