"""Orders on the screen: lists of them, one of them with its story, and why something cannot be done.

Read from the ledger each time it is drawn; the form names the chosen order and not its row, because rows
move when an order is paid or expires.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from devices import columns as grid
from posd.core.events import KeyPressed
from posd.ledger.applications import Decision
from posd.ledger.ledger import moment
from posd.ledger.order_rules import Action, Obstacle
from posd.ledger.records import Application, OrderRecord, OrderState, PrintJob
from posd.receipts import orders as slips
from posd.terminal.cases import age_text
from posd.terminal.choices import is_digit
from posd.terminal.machine import IDLE, STAY, Row
from posd.terminal.screens import Screen, tail
from posd.texts import Catalogue, amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

Listed = Callable[["Dialogue"], list[OrderRecord]]
"""Which orders a list shows, in its order."""

_WORDS: Final = {
    "expired": "line.reason_expired",
    "not_paid": "line.reason_not_paid",
    "cash": "menu.means_cash",
    "other": "menu.means_other",
}
"""Reasons that are kept as a word; the others are digits of a list."""


# --- which orders ---------------------------------------------------------------------------------


def unpaid_orders(dialogue: Dialogue) -> list[OrderRecord]:
    """Not held, as far as the filter lets them through, oldest first."""
    wanted = dialogue.form.orders
    return [
        order
        for order in dialogue.ledger.orders.unpaid(held=False)
        if wanted.amount in (0, order.amount, order.due)
        and (wanted.since is None or order.created_at >= wanted.since)
        and (wanted.until is None or order.created_at < wanted.until)
    ]


def held_orders(dialogue: Dialogue) -> list[OrderRecord]:
    """Those whose label holds the digits that were typed, oldest first."""
    held = dialogue.ledger.orders.unpaid(held=True)
    return [order for order in held if dialogue.form.label in order.label]


def found_orders(dialogue: Dialogue) -> list[OrderRecord]:
    """Of any state: by amount, else by time; newest first."""
    wanted, orders = dialogue.form.orders, dialogue.ledger.orders
    if wanted.since is None or wanted.until is None:
        return orders.with_amount(wanted.amount)
    return orders.created_between(wanted.since, wanted.until)


def chosen_order(found: Sequence[OrderRecord], dialogue: Dialogue) -> OrderRecord | None:
    """The one that the form names, else the first; None for an empty list."""
    wanted = dialogue.form.order
    return next((each for each in found if each.id == wanted), next(iter(found), None))


def order_of(dialogue: Dialogue) -> OrderRecord | None:
    """The order that the typed number names: its own, or that of an attempt to pay it."""
    number = dialogue.form.number
    return dialogue.ledger.orders.find(number.zfill(6)) if number else None


def the_order(dialogue: Dialogue) -> OrderRecord:
    """The order that the form is about."""
    assert dialogue.form.order is not None
    return dialogue.ledger.orders.get(dialogue.form.order)


def take_order(dialogue: Dialogue, order: OrderRecord) -> None:
    """From here on the form is about this one."""
    form = dialogue.form
    form.order, form.order_number, form.amount = order.id, order.number, order.due
    form.selected = 0


# --- a list as a step -----------------------------------------------------------------------------


def list_rows(
    step: str,
    orders: Listed,
    then: str,
) -> tuple[Row, ...]:
    """▲▼ choose, 确认 takes the chosen order and leads on; an empty list leads to idle."""
    return (
        Row(step, "confirm", partial(is_empty, orders), IDLE),
        Row(step, "confirm", None, then, partial(take_chosen, orders)),
        Row(step, "up", None, STAY, partial(choose_next, orders, -1)),
        Row(step, "down", None, STAY, partial(choose_next, orders, +1)),
    )


def is_empty(orders: Listed, dialogue: Dialogue, _event: object) -> bool:
    return not orders(dialogue)


def take_chosen(orders: Listed, dialogue: Dialogue, _event: object) -> None:
    order = chosen_order(orders(dialogue), dialogue)
    assert order is not None
    take_order(dialogue, order)


def choose_next(
    orders: Listed,
    step: int,
    dialogue: Dialogue,
    _event: object,
) -> None:
    found = orders(dialogue)
    order = chosen_order(found, dialogue)
    if order is not None:
        dialogue.form.order = found[(found.index(order) + step) % len(found)].id


def list_screen(
    orders: Listed,
    title: str,
    hint: str,
    dialogue: Dialogue,
) -> Screen:
    """The list with the chosen order in reverse; title is the name of a text with a count."""
    found = orders(dialogue)
    heading = dialogue.text(title, count=len(found))
    order = chosen_order(found, dialogue)
    if order is None:
        return Screen(heading, (dialogue.text("line.no_orders"),), dialogue.text("hint.confirm"))
    now = dialogue.ledger.now()
    rows = tuple(order_row(dialogue.catalogue, each, now, dialogue.columns) for each in found)
    return Screen(heading, rows, dialogue.text(hint), found.index(order))


def order_row(texts: Catalogue, order: OrderRecord, now: int, columns: int) -> str:
    """Number (of a held order its label), amount, and how old it is where there is room.

    The amount is always whole; of a name that is too long for the rest its end is shown.
    """
    name = order.label if order.held else order.number
    amount = amount_text(order.due if order.state is OrderState.UNPAID else order.amount)
    row = f"{tail(name, columns - len(amount) - 1)} {amount}"
    longer = f"{row} {age_text(texts, now - order.created_at)}"
    return longer if grid.width(longer) <= columns else row


# --- one order ------------------------------------------------------------------------------------


def order_screen(hint: str, dialogue: Dialogue) -> Screen:
    """How it stands, and its story, to be scrolled through."""
    order, texts = the_order(dialogue), dialogue.catalogue
    return Screen(
        dialogue.text("title.order", voucher=order.number),
        (
            texts.text("line.amount", amount=amount_text(order.amount)),
            *_state(texts, order),
            *_story(dialogue, order),
        ),
        dialogue.text(hint),
    )


def _state(texts: Catalogue, order: OrderRecord) -> list[str]:
    word = "held" if order.held else str(order.state)
    lines = [texts.text(f"line.order_{word}")]
    if order.state is OrderState.UNPAID and order.paid:
        lines.append(texts.text("line.order_due", amount=amount_text(order.due)))
    if order.state is OrderState.PAID and order.means in _WORDS:
        lines.append(texts.text(_WORDS[order.means]))
    if order.label:
        lines.append(texts.text("line.order_label", label=order.label))
    return lines


def _story(dialogue: Dialogue, order: OrderRecord) -> list[str]:
    """What was done with it, then each attempt to pay it, then what was applied for."""
    texts, ledger = dialogue.catalogue, dialogue.ledger
    lines = [f"{moment(order.created_at):%Y-%m-%d %H:%M}"]
    for step in ledger.orders.steps(order.id):
        who = f"{step.operator} {step.supervisor}".strip()
        what = texts.text(f"story.order_{step.what}")
        lines.append(f"{moment(step.at):%H:%M} {what} {who}".rstrip())
        if step.what in {"amended", "paid_in_part", "payment_undone"}:
            lines.append(texts.text("line.order_due", amount=amount_text(step.amount)))
        if step.reason:
            lines.append(reason_text(texts, step.what, step.reason))
    for attempt in ledger.transactions.of_order(order.id):
        lines.append(texts.text("line.voucher", voucher=attempt.stan))
        lines.append(texts.text(f"line.last_{attempt.state}"))
    for application in ledger.applications.of_order(order.id):
        lines.append(application_text(texts, application))
        if application.refusal:
            lines.append(texts.text(f"menu.refusal_{application.refusal}"))
    return lines


def reason_text(texts: Catalogue, what: str, digit: str) -> str:
    """Why it was done, in the words of the list that it was chosen from."""
    if digit in _WORDS:
        return texts.text(_WORDS[digit])
    if what == Action.SET_BACK:
        return texts.text(f"menu.back_{digit}")
    return texts.text(f"menu.reason_{digit}")


def application_text(texts: Catalogue, application: Application) -> str:
    """What was applied for, and what became of it."""
    verdict = application.verdict or "waiting"
    return texts.text(
        f"story.application_{verdict}", words=texts.text(f"menu.order_{application.what}")
    )


# --- what may be done with it ---------------------------------------------------------------------


def want(action: Action, dialogue: Dialogue, _event: object) -> None:
    """The clerk wants this: "next" follows where it can be done, else the screen says why not."""
    dialogue.form.orders.action = action
    obstacle = dialogue.ledger.orders.obstacle(the_order(dialogue).id, action)
    if obstacle is None:
        dialogue.next()
    else:
        say_obstacle(dialogue, obstacle)


def wants(action: Action, dialogue: Dialogue, _event: object) -> bool:
    return dialogue.form.orders.action is action


def is_retired(dialogue: Dialogue, _event: object) -> bool:
    """Do these orders go on in another terminal, or not at all?"""
    return dialogue.money.retired is not None


def say_retired(dialogue: Dialogue, _event: object) -> None:
    say_obstacle(dialogue, Obstacle.RETIRED)


def say_obstacle(dialogue: Dialogue, obstacle: Obstacle | Decision) -> None:
    dialogue.say(f"say.order_{obstacle}")


def take_for_payment(dialogue: Dialogue, _event: object) -> None:
    """Into the sale's card step: what is due now, and 取消 there leaves the order as it is."""
    take_order(dialogue, the_order(dialogue))
    dialogue.form.attempted = True


def print_note(dialogue: Dialogue, _event: object) -> None:
    """未支付凭条, into the print queue and to the printer."""
    ledger, order = dialogue.ledger, the_order(dialogue)
    attempts = ledger.transactions.of_order(order.id)
    slip = slips.note(order, attempts, dialogue.configuration)
    with ledger.commit("order_note"):
        job = ledger.print_jobs.add(None, slips.NOTE, slip)
    dialogue.form.jobs = [PrintJob(job, None, slips.NOTE, slip)]


def has_note(dialogue: Dialogue, event: KeyPressed) -> bool:
    """Is the note asked for, and is it true?"""
    return is_digit("1", dialogue, event) and is_unpaid(dialogue, event)


def say_no_note(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.order_no_note")


def is_unpaid(dialogue: Dialogue, _event: object) -> bool:
    return the_order(dialogue).state is OrderState.UNPAID
