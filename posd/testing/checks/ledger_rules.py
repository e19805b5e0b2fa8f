"""Rules that the terminal's ledger alone must keep: each yields what breaks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from operator import itemgetter
from typing import Final

from posd.testing.checks.evidence import (
    LOCKING,
    NOTICES,
    REVERSED_ON_DOUBT,
    UNFINISHED,
    Evidence,
    Transaction,
    Violation,
)

_MOVES: Final = {
    "open": {
        "not_sent", "approved", "declined", "reversing", "no_answer", "pending", "unresolved",
    },
    "reversing": {"reversed", "unresolved"},
    "pending": {"approved", "declined", "unresolved"},
    "approved": {"voided", "completed"},
    "completed": {"approved"},
}  # fmt: skip
_OUTCOMES: Final = frozenset(
    {"not_sent", "approved", "declined", "reversed", "no_answer", "unresolved"}
)
_WITHOUT_SLIP: Final = frozenset({"balance_inquiry"})
_LAST_STAN: Final = 999_999
_JUMP: Final = 100


def numbers_name_one_thing(evidence: Evidence) -> Iterator[Violation]:
    """M2: a number is used once in a batch, by an order or a transaction, and never is 000000."""
    used = Counter(
        [
            *((one.batch, one.stan) for one in evidence.transactions),
            *((order.batch, order.number) for order in evidence.orders),
        ]
    )
    for (batch, number), times in used.items():
        if times > 1:
            yield Violation("M2", f"the number was given {times} times", f"{number}, batch {batch}")
        if number == "000000":
            yield Violation("M2", "000000 is no number", f"batch {batch}")


def a_duplicate_moves_the_counter(evidence: Evidence) -> Iterator[Violation]:
    """M2: after 94 the counter jumps by 100."""
    if evidence.expected.counter_came_round:
        return
    for one, following in pairwise(evidence.transactions):
        if one.state == "declined" and one.response_code == "94":
            distance = (int(following.stan) - int(one.stan)) % _LAST_STAN
            if distance < _JUMP:
                yield Violation("M2", f"after 94 the next number is {distance} further", one.name)


def one_at_a_time(evidence: Evidence) -> Iterator[Violation]:
    """M3, M11: no intent is stored while another is open or reversing."""
    busy: Transaction | None = None
    places = sorted(
        ((place, state, one) for one in evidence.transactions for place, state in one.story),
        key=itemgetter(0),
    )
    for _, state, one in places:
        if state == "open":
            if busy is not None:
                yield Violation("M3", f"stored while {busy.name} was in doubt", one.name)
            busy = one
        elif busy is one and state != "reversing":
            busy = None


def one_outcome(evidence: Evidence) -> Iterator[Violation]:
    """M4, M14: states follow each other as the life of an intent says; one outcome at rest."""
    for one in evidence.transactions:
        states = [state for _, state in one.story]
        for before, after in pairwise(states):
            if after not in _MOVES.get(before, ()):
                rule = "M14" if (before, after) == ("reversing", "approved") else "M4"
                yield Violation(rule, f"it became {after} from {before}", one.name)
        if states[-1] != one.state:
            yield Violation("M4", f"it is {one.state}, its story says {states[-1]}", one.name)
        if evidence.expected.at_rest and one.state in UNFINISHED and not evidence.has_no_taker(one):
            rule = "M15" if one.state == "pending" else "M4"
            yield Violation(rule, f"it is still {one.state} at rest", one.name)
        outcomes = [state for state in states if state in _OUTCOMES]
        if "completed" in states or "voided" in states:
            outcomes = outcomes[:1]  # approved again, when its completion was voided
        if len(outcomes) > 1:
            yield Violation("M4", f"it has the outcomes {', '.join(outcomes)}", one.name)
        if one.state == "no_answer" and one.kind != "balance_inquiry":
            yield Violation("M4", "only a balance inquiry may stay without an answer", one.name)


def doubt_follows_the_kind(evidence: Evidence) -> Iterator[Violation]:
    """M4, M15: what is reversed and what is repeated is the dialect's table's to say."""
    for one in evidence.transactions:
        states = {state for _, state in one.story}
        if "reversing" in states and one.kind not in REVERSED_ON_DOUBT:
            yield Violation("M15", "it is never reversed, but was", one.name)
        if "pending" in states and one.kind not in NOTICES:
            yield Violation("M15", "it is no notice, but was pending", one.name)


def slips_follow_outcomes(evidence: Evidence) -> Iterator[Violation]:
    """M6: both copies are stored with every approval, and with nothing else."""
    for one in evidence.transactions:
        copies = Counter(one.copies)
        approved = any(state == "approved" for _, state in one.story)
        wanted = int(approved and one.kind not in _WITHOUT_SLIP)
        for copy in ("merchant", "cardholder"):
            if copies[copy] != wanted:
                what = f"{copies[copy]} {copy} slips of a transaction that is {one.state}"
                yield Violation("M6", what, one.name)
        states = {state for _, state in one.story}
        if copies["pending"] and not states & {"pending", "unresolved"}:
            yield Violation("M6", "a slip 未决 of what was never in doubt", one.name)
        if copies["fault"] and "reversing" not in states:
            yield Violation("M5", "a fault slip of what was never reversed", one.name)


def spent_tries_are_told(evidence: Evidence) -> Iterator[Violation]:
    """M5: when the tries are spent that is told once, with a fault slip; a person may print more."""
    tries = evidence.expected.reversal_tries
    for one in evidence.transactions:
        told = sum(step.what == "tries_spent" for step in one.steps)
        if told > 1 or (told and "fault" not in one.copies):
            what = f"told {told} times, with {one.copies.count('fault')} fault slips"
            yield Violation("M5", what, one.name)
        if one.reversal_tries > tries and not told:
            yield Violation("M5", f"{one.reversal_tries} tries and nobody was told", one.name)
        if told and one.reversal_tries < tries:
            yield Violation("M5", f"told after {one.reversal_tries} tries", one.name)


def originals_move_with_their_voids(evidence: Evidence) -> Iterator[Violation]:
    """M8: what changes an original is approved exactly when the original has changed."""
    for original in evidence.transactions:
        about = evidence.about.get(original.id, ())
        for state in ("voided", "completed"):
            doers = [
                one for one in about if LOCKING.get(one.kind) == state and one.state == "approved"
            ]
            if original.state == state and len(doers) != 1:
                yield Violation("M8", f"it is {state} by {len(doers)} transactions", original.name)
            if original.state != state and doers:
                what = f"{doers[0].name} stands, but this is {original.state}"
                yield Violation("M8", what, original.name)


def originals_are_locked(evidence: Evidence) -> Iterator[Violation]:
    """M8: while something that changes an original is in doubt nothing else about it begins."""
    for about in evidence.about.values():
        for place, one in enumerate(about):
            begins = one.story[0][0]
            for earlier in about[:place]:
                if earlier.is_closed_as_not_done(before=begins):
                    continue
                state = earlier.state_at(begins)
                if earlier.kind in LOCKING and state in (*UNFINISHED, "unresolved"):
                    what = f"it began while {earlier.name} was {state}"
                    yield Violation("M8", what, one.name)


def refunds_stay_below_their_original(evidence: Evidence) -> Iterator[Violation]:
    """M15: refunds count at once, those in doubt too, until a person hears that one was not done."""
    for original in evidence.transactions:
        about = evidence.about.get(original.id, ())
        refunded = sum(
            one.amount
            for one in about
            if one.kind == "refund"
            and one.state in ("approved", "open", "pending", "unresolved")
            and not one.is_closed_as_not_done()
        )
        left = original.amount if original.approved_amount is None else original.approved_amount
        if refunded > left:
            yield Violation("M15", f"{refunded} fen of {left} were refunded", original.name)
        if refunded and original.state == "voided":
            yield Violation("M8", "it was voided and refunded", original.name)


def orders_follow_their_payment(evidence: Evidence) -> Iterator[Violation]:
    """Life of an intent: what an order has been paid changes with each outcome, and settles its state."""
    payments: dict[int, list[Transaction]] = {}
    for one in evidence.transactions:
        if one.order is not None and one.kind == "sale":
            payments.setdefault(one.order, []).append(one)
    for order in evidence.orders:
        mine = payments.get(order.id, [])
        by_card = sum(one.net for one in mine if one.state == "approved")
        where = f"order {order.number}"
        if by_card != order.paid and not order.otherwise:
            yield Violation("M4", f"{order.paid} fen were paid, by card {by_card}", where)
        allowed = {
            "unpaid": order.paid < order.amount,
            "paid": order.paid >= order.amount,
            "voided": by_card == 0 and any(one.state == "voided" for one in mine),
            "cancelled": by_card == 0,
        }
        if not allowed.get(order.state, False):
            what = f"{order.state}, {order.paid} of {order.amount} fen paid, by card {by_card}"
            yield Violation("M4", f"it is {what}", where)


def unresolved_has_a_reason(evidence: Evidence) -> Iterator[Violation]:
    """M5, M15, M16: a case for a person is never made of a reversal that could have gone on."""
    given_up = {
        details.get("transaction") for what, details in evidence.audit
        if what == "given_up"
    }  # fmt: skip
    restored = any(what == "ledger_restored" for what, _ in evidence.audit)
    for one in evidence.transactions:
        if one.state != "unresolved" or one.kind in NOTICES or restored:
            continue
        by_hand = one.id in given_up and one.reversal_tries >= evidence.expected.reversal_tries
        nothing_found = any(step.what == "host_had_none" for step in one.steps)
        unreadable = not one.stored
        if not (by_hand or nothing_found or unreadable):
            yield Violation("M5", "it became unresolved without a reason", one.name)


RULES: Final = (
    numbers_name_one_thing,
    a_duplicate_moves_the_counter,
    one_at_a_time,
    one_outcome,
    doubt_follows_the_kind,
    slips_follow_outcomes,
    spent_tries_are_told,
    originals_move_with_their_voids,
    originals_are_locked,
    refunds_stay_below_their_original,
    orders_follow_their_payment,
    unresolved_has_a_reason,
)
