"""报表: what is unpaid, held, given up or paid otherwise in a time; on the screen and on paper."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from posd.ledger.records import PrintJob
from posd.order_report import Group, Report, day_of, report
from posd.receipts import orders as slips
from posd.terminal.choices import Item, choice
from posd.terminal.exchange import SLIPS
from posd.terminal.machine import Part, Row, Step, assemble
from posd.terminal.screens import Screen
from posd.texts import amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

_DAY: Final = 86_400_000
PERIODS: Final = {"today": (0, 1), "yesterday": (1, 1), "week": (6, 7), "month": (30, 31)}
"""How many days before today a period begins, and how many it has."""


def take_period(period: str, dialogue: Dialogue, _event: object) -> None:
    ago, days = PERIODS[period]
    today, _ = day_of(dialogue.ledger.now())
    wanted = dialogue.form.orders
    wanted.since, _ = day_of(today - ago * _DAY)
    wanted.until = wanted.since + days * _DAY


def made(dialogue: Dialogue) -> Report:
    wanted = dialogue.form.orders
    return report(dialogue.ledger, wanted.since or 0, wanted.until or dialogue.ledger.now())


def screen(dialogue: Dialogue) -> Screen:
    body = tuple(row for group in made(dialogue).groups for row in _rows(dialogue, group))
    return Screen(dialogue.text("title.order_report"), body, dialogue.text("hint.confirm_print"))


def _rows(dialogue: Dialogue, group: Group) -> tuple[str, ...]:
    heading = dialogue.text(f"line.report_{group.name}", count=len(group.orders))
    return (heading, amount_text(group.total)) if group.orders else (heading,)


def print_report(dialogue: Dialogue, _event: object) -> None:
    ledger = dialogue.ledger
    slip = slips.report_slip(made(dialogue), dialogue.configuration)
    with ledger.commit("order_report"):
        job = ledger.print_jobs.add(None, slips.REPORT, slip)
    dialogue.form.jobs = [PrintJob(job, None, slips.REPORT, slip)]


FLOW = assemble(
    "order_reports",
    choice(
        "period",
        "title.order_period",
        tuple(
            Item(str(digit), f"menu.period_{period}", "shown", partial(take_period, period))
            for digit, period in enumerate(PERIODS, start=1)
        ),
        help="order_reports",
    ),
    Part(
        (Step("shown", screen, help="order_report"),),
        (Row("shown", "confirm", None, SLIPS, print_report),),
    ),
    before="menu.orders",
)
