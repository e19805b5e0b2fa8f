"""Printing, shared by every flow: each waiting slip of a transaction, torn off one by one.

The last one done is one commit: the print jobs are done and the clerk has seen the outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posd import receipts
from posd.core.events import KeyPressed, PrintEnded
from posd.terminal.exchange import is_over, shown_record
from posd.terminal.flows.partial_approval import is_in_part
from posd.terminal.machine import (
    IDLE,
    STAY,
    Flow,
    Row,
    Step,
    no_time_out,
    prompt_seconds,
)
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue


def print_next(dialogue: Dialogue) -> None:
    """Hand the first slip that is left to the printer; nothing left is the end."""
    form = dialogue.form
    if not form.jobs and not form.printed:
        form.jobs = dialogue.ledger.print_jobs.waiting(form.transaction)
    if not form.jobs:
        dialogue.next()
        return
    job = form.jobs[0]
    again = job.id in dialogue.perhaps_on_paper
    dialogue.ports.printer.print(job.id, receipts.as_duplicate(job.slip) if again else job.slip)


def more_is_to_print(dialogue: Dialogue, _event: PrintEnded) -> bool:
    return len(dialogue.form.jobs) > 1


def take_printed(dialogue: Dialogue, _event: object) -> None:
    form = dialogue.form
    form.printed.append(form.jobs.pop(0).id)


def finish(dialogue: Dialogue, _event: object) -> None:
    """Everything is on paper, or the clerk wants no more of it."""
    form, ledger = dialogue.form, dialogue.ledger
    done = [*form.printed, *(job.id for job in form.jobs)]
    with ledger.commit("slips_done"):
        ledger.print_jobs.done(*done)
        if form.transaction is not None and is_over(dialogue, None):
            ledger.transactions.acknowledge(form.transaction)
    dialogue.perhaps_on_paper.difference_update(done)
    remind_of_rest(dialogue)
    if dialogue.printer_ready and ledger.print_jobs.waiting_numbers() - dialogue.slips_put_off:
        dialogue.next("printer_ready")  # older slips that are kept are offered now


def put_off(dialogue: Dialogue, _event: object) -> None:
    """Not now: these are not offered after each slip, only when the printer was away, and in the menu."""
    dialogue.slips_put_off = dialogue.ledger.print_jobs.waiting_numbers()


def remind_of_rest(dialogue: Dialogue) -> None:
    """Only a part was approved: what is due is collected from the list of unpaid orders."""
    if dialogue.form.transaction is None:
        return
    record = shown_record(dialogue)
    if is_in_part(record):
        rest = record.amount - record.booked_amount
        dialogue.say("say.rest_is_due", amount=amount_text(rest))


def finish_last(dialogue: Dialogue, event: PrintEnded) -> None:
    take_printed(dialogue, event)
    finish(dialogue, event)


def note_trouble(dialogue: Dialogue, event: PrintEnded) -> None:
    dialogue.form.printer_reason = event.reason
    if event.perhaps_complete:
        dialogue.perhaps_on_paper.add(event.job)


def say_printing(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say("say.printing")


def say_slip_waits(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.slip_waits")


def tear_seconds(dialogue: Dialogue) -> float:
    return dialogue.configuration.timeouts.tear_seconds


# --- screens --------------------------------------------------------------------------------------


def headline(dialogue: Dialogue) -> str:
    """How the transaction ended, over everything that is printed about it; else what is printed."""
    if dialogue.form.transaction is None:
        return _copy(dialogue)
    return dialogue.text(f"title.outcome_{shown_record(dialogue).state}")


def _copy(dialogue: Dialogue) -> str:
    jobs = dialogue.form.jobs
    return dialogue.text(f"copy.{jobs[0].copy}") if jobs else ""


def _details(dialogue: Dialogue) -> str:
    if dialogue.form.transaction is None:
        return ""
    record = shown_record(dialogue)
    if record.authorisation_code:
        return dialogue.text("line.authorisation", code=record.authorisation_code)
    # what gives money back must not look like a payment that succeeded
    return dialogue.text(f"line.kind_{record.kind}", voucher=record.stan)


def printing_screen(dialogue: Dialogue) -> Screen:
    body = (_details(dialogue), _copy(dialogue))
    return Screen(headline(dialogue), body, dialogue.text("hint.printing"))


def tear_screen(dialogue: Dialogue) -> Screen:
    return Screen(headline(dialogue), (_details(dialogue),), dialogue.text("hint.tear_off"))


def trouble_screen(dialogue: Dialogue) -> Screen:
    known = f"line.printer_{dialogue.form.printer_reason}"
    reason = dialogue.text(known if dialogue.catalogue.has(known) else "line.printer_failed")
    return Screen(
        headline(dialogue),
        (reason, dialogue.text("line.slip_is_kept")),
        dialogue.text("hint.print_again"),
    )


FLOW = Flow(
    "slip",
    (
        Step(
            "printing",
            printing_screen,
            no_time_out,
            returns=False,
            opens=print_next,
            help="printing",
        ),
        Step("tear", tear_screen, tear_seconds, returns=False, help="tear"),
        Step("trouble", trouble_screen, prompt_seconds, returns=False, help="trouble"),
    ),
    (
        Row("printing", "printed", more_is_to_print, "tear", take_printed),
        Row("printing", "printed", None, IDLE, finish_last),
        Row("printing", "print_failed", None, "trouble", note_trouble),
        Row("printing", "next", None, IDLE, finish),
        Row("printing", "cancel", None, STAY, say_printing),
        Row("printing", "confirm", None, STAY, say_printing),
        Row("printing", "timeout", None, STAY),
        Row("tear", "confirm", None, "printing"),
        Row("tear", "timeout", None, "printing"),
        Row("tear", "cancel", None, IDLE, finish),
        Row("trouble", "confirm", None, "printing"),
        Row("trouble", "cancel", None, IDLE, say_slip_waits),
        Row("trouble", "timeout", None, IDLE, say_slip_waits),
    ),
)
