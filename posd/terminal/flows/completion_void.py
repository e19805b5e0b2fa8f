"""完成撤销: the supervisor's password, the completion of this batch, its card; the hold is there again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from posd.money.kinds import KINDS
from posd.terminal.about_original import send_about, shown_step
from posd.terminal.exchange import exchange
from posd.terminal.fields import (
    VOUCHER,
    card_and_pin,
    is_empty,
    pin_wanted,
    say_voucher_wanted,
    supervisor_password,
    title_with_amount,
)
from posd.terminal.flows.void import refunded_refusal, void_pin
from posd.terminal.machine import STAY, Row, assemble
from posd.terminal.originals import (
    Originals,
    by_voucher,
    is_earlier,
    is_other_card,
    needs_card,
    say_other_card,
    settlement_date,
    take_whole,
)

if TYPE_CHECKING:
    from posd.ledger.records import TransactionRecord
    from posd.terminal.dialogue import Dialogue

title = title_with_amount("title.completion_void")
send = send_about("completion_void")


def refusal(dialogue: Dialogue, original: TransactionRecord) -> str:
    """Settled money goes back by refund."""
    refunded = dialogue.ledger.transactions.refunded(original.id)
    if refunded:
        return refunded_refusal(original, refunded)
    if original.batch != dialogue.ledger.counters.open_batch:
        return "say.void_settled"
    if is_earlier(settlement_date(dialogue, original), dialogue.money.host_date):
        return "say.void_other_day"
    return ""


WANTED = Originals(KINDS["completion_void"].originals, VOUCHER, "say.not_a_completion", refusal)


FLOW = assemble(
    "completion_void",
    supervisor_password("voucher"),
    by_voucher(
        WANTED,
        "shown",
        "hint.confirm_cancel",
        Row("voucher", "confirm", partial(is_empty, VOUCHER), STAY, say_voucher_wanted),
        known=take_whole,
    ),
    shown_step(
        title,
        "hint.confirm_void",
        Row("shown", "confirm", needs_card, "card"),
        Row("shown", "confirm", pin_wanted(void_pin), "pin"),
        Row("shown", "confirm", None, "waiting", send),
    ),
    card_and_pin(
        title,
        send,
        "waiting",
        pin_setting=void_pin,
        before=(Row("card", "card", is_other_card, STAY, say_other_card),),
    ),
    exchange(title, "void", "voucher"),
    before="menu.pre_authorisations",
)
