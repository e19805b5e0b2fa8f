"""系统错误: one that leads back to idle, and one that stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posd.terminal.machine import IDLE, STAY, Flow, Row, Step, no_time_out, result_seconds
from posd.terminal.screens import Screen
from posd.texts.errors import ErrorCode

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue


def shown_screen(dialogue: Dialogue) -> Screen:
    return _screen(dialogue, "hint.confirm")


def halted_screen(dialogue: Dialogue) -> Screen:
    return _screen(dialogue, "hint.call_technician")


def _screen(dialogue: Dialogue, hint: str) -> Screen:
    code = dialogue.form.code
    known = f"error.{code}.text"
    name = known if dialogue.catalogue.has(known) else f"error.{ErrorCode.UNEXPECTED}.text"
    return Screen(
        dialogue.text("title.fault", code=code), (dialogue.text(name),), dialogue.text(hint)
    )


FLOW = Flow(
    "fault",
    (
        Step("shown", shown_screen, result_seconds, returns=False, help="fault"),
        Step("halted", halted_screen, no_time_out, returns=False),
    ),
    (
        Row("shown", "confirm", None, IDLE),
        Row("shown", "clear", None, IDLE),
        Row("halted", "cancel", None, STAY),
        Row("halted", "function", None, STAY),
        Row("halted", "timeout", None, STAY),
    ),
)
