"""Settlement: the totals, 确认, step by step, its slips; going on with one that is unfinished.

Nothing of it is kept here: each screen reads the ledger, and the same key begins and goes on.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from devices import columns as grid
from devices.slip import Slip
from posd import batch_slips, receipts
from posd.core.events import (
    KeyPressed,
    MoneyProgress,
    SettlementEnded,
    SettlementProgress,
)
from posd.ledger.records import PrintJob
from posd.money.totals import ClassTotals, parse_answer
from posd.receipts import orders
from posd.terminal.choices import is_digit
from posd.terminal.exchange import (
    BLOCKED,
    SLIPS,
    is_about_terminal,
    keep_refusal,
    note_progress,
    refusal_text,
    say_please_wait,
)
from posd.terminal.fields import password
from posd.terminal.flows.slip import put_off, say_slip_waits
from posd.terminal.machine import (
    IDLE,
    STAY,
    Part,
    Row,
    Step,
    assemble,
    no_time_out,
    result_seconds,
)
from posd.terminal.screens import Screen
from posd.texts import amount_text
from protocol.response_codes import look_up

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

ADMINISTRATOR: Final = "99"
TO_PRINT: Final = "settlement.printing"
LAST_SETTLEMENT: Final = "last"
"""What 重打结算单 prints; the others are the names of batch_slips."""

_RESULTS: Final = {"1": "balanced", "2": "unbalanced", "3": "error"}


# --- guards ---------------------------------------------------------------------------------------


def is_unfinished(dialogue: Dialogue, _event: object) -> bool:
    """Was a settlement begun and not ended?"""
    return dialogue.money.settlement_unfinished is not None


def asks_by_hand(dialogue: Dialogue, event: KeyPressed) -> bool:
    """Is it 9, and is there something that only an administrator can end?"""
    return is_digit("9", dialogue, event) and is_unfinished(dialogue, event)


def has_digit(dialogue: Dialogue, _event: object) -> bool:
    """Did the clerk type digits here? Then the next 确认 is meant for an amount, not for the batch."""
    return bool(dialogue.form.number)


def nothing_is_to_print(dialogue: Dialogue, _event: object) -> bool:
    return not dialogue.form.jobs


# --- what is done ---------------------------------------------------------------------------------


def start(dialogue: Dialogue, _event: object) -> None:
    """Begin, or go on: the money core knows which."""
    dialogue.money.settle(dialogue.money.operator)


def start_by_time(dialogue: Dialogue, _event: object) -> None:
    dialogue.money.settle_by_time()


def note_digit(dialogue: Dialogue, event: KeyPressed) -> None:
    dialogue.form.number += event.key.value
    dialogue.say("say.settle_no_amount")


def ask_again(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.number = ""
    dialogue.say("say.settle_again")


def note_step(dialogue: Dialogue, event: SettlementProgress) -> None:
    form = dialogue.form
    form.settling = event
    form.deadline = dialogue.ports.clock.monotonic() + event.seconds
    form.phase = None


def note_other_progress(dialogue: Dialogue, event: MoneyProgress) -> None:
    """A sign-in, or an older case that goes first."""
    note_progress(dialogue, event)
    dialogue.form.settling = None
    dialogue.form.transaction = None


def keep_end(dialogue: Dialogue, event: SettlementEnded) -> None:
    form = dialogue.form
    form.settlement, form.refusal, form.code = event.settlement, event.reason, event.code
    form.transaction = None


def look_for_unfinished(dialogue: Dialogue) -> None:
    """What was begun is ended first."""
    if is_unfinished(dialogue, None):
        dialogue.next()


def note_told(dialogue: Dialogue) -> None:
    dialogue.settlement_told = True


def close_by_hand(dialogue: Dialogue, _event: object) -> None:
    if not dialogue.money.close_batch_by_hand(ADMINISTRATOR):
        dialogue.next()  # it is at work, or has ended: the screen before says how it stands


def take_slips(dialogue: Dialogue, _event: object) -> None:
    """Those of the settlement that waits, and of no other kind."""
    ours = (batch_slips.TOTALS, batch_slips.DETAILS, orders.REPORT)
    waiting = dialogue.ledger.print_jobs.waiting()
    dialogue.form.jobs = [job for job in waiting if job.transaction is None and job.copy in ours]


def take_slips_and_list(dialogue: Dialogue, event: object) -> None:
    take_slips(dialogue, event)
    if all(job.copy != batch_slips.DETAILS for job in dialogue.form.jobs):
        assert dialogue.form.settlement is not None
        settlement = dialogue.ledger.batches.get(dialogue.form.settlement)
        contents = batch_slips.Contents.of(dialogue.ledger, settlement)
        slip = batch_slips.detail_list(contents, dialogue.configuration)
        dialogue.form.jobs.append(_stored(dialogue, batch_slips.DETAILS, slip))


def print_later(dialogue: Dialogue, event: object) -> None:
    """The clerk knows: not offered again after each sale's slips."""
    put_off(dialogue, event)
    say_slip_waits(dialogue, event)


def wants(what: str, dialogue: Dialogue, _event: object) -> None:
    """Which slip the menu asked for."""
    dialogue.form.reason = what


def make_slip(dialogue: Dialogue) -> None:
    """What was asked for, as a print job: it survives a power cut as every slip does (money M6)."""
    form, ledger, configuration = dialogue.form, dialogue.ledger, dialogue.configuration
    if form.reason == LAST_SETTLEMENT:
        settlement = ledger.batches.last_closed()
        if settlement is not None:
            contents = batch_slips.Contents.of(ledger, settlement)
            again = receipts.as_duplicate(batch_slips.totals_slip(contents, configuration))
            form.jobs = [_stored(dialogue, batch_slips.TOTALS, again)]
    elif ledger.transactions.unsettled_count():
        contents = batch_slips.Contents.of_open_batch(ledger, dialogue.money.operator)
        made = (
            batch_slips.detail_list if form.reason == batch_slips.DETAILS else batch_slips.summary
        )
        form.jobs = [_stored(dialogue, form.reason, made(contents, configuration))]
    dialogue.next()


def _stored(dialogue: Dialogue, copy: str, slip: Slip) -> PrintJob:
    with dialogue.ledger.commit("slip_wanted"):
        identity = dialogue.ledger.print_jobs.add(None, copy, slip)
    return PrintJob(identity, None, copy, slip)


def say_no_such_key(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say("say.key_unused")


# --- screens --------------------------------------------------------------------------------------


def totals_screen(dialogue: Dialogue) -> Screen:
    totals = dialogue.money.settlement_totals()
    number = dialogue.ledger.counters.batch_number
    body = list(_sums(dialogue, totals.whole))
    if not totals.foreign.is_empty:
        body += [dialogue.text("line.domestic"), *_sums(dialogue, totals.domestic)]
        body += [dialogue.text("line.foreign"), *_sums(dialogue, totals.foreign)]
    return Screen(
        dialogue.text("title.settlement_totals", voucher=number),
        tuple(body),
        dialogue.text("hint.confirm_settle"),
    )


def _sums(dialogue: Dialogue, totals: ClassTotals) -> tuple[str, ...]:
    return (
        dialogue.text("line.debit", count=totals.debit_count),
        amount_text(totals.debit),
        dialogue.text("line.credit", count=totals.credit_count),
        amount_text(totals.credit),
    )


def waiting_screen(dialogue: Dialogue) -> Screen:
    form = dialogue.form
    if form.settling is not None:
        step = form.settling
        doing = dialogue.text(f"line.settling_{step.step}", number=step.number, of=step.of)
        left = max(0, int(form.deadline - dialogue.ports.clock.monotonic()))
        seconds = dialogue.text("line.seconds", seconds=left)
    else:
        phase = form.phase.value if form.phase else "connecting"
        doing, seconds = dialogue.text(f"line.phase_{phase}"), dialogue.seconds_left_text
    return Screen(
        dialogue.text("title.settlement"), (doing, seconds), dialogue.text("hint.please_wait")
    )


def ended_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.settled"), _results(dialogue), dialogue.text("hint.print_or_list")
    )


def _results(dialogue: Dialogue) -> tuple[str, ...]:
    """内卡 对账平, and so on for the foreign cards; by hand, when no host has said so."""
    if dialogue.form.settlement is None:
        return ()
    settlement = dialogue.ledger.batches.get(dialogue.form.settlement)
    if settlement.closed_by:
        return (dialogue.text("line.closed_by_hand"),)
    if not settlement.answer:
        return ()
    domestic, foreign = parse_answer(settlement.answer)
    words = [dialogue.text(f"line.domestic_{_RESULTS[domestic.result]}")]
    if foreign is not None:
        words.append(dialogue.text(f"line.foreign_{_RESULTS[foreign.result]}"))
    return tuple(words)


def unfinished_screen(dialogue: Dialogue) -> Screen:
    begun = is_unfinished(dialogue, None)
    title = "title.settlement_unfinished" if begun else "title.settlement_not_begun"
    hint = "hint.go_on_or_by_hand" if begun else "hint.confirm_again"
    return Screen(dialogue.text(title), (_why(dialogue),), dialogue.text(hint))


def _why(dialogue: Dialogue) -> str:
    """What stopped it last in this life of the terminal, else that it goes on."""
    form = dialogue.form
    if form.refusal == "refused":
        row = look_up(form.code)
        words = row.zh if dialogue.catalogue.language == "zh_CN" else row.en
        return f"{grid.printable(form.code)} {words}"
    known = f"result.settlement_{form.refusal}"
    return dialogue.text(known if dialogue.catalogue.has(known) else "result.settlement_goes_on")


def refused_screen(dialogue: Dialogue) -> Screen:
    return Screen(
        dialogue.text("title.settlement_not_begun"),
        (refusal_text(dialogue),),
        dialogue.text("hint.confirm"),
    )


def printing_screen(dialogue: Dialogue) -> Screen:
    return Screen(dialogue.text("title.menu_print"), (), dialogue.text("hint.please_wait"))


def nothing_screen(dialogue: Dialogue) -> Screen:
    last = dialogue.form.reason == LAST_SETTLEMENT
    return Screen(
        dialogue.text("title.menu_print"),
        (dialogue.text("line.no_settlement" if last else "line.no_transactions"),),
        dialogue.text("hint.confirm"),
    )


# --- the tables -----------------------------------------------------------------------------------


def _administrator(_dialogue: Dialogue) -> str:
    return ADMINISTRATOR


SETTLING: Final = Part(
    (
        Step("totals", totals_screen, opens=look_for_unfinished, help="settlement_totals"),
        Step("waiting", waiting_screen, no_time_out, False, ticks=True, help="settlement_waiting"),
        Step("ended", ended_screen, result_seconds, False, help="settlement_ended"),
        Step(
            "unfinished",
            unfinished_screen,
            returns=False,
            opens=note_told,
            help="settlement_unfinished",
        ),
        Step("refused", refused_screen, result_seconds, False, help="settlement_refused"),
    ),
    (
        Row("totals", "next", None, "unfinished"),
        Row("totals", "digit", None, STAY, note_digit),
        Row("totals", "confirm", has_digit, STAY, ask_again),
        Row("totals", "confirm", None, "waiting", start),
        Row("waiting", "settling", None, STAY, note_step),
        Row("waiting", "progress", None, STAY, note_other_progress),
        Row("waiting", "tick", None, STAY),
        *(
            Row("waiting", key, None, STAY, say_please_wait)
            for key in ("cancel", "clear", "confirm", "digit")
        ),
        Row("waiting", "timeout", None, STAY),
        Row("waiting", "settled", None, "ended", keep_end),
        Row("waiting", "unsettled", None, "unfinished", keep_end),
        Row("waiting", "refused", is_about_terminal, BLOCKED, keep_refusal),
        Row("waiting", "refused", None, "refused", keep_refusal),
        Row("waiting", "next", None, "unfinished"),
        Row("ended", "confirm", None, SLIPS, take_slips),
        Row("ended", "timeout", None, SLIPS, take_slips),
        Row("ended", "digit", partial(is_digit, "1"), SLIPS, take_slips_and_list),
        Row("ended", "digit", None, STAY, say_no_such_key),
        Row("ended", "cancel", None, IDLE, print_later),
        Row("unfinished", "confirm", None, "waiting", start),
        Row("unfinished", "digit", asks_by_hand, "password"),
        Row("unfinished", "digit", None, STAY, say_no_such_key),
        Row("unfinished", "clear", None, IDLE),
        Row("refused", "confirm", None, IDLE),
    ),
)

SLIPS_OF_BATCH: Final = Part(
    (
        Step("printing", printing_screen, returns=False, opens=make_slip, help="settlement_slips"),
        Step("nothing", nothing_screen, result_seconds, False, help="settlement_slips"),
    ),
    (
        Row("printing", "next", nothing_is_to_print, "nothing"),
        Row("printing", "next", None, SLIPS),
        Row("nothing", "confirm", None, IDLE),
    ),
)

FLOW = assemble(
    "settlement",
    SETTLING,
    password("administrator", _administrator, close_by_hand, "waiting"),
    SLIPS_OF_BATCH,
    before="menu.main",
)
