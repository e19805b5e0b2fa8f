"""A new password for oneself: number, old password, the new one twice. Every role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posd.core.events import PasswordChosen
from posd.terminal.fields import password, role_of
from posd.terminal.machine import IDLE, assemble
from posd.terminal.operator_fields import (
    is_unknown,
    new_password,
    operator_number,
    typed_operator,
)

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

own_role = role_of(typed_operator)


def change(dialogue: Dialogue, event: PasswordChosen) -> None:
    form, ledger = dialogue.form, dialogue.ledger
    assert event.verifier is not None
    number, role = form.operator, own_role(dialogue)
    with ledger.commit("password_changed"):
        ledger.operators.set_password(number, role, event.verifier)
        ledger.audit.add(ledger.now(), number, "password_changed", {"role": role})
    dialogue.say("say.password_changed", operator=number)


FLOW = assemble(
    "password_change",
    operator_number(
        "number",
        "title.password_change",
        ((is_unknown, "say.operator_unknown"),),
        "password",
        offer=True,
    ),
    password(own_role, typed_operator, None, "new", title="title.password_old"),
    new_password("new", own_role, change, IDLE),
    before="menu.manage",
)
