"""预授权撤销: the original, its amount, its card, the supervisor's password; what was held is free again."""

from __future__ import annotations

from posd.money.kinds import KINDS
from posd.terminal.about_original import send_about, shown_step
from posd.terminal.amounts import TERMINAL_LIMIT, amount_step
from posd.terminal.exchange import exchange
from posd.terminal.fields import (
    AUTHORISATION,
    card_step,
    supervisor_password,
    take_card,
    title_with_amount,
)
from posd.terminal.machine import STAY, Row, assemble
from posd.terminal.originals import (
    Originals,
    choose_original,
    is_other_card,
    needs_card,
    nothing_more,
    say_other_card,
    take_whole,
)

title = title_with_amount("title.pre_authorisation_void")

WANTED = Originals(
    KINDS["pre_authorisation_void"].originals,
    AUTHORISATION,
    "say.not_a_pre_authorisation",
    nothing_more,
)


FLOW = assemble(
    "pre_authorisation_void",
    choose_original(WANTED, "amount", known=("shown", take_whole)),
    amount_step("title.original_amount", ((None, "shown"),), (TERMINAL_LIMIT,)),
    shown_step(
        title,
        "hint.confirm_void",
        Row("shown", "confirm", needs_card, "card"),
        Row("shown", "confirm", None, "password"),
    ),
    card_step(
        title,
        Row("card", "card", is_other_card, STAY, say_other_card),
        Row("card", "card", None, "password", take_card),
    ),
    supervisor_password("waiting", send_about("pre_authorisation_void")),
    exchange(title, "void", "voucher"),
    before="menu.pre_authorisations",
)
