"""演练, in training only: which fault is to be played, and what should have been done about it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from posd.core.events import KeyPressed
from posd.terminal.choices import Item, choice
from posd.terminal.drills import DRILLS, DrillInProgress
from posd.terminal.machine import IDLE, Part, Row, Step, assemble
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

OVER: Final = "drill.over"


def is_over(dialogue: Dialogue, _event: object) -> bool:
    """Has its fault been met, and everything about it been done?"""
    return dialogue.drill is not None and dialogue.drill.was_met


def begin(fault: str, dialogue: Dialogue, _event: KeyPressed) -> None:
    """From here on the clerk is at idle, and is told there what to do first."""
    drills = dialogue.ports.drills
    assert drills is not None, "there is a way here in training only"
    dialogue.drill = DrillInProgress.begin(fault, dialogue.ledger, drills)


def sum_up(dialogue: Dialogue) -> None:
    """What should have been done, page by page, and the end of the drill."""
    drill, dialogue.drill = dialogue.drill, None
    assert drill is not None
    drill.end(dialogue.ledger)
    dialogue.form.reason = drill.drill.name
    dialogue.show_pages(drill.drill.over)


def over_screen(dialogue: Dialogue) -> Screen:
    fault = dialogue.form.reason or next(iter(DRILLS))
    return Screen(
        dialogue.text("title.drill_over"),
        (dialogue.text(f"menu.drill_{fault}"), dialogue.text("line.drill_done")),
        dialogue.text("hint.confirm_drill"),
    )


FLOW = assemble(
    "drill",
    choice(
        "what",
        "title.drill",
        tuple(
            Item(str(digit), f"menu.drill_{fault}", IDLE, partial(begin, fault))
            for digit, fault in enumerate(DRILLS, 1)
        ),
        help="drill",
    ),
    Part(
        (Step("over", over_screen, returns=False, opens=sum_up, help="drill"),),
        (
            Row("over", "confirm", None, "what"),
            Row("over", "clear", None, IDLE),
            Row("what", "clear", None, IDLE),
        ),
    ),
    before="training.room",
)
