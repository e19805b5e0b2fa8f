"""Restart and shut-down by the supervisor: the process ends in good order, and what is on its way stays
in the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posd.core.ending import Ending
from posd.core.events import KeyPressed
from posd.ledger.records import IN_DOUBT, State
from posd.terminal.choices import Item, choice
from posd.terminal.fields import supervisor_password
from posd.terminal.machine import IDLE, STAY, Part, Row, Step, assemble, no_time_out
from posd.terminal.screens import Screen

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

GOES_ON = IN_DOUBT - {State.UNRESOLVED}
"""States that the next start goes on with by itself."""


def line_is_busy(dialogue: Dialogue, _event: object) -> bool:
    """Is the host about to answer? Its answer is worth a minute."""
    return dialogue.money.busy


def say_line_is_busy(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.say("say.line_busy")


def wants_restart(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.reason = Ending.RESTART


def wants_shut_down(dialogue: Dialogue, _event: object) -> None:
    dialogue.form.reason = Ending.SHUT_DOWN


def end(dialogue: Dialogue, _event: KeyPressed) -> None:
    """The audit first: after the end nothing is written."""
    form, ledger = dialogue.form, dialogue.ledger
    ending = Ending(form.reason)
    what = f"terminal_{ending}"
    with ledger.commit(what):
        ledger.audit.add(ledger.now(), form.supervisor, what)
    dialogue.ending = ending


def sure_screen(dialogue: Dialogue) -> Screen:
    ending = dialogue.form.reason or Ending.RESTART
    pending = len(dialogue.ledger.transactions.in_states(*GOES_ON))
    kept = dialogue.ledger.print_jobs.waiting_count()
    body = [dialogue.text(f"result.{ending}")]
    if pending:
        body.append(dialogue.text("line.goes_on", count=pending))
    if kept:
        body.append(dialogue.text("line.kept_slips", count=kept))
    return Screen(
        dialogue.text(f"title.{ending}"), tuple(body), dialogue.text("hint.confirm_goes_on")
    )


def ending_screen(dialogue: Dialogue) -> Screen:
    """The last picture: after a shut-down it stays on the display."""
    ending = dialogue.form.reason or Ending.RESTART
    return Screen(dialogue.text(f"title.{ending}"), (dialogue.text(f"line.{ending}"),))


FLOW = assemble(
    "shutdown",
    supervisor_password("what"),
    choice(
        "what",
        "title.shutdown",
        (
            Item("1", "menu.restart", "sure", wants_restart),
            Item("2", "menu.shut_down", "sure", wants_shut_down),
        ),
        help="shutdown",
    ),
    Part(
        (
            Step("sure", sure_screen, help="shutdown"),
            Step("ending", ending_screen, no_time_out, returns=False, help="shutdown"),
        ),
        (
            Row("sure", "confirm", line_is_busy, STAY, say_line_is_busy),
            Row("sure", "confirm", None, "ending", end),
            Row("what", "clear", None, IDLE),
        ),
    ),
    before="menu.manage",
)
