"""Rules of settlement: what was counted, when a batch may close, what is left of it. Each yields what
breaks it; the rule that it names is `settlement`, or that of money which it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from posd.testing.checks.evidence import (
    DIRECTION,
    Evidence,
    Settlement,
    Transaction,
    Violation,
)
from posd.testing.checks.wire import Wire

_RULE: Final = "settlement"
_CLASS_DIGITS: Final = 31  # of one card class in 48: debit 12 + 3, credit 12 + 3, result 1
_RESULT: Final = 30
_ITEM_DIGITS: Final = 40  # card class 2, STAN 6, number 20, amount 12
_ENDS: Final = {"202": False, "207": True}  # 60.3 of the end of the upload: is everything balanced?
_LAST_BATCH: Final = 999_999
_FINANCIAL: Final = ("0100", "0200", "0220", "0400")
_UNCHANGED: Final = (3, 4, 11, 37, 38, 41, 42, 48, 49, 60, 61, 62, 63)
_AS_ITEMS: Final = ("sale", "sale_void", "completion", "completion_void")
_ONE_BY_ONE: Final = ("refund", "completion_notice")
_OF_A_NOTICE: Final = (3, 4, 11, 25, 37, 38, 41, 42, 49, 61)
_NOT_UPLOADED: Final = (26, 35, 36, 52, 53, 64)
_IN_DOUBT: Final = ("open", "reversing", "pending", "unresolved")


def _network_code(message: Wire) -> str:
    return message.get(60)[8:11]


def _at(message: Wire) -> str:
    return f"{message.mti} {message.get(11)} at {message.time:.3f} s"


class _Dealings:
    """What the traffic shows of one settlement."""

    def __init__(self, evidence: Evidence, settlement: Settlement) -> None:
        stan, number = settlement.request.get(11, ""), settlement.batch_number
        mine = [message for message in evidence.messages if message.batch == number]
        self.totals = [
            message for message in mine
            if message.outgoing and message.mti == "0500" and message.get(11) == stan
        ]  # fmt: skip
        self.began = self.totals[0].position if self.totals else len(evidence.messages)
        later = [message for message in evidence.messages if message.position > self.began]
        # numbers come again: what is later belongs to it until another 0500 begins the next
        following = [
            message.position for message in later
            if message.outgoing and message.mti == "0500"
            and (message.batch, message.get(11)) != (number, stan)
        ]  # fmt: skip
        until = following[0] if following else len(evidence.messages)
        later = [message for message in later if message.position < until]
        self.uploads = [one for one in later if one.outgoing and one.mti == "0320"]
        self.answers = [
            one for one in later
            if not one.outgoing and one.mti == "0510" and one.get(11) == stan and one.get(39) == "00"
        ]  # fmt: skip
        self.ends = [one for one in self.uploads if _network_code(one) in _ENDS]
        stans = {one.get(11) for one in self.ends}
        self.end_answers = [
            one for one in later
            if not one.outgoing and one.mti == "0330" and one.get(11) in stans
            and one.get(39) == "00"
        ]  # fmt: skip
        self.later = later
        self.until = until

    @property
    def ended(self) -> int:
        """The place of the answer that ended it; that of what follows when there was none."""
        return self.end_answers[0].position if self.end_answers else self.until

    @property
    def balanced(self) -> tuple[bool, ...]:
        """What the host said of each class that it was asked about."""
        said = self.answers[-1].get(48) if self.answers else ""
        return tuple(said[at] == "1" for at in range(_RESULT, len(said), _CLASS_DIGITS))


def _dealings(evidence: Evidence) -> Iterator[tuple[Settlement, _Dealings]]:
    if evidence.traffic is not None:
        for settlement in evidence.settlements:
            yield settlement, _Dealings(evidence, settlement)


def _digits(amounts: Iterable[int]) -> str:
    """The first thirty digits of one class in 48, of signed amounts: debits, then credits."""
    amounts = list(amounts)
    debit = [amount for amount in amounts if amount > 0]
    credit = [-amount for amount in amounts if amount < 0]
    return "".join(f"{sum(these):012d}{len(these):03d}" for these in (debit, credit))


def _of_batch(evidence: Evidence, batch: int, kinds: Iterable[str]) -> list[Transaction]:
    """What counts in this batch of the terminal's, in its order."""
    return [
        one for one in evidence.transactions
        if one.batch == batch and one.kind in kinds and one.net
    ]  # fmt: skip


def _has_doubt(evidence: Evidence, batch: int) -> bool:
    return any(one.batch == batch and one.state in _IN_DOUBT for one in evidence.transactions)


def totals_are_the_sums(evidence: Evidence) -> Iterator[Violation]:
    """Debit: sales and completions, voided ones too. Credit: refunds and voids. By card class."""
    for settlement in evidence.settlements:
        counted = _of_batch(evidence, settlement.batch, DIRECTION)
        claimed = settlement.request.get(48, "")
        for start, foreign in zip(
            range(0, len(claimed), _CLASS_DIGITS), (False, True), strict=False
        ):
            right = _digits(one.net for one in counted if one.foreign is foreign)
            found = claimed[start : start + _RESULT]
            if found != right:
                card_class = "foreign" if foreign else "domestic"
                what = f"{card_class} totals {found}, the ledger's transactions make {right}"
                yield Violation(_RULE, what, settlement.name)


def totals_are_those_of_the_acquirer(evidence: Evidence) -> Iterator[Violation]:
    """With nothing unresolved in a batch, what the acquirer settled in it is what the terminal claimed."""
    if any(one.closed_by for one in evidence.settlements):
        return  # a batch that was closed without the acquirer lies in its next settlement
    ours = {(one.batch_number, one.request.get(48, "")): one for one in evidence.settlements}
    for theirs in evidence.host_settlements:
        settlement = ours.get((theirs.batch, theirs.claimed))
        if settlement is None:
            yield Violation(
                _RULE, "the acquirer has it, the terminal has not", f"of {theirs.batch}"
            )
            continue
        if _has_doubt(evidence, settlement.batch) or theirs.state != "closed":
            continue
        settled = [one for one in evidence.host if one.settlement == theirs.id]
        for start, foreign in zip(
            range(0, len(theirs.claimed), _CLASS_DIGITS), (False, True), strict=False
        ):
            right = _digits(one.net for one in settled if one.foreign == foreign)
            if theirs.claimed[start : start + _RESULT] != right:
                what = f"{theirs.claimed[start : start + _RESULT]} claimed, {right} settled"
                yield Violation("net", what, settlement.name)


def a_batch_closes_at_its_end(evidence: Evidence) -> Iterator[Violation]:
    """Only once the acquirer has taken the end of the upload, or an administrator closed it by hand."""
    settled = {one.batch: one for one in evidence.settlements}
    closed_there = {one.batch for one in evidence.host_settlements if one.state == "closed"}
    for batch, closed in evidence.batches.items():
        settlement = settled.get(batch)
        if closed and (settlement is None or settlement.state != "closed"):
            yield Violation(_RULE, "it was closed without a settlement", f"batch {batch}")
        if settlement is None:
            continue
        if settlement.state == "closed" and not closed:
            yield Violation(_RULE, "it is closed, its batch is not", settlement.name)
        by_hand = settlement.closed_by != ""
        if closed and not by_hand and settlement.batch_number not in closed_there:
            yield Violation(_RULE, "it is closed here, not at the acquirer", settlement.name)
        if evidence.expected.at_rest and settlement.state != "closed":
            yield Violation(_RULE, f"it is still {settlement.state} at rest", settlement.name)
    for settlement, dealings in _dealings(evidence):
        by_hand = settlement.closed_by != ""
        if settlement.state == "closed" and not by_hand and not dealings.end_answers:
            yield Violation(_RULE, "it is closed, and no end was answered", settlement.name)


def nothing_financial_in_between(evidence: Evidence) -> Iterator[Violation]:
    """M11: from the 0500 to the end nothing financial leaves, and nothing was in doubt before."""
    for settlement, dealings in _dealings(evidence):
        if settlement.closed_by:
            continue
        for message in dealings.later:
            if message.position >= dealings.ended:
                break
            if message.outgoing and message.mti in _FINANCIAL:
                yield Violation("M11", f"it was sent within the {settlement.name}", _at(message))


def settlements_are_repeated_unchanged(evidence: Evidence) -> Iterator[Violation]:
    """The 0500 and every 0320 keep their number and everything in them until they are answered."""
    first: dict[tuple[str, str, str], Wire] = {}
    for message in evidence.messages:
        if not message.outgoing or message.mti not in ("0500", "0320"):
            continue
        before = first.setdefault((message.mti, message.batch, message.get(11)), message)
        changed = [number for number in _UNCHANGED if message.get(number) != before.get(number)]
        if changed:
            yield Violation("M13", f"repeated with another {changed}", _at(message))
        if message.get(64):
            yield Violation("M13", "it carries a MAC", _at(message))


def uploads_hold_the_batch(evidence: Evidence) -> Iterator[Violation]:
    """Of each class that is not balanced every item once; of others none; and the end says how many."""
    for settlement, dealings in _dealings(evidence):
        if not dealings.ends or not dealings.balanced:
            continue
        classes = [
            foreign
            for foreign, balanced in zip((False, True), dealings.balanced, strict=False)
            if not balanced
        ]
        wanted = [
            one for one in _of_batch(evidence, settlement.batch, DIRECTION)
            if one.foreign in classes
        ]  # fmt: skip
        items = sorted(
            (one.stan, abs(one.net), one.foreign, _number(evidence, one))
            for one in wanted
            if one.kind in _AS_ITEMS
        )
        unknown = {stan for stan, _, _, number in items if not number}
        found = sorted(
            (stan, amount, foreign, "" if stan in unknown else number)
            for stan, amount, foreign, number in _items(dealings)
        )
        if found != items:
            what = f"{len(found)} items uploaded, {len(items)} are due, or others"
            yield Violation(_RULE, what, settlement.name)
        notices = {one.stan: one for one in wanted if one.kind in _ONE_BY_ONE}
        single = {
            one.get(11): one for one in dealings.uploads
            if _network_code(one) not in ("201", *_ENDS)
        }  # fmt: skip
        if set(single) != set(notices):
            what = f"notices {sorted(single)} uploaded, {sorted(notices)} are due"
            yield Violation(_RULE, what, settlement.name)
        for stan in set(single) & set(notices):
            yield from _as_it_was_sent(evidence, single[stan], notices[stan])
        if _ENDS[_network_code(dealings.ends[0])] is not all(dealings.balanced):
            yield Violation(_RULE, "its end says something else", _at(dealings.ends[0]))


def _number(evidence: Evidence, one: Transaction) -> str:
    """The card's, as its request carried it; "" when that was not captured."""
    for request in evidence.requests.get(one.id, ()):
        return request.get(2) or request.get(35).partition("D")[0]
    return ""


def _as_it_was_sent(evidence: Evidence, upload: Wire, one: Transaction) -> Iterator[Violation]:
    """A notice's detail has the elements of its 0220, with the number instead of the track."""
    if one.id not in evidence.requests:
        return
    request = evidence.requests[one.id][0]
    changed = [number for number in _OF_A_NOTICE if upload.get(number) != request.get(number)]
    changed += [number for number in _NOT_UPLOADED if upload.get(number)]
    if upload.get(2) != _number(evidence, one):
        changed.append(2)
    if changed:
        yield Violation(_RULE, f"uploaded with another {changed}", _at(upload))


def _items(dealings: _Dealings) -> Iterator[tuple[str, int, bool, str]]:
    """STAN, amount, class and card number of each item, repetitions of a message left out."""
    seen: set[str] = set()
    for message in dealings.uploads:
        if _network_code(message) != "201" or message.get(11) in seen:
            continue
        seen.add(message.get(11))
        digits = message.get(48)[2:]
        for start in range(0, len(digits) - _ITEM_DIGITS + 1, _ITEM_DIGITS):
            item = digits[start : start + _ITEM_DIGITS]
            yield item[2:8], int(item[28:]), item[:2] == "01", item[8:28].lstrip("0")


def the_next_batch_has_the_next_number(evidence: Evidence) -> Iterator[Violation]:
    """One more, or what a sign-in said during the settlement or since.

    A process that ended over the answer of a sign-in may have stored its number, or not.
    """
    for settlement, dealings in _dealings(evidence):
        if not dealings.end_answers:
            continue
        following = f"{int(settlement.batch_number) % _LAST_BATCH + 1:06d}"
        allowed = {following}
        for message in dealings.later:
            signed_in = message.mti == "0810" and not message.outgoing
            if signed_in and message.get(39) == "00":
                if message.position > dealings.ended and _lived_on(evidence, message):
                    allowed = set()
                allowed.add(message.batch)
            elif (
                message.outgoing
                and message.mti in ("0100", "0200", "0220")
                and message.position > dealings.ended
            ):
                if message.batch not in allowed:
                    what = f"batch {message.batch} after {settlement.batch_number}"
                    yield Violation(_RULE, what, _at(message))
                break


def _lived_on(evidence: Evidence, message: Wire) -> bool:
    """Did anything follow it in the same process?"""
    following = evidence.messages[message.position + 1 : message.position + 2]
    return any(one.life == message.life for one in following)


def closed_batches_hold_no_numbers(evidence: Evidence) -> Iterator[Violation]:
    """M10: card numbers and expiry dates go with the batch, unless a case of it still needs them."""
    for batch, closed in evidence.batches.items():
        if not closed or _has_doubt(evidence, batch):
            continue
        for one in evidence.transactions:
            if one.batch == batch and one.card_kept:
                yield Violation("M10", "its batch is closed, its card number is kept", one.name)


RULES: Final = (
    totals_are_the_sums,
    totals_are_those_of_the_acquirer,
    a_batch_closes_at_its_end,
    nothing_financial_in_between,
    settlements_are_repeated_unchanged,
    uploads_hold_the_batch,
    the_next_batch_has_the_next_number,
    closed_batches_hold_no_numbers,
)
