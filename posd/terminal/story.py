"""A transaction's story in a clerk's words: was it sent, answered, reversed; then step by step.

Pure: a record, its steps and a language in, lines out. A line may be wider than the screen, and wraps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from devices import columns as grid
from posd.ledger.ledger import moment
from posd.ledger.records import State, StepRecord, TransactionRecord
from posd.texts import Catalogue, amount_text
from protocol.response_codes import look_up

CASE_CLOSED: Final = "case_closed"

REVERSAL_REASONS: Final = ("98", "A0", "96", "06")  # element 39 of the 0400
STEPS: Final = frozenset(
    {
        *({str(state) for state in State} - {State.OPEN, State.REVERSING}),
        "stored",
        *("reversal_sent", "host_had_none", "reversal_refused", "tries_spent"),
        *("notice_repeated", "notice_refused"),
        CASE_CLOSED,
    }
)
"""What a step may be called, each with words of its own. (How a reversal began is told by its reason.)"""


_MOVED: Final = {
    "balance_inquiry": "moved_nothing",
    "sale": "paid",
    "completion": "paid",
    "completion_notice": "paid",
    "sale_void": "given_back",
    "refund": "given_back",
    "completion_void": "given_back",
    "pre_authorisation": "held",
    "pre_authorisation_void": "freed",
}
"""What an approval did with the customer's money, by kind."""


def story(
    record: TransactionRecord, steps: Iterable[StepRecord], texts: Catalogue, refunded: int = 0
) -> tuple[str, ...]:
    """How it stands, then what happened and when; a row with the date where a day begins.

    refunded: fen of it that were given back, as the ledger's `refunded` counts them.
    """
    lines = summary(record, texts, refunded)
    day = ""
    for step in steps:
        at = moment(step.at)
        if f"{at:%m-%d}" != day:
            day = f"{at:%m-%d}"
            lines.append(f"{at:%Y-%m-%d}")
        lines.append(f"{at:%H:%M} {step_in_words(step, texts)}")
    return tuple(lines)


def summary(record: TransactionRecord, texts: Catalogue, refunded: int = 0) -> list[str]:
    """How it stands: sent? answered? undone? where is the money? refunded: as in `story`."""
    lines = _standing(record, texts)
    if refunded:
        lines.append(texts.text("story.sum_refunded", amount=amount_text(refunded)))
    return lines


def _standing(record: TransactionRecord, texts: Catalogue) -> list[str]:
    if record.state is State.NOT_SENT:
        return [texts.text("story.sum_not_sent")]
    if record.state is State.OPEN:
        return [texts.text("story.sum_open")]
    lines = [texts.text("story.sum_sent"), *_answer(record, texts)]
    undone = {
        State.REVERSING: "story.sum_reversing",
        State.REVERSED: "story.sum_reversed",
        State.PENDING: "story.sum_pending",
        State.UNRESOLVED: "story.sum_unresolved",
        State.VOIDED: "story.sum_voided",
    }.get(record.state)
    if record.state is State.REVERSED and record.host_had_none:
        undone = "story.sum_host_had_none"
    if undone is not None:
        lines.append(texts.text(undone))
    return [*lines, *_money(record, texts)]


def _money(record: TransactionRecord, texts: Catalogue) -> tuple[str, ...]:
    """Where the customer's money is; nothing of what is still open."""
    approved = record.booked_amount
    amount = amount_text(approved)
    match record.state:
        case State.DECLINED | State.NO_ANSWER:
            return (texts.text("story.sum_no_debit"),)
        case State.APPROVED:
            return (texts.text(f"story.sum_{_MOVED[record.kind]}", amount=amount),)
        case State.COMPLETED:
            return (texts.text("story.sum_completed"),)
        case _:
            return ()


def _answer(record: TransactionRecord, texts: Catalogue) -> tuple[str, ...]:
    code = record.response_code
    if not code:
        return (texts.text("story.sum_no_answer"),)
    row = look_up(code)
    words = row.zh if texts.language == "zh_CN" else row.en
    return texts.text("story.sum_answer", code=grid.printable(code)), words


def step_in_words(step: StepRecord, texts: Catalogue) -> str:
    """What happened, without its time."""
    details = step.details
    name = f"story.step_{step.what}"
    if step.what == State.REVERSING:
        reason = str(details.get("reason", ""))
        known = reason if reason in REVERSAL_REASONS else "06"
        return texts.text(f"story.because_{known}")
    if step.what == State.APPROVED and "by" in details:
        return texts.text("story.step_restored")
    if step.what == State.UNRESOLVED and "reason" in details:
        return _decision(details["reason"], "story.step_given_up", texts)
    if step.what == CASE_CLOSED:
        return _decision(details.get("verdict"), name, texts)
    return texts.text(name if step.what in STEPS else "story.step_other", **_values(details))


def _decision(digit: object, name: str, texts: Catalogue) -> str:
    """What a supervisor chose, in the words of the list that it was chosen from."""
    choice = f"menu.verdict_{digit}"
    words = texts.text(choice) if texts.has(choice) else grid.printable(str(digit))
    return texts.text(name, words=words)


def _values(details: Mapping[str, object]) -> dict[str, str]:
    """What the words of a step may need."""
    return {
        "count": str(details.get("try", details.get("tries", ""))),
        "code": grid.printable(str(details.get("code", ""))),
    }
