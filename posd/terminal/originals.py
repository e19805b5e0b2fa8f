"""Shared steps that name an earlier transaction: by its voucher number, or by a code and date from its slip.

What this ledger holds is checked here, before anything is sent; what it does not hold is the host's to
judge. Each refusal says why, and what to do instead.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posd.core.events import CardSwiped
from posd.ledger.records import IN_DOUBT, State, TransactionRecord
from posd.ledger.search import Wanted
from posd.money.kinds import KINDS
from posd.terminal.fields import (
    DATE,
    REFERENCE,
    VOUCHER,
    TextField,
    is_empty,
    is_incomplete,
    is_no_date,
    say_is_incomplete,
    say_is_no_date,
    text_rows,
    typed,
)
from posd.terminal.machine import STAY, Action, Part, Row, Step
from posd.terminal.screens import Screen
from protocol import Track

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

_LEAP_YEAR: Final = 2000
_DAYS: Final = 366
_DONE: Final = frozenset({State.APPROVED, State.VOIDED, State.COMPLETED})


class Originals(Struct, frozen=True):
    """Which originals a flow is about.

    code: what of the slip names one that is not in this ledger; VOUCHER where it must be in it.
    wrong_kind: the text for a voucher of another kind. refusal: a text for what only this flow
    refuses, "" for none.
    """

    kinds: frozenset[str]
    code: TextField
    wrong_kind: str
    refusal: Callable[[Dialogue, TransactionRecord], str]

    @property
    def named(self) -> str:
        """Which texts tell how to name one that is not here: number, reference or authorisation."""
        return self.code.attribute


# --- which one ------------------------------------------------------------------------------------


def with_number(dialogue: Dialogue, number: str) -> list[TransactionRecord]:
    """The transactions that a number on a slip names, the newest first.

    An order's number names the attempts to pay it: first what was approved.
    """
    ledger, stan = dialogue.ledger, number.zfill(VOUCHER.length)
    named = ledger.search.by_voucher(stan)
    order = None if named else ledger.orders.find(stan)
    if order is None:
        return named
    attempts = ledger.search.journal(Wanted(order=order.id), limit=-1)
    return sorted(attempts, key=lambda each: each.state not in _DONE)


def found(wanted: Originals, dialogue: Dialogue) -> TransactionRecord | None:
    """What this ledger has under what was typed; of a closed batch only with its date."""
    form, search = dialogue.form, dialogue.ledger.search
    if form.number:
        candidates = with_number(dialogue, form.number)
        if form.date and is_of_closed_batch(dialogue, None):
            candidates = [each for each in candidates if _date(dialogue, each) == form.date]
        return next(iter(candidates), None)
    if wanted.code is REFERENCE:
        return search.by_reference(form.reference, form.date, wanted.kinds)
    return search.by_authorisation(form.authorisation, form.date, wanted.kinds)


def _date(dialogue: Dialogue, record: TransactionRecord) -> str:
    """MMDD as its slip says it."""
    return record.host_date or dialogue.ledger.transactions.sent_date(record.id)


def is_of_closed_batch(dialogue: Dialogue, _event: object) -> bool:
    """Is the newest one with this voucher number of a batch that is closed? Numbers come round again."""
    newest = next(iter(with_number(dialogue, dialogue.form.number)), None)
    return newest is not None and newest.batch != dialogue.ledger.counters.open_batch


def refusal_of(wanted: Originals, dialogue: Dialogue) -> str:
    """Which text says why what was typed cannot be taken; "" when it can."""
    record = found(wanted, dialogue)
    if record is None:
        if not dialogue.form.number:
            return ""  # of another terminal, or too old: the host knows
        other_date = is_of_closed_batch(dialogue, None)
        return "say.original_other_date" if other_date else f"say.no_{wanted.named}"
    if record.kind not in wanted.kinds:
        return wanted.wrong_kind
    return (
        _refusal_of_state(record)
        or wanted.refusal(dialogue, record)
        or ("say.original_locked" if _is_locked(dialogue, record) else "")
        or ("say.original_other_card" if has_other_card(dialogue, record) else "")
    )


def _refusal_of_state(record: TransactionRecord) -> str:
    if record.state in IN_DOUBT:
        return "say.original_in_doubt"
    if record.state is State.VOIDED:
        return "say.original_voided"
    if record.state is State.COMPLETED:
        return "say.original_completed"
    return "" if record.state is State.APPROVED else "say.original_not_approved"


def _is_locked(dialogue: Dialogue, record: TransactionRecord) -> bool:
    """Is something about it on its way that may change it? (Refunds beside each other do not.)"""
    locker = dialogue.ledger.transactions.locked_by(record.id)
    return locker is not None and KINDS[locker.kind].locks


def by_voucher(
    wanted: Originals, then: str, hint: str, *before: Row, known: Action | None = None
) -> Part:
    """Step voucher: an original of this ledger, into the form; rows of `before` see 确认 first."""

    def voucher_screen(dialogue: Dialogue) -> Screen:
        return Screen(
            dialogue.text("title.original_voucher"),
            (dialogue.form.number or dialogue.text("line.voucher_zeros"),),
            dialogue.text(hint),
        )

    return Part(
        (Step("voucher", voucher_screen, help=f"original_{wanted.named}"),),
        (
            *text_rows("voucher", VOUCHER),
            *before,
            Row(
                "voucher",
                "confirm",
                partial(is_refused, wanted),
                STAY,
                partial(say_refusal, wanted),
            ),
            Row("voucher", "confirm", None, then, taking(wanted, known)),
        ),
    )


def choose_original(
    wanted: Originals, then: str, *, known: tuple[str, Action] | None = None
) -> Part:
    """Steps voucher, code and date, then `then`; with the original in the form when it is here.

    known: another step for that case, and what is done there.
    """
    knowing = [known] if known else []
    after, do = known or (then, None)

    def code_screen(dialogue: Dialogue) -> Screen:
        return Screen(
            dialogue.text(f"title.original_{wanted.named}"),
            (typed(wanted.code, dialogue), dialogue.text("line.letters")),
            dialogue.text("hint.confirm_cancel"),
        )

    def date_screen(dialogue: Dialogue) -> Screen:
        return Screen(
            dialogue.text("title.original_date"),
            (dialogue.form.date, dialogue.text("line.month_and_day")),
            dialogue.text("hint.confirm_cancel"),
        )

    def is_here(dialogue: Dialogue, _event: object) -> bool:
        return found(wanted, dialogue) is not None

    voucher = by_voucher(
        wanted,
        after,
        f"hint.empty_is_{wanted.named}",
        Row("voucher", "confirm", partial(is_empty, VOUCHER), "code"),
        Row("voucher", "confirm", is_of_closed_batch, "date"),
        known=do,
    )
    too_short = partial(say_is_incomplete, wanted.code)
    return Part(
        (
            *voucher.steps,
            Step("code", code_screen, help=wanted.named),
            Step("date", date_screen, help="original_date"),
        ),
        (
            *voucher.rows,
            *text_rows("code", wanted.code),
            Row("code", "confirm", partial(is_incomplete, wanted.code), STAY, too_short),
            Row("code", "confirm", None, "date"),
            *text_rows("date", DATE),
            Row("date", "confirm", is_no_date, STAY, say_is_no_date),
            Row("date", "confirm", partial(is_refused, wanted), STAY, partial(say_refusal, wanted)),
            *(Row("date", "confirm", is_here, state, taking(wanted, do)) for state, do in knowing),
            Row("date", "confirm", None, then, taking(wanted, None)),
        ),
    )


def taking(wanted: Originals, do: Action | None) -> Action:
    """The original, when this ledger holds it; what was typed stays in the form either way."""

    def take_original(dialogue: Dialogue, event: object) -> None:
        dialogue.form.original = found(wanted, dialogue)
        if do is not None:
            do(dialogue, event)

    return take_original


def is_refused(wanted: Originals, dialogue: Dialogue, _event: object) -> bool:
    return refusal_of(wanted, dialogue) != ""


def say_refusal(wanted: Originals, dialogue: Dialogue, _event: object) -> None:
    original = found(wanted, dialogue)
    card = short_card(original.masked_card) if original else ""
    dialogue.say(refusal_of(wanted, dialogue), card=card)


def take_whole(dialogue: Dialogue, _event: object) -> None:
    """What is undone is undone whole."""
    original = dialogue.form.original
    assert original is not None
    dialogue.form.amount = original.booked_amount


def nothing_more(_dialogue: Dialogue, _original: TransactionRecord) -> str:
    """An `Originals.refusal` that adds none."""
    return ""


# --- its card -------------------------------------------------------------------------------------


def short_card(masked_card: str) -> str:
    """First 6 and last 4, which is as much as 16 columns hold of the longest number."""
    return f"{masked_card[:6]}****{masked_card[-4:]}"


def has_other_card(dialogue: Dialogue, original: TransactionRecord) -> bool:
    """Is the card that was swiped already another one than the original's?"""
    card = dialogue.form.card
    return card is not None and not _is_card_of(dialogue, original, card.track2)


def is_other_card(dialogue: Dialogue, event: CardSwiped) -> bool:
    """Is the card that is being swiped another one than the original's, where that is known?"""
    original = dialogue.form.original
    return original is not None and not _is_card_of(dialogue, original, event.track2)


def _is_card_of(dialogue: Dialogue, original: TransactionRecord, track2: Track) -> bool:
    """Compared whole while the number is kept, else by its first 6 and last 4."""
    try:
        pan, _ = dialogue.ledger.transactions.card(original.id)
    except KeyError:
        return track2.pan.masked == original.masked_card
    return track2.pan == pan


def needs_card(dialogue: Dialogue, _event: object) -> bool:
    """By setting; and always when its number is not in this ledger (any more)."""
    return dialogue.configuration.void.ask_card or lacks_card(dialogue, None)


def lacks_card(dialogue: Dialogue, _event: object) -> bool:
    """Is there neither a card nor its number in the ledger?"""
    original = dialogue.form.original
    if dialogue.form.card is not None:
        return False
    if original is None:
        return True
    try:
        dialogue.ledger.transactions.card(original.id)
    except KeyError:
        return True
    return False


def say_other_card(dialogue: Dialogue, _event: CardSwiped) -> None:
    original = dialogue.form.original
    assert original is not None
    dialogue.say("say.void_other_card", card=short_card(original.masked_card))


# --- its day --------------------------------------------------------------------------------------


def settlement_date(dialogue: Dialogue, original: TransactionRecord) -> str:
    """MMDD under which the host booked it: element 15 of its answer, else 13, else as it was sent."""
    settled = original.answer.get(15)
    return settled if isinstance(settled, str) else _date(dialogue, original)


def is_earlier(date: str, today: str) -> bool:
    """Is one MMDD before another, across the turn of the year too? A date that is none is not.

    Later is not earlier: between its settlement and midnight a host books under tomorrow's date.
    """
    days = []
    for text in (date, today):
        try:
            days.append(datetime.strptime(f"{_LEAP_YEAR}{text}", "%Y%m%d").timetuple().tm_yday)
        except ValueError:
            return False
    return 0 < (days[1] - days[0]) % _DAYS < _DAYS // 2
