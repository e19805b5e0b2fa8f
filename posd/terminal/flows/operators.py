"""Operators, for the supervisor: who there is, a new one, one less, a new password for one who forgot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posd.core.events import KeyPressed, PasswordChosen
from posd.terminal.choices import Item, choice
from posd.terminal.fields import supervisor_password
from posd.terminal.machine import IDLE, STAY, Part, Row, Step, assemble
from posd.terminal.operator_fields import (
    is_known,
    is_no_cashier,
    is_unknown,
    new_password,
    operator_number,
)
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

MENU = "menu.manage"


def cashier(_dialogue: Dialogue) -> str:
    return "cashier"


# --- guards ---------------------------------------------------------------------------------------


def is_at_terminal(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.form.operator == dialogue.money.operator


def has_unsettled(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.ledger.operators.has_unsettled(dialogue.form.operator)


def may_not_be_deleted(dialogue: Dialogue, event: object) -> bool:
    """Asked again at the last 确认: money may have moved in the meantime."""
    return is_at_terminal(dialogue, event) or has_unsettled(dialogue, event)


# --- what is done ---------------------------------------------------------------------------------


def add(dialogue: Dialogue, event: PasswordChosen) -> None:
    _keep(dialogue, event, "operator_added")


def reset(dialogue: Dialogue, event: PasswordChosen) -> None:
    _keep(dialogue, event, "operator_password_reset")


def _keep(dialogue: Dialogue, event: PasswordChosen, what: str) -> None:
    form, ledger = dialogue.form, dialogue.ledger
    assert event.verifier is not None
    with ledger.commit(what):
        ledger.operators.set_password(form.operator, "cashier", event.verifier)
        ledger.audit.add(ledger.now(), form.supervisor, what, {"operator": form.operator})
    dialogue.say(f"say.{what}", operator=form.operator)


def delete(dialogue: Dialogue, _event: KeyPressed) -> None:
    form, ledger = dialogue.form, dialogue.ledger
    with ledger.commit("operator_deleted"):
        if ledger.operators.remove(form.operator):
            details = {"operator": form.operator}
            ledger.audit.add(ledger.now(), form.supervisor, "operator_deleted", details)
    dialogue.say("say.operator_deleted", operator=form.operator)


def say_not_deleted(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say("say.operator_unsettled", operator=dialogue.form.operator)


# --- screens --------------------------------------------------------------------------------------


def list_screen(dialogue: Dialogue) -> Screen:
    """Everybody, the one at the terminal with a star."""
    here = dialogue.money.operator
    rows = [
        f"{each.number}{'*' if each.number == here else ' '}"
        f"{dialogue.text(f'status.role_{each.role}')}"
        for each in dialogue.ledger.operators.all()
    ]
    count = len(rows)
    return Screen(
        dialogue.text("title.operators_list", count=count),
        tuple(rows),
        dialogue.text("hint.scroll"),
    )


def deleting_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.operator_delete"),
        (dialogue.text("line.operator", operator=dialogue.form.operator),),
        dialogue.text("hint.confirm_delete"),
    )


FLOW = assemble(
    "operators",
    supervisor_password("what"),
    choice(
        "what",
        "title.operators",
        (
            Item("1", "menu.operator_add", "add"),
            Item("2", "menu.operator_delete", "delete"),
            Item("3", "menu.operator_reset", "reset"),
            Item("4", "menu.operator_list", "list"),
        ),
        help="operators",
    ),
    operator_number("add", "title.operator_add", ((is_known, "say.operator_exists"),), "added"),
    new_password("added", cashier, add, "what"),
    operator_number(
        "delete",
        "title.operator_delete",
        (
            (is_unknown, "say.operator_unknown"),
            (is_no_cashier, "say.operator_stays"),
            (is_at_terminal, "say.operator_here"),
            (has_unsettled, "say.operator_unsettled"),
        ),
        "deleting",
    ),
    operator_number(
        "reset",
        "title.operator_reset",
        (
            (is_unknown, "say.operator_unknown"),
            (is_no_cashier, "say.operator_changes_own"),
        ),
        "renewed",
    ),
    new_password("renewed", cashier, reset, "what"),
    Part(
        (
            Step("list", list_screen, help="operators_list"),
            Step("deleting", deleting_screen, help="operator_delete"),
        ),
        (
            Row("list", "confirm", None, "what"),
            Row("deleting", "confirm", may_not_be_deleted, STAY, say_not_deleted),
            Row("deleting", "confirm", None, "what", delete),
            Row("what", "clear", None, IDLE),
        ),
    ),
    before=MENU,
)
