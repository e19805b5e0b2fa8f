"""Training mode: the way in, the way out, and which of the two worlds this is.

Going in ends this life of the terminal; the next one has a ledger, keys and a host of its own. The
live ledger remembers that it was left, so that the first thing after any restart is to say that the
terminal is live again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posd.core.ending import Ending
from posd.core.events import KeyPressed
from posd.ledger.records import State
from posd.money.money import Refusal
from posd.terminal.choices import Item, choice
from posd.terminal.exchange import refusal_text
from posd.terminal.fields import supervisor_password
from posd.terminal.machine import IDLE, Part, Row, Step, assemble, no_time_out
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

DOOR: Final = "training.door"
OVER: Final = "training.over"
WELCOME: Final = "training.welcome"
_LEFT: Final = "left_for_training"
_WELCOMED: Final = "welcomed"
_OWN_OBSTACLES: Final = {
    "not_offered": "result.training_not_offered",
    "pending": "result.training_pending",
    Refusal.REVERSAL_PENDING: "result.training_pending",
}
_NO_OBSTACLE: Final = frozenset({None, Refusal.NOT_SIGNED_IN, Refusal.BATCH_FULL})


# --- which world ----------------------------------------------------------------------------------


def is_training(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.configuration.is_training


def was_in_training(dialogue: Dialogue, _event: object) -> bool:
    """Is this the first start of the live terminal after a training, however that ended?"""
    return bool(dialogue.ledger.settings.get(_LEFT, False))


def is_new_here(dialogue: Dialogue, event: object) -> bool:
    """Has a training just begun? Not after the power cut of a drill."""
    return is_training(dialogue, event) and not dialogue.ledger.settings.get(_WELCOMED, False)


def obstacle(dialogue: Dialogue) -> str:
    """Why no training may begin now: something is pending, and must be seen to its end first."""
    money = dialogue.money
    if not dialogue.configuration.training.offered:
        return "not_offered"
    refusal = money.refusal()
    if refusal not in _NO_OBSTACLE:
        return str(refusal)
    if money.busy or dialogue.ledger.transactions.in_states(State.PENDING):
        return "pending"
    return ""


def is_impossible(dialogue: Dialogue, _event: object) -> bool:
    return obstacle(dialogue) != ""


# --- what is done ---------------------------------------------------------------------------------


def begin(dialogue: Dialogue) -> None:
    dialogue.next()


def keep_obstacle(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.refusal = obstacle(dialogue)


def enter(dialogue: Dialogue, _event: KeyPressed) -> None:
    form, ledger = dialogue.form, dialogue.ledger
    with ledger.commit("training"):
        ledger.settings.put(_LEFT, True)
        ledger.audit.add(ledger.now(), form.supervisor, "training_entered")
    dialogue.ending = Ending.TRAINING


def leave(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.ending = Ending.LIVE


def note_live_again(dialogue: Dialogue, _event: object) -> None:
    ledger = dialogue.ledger
    with ledger.commit("training"):
        ledger.settings.put(_LEFT, False)
        ledger.audit.add(ledger.now(), dialogue.money.operator, "training_left")


def note_welcomed(dialogue: Dialogue, _event: object) -> None:
    with dialogue.ledger.commit("training"):
        dialogue.ledger.settings.put(_WELCOMED, True)


def go_on(dialogue: Dialogue, _event: object) -> None:
    """What else a start has to show."""
    dialogue.next("power_up")


# --- screens --------------------------------------------------------------------------------------


def door_screen(dialogue: Dialogue) -> Screen:
    return Screen(dialogue.text("title.training"))  # never seen: what follows comes at once


def told_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.training"),
        (dialogue.text("result.training_meaning"), dialogue.text("result.training_end")),
        dialogue.text("hint.confirm_goes_on"),
    )


def sure_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.training"),
        (dialogue.text("result.training_sure"),),
        dialogue.text("hint.confirm_training"),
    )


def refused_screen(dialogue: Dialogue) -> Screen:
    own = _OWN_OBSTACLES.get(dialogue.form.refusal)
    return Screen(
        dialogue.text("title.training_refused"),
        (refusal_text(dialogue) if own is None else dialogue.text(own),),
        dialogue.text("hint.confirm"),
    )


def going_screen(dialogue: Dialogue) -> Screen:
    return Screen(dialogue.text("title.training"), (dialogue.text("line.restart"),))


def welcome_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.training"),
        (
            dialogue.text("line.training_cards"),
            dialogue.text("line.training_operator"),
            dialogue.text("line.training_supervisor"),
            dialogue.text("line.training_way_out"),
        ),
        dialogue.text("hint.confirm_goes_on"),
    )


def over_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.training_over"),
        (dialogue.text("result.training_over"),),
        dialogue.text("hint.confirm"),
    )


def _read(step: str) -> tuple[Row, ...]:
    """However it is left, what else the start has to show comes after it."""
    return tuple(
        Row(step, event, None, IDLE, go_on) for event in ("confirm", "cancel", "clear", "timeout")
    )


FLOW = assemble(
    "training",
    Part(
        (
            Step("door", door_screen, returns=False, opens=begin, help="training"),
            Step("told", told_screen, returns=False, help="training"),
        ),
        (
            Row("door", "next", is_training, "room"),
            Row("door", "next", is_impossible, "refused", keep_obstacle),
            Row("door", "next", None, "told"),
            Row("told", "confirm", None, "password"),
            Row("told", "clear", None, "menu.manage"),
        ),
    ),
    supervisor_password("sure"),
    choice(
        "room",
        "title.training",
        (
            Item("1", "menu.drill", "drill.what"),
            Item("2", "menu.training_leave", "leaving", leave),
        ),
        help="training_room",
    ),
    Part(
        (
            Step("sure", sure_screen, returns=False, help="training"),
            Step("refused", refused_screen, returns=False, help="training"),
            Step("entering", going_screen, no_time_out, returns=False, help="training"),
            Step("leaving", going_screen, no_time_out, returns=False, help="training_room"),
            Step("welcome", welcome_screen, returns=False, help="training_room"),
            Step("over", over_screen, returns=False, help="training_over"),
        ),
        (
            Row("sure", "confirm", is_impossible, "refused", keep_obstacle),
            Row("sure", "confirm", None, "entering", enter),
            Row("sure", "clear", None, IDLE),
            Row("refused", "confirm", None, IDLE),
            Row("refused", "clear", None, IDLE),
            *_read("welcome"),
            *_read("over"),
            Row("room", "clear", None, "menu.manage"),
        ),
    ),
)
