"""部分批准 (code 10): the host approved less than was asked. 确认 takes it, and the rest stays due.

取消 and the time-out void it at once: nobody agreed to it, so no password is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posd.core.events import TransactionEnded
from posd.ledger.records import State, TransactionRecord
from posd.terminal.exchange import SLIPS, acknowledge, exchange, is_ours
from posd.terminal.machine import Part, Row, Step, assemble, prompt_seconds
from posd.terminal.screens import Screen
from posd.texts import amount_text
from protocol.transactions import SALE

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

OFFERED: Final = "partial.offered"


def is_in_part(record: TransactionRecord) -> bool:
    """Is it a sale that was approved for less than was asked?"""
    is_sale = record.kind == SALE.name and record.state is State.APPROVED
    return is_sale and record.booked_amount < record.amount


def is_approved_in_part(dialogue: Dialogue, event: TransactionEnded) -> bool:
    record = dialogue.ledger.transactions.get(event.transaction)
    return is_ours(dialogue, event) and is_in_part(record)


def offer(dialogue: Dialogue, event: TransactionEnded) -> None:
    dialogue.form.original = dialogue.ledger.transactions.get(event.transaction)


def is_undecided(dialogue: Dialogue, _event: object) -> bool:
    """After a power cut: has nobody said yet whether it is taken?"""
    unseen = dialogue.ledger.transactions.last_unacknowledged()
    return unseen is not None and is_in_part(unseen)


def offer_again(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.original = dialogue.ledger.transactions.last_unacknowledged()


def original(dialogue: Dialogue) -> TransactionRecord:
    record = dialogue.form.original
    assert record is not None
    return record


def title(dialogue: Dialogue) -> str:
    return dialogue.text("title.void", amount=amount_text(original(dialogue).booked_amount))


def offered_screen(dialogue: Dialogue) -> Screen:
    record = original(dialogue)
    approved = record.booked_amount
    return Screen(
        dialogue.text("title.partial"),
        (
            dialogue.text("line.approved", amount=amount_text(approved)),
            dialogue.text("line.still_due", amount=amount_text(record.amount - approved)),
        ),
        dialogue.text("hint.partial"),
    )


def take_part(dialogue: Dialogue, event: object) -> None:
    """Decided before anything is printed: no paper and no power cut may offer it, and void it, again."""
    dialogue.form.transaction = original(dialogue).id
    acknowledge(dialogue, event)


def void_it(dialogue: Dialogue, _event: object) -> None:
    """With number and expiry from the ledger: the customer may have gone."""
    record, ledger = original(dialogue), dialogue.ledger
    with ledger.commit("partial_refused"):
        details = {"voucher": record.stan, "approved": record.booked_amount}
        ledger.audit.add(ledger.now(), dialogue.money.operator, "partial_refused", details)
    dialogue.money.void(record.id, None, None, "")


def is_not_voided(dialogue: Dialogue, _event: object) -> bool:
    return is_in_part(dialogue.ledger.transactions.get(original(dialogue).id))


def decide_again(dialogue: Dialogue, event: object) -> None:
    """It was not voided: nothing else is begun before somebody has said what becomes of it."""
    acknowledge(dialogue, event)
    dialogue.form.transaction = dialogue.form.phase = None


def drop_slips(dialogue: Dialogue, _event: object) -> None:
    """It is voided: its own slips would only confuse."""
    record, ledger = original(dialogue), dialogue.ledger
    with ledger.commit("partial_voided"):
        ledger.print_jobs.done(*(job.id for job in ledger.print_jobs.waiting(record.id)))
        ledger.transactions.acknowledge(record.id)


FLOW = assemble(
    "partial",
    Part(
        (Step("offered", offered_screen, prompt_seconds, returns=False, help="partial"),),
        (
            Row("offered", "confirm", None, SLIPS, take_part),
            Row("offered", "cancel", None, "waiting", void_it),
            Row("offered", "timeout", None, "waiting", void_it),
            Row("waiting", "approved", is_ours, SLIPS, drop_slips),
            # nothing was sent: it is still to be decided
            Row("refused", "cancel", None, "offered"),
            Row("refused", "timeout", None, "offered"),
            # it was not voided; after a time-out idle offers it when somebody is there again
            *(
                Row(state, "cancel", is_not_voided, "offered", decide_again)
                for state in ("declined", "not_sent", "reversed")
            ),
        ),
    ),
    exchange(title, "void", "offered"),
)
