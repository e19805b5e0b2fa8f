"""重打: the slips of the last transaction, or of any by its voucher, marked as copies (money M6).

Fault slips and slips of pending notices too. What has not come out yet is printed as it is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from posd import receipts
from posd.terminal.exchange import SLIPS, some_slip_waits
from posd.terminal.fields import VOUCHER, is_empty, say_voucher_wanted, text_rows
from posd.terminal.journal import short_screen
from posd.terminal.machine import IDLE, STAY, Part, Row, Step, assemble
from posd.terminal.originals import with_number
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.ledger.records import PrintJob
    from posd.terminal.dialogue import Dialogue

IN_DOUBT: Final = ("fault", "pending")
"""Copies of what had no outcome."""


def choose_last(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.transaction = dialogue.ledger.search.last_printed((*receipts.COPIES, *IN_DOUBT))


def has_none(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.form.transaction is None


def shown_screen(dialogue: Dialogue) -> Screen:
    if has_none(dialogue, None):
        body = (dialogue.text("line.nothing_to_reprint"),)
        return Screen(dialogue.text("title.reprint"), body, dialogue.text("hint.confirm"))
    return short_screen(dialogue, "hint.confirm_reprint")


def slips_of(dialogue: Dialogue, transaction: int) -> list[PrintJob]:
    """The newest of each copy of its outcome, in their order; else the slip that says it has none."""
    newest = {job.copy: job for job in dialogue.ledger.print_jobs.of(transaction)}
    copies = [newest[copy] for copy in receipts.COPIES if copy in newest]
    return copies or [newest[copy] for copy in IN_DOUBT if copy in newest][:1]


# --- any transaction ------------------------------------------------------------------------------


def voucher_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.reprint"),
        (dialogue.form.number or dialogue.text("line.voucher_zeros"),),
        dialogue.text("hint.confirm_cancel"),
    )


def take_wanted(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.transaction = with_number(dialogue, dialogue.form.number)[0].id


def refusal(dialogue: Dialogue) -> str:
    """Why nothing of this voucher can be printed; "" when something can."""
    found = with_number(dialogue, dialogue.form.number)
    if not found:
        return "say.query_none"
    return "" if slips_of(dialogue, found[0].id) else "say.no_slip_of_it"


def is_refused(dialogue: Dialogue, _event: object) -> bool:
    return refusal(dialogue) != ""


def say_refusal(dialogue: Dialogue, _event: object) -> None:
    dialogue.say(refusal(dialogue))


def print_again(dialogue: Dialogue, event: object) -> None:
    transaction = dialogue.form.transaction
    assert transaction is not None
    if some_slip_waits(dialogue, event):
        return
    with dialogue.ledger.commit("slip_again"):
        for job in slips_of(dialogue, transaction):
            slip = receipts.as_duplicate(job.slip)
            dialogue.ledger.print_jobs.add(transaction, job.copy, slip)


FLOW = assemble(
    "reprint",
    Part(
        (
            Step("last", shown_screen, help="reprint"),
            Step("voucher", voucher_screen, help="query_voucher"),
            Step("shown", shown_screen, help="reprint"),
        ),
        (
            Row("last", "confirm", has_none, IDLE),
            Row("last", "confirm", None, SLIPS, print_again),
            Row("last", "clear", None, "menu.print"),
            *text_rows("voucher", VOUCHER),
            Row("voucher", "confirm", partial(is_empty, VOUCHER), STAY, say_voucher_wanted),
            Row("voucher", "confirm", is_refused, STAY, say_refusal),
            Row("voucher", "confirm", None, "shown", take_wanted),
            Row("voucher", "clear", None, "menu.print"),
            Row("shown", "confirm", None, SLIPS, print_again),
        ),
    ),
    before="menu.print",
)
