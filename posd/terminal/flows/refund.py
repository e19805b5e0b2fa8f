"""退货: the supervisor's password, the card, the original, the amount, the goods; then the host.

A notice: without an answer it is repeated, and its amount counts against the original at once (money M15).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posd.money.kinds import KINDS
from posd.terminal.about_original import send_about, shown_step
from posd.terminal.amounts import Ceiling, amount_step
from posd.terminal.exchange import exchange
from posd.terminal.fields import (
    REFERENCE,
    card_step,
    supervisor_password,
    take_card,
    title_with_amount,
)
from posd.terminal.machine import Part, Row, Step, assemble
from posd.terminal.originals import (
    Originals,
    choose_original,
)
from posd.terminal.screens import Screen
from protocol.transactions import Doubt

if TYPE_CHECKING:
    from posd.ledger.records import TransactionRecord
    from posd.terminal.dialogue import Dialogue

title = title_with_amount("title.refund")


def card_title(dialogue: Dialogue) -> str:
    return dialogue.text("title.refund_card")


def left_of(dialogue: Dialogue, original: TransactionRecord) -> int:
    """Fen that have not been refunded yet; refunds on their way count as made."""
    return original.booked_amount - dialogue.ledger.transactions.refunded(original.id)


def refusal(dialogue: Dialogue, original: TransactionRecord) -> str:
    return "" if left_of(dialogue, original) > 0 else "say.refund_all_done"


WANTED = Originals(KINDS["refund"].originals, REFERENCE, "say.refund_not_possible", refusal)


def left(dialogue: Dialogue) -> int | None:
    original = dialogue.form.original
    return None if original is None else left_of(dialogue, original)


def all_that_is_left(dialogue: Dialogue) -> int:
    return left(dialogue) or 0


def limit(dialogue: Dialogue) -> int:
    return dialogue.configuration.refund.amount_limit


def asks_goods(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.configuration.refund.ask_goods


def goods_screen(dialogue: Dialogue) -> Screen:
    return Screen(title(dialogue), (dialogue.text("line.goods"),), dialogue.text("hint.goods"))


GOODS = Part(
    (Step("goods", goods_screen, help="goods"),),
    (Row("goods", "confirm", None, "shown"),),
)

FLOW = assemble(
    "refund",
    supervisor_password("card"),
    card_step(card_title, Row("card", "card", None, "voucher", take_card)),
    choose_original(WANTED, "amount"),
    amount_step(
        "title.refund_amount",
        ((asks_goods, "goods"), (None, "shown")),
        (Ceiling(left, "say.refund_more_than_left"), Ceiling(limit, "say.refund_above_limit")),
        all_that_is_left,
        line="line.refundable",
    ),
    GOODS,
    shown_step(
        title, "hint.confirm_refund", Row("shown", "confirm", None, "waiting", send_about("refund"))
    ),
    exchange(title, "refund", "card", doubt=Doubt.NOTICE),
    before="menu.main",
)
