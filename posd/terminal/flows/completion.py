"""预授权完成: card, the pre-authorisation, the amount to take of it. As a request, or as a notice.

A request in doubt is reversed; a notice is repeated, and can be rebuilt without the card (money M15).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posd.money.kinds import KINDS
from posd.terminal.about_original import send_about, shown_step
from posd.terminal.amounts import TERMINAL_LIMIT, Ceiling, amount_step
from posd.terminal.exchange import exchange
from posd.terminal.fields import (
    AUTHORISATION,
    card_step,
    pin_step,
    pin_wanted,
    take_card,
    title_with_amount,
)
from posd.terminal.machine import STAY, Flow, Part, Row, assemble
from posd.terminal.originals import (
    Originals,
    choose_original,
    is_other_card,
    lacks_card,
    nothing_more,
    say_other_card,
)

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue


MENU: Final = "menu.pre_authorisations"


def whole(dialogue: Dialogue) -> int:
    """What was held, when this ledger knows it."""
    original = dialogue.form.original
    return 0 if original is None else original.booked_amount


def ceiling(dialogue: Dialogue) -> int | None:
    """Nobody may be charged much more than he agreed to; of what is not here the host judges."""
    percent = dialogue.configuration.pre_authorisation.completion_percent
    return whole(dialogue) * percent // 100 if dialogue.form.original else None


def completion_pin(dialogue: Dialogue) -> bool:
    settings = dialogue.configuration
    return settings.pre_authorisation.completion_pin and settings.terminal.software_pin


def is_without_card(dialogue: Dialogue, _event: object) -> bool:
    """Is a hold of this ledger completed with number and expiry from it?"""
    return not dialogue.configuration.pre_authorisation.completion_card


def pass_over_card(dialogue: Dialogue) -> None:
    if is_without_card(dialogue, None):
        dialogue.next()


def completion(kind: str) -> Flow:
    """The flow of one kind: completion, completion_notice."""
    title, send = title_with_amount("title.completion"), send_about(kind)

    def card_title(dialogue: Dialogue) -> str:
        return dialogue.text(f"title.{kind}_card")

    wanted = Originals(
        KINDS[kind].originals, AUTHORISATION, "say.not_a_pre_authorisation", nothing_more
    )
    return assemble(
        kind,
        card_step(
            card_title,
            Row("card", "next", None, "voucher"),
            Row("card", "card", None, "voucher", take_card),
            opens=pass_over_card,
        ),
        choose_original(wanted, "amount"),
        Part((), (Row("voucher", "clear", is_without_card, MENU),)),
        amount_step(
            "title.completion_amount",
            ((None, "shown"),),
            (Ceiling(ceiling, "say.completion_above_ceiling"), TERMINAL_LIMIT),
            whole,
        ),
        shown_step(
            title,
            "hint.confirm_completion",
            Row("shown", "confirm", lacks_card, "late_card"),
            Row("shown", "confirm", pin_wanted(completion_pin), "pin"),
            Row("shown", "confirm", None, "waiting", send),
        ),
        card_step(
            title,
            Row("late_card", "card", is_other_card, STAY, say_other_card),
            Row("late_card", "card", None, "shown", take_card),
            step="late_card",
        ),
        pin_step(title, send, "waiting"),
        exchange(title, kind, "card", doubt=KINDS[kind].row.doubt),
        before=MENU,
    )


REQUEST = completion("completion")
NOTICE = completion("completion_notice")
