"""A ledger that was put back from a backup: what that means, what is in doubt, and a supervisor's word.

Until then the terminal is closed. Afterwards it signs in at once: the keys it holds are of the past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posd.money.money import Refusal
from posd.terminal.cases import choose_next, choose_previous, list_screen
from posd.terminal.fields import supervisor_password
from posd.terminal.flows.sign_in import SIGN_IN
from posd.terminal.machine import STAY, Part, Row, Step, assemble
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue


def is_restored(dialogue: Dialogue, _event: object) -> bool:
    """Does the ledger wait for a supervisor?"""
    return dialogue.money.refusal() is Refusal.RESTORED


def told_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.restored"),
        (
            dialogue.text("result.restored_meaning"),
            dialogue.text("result.restored_check"),
        ),
        dialogue.text("hint.confirm_list"),
    )


def shown_list(dialogue: Dialogue) -> Screen:
    return list_screen(dialogue, "hint.confirm_restored")


def confirm(dialogue: Dialogue, _event: object) -> None:
    dialogue.money.confirm_restored(dialogue.form.supervisor)


FLOW = assemble(
    "restored",
    Part(
        (
            Step("told", told_screen, help="restored"),
            Step("list", shown_list, ticks=True, help="restored_list"),
        ),
        (
            Row("told", "confirm", None, "list"),
            Row("list", "confirm", None, "password"),
            Row("list", "up", None, STAY, choose_previous),
            Row("list", "down", None, STAY, choose_next),
            Row("list", "tick", None, STAY),
        ),
    ),
    supervisor_password(SIGN_IN, confirm),
)
