"""Sign-in and sign-off: who it is where the shop asks, the wait, the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from devices import columns as grid
from posd.core.events import MoneyProgress, Phase, SignInEnded
from posd.terminal.exchange import BLOCKED, keep_refusal, note_progress, say_please_wait
from posd.terminal.fields import password
from posd.terminal.machine import (
    IDLE,
    STAY,
    Part,
    Row,
    Step,
    assemble,
    no_time_out,
    result_seconds,
)
from posd.terminal.operator_fields import (
    is_no_cashier,
    is_unknown,
    nobody_is_cashier,
    operator_number,
    typed_operator,
)
from posd.terminal.screens import Screen
from protocol.response_codes import look_up

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

SIGN_OFF: Final = "sign_off"
SIGN_IN: Final = "sign_in.begin"
"""Where every way to a sign-in begins: a number and a password, or at once."""


def asks_who(dialogue: Dialogue, _event: object) -> bool:
    """Has the shop several cashiers, each with a password?"""
    return dialogue.configuration.operators.sign_on == "password"


def begin(dialogue: Dialogue) -> None:
    dialogue.next()


def begin_screen(dialogue: Dialogue) -> Screen:
    return Screen(dialogue.text("title.sign_in"))  # never seen: what follows comes at once


def start_sign_in(dialogue: Dialogue, _event: object) -> None:
    """As the operator who signs on, else as the one who is at the terminal."""
    dialogue.money.sign_in(dialogue.form.operator or dialogue.money.operator)


def start_sign_off(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.reason = SIGN_OFF
    dialogue.money.sign_off()


def wanted_to_leave(dialogue: Dialogue, _event: object) -> bool:
    """Was it the sign-off that failed?"""
    return dialogue.form.reason == SIGN_OFF


def keep_failure(dialogue: Dialogue, event: SignInEnded) -> None:
    dialogue.form.refusal = event.reason
    dialogue.form.code = event.code


def note_signed_in(dialogue: Dialogue, _event: SignInEnded) -> None:
    _audit(dialogue, "signed_in")
    dialogue.say("say.signed_in", operator=dialogue.money.operator)


def note_signed_off(dialogue: Dialogue, _event: SignInEnded) -> None:
    _audit(dialogue, "signed_off")
    dialogue.say("say.signed_off")


def _audit(dialogue: Dialogue, what: str) -> None:
    ledger = dialogue.ledger
    with ledger.commit(what):
        ledger.audit.add(ledger.now(), dialogue.money.operator, what)


def waiting_screen(dialogue: Dialogue) -> Screen:
    return _waiting(dialogue, "title.sign_in")


def leaving_screen(dialogue: Dialogue) -> Screen:
    return _waiting(dialogue, "title.sign_off")


def _waiting(dialogue: Dialogue, title: str) -> Screen:
    phase = dialogue.form.phase
    doing = dialogue.text(f"line.phase_{phase.value}" if phase else "line.phase_connecting")
    if phase is Phase.SIGNING_IN and wanted_to_leave(dialogue, None):
        doing = dialogue.text("line.phase_signing_off")
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
        Row(step, "signed_in", None, IDLE, note_signed_in),
        Row(step, "signed_off", None, IDLE, note_signed_off),
        Row(step, "sign_in_failed", None, "failed", keep_failure),
        Row(step, "refused", None, BLOCKED, keep_refusal),
    )


FLOW = assemble(
    "sign_in",
    Part(
        (Step("begin", begin_screen, returns=False, opens=begin, help="sign_in_waiting"),),
        (
            Row("begin", "next", asks_who, "number"),
            Row("begin", "next", None, "waiting", start_sign_in),
        ),
    ),
    operator_number(
        "number",
        "title.sign_in",
        (
            (nobody_is_cashier, "say.operators_none"),
            (is_unknown, "say.operator_unknown"),
            (is_no_cashier, "say.operator_no_cashier"),
        ),
        "password",
        offer=True,
    ),
    password("cashier", typed_operator, start_sign_in, "waiting", title="title.password_operator"),
    Part(
        (
            Step("waiting", waiting_screen, no_time_out, False, ticks=True, help="sign_in_waiting"),
            Step("leaving", leaving_screen, no_time_out, False, ticks=True, help="sign_in_leaving"),
            Step("failed", failed_screen, result_seconds, False, help="sign_in_failed"),
        ),
        (
            *_wait("waiting"),
            *_wait("leaving"),
            Row("number", "clear", None, IDLE),
            Row("failed", "confirm", wanted_to_leave, "leaving", start_sign_off),
            Row("failed", "confirm", None, "waiting", start_sign_in),
            Row("failed", "clear", None, IDLE),
        ),
    ),
)
