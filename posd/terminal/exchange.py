"""The shared end of every financial flow: the wait for the host and the screens of each outcome.

What the money core reports is an event a row; what the screens say is read from the ledger, so that
a result is never shown that is not stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from devices import columns as grid
from posd.core.events import KeyPressed, MoneyProgress, Phase, RequestRefused, TransactionEnded
from posd.ledger.records import State
from posd.money.money import Refusal
from posd.money.requests import NO_CARD_PRESENTED
from posd.terminal.fields import Title
from posd.terminal.machine import (
    IDLE,
    STAY,
    Action,
    Part,
    Row,
    Step,
    no_time_out,
    result_seconds,
)
from posd.terminal.screens import Screen
from protocol.response_codes import ResponseClass, asks_sign_in, keep_card, look_up
from protocol.transactions import ALL, SALE, SALE_VOID, Doubt, Original

if TYPE_CHECKING:
    from posd.ledger.records import TransactionRecord
    from posd.terminal.dialogue import Dialogue

SLIPS: Final = "slip.printing"
BLOCKED: Final = "blocked.shown"

CLOSED: Final = frozenset(
    {
        Refusal.NOT_SIGNED_IN,
        Refusal.REVERSAL_PENDING,
        Refusal.RESTORED,
        Refusal.DISK_FULL,
        Refusal.BATCH_FULL,
        Refusal.SETTLEMENT_UNFINISHED,
    }
)

UNDECIDED: Final = frozenset({State.OPEN, State.REVERSING, State.PENDING})
"""Not ended yet: there is nothing that a clerk could have taken notice of."""

NO_ORIGINAL: Final = "25"
WRONG_PIN: Final = "55"
ABOUT_ANOTHER: Final = frozenset(
    row.name for row in ALL if row.financial and row.original is not Original.NONE
)
"""Kinds of requests that name an earlier transaction."""

_OF_OTHERS: Final = frozenset({Phase.REVERSING, Phase.REPEATING})

_WHAT_TO_DO: Final = {
    ResponseClass.RETRY: "line.do_retry",
    ResponseClass.DECLINE: "line.do_other_card",
    ResponseClass.OPERATOR: "line.do_check",
    ResponseClass.SYSTEM: "line.do_call",
    ResponseClass.APPROVED: "line.do_call",  # an approval that was not usable
}


def exchange(
    title: Title,
    kind: str,
    again: str,
    try_again: Action | None = None,
    doubt: Doubt = Doubt.REVERSAL,
    approved: str = SLIPS,
) -> Part:
    """Waiting, and how it ended.

    kind selects the texts (`hint.<kind>_again`...); `again` is the step where 确认 begins anew after
    a decline or a reversal that undid everything, with the action `try_again`. doubt: what follows
    when no usable answer comes, as in the dialect's row of the transaction. approved: where an
    approval leads; what has nothing to print has a step of its own there.
    """

    def waiting_screen(dialogue: Dialogue) -> Screen:
        phase = dialogue.form.phase or Phase.CONNECTING
        body = (
            dialogue.text(f"line.phase_{phase.value}"),
            dialogue.seconds_left_text,
        )
        return Screen(title(dialogue), body, dialogue.text("hint.please_wait"))

    def declined_screen(dialogue: Dialogue) -> Screen:
        record = shown_record(dialogue)
        code = grid.printable(record.response_code)
        return Screen(
            dialogue.text("title.declined", code=code),
            (response_text(dialogue, record), what_to_do(dialogue, record)),
            dialogue.text(f"hint.{kind}_again"),
        )

    def headline(name: str) -> str:
        """Whether the customer was debited is said of a sale; what another kind left is in its body."""
        says_debit = kind != SALE.name and name in (State.NOT_SENT, State.REVERSED)
        return f"title.outcome_{name}" if says_debit else f"title.{name}"

    def result_screen(name: str, hint: str) -> Step:
        def screen(dialogue: Dialogue) -> Screen:
            return Screen(
                dialogue.text(headline(name)),
                (dialogue.text(f"result.{kind}_{name}"),),
                dialogue.text(hint),
            )

        return Step(name, screen, result_seconds, returns=False, help=name)

    def refused_screen(dialogue: Dialogue) -> Screen:
        return Screen(
            dialogue.text("title.refused"),
            (refusal_text(dialogue),),
            dialogue.text(f"hint.{kind}_again"),
        )

    def begin_again(dialogue: Dialogue, event: KeyPressed) -> None:
        acknowledge(dialogue, event)
        dialogue.form.transaction = None
        dialogue.form.phase = None
        if try_again is not None:
            try_again(dialogue, event)

    def ended(state: str) -> tuple[Row, ...]:
        return (
            Row(state, "confirm", None, again, begin_again),
            *_seen(state),
        )

    steps = (
        Step("waiting", waiting_screen, no_time_out, returns=False, ticks=True, help="waiting"),
        Step("declined", declined_screen, result_seconds, returns=False, help="declined"),
        result_screen("not_sent", f"hint.{kind}_again"),
        Step("refused", refused_screen, result_seconds, returns=False, help="refused"),
    )
    rows = (
        Row("waiting", "progress", None, STAY, note_progress),
        Row("waiting", "tick", None, STAY),
        # the outcome is unknown until the answer, the time-out or the reversal (money M12)
        Row("waiting", "cancel", None, STAY, say_please_wait),
        Row("waiting", "clear", None, STAY, say_please_wait),
        Row("waiting", "confirm", None, STAY, say_please_wait),
        Row("waiting", "digit", None, STAY, say_please_wait),
        Row("waiting", "timeout", None, STAY),
        Row("waiting", "approved", is_ours, approved),
        Row("waiting", "declined", is_ours, "declined"),
        Row("waiting", "not_sent", is_ours, "not_sent"),
        Row("waiting", "refused", is_about_terminal, BLOCKED, keep_refusal),
        Row("waiting", "refused", None, "refused", keep_refusal),
        *ended("declined"),
        *ended("not_sent"),
        Row("refused", "confirm", None, again, begin_again),
    )
    more_steps: tuple[Step, ...]
    more_rows: tuple[Row, ...]
    match doubt:
        case Doubt.REVERSAL:
            undone = result_screen("reversed", f"hint.{kind}_reversed")
            unknown = result_screen("unresolved", "hint.confirm")
            more_steps = (undone, _PENDING, unknown)
            more_rows = (*ended("reversed"), *_REVERSAL_ROWS, *_UNRESOLVED_ROWS)
        case Doubt.NOTICE:
            unknown = result_screen("unresolved", "hint.confirm")
            more_steps = (_IN_PROGRESS, unknown)
            more_rows = (*_NOTICE_ROWS, *_UNRESOLVED_ROWS)
        case Doubt.NOTHING:
            more_steps = (result_screen("no_answer", f"hint.{kind}_again"),)
            more_rows = (Row("waiting", "no_answer", is_ours, "no_answer"), *ended("no_answer"))
    return Part((*steps, *more_steps), (*rows, *more_rows))


def _seen(state: str) -> tuple[Row, ...]:
    """A result that has been on the screen is not told again at the next start."""
    return (
        Row(state, "cancel", None, IDLE, acknowledge),
        Row(state, "timeout", None, IDLE, acknowledge),
    )


# --- what the rows do -----------------------------------------------------------------------------


def note_progress(dialogue: Dialogue, event: MoneyProgress) -> None:
    dialogue.form.phase = event.phase
    dialogue.form.deadline = dialogue.ports.clock.monotonic() + event.seconds
    if event.transaction is not None and event.phase not in _OF_OTHERS:
        # an older reversal or notice that goes first is not what the clerk asked for
        dialogue.form.transaction = event.transaction


def say_please_wait(dialogue: Dialogue, _event: KeyPressed) -> None:
    reversing = dialogue.form.phase is Phase.REVERSING
    dialogue.say("say.wait_reversing" if reversing else "say.wait")


def is_over(dialogue: Dialogue, _event: object) -> bool:
    """Has the transaction ended, well or badly?"""
    return shown_record(dialogue).state not in UNDECIDED


def is_ours(dialogue: Dialogue, event: TransactionEnded) -> bool:
    """Is it the request that this flow made?"""
    return dialogue.form.transaction == event.transaction


def is_about_terminal(_dialogue: Dialogue, event: RequestRefused) -> bool:
    """Is the terminal closed, whatever the request?"""
    return event.reason in CLOSED


def is_closed(dialogue: Dialogue, _event: object) -> bool:
    """May nothing financial be begun now?"""
    return dialogue.refusal is not None


def keep_closed(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.refusal = dialogue.refusal or ""


def some_slip_waits(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.ledger.print_jobs.waiting_count(dialogue.form.transaction) > 0


def keep_transaction(dialogue: Dialogue, event: TransactionEnded) -> None:
    dialogue.form.transaction = event.transaction


def keep_refusal(dialogue: Dialogue, event: RequestRefused) -> None:
    dialogue.form.refusal = event.reason
    dialogue.form.code = event.code


def acknowledge(dialogue: Dialogue, _event: object) -> None:
    """The clerk has seen how it ended."""
    if dialogue.form.transaction is not None:
        with dialogue.ledger.commit("outcome_seen"):
            dialogue.ledger.transactions.acknowledge(dialogue.form.transaction)


def retry_reversals(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.refusal = Refusal.REVERSAL_PENDING
    dialogue.money.retry_reversals()


# --- in doubt -------------------------------------------------------------------------------------


def pending_screen(dialogue: Dialogue) -> Screen:
    prints = some_slip_waits(dialogue, None)
    return Screen(
        dialogue.text("title.pending"),
        (dialogue.text("result.pending"),),
        dialogue.text("hint.confirm_fault_slip" if prints else "hint.confirm_retry_now"),
    )


def in_progress_screen(dialogue: Dialogue) -> Screen:
    prints = some_slip_waits(dialogue, None)
    return Screen(
        dialogue.text("title.in_progress"),
        (in_progress_text(dialogue, shown_record(dialogue)),),
        dialogue.text("hint.confirm_print" if prints else "hint.confirm"),
    )


_PENDING: Final = Step("pending", pending_screen, result_seconds, returns=False, help="pending")
_IN_PROGRESS: Final = Step(
    "in_progress", in_progress_screen, result_seconds, returns=False, help="in_progress"
)
_REVERSAL_ROWS: Final = (
    Row("waiting", "reversed", is_ours, "reversed"),
    Row("waiting", "reversal_pending", is_ours, "pending"),
    Row("waiting", "unresolved", is_ours, "unresolved"),
    Row("pending", "confirm", some_slip_waits, SLIPS),
    Row("pending", "confirm", None, BLOCKED, retry_reversals),
    Row("pending", "reversal_pending", is_ours, STAY),  # the screen says so already
    Row("pending", "reversed", is_ours, "reversed"),
    Row("pending", "unresolved", is_ours, "unresolved"),
)
_NOTICE_ROWS: Final = (
    Row("waiting", "pending", is_ours, "in_progress"),
    Row("waiting", "unresolved", is_ours, "unresolved"),
    Row("in_progress", "confirm", some_slip_waits, SLIPS),
    Row("in_progress", "confirm", None, IDLE),
    Row("in_progress", "approved", is_ours, SLIPS),
    Row("in_progress", "declined", is_ours, "declined"),
    Row("in_progress", "unresolved", is_ours, "unresolved"),
)
_UNRESOLVED_ROWS: Final = (
    Row("unresolved", "confirm", None, IDLE, acknowledge),
    *_seen("unresolved"),
)


# --- what the screens say -------------------------------------------------------------------------


def shown_record(dialogue: Dialogue) -> TransactionRecord:
    """The transaction that the form is about."""
    assert dialogue.form.transaction is not None
    return dialogue.ledger.transactions.get(dialogue.form.transaction)


def refusal_text(dialogue: Dialogue) -> str:
    """Why the money core, or the ledger, would not have the request."""
    known = f"result.refused_{dialogue.form.refusal}"
    return dialogue.text(known if dialogue.catalogue.has(known) else "result.refused")


def in_progress_text(dialogue: Dialogue, record: TransactionRecord) -> str:
    """Neither done nor declined: what is being repeated, and not to do it again."""
    known = f"result.in_progress_{record.kind}"
    return dialogue.text(known if dialogue.catalogue.has(known) else "result.in_progress")


def response_text(dialogue: Dialogue, record: TransactionRecord) -> str:
    """What element 39 means, in the terminal's language."""
    row = look_up(record.response_code)
    return row.zh if dialogue.catalogue.language == "zh_CN" else row.en


def what_to_do(dialogue: Dialogue, record: TransactionRecord) -> str:
    """The next step after this response code."""
    code = record.response_code
    if keep_card(code):
        return dialogue.text("result.do_keep_card")
    if code == NO_ORIGINAL and record.kind in ABOUT_ANOTHER:
        void = record.kind == SALE_VOID.name
        return dialogue.text("result.do_check_voucher" if void else "result.do_check_original")
    if code == WRONG_PIN:
        return dialogue.text("line.do_pin")  # at once, and not later
    if asks_sign_in(code):
        return dialogue.text("line.do_sign_in")
    if record.original is not None and record.entry_mode.startswith(NO_CARD_PRESENTED):
        return dialogue.text("line.do_call")
    return dialogue.text(_WHAT_TO_DO[look_up(code).kind])
