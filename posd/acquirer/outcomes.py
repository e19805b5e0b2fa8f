"""What the test acquirer does to a request on purpose: by amount, as data, or by order.

Amounts below 4.00 choose. The hundreds say what is hit, the last two digits say how:

    0.xx  the request itself (a sale, a refund, a pre-authorisation, a completion)
    1.xx  its void; the request itself is approved
    2.xx  the request gets no answer, and its reversal is hit
    3.xx  the request is approved, its void gets no answer, and the void's reversal is hit
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass


class Fault(enum.Enum):
    """What happens to a request or to its answer on the way. The value is the scripts' word."""

    LOST = "lost"  # the request never reaches the host, which does not know of it
    NO_ANSWER = "no-answer"  # the host did what was asked; the answer is lost
    CLOSED = "closed"  # the same, and the connection ends
    CUT = "cut"  # the same, after a part of the answer
    LATE = "late"  # the answer comes after the terminal's time-out
    SLOW = "slow"  # the answer comes seconds later, in time
    TWICE = "twice"
    FOREIGN_FIRST = "foreign-first"  # an answer to another STAN comes before the real one
    GARBAGE = "garbage"  # a whole frame of bytes that mean nothing, and no answer
    GARBAGE_FIRST = "garbage-first"
    WRONG_MAC = "wrong-mac"
    NO_MAC = "no-mac"
    WRONG_AMOUNT = "wrong-amount"  # one fen more than requested
    NO_REFERENCE = "no-reference"  # element 37 is blank
    SIGN_IN_ASKED = "sign-in-asked"  # processing requirement 3 in the header
    WRONG_KEYS = "wrong-keys"  # a sign-in answer whose check values do not fit its keys


@dataclass(frozen=True)
class Outcome:
    """How one request is treated beyond the ordinary checks. `Outcome()` is ordinary treatment.

    code: the answer's element 39. One that declines is answered without doing anything; one that
    approves takes the place of 00 when the request would be approved anyway.
    fault: what happens on the way.
    tries: how many requests of one identity an amount hits, counted from the first; None: all.
    partial: fen that a sale is approved for, with code 10, if that is less than requested.
    missing_original: how a reversal without an original is answered; None: the acquirer's option.
    cut_at: bytes of the answer that are delivered before a cut; None: half of them.
    """

    code: str | None = None
    fault: Fault | None = None
    tries: int | None = None
    partial: int | None = None
    missing_original: str | None = None
    cut_at: int | None = None

    @property
    def label(self) -> str:
        """A word for the ledger: "" for ordinary treatment."""
        parts = (
            self.code,
            None if self.fault is None else self.fault.value,
            None if self.partial is None else f"partial:{self.partial}",
            None if self.missing_original is None else f"missing:{self.missing_original}",
        )
        return " ".join(part for part in parts if part)


ORDINARY = Outcome()


def named(word: str) -> Outcome:
    """The outcome that a script means by a word: a fault's value, a response code, `partial:FEN`.

    Raises ValueError, with the words there are, for any other.
    """
    if word.startswith("partial:") and word[8:].isdecimal():
        return Outcome(partial=int(word[8:]))
    if re.fullmatch("[0-9A-Z]{2}", word):
        return Outcome(code=word)
    try:
        return Outcome(fault=Fault(word))
    except ValueError:
        words = ", ".join(fault.value for fault in Fault)
        raise ValueError(
            f"{word!r} is no outcome: expected a response code, partial:FEN, {words}"
        ) from None


@dataclass(frozen=True)
class Order:
    """An outcome for the next requests of one kind, whatever their amount.

    transaction: a name of `protocol.transactions` ("sale", "reversal", "sign_in"...), or "any".
    of: for a reversal, the name of what it reverses; None: whatever it reverses.
    terminal: element 41, or None for any terminal. times: how many requests it is good for.
    """

    transaction: str
    outcome: Outcome
    times: int = 1
    of: str | None = None
    terminal: str | None = None


_ON_REQUEST_DECLINES = (
    *("03", "05", "12", "13", "14", "30", "33", "34", "38", "41", "43", "45", "51", "54", "55"),
    *("57", "58", "61", "62", "65", "75", "77", "91", "92", "94", "98"),
)

REQUEST_OUTCOMES: Mapping[int, tuple[Outcome, str]] = {
    **{int(code): (Outcome(code=code), f"declined {code}") for code in _ON_REQUEST_DECLINES},
    10: (Outcome(partial=5), "a sale is partially approved, code 10, for 0.05"),
    11: (Outcome(code="11"), "approved with code 11"),
    67: (Outcome(fault=Fault.NO_ANSWER, tries=1), "done, no answer to the first try"),
    68: (Outcome(fault=Fault.NO_ANSWER), "done, no answer"),
    69: (Outcome(fault=Fault.LOST), "never arrives, no answer"),
    78: (Outcome(fault=Fault.SLOW), "answered seconds later, in time"),
    79: (Outcome(fault=Fault.SIGN_IN_ASKED), "the header asks for a sign-in"),
    80: (Outcome(code="05", fault=Fault.WRONG_MAC), "declined 05 with a wrong MAC"),
    81: (Outcome(code="A0"), "declined A0: sign in again"),
    82: (Outcome(code="99"), "declined 99: sign in again"),
    83: (Outcome(code="ZZ"), "declined with an unknown code"),
    84: (Outcome(fault=Fault.GARBAGE_FIRST), "garbage, then the answer"),
    85: (Outcome(fault=Fault.GARBAGE), "done, garbage instead of the answer"),
    86: (Outcome(fault=Fault.LATE), "answered after the time-out"),
    87: (Outcome(fault=Fault.FOREIGN_FIRST), "a foreign answer, then the right one"),
    88: (Outcome(fault=Fault.TWICE), "answered twice"),
    89: (Outcome(fault=Fault.NO_REFERENCE), "approved without a reference number"),
    93: (Outcome(fault=Fault.WRONG_AMOUNT), "approved with another amount"),
    95: (Outcome(fault=Fault.NO_MAC), "approved without a MAC"),
    96: (Outcome(fault=Fault.CUT), "done, connection cut in mid-answer"),
    97: (Outcome(fault=Fault.CLOSED), "done, connection closed without an answer"),
    99: (Outcome(fault=Fault.WRONG_MAC), "approved with a wrong MAC"),
}
"""Last two digits of 0.xx (the request) and 1.xx (its void) -> outcome, meaning."""

VOID_OUTCOMES: Mapping[int, tuple[Outcome, str]] = {
    25: (Outcome(code="25"), "declined 25"),
    **{digits: row for digits, row in REQUEST_OUTCOMES.items() if row[0].partial is None},
}
"""As REQUEST_OUTCOMES, for 1.xx."""

_DONE = Outcome(fault=Fault.NO_ANSWER)
_LOST = Outcome(fault=Fault.LOST)

REVERSAL_OUTCOMES: Mapping[int, tuple[Outcome, Outcome, str]] = {
    12: (_LOST, Outcome(missing_original="12"), "the original never arrived: 12"),
    25: (_LOST, Outcome(missing_original="25"), "the original never arrived: 25"),
    26: (
        _LOST,
        Outcome(missing_original="25", fault=Fault.NO_MAC),
        "the original never arrived: 25 without a MAC",
    ),
    66: (_DONE, Outcome(fault=Fault.LOST, tries=1), "the first try never arrives, then 00"),
    67: (_DONE, Outcome(fault=Fault.LOST), "no try ever arrives"),
    68: (_DONE, Outcome(fault=Fault.NO_ANSWER, tries=1), "reversed, no answer at first, then 00"),
    69: (_DONE, Outcome(fault=Fault.NO_ANSWER), "reversed, never an answer"),
    77: (_DONE, Outcome(code="77", tries=1), "77 at first, then 00"),
    81: (_DONE, Outcome(code="A0", tries=1), "A0 at first, then 00"),
    85: (_DONE, Outcome(fault=Fault.GARBAGE, tries=1), "reversed, garbage at first, then 00"),
    86: (_DONE, Outcome(fault=Fault.LATE, tries=1), "reversed, late at first, then 00"),
    87: (_DONE, Outcome(fault=Fault.FOREIGN_FIRST), "a foreign answer, then 00"),
    88: (_DONE, Outcome(fault=Fault.TWICE), "00 twice"),
    94: (_DONE, Outcome(fault=Fault.NO_MAC), "00, always without a MAC"),
    95: (_DONE, Outcome(fault=Fault.NO_MAC, tries=1), "00 without a MAC at first, then with one"),
    96: (_DONE, Outcome(code="96", tries=2), "96 twice, then 00"),
    97: (_DONE, Outcome(fault=Fault.CUT, tries=1), "reversed, answer cut at first, then 00"),
    98: (_DONE, Outcome(code="96"), "96, always"),
    99: (_DONE, Outcome(fault=Fault.WRONG_MAC, tries=1), "00 with a wrong MAC at first, then 00"),
}
"""Last two digits of 2.xx and 3.xx -> outcome of the original, of its reversal, meaning."""


def by_amount(amount: int, *, is_void: bool, is_reversal: bool) -> Outcome:
    """The outcome that an amount in fen chooses for a request.

    is_void: the request is a void or reverses one. is_reversal: the request is a reversal.
    """
    series, digits = divmod(amount, 100)
    if series in (0, 1):
        if is_reversal or is_void is not (series == 1):
            return ORDINARY
        return (VOID_OUTCOMES if is_void else REQUEST_OUTCOMES).get(digits, (ORDINARY, ""))[0]
    if series in (2, 3) and is_void is (series == 3) and digits in REVERSAL_OUTCOMES:
        original, reversal, _ = REVERSAL_OUTCOMES[digits]
        return reversal if is_reversal else original
    return ORDINARY


def as_markdown() -> str:
    """The table of amounts as the README shows it."""
    lines = ["| amount | what happens |", "|---|---|"]
    lines += [f"| 0.{d:02} | {text} |" for d, (_, text) in sorted(REQUEST_OUTCOMES.items())]
    lines.append("| 1.25 | approved; its void: declined 25 |")
    lines.append("| 1.xx | approved; its void meets what the line 0.xx says (0.10 apart) |")
    lines += [
        f"| 2.{d:02} | no answer; its reversal: {text} |"
        for d, (*_, text) in sorted(REVERSAL_OUTCOMES.items())
    ]
    lines.append("| 3.xx | approved; its void: no answer; the void's reversal: as in 2.xx |")
    return "\n".join(lines) + "\n"
