"""Two people: an operator applies for a change of an order, a supervisor decides now or later (待审批)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from posd.ledger.applications import Decision
from posd.ledger.order_rules import Action, Obstacle
from posd.ledger.records import Application
from posd.terminal.cases import age_text
from posd.terminal.choices import Item, choice, is_digit, reason_choice, say_no_item
from posd.terminal.fields import supervisor_password
from posd.terminal.machine import IDLE, STAY, Part, Row, Step, assemble
from posd.terminal.order_lists import (
    is_retired,
    reason_text,
    say_obstacle,
    say_retired,
    take_order,
    the_order,
)
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

REFUSALS: Final = ("1", "2", "3")


# --- an operator applies --------------------------------------------------------------------------


def decision(then: str) -> tuple[Part, ...]:
    """Now or later? The step `decide`; what form.orders.action says is applied for, and then `then`."""
    return (
        choice(
            "decide",
            "title.order_decide",
            (
                Item("1", "menu.decide_now", "password"),
                Item("2", "menu.decide_later", then, apply),
            ),
            help="order_decide",
        ),
        supervisor_password(then, approve_now),
    )


def apply(dialogue: Dialogue, _event: object) -> None:
    with dialogue.ledger.commit("order_application"):
        made = _make(dialogue)
    if isinstance(made, Obstacle):
        say_obstacle(dialogue, made)
    else:
        dialogue.say("say.order_applied", voucher=dialogue.form.order_number)


def approve_now(dialogue: Dialogue, _event: object) -> None:
    """The application and its approval in one commit; the audit names both."""
    form, ledger = dialogue.form, dialogue.ledger
    with ledger.commit("order_decided"):
        made = _make(dialogue)
        refused = made if isinstance(made, Obstacle) else _approve(dialogue, made)
    if refused is None:
        dialogue.say("say.order_done", voucher=form.order_number)
    else:
        say_obstacle(dialogue, refused)


def _make(dialogue: Dialogue) -> int | Obstacle:
    form, ledger = dialogue.form, dialogue.ledger
    action = form.orders.action
    assert form.order is not None
    assert action is not None
    amount = form.amount if action is Action.AMEND else 0
    reason = "" if action is Action.AMEND else form.reason
    return ledger.applications.make(
        form.order, action, reason, ledger.now(), dialogue.money.operator, amount
    )


def _approve(dialogue: Dialogue, identity: int) -> Obstacle | Decision | None:
    """Inside a commit: what was applied for is done, and written down; None, or why it is not."""
    ledger, supervisor = dialogue.ledger, dialogue.form.supervisor
    application = ledger.applications.get(identity)
    order = ledger.orders.get(application.order)
    refused = ledger.applications.approve(identity, supervisor, ledger.now())
    if refused is None:
        details = {
            "order": order.number, "amount": order.amount, "new_amount": application.amount,
            "reason": application.reason, "operator": application.operator,
        }  # fmt: skip
        ledger.audit.add(ledger.now(), supervisor, f"order_{application.what}", details)
    return refused


# --- a supervisor decides later -------------------------------------------------------------------


def chosen_application(dialogue: Dialogue) -> Application | None:
    """The one that the form names, else the first; None when none waits."""
    waiting = dialogue.ledger.applications.waiting()
    wanted = dialogue.form.orders.application
    return next((each for each in waiting if each.id == wanted), next(iter(waiting), None))


def none_waits(dialogue: Dialogue, _event: object) -> bool:
    return chosen_application(dialogue) is None


def waiting_screen(dialogue: Dialogue) -> Screen:
    waiting = dialogue.ledger.applications.waiting()
    title = dialogue.text("title.orders_applied", count=len(waiting))
    chosen = chosen_application(dialogue)
    if chosen is None:
        body = (dialogue.text("line.no_applications"),)
        return Screen(title, body, dialogue.text("hint.confirm"))
    rows = tuple(_row(dialogue, each) for each in waiting)
    return Screen(title, rows, dialogue.text("hint.confirm_read"), waiting.index(chosen))


def _row(dialogue: Dialogue, application: Application) -> str:
    number = dialogue.ledger.orders.get(application.order).number
    what = dialogue.text(f"line.applied_{application.what}")
    return f"{number} {what}"


def choose_next(step: int, dialogue: Dialogue, _event: object) -> None:
    waiting = dialogue.ledger.applications.waiting()
    chosen = chosen_application(dialogue)
    if chosen is not None:
        following = waiting[(waiting.index(chosen) + step) % len(waiting)]
        dialogue.form.orders.application = following.id


def take_application(dialogue: Dialogue, _event: object) -> None:
    chosen = chosen_application(dialogue)
    assert chosen is not None
    dialogue.form.orders.application = chosen.id
    take_order(dialogue, dialogue.ledger.orders.get(chosen.order))


def the_application(dialogue: Dialogue) -> Application:
    assert dialogue.form.orders.application is not None
    return dialogue.ledger.applications.get(dialogue.form.orders.application)


def application_screen(dialogue: Dialogue) -> Screen:
    """What, by whom, since when, why; and the order."""
    application, order = the_application(dialogue), the_order(dialogue)
    texts = dialogue.catalogue
    body = [texts.text("line.amount", amount=amount_text(order.amount))]
    if application.what == Action.AMEND:
        body.append(texts.text("line.new_amount", amount=amount_text(application.amount)))
    if application.reason:
        body.append(reason_text(texts, application.what, application.reason))
    age = age_text(texts, dialogue.ledger.now() - application.at)
    body.append(texts.text("line.applied_by", operator=application.operator, age=age))
    body.append(texts.text("line.order", voucher=order.number))
    title = texts.text(f"menu.order_{application.what}")
    return Screen(title, tuple(body), dialogue.text("hint.approve"))


def approve(dialogue: Dialogue, _event: object) -> None:
    with dialogue.ledger.commit("order_decided"):
        refused = _approve(dialogue, the_application(dialogue).id)
    if refused is None:
        dialogue.say("say.order_done", voucher=dialogue.form.order_number)
    else:
        say_obstacle(dialogue, refused)
    _next_application(dialogue)


def refuse(dialogue: Dialogue, _event: object) -> None:
    form, ledger = dialogue.form, dialogue.ledger
    application = the_application(dialogue)
    details = {"order": form.order_number, "what": application.what, "reason": form.reason}
    with ledger.commit("order_decided"):
        done = ledger.applications.refuse(
            application.id, form.supervisor, form.reason, ledger.now()
        )
        if done:
            ledger.audit.add(ledger.now(), form.supervisor, "order_refused", details)
    dialogue.say("say.order_refused" if done else "say.order_gone")
    _next_application(dialogue)


def _next_application(dialogue: Dialogue) -> None:
    dialogue.form.orders.application = None
    dialogue.form.selected = 0


WAITING = Part(
    (
        Step("list", waiting_screen, help="order_approval"),
        Step("shown", application_screen, help="order_application"),
    ),
    (
        Row("list", "confirm", none_waits, IDLE),
        Row("list", "confirm", None, "shown", take_application),
        Row("list", "up", None, STAY, partial(choose_next, -1)),
        Row("list", "down", None, STAY, partial(choose_next, +1)),
        Row("shown", "digit", is_retired, STAY, say_retired),
        Row("shown", "digit", partial(is_digit, "1"), "password"),
        Row("shown", "digit", partial(is_digit, "2"), "refusing_password"),
        Row("shown", "digit", None, STAY, say_no_item),
        Row("shown", "confirm", None, "list"),
    ),
)

FLOW = assemble(
    "order_approval",
    WAITING,
    supervisor_password("list", approve),
    supervisor_password("refusal", step="refusing_password", locked="refusing_locked"),
    reason_choice(
        "refusal", "title.order_refusal", {digit: f"menu.refusal_{digit}" for digit in REFUSALS}
    ),
    Part((), (Row("refusal", "next", None, "list", refuse),)),
    before="menu.orders",
)
