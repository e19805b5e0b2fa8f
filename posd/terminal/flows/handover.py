"""交接班: what each operator took since the last handover, shown, then printed for both to sign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from posd.ledger.search import Counted
from posd.money.kinds import Side
from posd.receipts.handover import HANDOVER, handover_slip, sums
from posd.terminal.exchange import SLIPS
from posd.terminal.machine import Part, Row, Step, assemble
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

LAST: Final = "handover"  # the name of what the ledger keeps of the last one


class Shift(NamedTuple):
    """Everything between two handovers. since: milliseconds, None before the first one."""

    counted: list[Counted]
    since: int | None
    last_step: int


def shift(dialogue: Dialogue) -> Shift:
    """Up to now. Counted by steps and not by time: what was begun before and ended after belongs here."""
    ledger = dialogue.ledger
    last = ledger.settings.get(LAST, {})
    until = ledger.search.last_step()
    counted = ledger.search.approved_between(last.get("step", 0), until)
    return Shift(counted, last.get("at"), until)


def totals_screen(dialogue: Dialogue) -> Screen:
    counted = shift(dialogue).counted
    body = [line for side in Side for line in _sum(dialogue, counted, side)]
    for operator in sorted({row.operator for row in counted}):
        body.append(dialogue.text("line.operator", operator=operator))
        own = [row for row in counted if row.operator == operator]
        body += [line for side in Side for line in _sum(dialogue, own, side)]
    return Screen(
        dialogue.text("title.handover"), tuple(body), dialogue.text("hint.confirm_handover")
    )


def _sum(dialogue: Dialogue, counted: list[Counted], side: Side) -> list[str]:
    count, amount = sums(counted, side)
    return [dialogue.text(f"line.taken_{side.value}", count=count), amount_text(amount)]


def hand_over(dialogue: Dialogue, _event: object) -> None:
    """The slip and where the next shift begins are one commit."""
    ledger, now = dialogue.ledger, dialogue.ledger.now()
    ended = shift(dialogue)
    slip = handover_slip(ended.counted, ended.since, now, dialogue.configuration)
    with ledger.commit("handover"):
        job = ledger.print_jobs.add(None, HANDOVER, slip)
        ledger.settings.put(LAST, {"step": ended.last_step, "at": now})
        ledger.audit.add(now, dialogue.money.operator, "handover", {"step": ended.last_step})
    dialogue.form.jobs = [each for each in ledger.print_jobs.waiting() if each.id == job]


FLOW = assemble(
    "handover",
    Part(
        (Step("totals", totals_screen, help="handover"),),
        (Row("totals", "confirm", None, SLIPS, hand_over),),
    ),
    before="menu.print",
)
