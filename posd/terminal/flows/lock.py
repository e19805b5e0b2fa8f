"""The locked terminal: nothing but its operator's or the supervisor's password opens it, over restarts too.

The lock is in the ledger; idle leads here whenever it is entered meanwhile. What is on the host line
goes on, and is told after the lock.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from posd.core.events import PasswordChecked
from posd.terminal.choices import is_digit
from posd.terminal.fields import password, role_of, supervisor_password
from posd.terminal.flows.settlement import start_by_time
from posd.terminal.machine import IDLE, STAY, Part, Row, Step, assemble, no_time_out
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

LOCKED: Final = "lock.locked"
_SETTING: Final = "terminal_locked_by"


def locked_by(dialogue: Dialogue) -> str:
    """Whose lock it is; "" when there is none."""
    return str(dialogue.ledger.settings.get(_SETTING, ""))


def is_locked(dialogue: Dialogue, _event: object) -> bool:
    return locked_by(dialogue) != ""


def lock(dialogue: Dialogue, _event: object) -> None:
    ledger, who = dialogue.ledger, dialogue.money.operator
    with ledger.commit("terminal_locked"):
        ledger.settings.put(_SETTING, who)
        ledger.audit.add(ledger.now(), who, "terminal_locked")


def has_no_password(dialogue: Dialogue, _event: object) -> bool:
    """Does the operator who locked it exist no more? Then it is the supervisor's to open."""
    return dialogue.ledger.operators.get(locked_by(dialogue)) is None


def open_as_operator(dialogue: Dialogue, _event: PasswordChecked) -> None:
    _open(dialogue, locked_by(dialogue))


def open_as_supervisor(dialogue: Dialogue, _event: PasswordChecked) -> None:
    _open(dialogue, dialogue.form.supervisor)


def _open(dialogue: Dialogue, who: str) -> None:
    ledger = dialogue.ledger
    details = {"locked_by": locked_by(dialogue)}
    with ledger.commit("terminal_unlocked"):
        ledger.settings.put(_SETTING, "")
        ledger.audit.add(ledger.now(), who, "terminal_unlocked", details)
    dialogue.say("say.unlocked")
    dialogue.next("power_up")  # what a start would have shown, had the terminal been open


def screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.terminal_locked"),
        (
            dialogue.text("line.operator", operator=locked_by(dialogue)),
            dialogue.text("line.supervisor_key"),
        ),
        dialogue.text("hint.confirm_unlock"),
    )


def say_locked(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.terminal_locked")


_AS_OPERATOR = password(
    role_of(locked_by),
    locked_by,
    open_as_operator,
    IDLE,
    step="operator",
    locked="operator_locked",
    title="title.unlock",
)
_AS_SUPERVISOR = supervisor_password(
    IDLE, open_as_supervisor, step="supervisor", locked="supervisor_locked"
)

FLOW = assemble(
    "lock",
    Part(
        (Step("locked", screen, no_time_out, help="lock"),),
        (
            Row("locked", "confirm", has_no_password, "supervisor"),
            Row("locked", "confirm", None, "operator"),
            Row("locked", "digit", partial(is_digit, "1"), "supervisor"),
            Row("locked", "digit", None, STAY, say_locked),
            Row("locked", "card", None, STAY, say_locked),
            Row("locked", "cancel", None, STAY, say_locked),
            Row("locked", "clear", None, STAY, say_locked),
            Row("locked", "timeout", None, STAY),
            # at night a terminal is locked: it settles behind its lock, and the slip is kept
            Row("locked", "settlement_due", None, STAY, start_by_time),
        ),
    ),
    _AS_OPERATOR,
    _AS_SUPERVISOR,
)
