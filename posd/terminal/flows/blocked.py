"""Why nothing financial may start now, and the one key that helps. Opens again by itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from posd.money.money import Refusal
from posd.terminal.choices import is_digit
from posd.terminal.exchange import keep_transaction, refusal_text
from posd.terminal.flows.settlement import start as start_settlement
from posd.terminal.flows.sign_in import SIGN_IN
from posd.terminal.machine import IDLE, STAY, Flow, Row, Step
from posd.terminal.screens import Screen
from posd.texts.errors import ErrorCode

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

NO_PRINTER: Final = "no_printer"
_CODES: Final[dict[str, ErrorCode]] = {
    Refusal.REVERSAL_PENDING: ErrorCode.REVERSAL_PENDING,
    Refusal.MOVED: ErrorCode.MOVED,
    Refusal.CLOSED: ErrorCode.CLOSED,
    Refusal.RESTORED: ErrorCode.RESTORED,
    Refusal.DISK_FULL: ErrorCode.DISK_FULL,
    Refusal.BATCH_FULL: ErrorCode.BATCH_FULL,
    Refusal.SETTLEMENT_UNFINISHED: ErrorCode.SETTLEMENT_UNFINISHED,
}
_HINTS: Final[dict[str, str]] = {
    Refusal.NOT_SIGNED_IN: "hint.confirm_sign_in",
    Refusal.REVERSAL_PENDING: "hint.retry_or_cases",
    Refusal.RESTORED: "hint.confirm_read",
    Refusal.SETTLEMENT_UNFINISHED: "hint.confirm_go_on",
    Refusal.BATCH_FULL: "hint.confirm_settle",
}


def screen(dialogue: Dialogue) -> Screen:
    reason = dialogue.form.refusal
    text = refusal_text(dialogue)
    code = _CODES.get(reason, "")
    title = f"title.refused_{reason}"
    name = title if dialogue.catalogue.has(title) else "title.refused"
    return Screen(
        dialogue.text(name),
        (text, code) if code else (text,),
        dialogue.text(_HINTS.get(reason, "hint.confirm")),
    )


def lacks_printer(dialogue: Dialogue, _event: object) -> bool:
    """Is a printer that does not print the reason why nothing financial may be begun?"""
    return dialogue.refusal == NO_PRINTER


def keep_lack_of_printer(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.refusal = NO_PRINTER


def waits_for_sign_in(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.form.refusal == Refusal.NOT_SIGNED_IN


def waits_for_reversal(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.form.refusal == Refusal.REVERSAL_PENDING


def waits_for_supervisor(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.form.refusal == Refusal.RESTORED


def waits_for_settlement(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.form.refusal == Refusal.SETTLEMENT_UNFINISHED


def waits_for_empty_batch(dialogue: Dialogue, _event: object) -> bool:
    return dialogue.form.refusal == Refusal.BATCH_FULL


def is_open_again(dialogue: Dialogue, _event: object) -> bool:
    """The reason is gone: looked at every second, whatever made it go."""
    return dialogue.refusal is None and not dialogue.money.busy


def retry_now(dialogue: Dialogue, _event: object) -> None:
    dialogue.money.retry_reversals()
    dialogue.say("say.retrying")


def say_open(dialogue: Dialogue, _event: object) -> None:
    dialogue.say("say.open_again")


FLOW = Flow(
    "blocked",
    (Step("shown", screen, returns=False, ticks=True, help="blocked"),),
    (
        Row("shown", "confirm", waits_for_sign_in, SIGN_IN),
        Row("shown", "confirm", waits_for_reversal, STAY, retry_now),
        Row("shown", "confirm", waits_for_supervisor, "restored.told"),
        Row("shown", "confirm", waits_for_settlement, "settlement.waiting", start_settlement),
        Row("shown", "confirm", waits_for_empty_batch, "settlement.totals"),
        Row("shown", "confirm", None, IDLE),
        # as in the menu: 8 is 交易查询
        Row("shown", "digit", partial(is_digit, "8"), "in_doubt.list"),
        Row("shown", "clear", None, IDLE),
        Row("shown", "tick", is_open_again, IDLE, say_open),
        Row("shown", "reversed", None, "last.shown", keep_transaction),
        Row("shown", "unresolved", None, "last.shown", keep_transaction),
    ),
)
