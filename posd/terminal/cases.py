"""未决交易: what has no outcome yet, or needs a person, as rows of a list and as one case.

Read from the ledger each time it is drawn, so that a case that ends meanwhile is no longer there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from devices import columns as grid
from posd.ledger.ledger import Ledger
from posd.ledger.records import State, TransactionRecord
from posd.terminal.screens import Screen
from posd.terminal.story import story
from posd.texts import Catalogue, amount_text

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

_MILLISECONDS: Final = {"month": 2_592_000_000, "day": 86_400_000, "hour": 3_600_000}
_MINUTE: Final = 60_000
_MOST: Final = 99  # of a unit: two digits are what a row has room for


class Case(NamedTuple):
    """One transaction of the list. closed: what the acquirer said of it has been written down."""

    record: TransactionRecord
    closed: bool

    @property
    def word(self) -> str:
        """The name of the word for how it stands."""
        return "closed" if self.closed else str(self.record.state)


def cases(ledger: Ledger) -> list[Case]:
    """Reversals, then notices, then what needs a person, then closed cases of the open batch."""
    transactions = ledger.transactions
    waiting = [
        Case(record, closed=False)
        for state in (State.REVERSING, State.PENDING)
        for record in transactions.in_states(state)
    ]
    unresolved = [
        Case(record, is_closed(ledger, record))
        for record in transactions.in_states(State.UNRESOLVED)
    ]
    batch = ledger.counters.open_batch
    closed = [case for case in unresolved if case.closed and case.record.batch == batch]
    return [*waiting, *(case for case in unresolved if not case.closed), *closed]


def is_closed(ledger: Ledger, record: TransactionRecord) -> bool:
    return ledger.transactions.verdict(record.id) is not None


def waits_for_a_person(ledger: Ledger) -> int:
    """How many pending notices and unresolved cases there are."""
    return ledger.transactions.count_for_a_person()


def chosen_case(dialogue: Dialogue) -> Case | None:
    """The case that the form names, else the first of the list; None for an empty list."""
    found = cases(dialogue.ledger)
    wanted = dialogue.form.transaction
    return next((case for case in found if case.record.id == wanted), next(iter(found), None))


def choose_previous(dialogue: Dialogue, _event: object) -> None:
    _choose(dialogue, -1)


def choose_next(dialogue: Dialogue, _event: object) -> None:
    _choose(dialogue, +1)


def _choose(dialogue: Dialogue, step: int) -> None:
    """The form names the case and not its row: rows move when a case ends."""
    found = cases(dialogue.ledger)
    case = chosen_case(dialogue)
    if case is not None:
        following = found[(found.index(case) + step) % len(found)]
        dialogue.form.transaction = following.record.id


# --- screens --------------------------------------------------------------------------------------


def list_screen(dialogue: Dialogue, hint: str) -> Screen:
    """The list, with the chosen case in reverse."""
    found = cases(dialogue.ledger)
    case = chosen_case(dialogue)
    if case is None:
        return Screen(
            dialogue.text("title.in_doubt"),
            (dialogue.text("line.nothing_in_doubt"),),
            dialogue.text(hint),
        )
    now = dialogue.ledger.now()
    rows = tuple(_row(dialogue.catalogue, each, now) for each in found)
    title = dialogue.text("title.in_doubt_count", count=len(found))
    return Screen(title, rows, dialogue.text(hint), found.index(case))


def _row(texts: Catalogue, case: Case, now: int) -> str:
    record = case.record
    return f"{record.stan} {_word(texts, case)} {age_text(texts, now - record.created_at)}"


def _word(texts: Catalogue, case: Case) -> str:
    return texts.text(f"status.case_{case.word}")


def case_screen(dialogue: Dialogue, case: Case, hint: str) -> Screen:
    """Age, tries and last answer; what it is; and its story, to be scrolled through."""
    texts, record = dialogue.catalogue, case.record
    age = age_text(texts, dialogue.ledger.now() - record.created_at)
    tries = record.notice_tries or record.reversal_tries
    body: Sequence[str] = (
        texts.text("line.case_tries", age=age, count=tries),
        _last_answer(texts, record),
        texts.text(f"line.kind_{record.kind}", voucher=record.stan),
        texts.text("line.amount", amount=amount_text(record.amount)),
        f"{record.masked_card[:6]}****{record.masked_card[-4:]}",
        *story(record, dialogue.ledger.transactions.steps(record.id), texts),
    )
    title = texts.text("title.case", voucher=record.stan, word=_word(texts, case))
    return Screen(title, tuple(body), dialogue.text(hint))


def _last_answer(texts: Catalogue, record: TransactionRecord) -> str:
    code = record.reversal_code or record.response_code
    if not code:
        return texts.text("line.no_answer_yet")
    return texts.text("line.last_answer", code=grid.printable(code))


def age_text(texts: Catalogue, milliseconds: int) -> str:
    """How long ago, in one unit: 5分, 23时, 12天, 3月. At most 5 columns wide."""
    milliseconds = max(0, milliseconds)
    unit = next((name for name, size in _MILLISECONDS.items() if milliseconds >= size), "minute")
    count = milliseconds // _MILLISECONDS.get(unit, _MINUTE)
    return texts.text(f"status.age_{unit}", count=min(count, _MOST))
