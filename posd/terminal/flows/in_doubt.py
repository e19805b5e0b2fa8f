"""未决交易: pending reversals and notices, and cases that need a person; what can be done about each.

1 立即重试, 2 重打故障单, 3 转人工 (the tries are spent), 4 结案 (the acquirer has been asked).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from posd import receipts
from posd.core.events import KeyPressed, TransactionEnded
from posd.ledger.records import State
from posd.money.money import Refusal
from posd.terminal.cases import (
    case_screen,
    cases,
    choose_next,
    choose_previous,
    chosen_case,
    is_closed,
    list_screen,
)
from posd.terminal.choices import is_digit, reason_choice, say_no_item
from posd.terminal.exchange import SLIPS, acknowledge, is_ours, keep_transaction, some_slip_waits
from posd.terminal.fields import supervisor_password
from posd.terminal.machine import IDLE, STAY, Part, Row, Step, assemble
from posd.terminal.screens import Screen
from protocol.transactions import BY_NAME, Doubt

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

REASONS: Final = ("1", "2", "3", "4")
VERDICTS: Final = ("1", "2", "4")  # what an acquirer can have said; 3 is that nobody was reached
LAST: Final = "last.shown"


# --- the list and a case of it --------------------------------------------------------------------


def shown_list(dialogue: Dialogue) -> Screen:
    return list_screen(dialogue, _hint(dialogue))


def shown_case(dialogue: Dialogue) -> Screen:
    case = chosen_case(dialogue)
    return shown_list(dialogue) if case is None else case_screen(dialogue, case, _hint(dialogue))


def _hint(dialogue: Dialogue) -> str:
    case = chosen_case(dialogue)
    if case is None:
        return "hint.confirm"
    if may_be_given_up(dialogue):
        return "hint.case_spent"
    return f"hint.case_{case.word}"


def nothing_is_there(dialogue: Dialogue, _event: object) -> bool:
    return not cases(dialogue.ledger)


def take_case(dialogue: Dialogue, _event: object) -> None:
    """From here on the form is about this one, whatever becomes of the list."""
    case = chosen_case(dialogue)
    assert case is not None
    dialogue.form.transaction = case.record.id


def is_news(dialogue: Dialogue, event: TransactionEnded) -> bool:
    """Has nobody been told? (Who gave a reversal up knows.)"""
    return not dialogue.ledger.transactions.get(event.transaction).acknowledged


def say_still_pending(dialogue: Dialogue, _event: TransactionEnded) -> None:
    dialogue.say("say.still_pending")


# --- 1: at once -----------------------------------------------------------------------------------


def retry(dialogue: Dialogue, _event: KeyPressed) -> None:
    """What is pending goes out now; what is not, or cannot go out now, is said."""
    case = chosen_case(dialogue)
    assert case is not None
    dialogue.form.transaction = case.record.id
    if case.record.state is State.UNRESOLVED:
        dialogue.say("say.case_no_retry")
    elif dialogue.money.busy:
        dialogue.say("say.line_busy")
    elif case.record.state is State.REVERSING:
        dialogue.money.retry_reversals()
        dialogue.say("say.retrying")
    else:
        dialogue.money.retry_notices()
        dialogue.say("say.repeating")


# --- 2: the slip ----------------------------------------------------------------------------------


def has_slip(dialogue: Dialogue) -> bool:
    """A fault slip comes with the end of the tries; everything else here has a slip."""
    case = chosen_case(dialogue)
    assert case is not None
    return case.record.state is not State.REVERSING or dialogue.money.tries_are_spent(case.record)


def print_slip(dialogue: Dialogue, event: KeyPressed) -> None:
    """The one that waits, else a new one that says how it stands now, marked as a copy (money M6)."""
    take_case(dialogue, event)
    if some_slip_waits(dialogue, event):
        return
    ledger, case = dialogue.ledger, chosen_case(dialogue)
    assert case is not None
    record = case.record
    notice = BY_NAME[record.kind].doubt is Doubt.NOTICE
    make = receipts.pending_slip if notice else receipts.fault_slip
    slip = receipts.as_duplicate(make(record, dialogue.configuration))
    with ledger.commit("slip_again"):
        ledger.print_jobs.add(record.id, "pending" if notice else "fault", slip)


def say_no_slip(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say("say.case_no_slip")


# --- 3: a person takes it over --------------------------------------------------------------------


def may_be_given_up(dialogue: Dialogue) -> bool:
    case = chosen_case(dialogue)
    assert case is not None
    pending = case.record.state in {State.REVERSING, State.PENDING}
    return pending and dialogue.money.tries_are_spent(case.record)


def say_not_given_up(dialogue: Dialogue, _event: KeyPressed) -> None:
    case = chosen_case(dialogue)
    assert case is not None
    unresolved = case.record.state is State.UNRESOLVED
    dialogue.say("say.case_is_given_up" if unresolved else "say.case_is_tried")


def line_is_busy(dialogue: Dialogue, _event: object) -> bool:
    """The reversal may be on the line right now."""
    return dialogue.money.busy


def give_up(dialogue: Dialogue, event: object) -> None:
    """What is on the line ends first; how, is then told as news."""
    form, waits = dialogue.form, dialogue.money.busy
    assert form.transaction is not None
    given_up = dialogue.money.give_up(form.transaction, form.supervisor, form.reason)
    if given_up and waits:
        dialogue.say("say.case_given_up_later")
    elif given_up:
        acknowledge(dialogue, event)
        dialogue.say("say.case_given_up")
    else:
        dialogue.say("say.case_changed")


# --- 4: what the acquirer said --------------------------------------------------------------------


def may_be_closed(dialogue: Dialogue) -> bool:
    case = chosen_case(dialogue)
    assert case is not None
    return case.record.state is State.UNRESOLVED and not case.closed


def is_elsewhere(dialogue: Dialogue, event: KeyPressed) -> bool:
    """Is it closed at the terminal that took over from this one?"""
    return asks_to_close(dialogue, event) and dialogue.money.retired is Refusal.MOVED


def say_elsewhere(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say("say.case_elsewhere")


def say_not_closed(dialogue: Dialogue, _event: KeyPressed) -> None:
    case = chosen_case(dialogue)
    assert case is not None
    dialogue.say("say.case_is_closed" if case.closed else "say.case_is_open")


def close(dialogue: Dialogue, event: object) -> None:
    """Once only: of two verdicts nobody would know which one holds."""
    form, ledger = dialogue.form, dialogue.ledger
    assert form.transaction is not None
    record = ledger.transactions.get(form.transaction)
    if not is_closed(ledger, record) and dialogue.money.close_case(
        form.transaction, form.supervisor, form.reason
    ):
        acknowledge(dialogue, event)
        dialogue.say(f"say.case_closed_{form.reason}")
    else:
        dialogue.say("say.case_changed")


# --- the rows -------------------------------------------------------------------------------------


def asks_slip(dialogue: Dialogue, event: KeyPressed) -> bool:
    return is_digit("2", dialogue, event) and has_slip(dialogue)


def asks_to_give_up(dialogue: Dialogue, event: KeyPressed) -> bool:
    return is_digit("3", dialogue, event) and may_be_given_up(dialogue)


def asks_to_close(dialogue: Dialogue, event: KeyPressed) -> bool:
    return is_digit("4", dialogue, event) and may_be_closed(dialogue)


def _case_rows(step: str) -> tuple[Row, ...]:
    """What can be done about the chosen case; and what ends meanwhile is told."""
    return (
        Row(step, "digit", nothing_is_there, STAY, say_no_item),
        Row(step, "digit", partial(is_digit, "1"), STAY, retry),
        Row(step, "digit", asks_slip, SLIPS, print_slip),
        Row(step, "digit", partial(is_digit, "2"), STAY, say_no_slip),
        Row(step, "digit", asks_to_give_up, "password", take_case),
        Row(step, "digit", partial(is_digit, "3"), STAY, say_not_given_up),
        Row(step, "digit", is_elsewhere, STAY, say_elsewhere),
        Row(step, "digit", asks_to_close, "closing_password", take_case),
        Row(step, "digit", partial(is_digit, "4"), STAY, say_not_closed),
        Row(step, "digit", None, STAY, say_no_item),
        Row(step, "tick", None, STAY),
        *_patience(step),
        *(
            Row(step, event, is_news, LAST, keep_transaction)
            for event in ("approved", "declined", "reversed", "unresolved")
        ),
        Row(step, "reversal_pending", None, STAY, say_still_pending),
    )


def _patience(step: str) -> tuple[Row, ...]:
    """A try takes as long as a prompt waits: the clerk who asked for it sees how it ended."""
    return (Row(step, "timeout", line_is_busy, STAY), Row(step, "timeout", None, IDLE))


def _ended_rows(step: str) -> tuple[Row, ...]:
    """While the supervisor decides, the host may have answered after all."""
    return (
        Row(step, "reversed", is_ours, LAST),
        Row(step, "unresolved", is_ours, LAST),
    )


CASES = Part(
    (
        Step("list", shown_list, ticks=True, help="in_doubt"),
        Step("case", shown_case, ticks=True, help="case"),
    ),
    (
        *_case_rows("list"),
        Row("list", "confirm", nothing_is_there, IDLE),
        Row("list", "confirm", None, "case", take_case),
        Row("list", "up", None, STAY, choose_previous),
        Row("list", "down", None, STAY, choose_next),
        *_case_rows("case"),
        Row("case", "confirm", None, "list"),
    ),
)

GIVING_UP = (
    supervisor_password("reason"),
    reason_choice(
        "reason", "title.given_up", {digit: f"menu.verdict_{digit}" for digit in REASONS}
    ),
    Part(
        (),
        (
            Row("reason", "next", None, "list", give_up),
            *_ended_rows("password"),
            *_ended_rows("locked"),
            *_ended_rows("reason"),
        ),
    ),
)

CLOSING = (
    supervisor_password("verdict", step="closing_password", locked="closing_locked"),
    reason_choice(
        "verdict", "title.verdict", {digit: f"menu.verdict_{digit}" for digit in VERDICTS}
    ),
    Part((), (Row("verdict", "next", None, "list", close),)),
)

FLOW = assemble("in_doubt", CASES, *GIVING_UP, *CLOSING, before="menu.main")
