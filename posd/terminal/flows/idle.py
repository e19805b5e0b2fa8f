"""Idle: who the merchant is, what may be done now, and the state of the terminal in the last row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from devices import columns as grid
from posd.core.events import TransactionEnded
from posd.terminal.cases import waits_for_a_person
from posd.terminal.exchange import (
    BLOCKED,
    SLIPS,
    UNDECIDED,
    is_closed,
    keep_closed,
    keep_transaction,
)
from posd.terminal.fields import add_amount_digit, say_unreadable, take_card
from posd.terminal.flows import drill
from posd.terminal.flows.lock import LOCKED, is_locked
from posd.terminal.flows.partial_approval import OFFERED, is_undecided, offer_again
from posd.terminal.flows.restored import is_restored
from posd.terminal.flows.settlement import keep_end, start_by_time
from posd.terminal.flows.sign_in import SIGN_IN
from posd.terminal.flows.training import (
    is_new_here,
    note_live_again,
    note_welcomed,
    was_in_training,
)
from posd.terminal.machine import STAY, Flow, Row, Step
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

NOTICE_SECONDS: Final = 5.0
LAST: Final = "last.shown"


def is_signed_off(dialogue: Dialogue, _event: object) -> bool:
    return not dialogue.money.signed_in and dialogue.money.retired is None


def is_unseen(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.ledger.transactions.last_unacknowledged() is not None


def show_unseen(dialogue: Dialogue, _event: object) -> None:
    record = dialogue.ledger.transactions.last_unacknowledged()
    assert record is not None
    dialogue.form.transaction = record.id


def has_slip(dialogue: Dialogue, event: TransactionEnded) -> bool:
    return dialogue.ledger.print_jobs.waiting_count(event.transaction) > 0


def is_worth_telling(dialogue: Dialogue, transaction: int) -> bool:
    """Has it a slip that waits, or an end that no clerk has seen?"""
    record = dialogue.ledger.transactions.get(transaction)
    if record.state in UNDECIDED:
        return dialogue.ledger.print_jobs.waiting_count(transaction) > 0
    return not record.acknowledged


def something_was_missed(dialogue: Dialogue, _event: object) -> bool:
    """Was something reported while the clerk was elsewhere?"""
    return any(is_worth_telling(dialogue, each) for each in dialogue.missed)


def show_missed(dialogue: Dialogue, _event: object) -> None:
    """The oldest; what has been seen in the meantime is forgotten."""
    missed = [each for each in dialogue.missed if is_worth_telling(dialogue, each)]
    dialogue.form.transaction, *dialogue.missed = missed


def settlement_waits(dialogue: Dialogue, _event: object) -> bool:
    """Is a settlement unfinished, and has nobody been told in this life of the terminal?"""
    return not dialogue.settlement_told and dialogue.money.settlement_unfinished is not None


def is_nearly_full(dialogue: Dialogue, count: int) -> bool:
    """Is it time to settle, with so many transactions?"""
    return count >= dialogue.configuration.money.batch_warning


def look_around(dialogue: Dialogue) -> None:
    """A lock at once, whatever led here; what was missed when the answer on idle has gone.

    After each transaction of a batch that is nearly full: 请结算.
    """
    untold = something_was_missed(dialogue, None) or settlement_waits(dialogue, None)
    if (
        is_locked(dialogue, None)
        or drill.is_over(dialogue, None)
        or (not dialogue.notice and untold)
    ):
        dialogue.next()
    count = dialogue.ledger.transactions.unsettled_count()
    if count != dialogue.reminded_at and is_nearly_full(dialogue, count):
        dialogue.say("say.settle_now", count=count)
    dialogue.reminded_at = count


def some_slip_is_kept(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.ledger.print_jobs.waiting_count() > 0


def can_print(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.printer_ready


def take_due_slip(dialogue: Dialogue, _event: object) -> None:
    """The newest in the queue: those before it are kept for another reason."""
    dialogue.form.jobs = dialogue.ledger.print_jobs.waiting()[-1:]


def notice_seconds(dialogue: Dialogue) -> float:
    """Idle waits for ever; only an answer on it goes away."""
    return NOTICE_SECONDS if dialogue.notice else 0.0


# --- the screen -----------------------------------------------------------------------------------


def screen(dialogue: Dialogue) -> Screen:
    prompt = "line.idle" if dialogue.money.signed_in else "line.idle_signed_off"
    if dialogue.money.retired is not None:
        prompt = "line.idle_retired"
    first, second = two_rows(status_words(dialogue), dialogue.columns)
    name = dialogue.configuration.terminal.merchant_name
    if dialogue.configuration.is_training:
        name = f"{dialogue.text('status.training')} {name}"
    return Screen(grid.fit(name, dialogue.columns), (dialogue.text(prompt), second), first)


def status_words(dialogue: Dialogue) -> list[str]:
    """The state of the terminal, the most important word first."""
    money, terminal = dialogue.money, dialogue.configuration.terminal
    words = [dialogue.text("status.signed_in" if money.signed_in else "status.signed_off")]
    refusal = money.refusal()
    if refusal is not None and dialogue.catalogue.has(f"status.{refusal}"):
        words.append(dialogue.text(f"status.{refusal}"))
    if not dialogue.printer_ready:
        known = f"status.printer_{dialogue.printer_trouble}"
        name = known if dialogue.catalogue.has(known) else "status.printer"
        words.append(dialogue.text(name))
    if "card_reader" in dialogue.devices_missing:
        words.append(dialogue.text("status.card_reader"))
    if money.link_trouble:
        words.append(dialogue.text("status.link"))
    if dialogue.configuration.is_training:
        words.insert(0, dialogue.text("status.training"))
    elif terminal.test_host or terminal.software_pin:
        words.append(dialogue.text("status.test"))
    waiting = waits_for_a_person(dialogue.ledger)
    if waiting:
        words.append(dialogue.text("status.in_doubt", count=waiting))
    applied = dialogue.ledger.applications.waiting_count()
    if applied:
        words.append(dialogue.text("status.to_approve", count=applied))
    count = dialogue.ledger.transactions.unsettled_count()
    if is_nearly_full(dialogue, count) and refusal is None:
        words.insert(1, dialogue.text("status.settle_now"))
    if count:
        words.append(dialogue.text("status.unsettled", count=count))
    kept = dialogue.ledger.print_jobs.waiting_count()
    if kept:
        words.append(dialogue.text("status.kept_slips", count=kept))
    return words


def two_rows(words: list[str], columns: int) -> tuple[str, str]:
    """What fits the last row, and what of the rest fits the row above it: whole words only."""
    first, rest = _fitting(words, columns)
    second, _ = _fitting(rest, columns)
    return first, second


def _fitting(words: list[str], columns: int) -> tuple[str, list[str]]:
    for end in range(len(words), 0, -1):
        row = " ".join(words[:end])
        if grid.width(row) <= columns:
            return row, words[end:]
    return "", words


FLOW = Flow(
    "idle",
    (Step("ready", screen, notice_seconds, opens=look_around, help="idle"),),
    (
        Row("ready", "power_up", is_locked, LOCKED),
        Row("ready", "power_up", was_in_training, "training.over", note_live_again),
        Row("ready", "power_up", is_new_here, "training.welcome", note_welcomed),
        Row("ready", "power_up", is_restored, "restored.told"),
        Row("ready", "power_up", is_undecided, OFFERED, offer_again),
        Row("ready", "power_up", is_unseen, LAST, show_unseen),
        Row("ready", "power_up", settlement_waits, "settlement.unfinished"),
        Row("ready", "digit", is_closed, BLOCKED, keep_closed),
        Row("ready", "digit", is_undecided, OFFERED, offer_again),
        Row("ready", "digit", None, "sale.amount", add_amount_digit),
        Row("ready", "card", is_closed, BLOCKED, keep_closed),
        Row("ready", "card", is_undecided, OFFERED, offer_again),
        Row("ready", "card", None, "sale.amount", take_card),
        Row("ready", "card_unreadable", None, STAY, say_unreadable),
        Row("ready", "confirm", is_signed_off, SIGN_IN),
        Row("ready", "confirm", is_undecided, OFFERED, offer_again),
        Row("ready", "confirm", None, "menu.main"),
        Row("ready", "up", None, "menu.main"),
        Row("ready", "down", None, "menu.main"),
        Row("ready", "cancel", None, STAY),
        Row("ready", "clear", None, STAY),
        Row("ready", "next", is_locked, LOCKED),
        Row("ready", "next", drill.is_over, drill.OVER),
        Row("ready", "next", something_was_missed, LAST, show_missed),
        Row("ready", "next", settlement_waits, "settlement.unfinished"),
        Row("ready", "timeout", something_was_missed, LAST, show_missed),
        Row("ready", "timeout", settlement_waits, "settlement.unfinished"),
        Row("ready", "timeout", None, STAY),
        Row("ready", "settlement_due", None, "settlement.waiting", start_by_time),
        Row("ready", "settled", None, "settlement.ended", keep_end),
        Row("ready", "unsettled", None, "settlement.unfinished", keep_end),
        Row("ready", "printer_ready", some_slip_is_kept, "kept.offer"),
        Row("ready", "slip_due", can_print, SLIPS, take_due_slip),
        # what ends while nobody is at the terminal is shown, and its slip is offered
        Row("ready", "approved", None, LAST, keep_transaction),
        Row("ready", "declined", None, LAST, keep_transaction),
        Row("ready", "reversed", None, LAST, keep_transaction),
        Row("ready", "no_answer", None, LAST, keep_transaction),
        Row("ready", "unresolved", None, LAST, keep_transaction),
        # every failed try reports it again: the last row says so, and a slip is worth a screen
        Row("ready", "reversal_pending", has_slip, LAST, keep_transaction),
        Row("ready", "pending", has_slip, LAST, keep_transaction),
    ),
)
