"""撤销: the supervisor's password, the original, its card, the host; or an unpaid order, cancelled here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posd.core.events import KeyPressed, PinEntered
from posd.ledger.ledger import moment
from posd.ledger.records import IN_DOUBT, OrderState, State, TransactionRecord
from posd.money.kinds import KINDS
from posd.terminal.exchange import BLOCKED, exchange
from posd.terminal.fields import (
    card_and_pin,
    pin_wanted,
    software_pin,
    supervisor_password,
    voucher_rows,
)
from posd.terminal.flows.blocked import keep_lack_of_printer, lacks_printer
from posd.terminal.flows.unpaid_order import (
    UNPAID_ORDER,
    ask_reason,
    names_unpaid_order,
    take_order,
)
from posd.terminal.machine import STAY, Part, Row, Step, assemble
from posd.terminal.order_lists import order_of
from posd.terminal.originals import (
    is_earlier,
    is_other_card,
    say_other_card,
    settlement_date,
    short_card,
)
from posd.terminal.screens import Screen
from posd.texts import amount_text
from protocol.transactions import SALE

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue


IN_MENU_3: Final = KINDS["pre_authorisation_void"].originals | KINDS["completion_void"].originals
"""What has a void of its own, under 预授权."""


def title(dialogue: Dialogue) -> str:
    original = dialogue.form.original
    amount = amount_text(original.booked_amount) if original else ""
    return dialogue.text("title.void", amount=amount)


# --- the voucher number ---------------------------------------------------------------------------


def voucher_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.original_voucher"),
        (dialogue.form.number or dialogue.text("line.voucher_zeros"),),
        dialogue.text("hint.empty_is_last"),
    )


def original_of(dialogue: Dialogue) -> TransactionRecord | None:
    """What the typed number names: a transaction, or the one that paid the order of this number."""
    transactions, number = dialogue.ledger.transactions, dialogue.form.number
    if not number:
        return transactions.last(SALE.name)
    found = transactions.by_stan(number.zfill(6))
    order = order_of(dialogue)
    if order is None or (found is not None and found.state in {State.APPROVED, State.VOIDED}):
        return found
    wanted = {*IN_DOUBT, State.APPROVED, State.VOIDED}
    attempts = transactions.of_order(order.id)
    return next((each for each in reversed(attempts) if each.state in wanted), None)


def refusal_of(dialogue: Dialogue) -> str:
    """Which text says why this original cannot be voided; "" when it can."""
    original = original_of(dialogue)
    if original is None:
        order = order_of(dialogue)
        if order is not None and order.state is OrderState.CANCELLED:
            return "say.void_order_cancelled"
        if order is not None and order.state is OrderState.PAID:
            return "say.order_is_paid_otherwise"  # nothing of it went to the host
        if order is not None and dialogue.money.retired is not None:
            return "say.order_retired"
        return "say.void_no_voucher" if dialogue.form.number else "say.void_no_sale"
    if original.kind != SALE.name:
        return "say.void_in_menu_3" if original.kind in IN_MENU_3 else "say.void_not_a_sale"
    return _refusal_of_state(dialogue, original)


def _refusal_of_state(dialogue: Dialogue, original: TransactionRecord) -> str:
    if original.state in IN_DOUBT:
        return "say.void_in_doubt"
    if original.state is State.VOIDED:
        return "say.void_voided"
    if original.state is not State.APPROVED:
        return "say.void_not_approved"
    refunded = dialogue.ledger.transactions.refunded(original.id)
    if refunded:
        return refunded_refusal(original, refunded)
    if original.batch != dialogue.ledger.counters.open_batch:
        return "say.void_settled"
    if is_earlier(settlement_date(dialogue, original), dialogue.money.host_date):
        return "say.void_other_day"
    if dialogue.ledger.transactions.locked_by(original.id) is not None:
        return "say.void_locked"
    return ""


def refunded_refusal(original: TransactionRecord, refunded: int) -> str:
    """Why what was refunded cannot be voided: money that is left goes back the same way."""
    in_part = refunded < original.booked_amount
    return "say.void_refunded_in_part" if in_part else "say.void_refunded"


def is_refused(dialogue: Dialogue, _event: KeyPressed) -> bool:
    return refusal_of(dialogue) != ""


def say_refusal(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say(refusal_of(dialogue))


def take_original(dialogue: Dialogue, _event: KeyPressed) -> None:
    original = original_of(dialogue)
    assert original is not None
    dialogue.form.original, dialogue.form.amount = original, original.booked_amount


# --- the original is shown ------------------------------------------------------------------------


def shown_screen(dialogue: Dialogue) -> Screen:
    original = dialogue.form.original
    assert original is not None
    when = moment(original.created_at).strftime("%m-%d %H:%M")
    return Screen(
        dialogue.text("title.original", voucher=original.stan),
        (
            short_card(original.masked_card),
            dialogue.text("line.amount", amount=amount_text(original.booked_amount)),
            when,
        ),
        dialogue.text("hint.confirm_void"),
    )


def asks_reason(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.configuration.void.ask_reason


def asks_card(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.configuration.void.ask_card


def void_pin(dialogue: Dialogue) -> bool:
    return dialogue.configuration.void.ask_pin and software_pin(dialogue)


def forget_original(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.original = None


def send(dialogue: Dialogue, event: object) -> None:
    form = dialogue.form
    assert form.original is not None
    pin_block = event.pin_block if isinstance(event, PinEntered) else None
    if form.reason:
        note_reason(dialogue)
    card, form.card = form.card, None  # a track is held for one request
    dialogue.money.void(form.original.id, card, pin_block, form.supervisor)


def note_reason(dialogue: Dialogue) -> None:
    form, ledger = dialogue.form, dialogue.ledger
    assert form.original is not None
    details = {"original": form.original.stan, "reason": form.reason}
    with ledger.commit("void_reason"):
        ledger.audit.add(ledger.now(), form.supervisor, "void_reason", details)


VOUCHER = Part(
    (Step("voucher", voucher_screen, help="voucher"), Step("shown", shown_screen, help="original")),
    (
        *voucher_rows("voucher"),
        Row("voucher", "confirm", names_unpaid_order, "order", take_order),
        Row("voucher", "confirm", is_refused, STAY, say_refusal),
        Row("voucher", "confirm", lacks_printer, BLOCKED, keep_lack_of_printer),
        Row("voucher", "confirm", None, "shown", take_original),
        Row("shown", "confirm", asks_reason, "reason"),
        Row("shown", "confirm", asks_card, "card"),
        Row("shown", "confirm", pin_wanted(void_pin), "pin"),
        Row("shown", "confirm", None, "waiting", send),
        Row("reason", "next", asks_card, "card"),
        Row("reason", "next", pin_wanted(void_pin), "pin"),
        Row("reason", "next", None, "waiting", send),
    ),
)

CARD = card_and_pin(
    title,
    send,
    "waiting",
    pin_setting=void_pin,
    before=(Row("card", "card", is_other_card, STAY, say_other_card),),
)

FLOW = assemble(
    "void",
    supervisor_password("voucher"),
    VOUCHER,
    ask_reason("reason"),
    CARD,
    exchange(title, "void", "voucher", forget_original),
    UNPAID_ORDER,
    before="menu.main",
)
