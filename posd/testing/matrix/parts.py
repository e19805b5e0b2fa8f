"""The parts of the matrix: what each of them runs, in the short form of the tests and in full."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from posd.money.kinds import KINDS
from posd.testing.matrix import businesses, faults
from posd.testing.matrix.campaign import Campaign, Figures, plans_for
from posd.testing.matrix.faults import LOST, NO_ANSWER, Plan
from posd.testing.matrix.shop import Business
from protocol.transactions import Doubt

_ALL: Final = tuple(businesses.ALL.values())
_OFF_THE_KEYS: Final = tuple(each for each in _ALL if not each.dialogue)
_SHORT_OF_SETTLEMENT: Final = {"settlement": 2, "settlement, not balanced": 3}
"""How many of its messages are disturbed in the short form."""
_AT_KEYS: Final = {
    "refund at the keys": Doubt.NOTICE,
    "completion notice at the keys": Doubt.NOTICE,
    "balance inquiry at the keys": Doubt.NOTHING,
}
_IN_DOUBT: Final = Plan("no answer", (NO_ANSWER,))
_NEVER_ARRIVED: Final = Plan("lost, and none found", (LOST,), none_found="25")


def _named(*names: str) -> tuple[Business, ...]:
    return tuple(businesses.ALL[name] for name in names)


def _doubt(business: Business) -> Doubt | None:
    if business.dialogue:
        return _AT_KEYS.get(business.name, Doubt.REVERSAL)
    return KINDS[business.name].row.doubt if business.name in KINDS else None


def _messages(campaign: Campaign, business: Business) -> int:
    """How many messages a settlement has when nothing disturbs it."""
    names = campaign.points_of(business)
    return sum(name in ("send 0500, before", "send 0320, before") for name in names)


def crash_points(campaign: Campaign, *, everything: bool) -> Iterator[Figures]:
    """Every point of every business, in every way; the short form is the full one."""
    del everything
    yield campaign.crash_points(_ALL)


def double_crashes(campaign: Campaign, *, everything: bool) -> Iterator[Figures]:
    """Every commit with every commit of its recovery; in full, also of requests that are in doubt."""
    short = [one for one in _OFF_THE_KEYS if one not in businesses.SETTLEMENT[1:]]
    yield campaign.double_crashes(_ALL if everything else short)
    in_doubt = _ALL if everything else _named("sale", "completion_notice")
    yield campaign.double_crashes(in_doubt, (_IN_DOUBT,))
    if everything:
        yield campaign.double_crashes(_ALL, (_NEVER_ARRIVED,))


def network_faults(campaign: Campaign, *, everything: bool) -> Iterator[Figures]:
    """Every fault of every kind, without a crash; the short form leaves out what repeats itself."""
    for business in _OFF_THE_KEYS:
        doubt = _doubt(business)
        if business in businesses.SETTLEMENT:
            messages = _messages(campaign, business)
            if not everything:
                messages = _SHORT_OF_SETTLEMENT.get(business.name, 0)
            yield campaign.network((business,), list(faults.of_settlements(messages)))
            continue
        if everything or business.name in ("sale", "completion_notice"):
            plans: Sequence[Plan] = list(plans_for(doubt))
        elif doubt is None:
            plans = list(faults.of_sign_ins())
        elif business.name in ("sale_void", "refund", "completion_void"):
            plans = [*faults.of_requests(), *faults.of_reversals(NO_ANSWER)]
        else:
            plans = [*faults.of_requests(), *faults.of_none_found(), *faults.of_many_tries()]
        yield campaign.network((business,), plans)


def cut_frames(campaign: Campaign, *, everything: bool) -> Iterator[Figures]:
    """Every request broken off at every byte, and every answer cut at every byte.

    The short form: for a sale, its reversal and a sign-in; in full for every kind, and for the
    repetitions of notices.
    """
    chosen = _OFF_THE_KEYS if everything else _named("sale", "sign_in", "settlement")
    for business in chosen:
        sent, answered = campaign.lengths(business)
        yield campaign.network((business,), list(faults.of_part_sent(sent[0])))
        yield campaign.network((business,), list(faults.of_cuts(answered[0], both=everything)))
        if _doubt(business) in (Doubt.REVERSAL, Doubt.NOTICE):
            # The second connection of a request in doubt: its reversal, or its repetition.
            sent, answered = campaign.lengths(business, _IN_DOUBT)
            before = (NO_ANSWER,)
            if everything:
                yield campaign.network((business,), list(faults.of_part_sent(sent[1], before)))
            cuts = faults.of_cuts(answered[0], before, both=everything)
            yield campaign.network((business,), list(cuts))


def crossed(campaign: Campaign, *, everything: bool) -> Iterator[Figures]:
    """Network faults crossed with crash points.

    The short form: a sale, and one of each kind of notice, killed at commits and hand-overs.
    """
    if everything:
        for business in _ALL:
            plans = list(plans_for(_doubt(business)))
            if business.name.startswith("settlement"):
                plans = list(faults.of_settlements(_messages(campaign, business)))
            yield campaign.crossed((business,), plans, everywhere=False)
        return
    yield campaign.crossed(_named("sale"), list(faults.of_requests()), everywhere=False)
    several = [*faults.of_none_found(), *faults.of_many_tries()]
    yield campaign.crossed(_named("sale"), several, everywhere=False)
    notices = [each for each in faults.of_requests() if each.faults[0] in _FOR_NOTICES]
    yield campaign.crossed(_named("refund", "completion_notice"), notices, everywhere=False)
    settlements = [
        each for each in faults.of_settlements(2) if each.name.endswith(_FOR_SETTLEMENTS)
    ]
    yield campaign.crossed(_named("settlement"), settlements, everywhere=False)
    changes = [each for each in faults.of_changes() if "after 122 s" in each.name]
    yield campaign.crossed(_named("sale"), changes[::3], everywhere=False)
    yield campaign.crossed(_named("sale at the keys"), (_IN_DOUBT,), everywhere=True)


_FOR_NOTICES: Final = frozenset(
    fault
    for fault in faults.TO_A_REQUEST
    if fault.name in ("lost", "no-answer", "wrong-mac", "declined 51", "request twice, late")
)

_FOR_SETTLEMENTS: Final = (": lost", ": no-answer", ": declined 77", "; new_keys", "another batch")

PARTS: Final[Mapping[str, Callable[..., Iterator[Figures]]]] = {
    "crash points": crash_points,
    "double crashes": double_crashes,
    "network faults": network_faults,
    "cut frames": cut_frames,
    "faults x crash points": crossed,
}
"""Name -> what it yields, some figures after the other; each may be called with everything=True."""


def run(campaign: Campaign, name: str, *, everything: bool = False) -> Figures:
    """One part, summed up."""
    total = Figures(name)
    for figures in PARTS[name](campaign, everything=everything):
        total.points += figures.points
        total.combinations += figures.combinations
        total.lives += figures.lives
        total.found += figures.found
    return total
