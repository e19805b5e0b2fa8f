"""What became of a transaction that ended while nobody was there: 上笔 123.45 成功, and its slip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posd.core.events import Outcome
from posd.ledger.records import State
from posd.terminal.exchange import (
    SLIPS,
    acknowledge,
    in_progress_text,
    is_ours,
    is_over,
    response_text,
    shown_record,
    some_slip_waits,
)
from posd.terminal.machine import IDLE, STAY, Flow, Row, Step
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

REPORTS: Final = tuple(outcome.value for outcome in Outcome)


def screen(dialogue: Dialogue) -> Screen:
    record = shown_record(dialogue)
    body = [dialogue.text(f"line.last_{record.state}")]
    if record.state is State.PENDING:
        body = [in_progress_text(dialogue, record)]
    elif record.response_code and record.state is State.DECLINED:
        body.append(response_text(dialogue, record))
    else:
        if record.state is State.UNRESOLVED:
            body.append(dialogue.text("line.do_call"))
        body.append(dialogue.text(f"line.kind_{record.kind}", voucher=record.stan))
    prints = some_slip_waits(dialogue, None)
    return Screen(
        dialogue.text("title.last", amount=amount_text(record.booked_amount)),
        tuple(body),
        dialogue.text("hint.confirm_print" if prints else "hint.confirm"),
    )


FLOW = Flow(
    "last",
    (Step("shown", screen, returns=False, help="last"),),
    (
        Row("shown", "confirm", some_slip_waits, SLIPS),
        Row("shown", "confirm", is_over, IDLE, acknowledge),
        Row("shown", "confirm", None, IDLE),
        Row("shown", "cancel", some_slip_waits, IDLE),
        Row("shown", "cancel", is_over, IDLE, acknowledge),
        Row("shown", "cancel", None, IDLE),
        Row("shown", "clear", None, IDLE),
        # the screen reads the ledger: it says what is so now
        *(Row("shown", event, is_ours, STAY) for event in REPORTS),
    ),
)
