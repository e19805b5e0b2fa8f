"""Sign-in and sign-off: one press, the wait, the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices import columns as grid
from posd.core.events import MoneyProgress, SignInEnded
from posd.terminal.exchange import BLOCKED, keep_refusal, note_progress, say_please_wait
from posd.terminal.machine import (
    IDLE,
    STAY,
    Flow,
    Row,
    Step,
    no_time_out,
    result_seconds,
)
from posd.terminal.screens import Screen
from protocol.response_codes import look_up

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue


def start_sign_in(dialogue: Dialogue, _event: object) -> None:
    dialogue.money.sign_in(dialogue.money.operator)


def start_sign_off(dialogue: Dialogue, _event: object) -> None:
    dialogue.money.sign_off()


def keep_failure(dialogue: Dialogue, event: SignInEnded) -> None:
    dialogue.form.refusal = event.reason
    dialogue.form.code = event.code


def say_signed_in(dialogue: Dialogue, _event: SignInEnded) -> None:
    dialogue.say("say.signed_in", operator=dialogue.money.operator)


def say_signed_off(dialogue: Dialogue, _event: SignInEnded) -> None:
    dialogue.say("say.signed_off")


def waiting_screen(dialogue: Dialogue) -> Screen:
    return _waiting(dialogue, "title.sign_in")


def leaving_screen(dialogue: Dialogue) -> Screen:
    return _waiting(dialogue, "title.sign_off")


def _waiting(dialogue: Dialogue, title: str) -> Screen:
    phase = dialogue.form.phase
    doing = dialogue.text(f"line.phase_{phase.value}" if phase else "line.phase_connecting")
    seconds = dialogue.seconds_left_text
    return Screen(dialogue.text(title), (doing, seconds), dialogue.text("hint.please_wait"))


def failed_screen(dialogue: Dialogue) -> Screen:
    form = dialogue.form
    if form.code:
        row = look_up(form.code)
        why = row.zh if dialogue.catalogue.language == "zh_CN" else row.en
    else:
        name = f"result.sign_in_{form.refusal}"
        why = dialogue.text(name if dialogue.catalogue.has(name) else "result.sign_in_failed")
    title = dialogue.text("title.sign_in_failed", code=grid.printable(form.code))
    return Screen(title.rstrip(), (why,), dialogue.text("hint.confirm_again"))


def note_sign_in_progress(dialogue: Dialogue, event: MoneyProgress) -> None:
    note_progress(dialogue, event)
    dialogue.form.transaction = None  # a reversal that goes first is not what is shown here


def _wait(step: str) -> tuple[Row, ...]:
    return (
        Row(step, "progress", None, STAY, note_sign_in_progress),
        Row(step, "tick", None, STAY),
        Row(step, "cancel", None, STAY, say_please_wait),
        Row(step, "clear", None, STAY, say_please_wait),
        Row(step, "timeout", None, STAY),
        Row(step, "signed_in", None, IDLE, say_signed_in),
        Row(step, "signed_off", None, IDLE, say_signed_off),
        Row(step, "sign_in_failed", None, "failed", keep_failure),
        Row(step, "refused", None, BLOCKED, keep_refusal),
    )


FLOW = Flow(
    "sign_in",
    (
        Step("waiting", waiting_screen, no_time_out, False, ticks=True, help="sign_in_waiting"),
        Step("leaving", leaving_screen, no_time_out, False, ticks=True, help="sign_in_leaving"),
        Step("failed", failed_screen, result_seconds, False, help="sign_in_failed"),
    ),
    (
        *_wait("waiting"),
        *_wait("leaving"),
        Row("failed", "confirm", None, "waiting", start_sign_in),
        Row("failed", "clear", None, IDLE),
    ),
)
