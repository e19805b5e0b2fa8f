"""Rules that only the traffic shows, beside the ledger: each yields what breaks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from posd.testing.checks.evidence import (
    NOTICES,
    REVERSED_ON_DOUBT,
    Evidence,
    Transaction,
    Violation,
)
from posd.testing.checks.wire import Wire

_FINANCIAL: Final = ("0100", "0200", "0220")
_MANAGEMENT: Final = ("0500", "0800", "0820")
_AS_REQUESTED: Final = (3, 4, 11, 22, 25, 41, 42, 49, 60)
_NEVER_REVERSED: Final = (26, 35, 36, 37, 52, 53, 63)
_REASONS: Final = ("06", "96", "98", "A0")
_COMPARED: Final = (3, 4, 25, 42, 49)  # of an 0410, where present
_NONE_FOUND: Final = ("12", "25")
_REPEATED_UNCHANGED: Final = (3, 4, 11, 25, 37, 41, 42, 49, 60, 61)
_OWN_IN_61: Final = frozenset(
    {"sale_void", "pre_authorisation_void", "completion", "completion_void"}
)


def _at(message: Wire) -> str:
    return f"{message.mti} {message.get(11)} at {message.time:.3f} s"


def what_is_sent_can_be_read(evidence: Evidence) -> Iterator[Violation]:
    """M1: bytes that are no message have no intent."""
    if evidence.traffic is not None:
        for time in evidence.traffic.unreadable:
            yield Violation("M1", "the terminal sent what cannot be decoded", f"at {time:.3f} s")


def every_request_has_its_intent(evidence: Evidence) -> Iterator[Violation]:
    """M1: what left the terminal is in its ledger, with the same amount and elements."""
    for message in evidence.messages:
        if not message.outgoing or message.mti not in (*_FINANCIAL, "0400"):
            continue
        intent = evidence.intent_of(message)
        if intent is None:
            yield Violation("M1", "it was sent, and the ledger has no intent", _at(message))
            continue
        amount = message.get(4)
        if amount and int(amount) != intent.amount:
            yield Violation("M1", "it has another amount than its intent", _at(message))


def numbers_on_the_wire(evidence: Evidence) -> Iterator[Violation]:
    """M2: 11 is never 000000 and names one thing only; only notices go out twice."""
    owners: dict[str, Wire] = {}
    # then the acquirer gives the number of the batch, which is open there, to the next one
    by_hand = any(one.closed_by for one in evidence.settlements)
    for message in evidence.messages:
        stan = message.get(11)
        if not message.outgoing or not stan:
            continue
        if stan == "000000":
            yield Violation("M2", "element 11 is 000000", _at(message))
        again = evidence.expected.counter_came_round
        if message.mti in _MANAGEMENT and stan in evidence.numbers and not again:
            yield Violation("M2", "its number is that of a transaction or an order", _at(message))
        first = owners.setdefault(stan, message)
        if first is message or message.mti == "0400" or message.mti in ("0500", "0320"):
            continue
        notice = message.mti == first.mti == "0220" and message.batch == first.batch
        if again and (
            by_hand or _is_free(first) or _is_free(message) or message.batch != first.batch
        ):
            owners[stan] = message  # within a batch the ledger's own rule still holds
            continue
        if not notice:
            yield Violation("M2", f"its number was used by {_at(first)}", _at(message))


def _is_free(message: Wire) -> bool:
    """Does its number name nothing that is kept?"""
    return message.mti in _MANAGEMENT or message.mti == "0320"


def not_sent_means_no_byte(evidence: Evidence) -> Iterator[Violation]:
    """M9: nothing of a request that counts as not sent was handed over."""
    for identity, messages in evidence.requests.items():
        intent = evidence.by_id[identity]
        if intent.state == "not_sent":
            yield Violation("M9", "it counts as not sent, but it was", _at(messages[0]))


def nothing_between(evidence: Evidence) -> Iterator[Violation]:
    """M3: between a request and its end, reversal included, no other financial request goes out."""
    closed: tuple[int, Transaction] | None = None
    for message in evidence.messages:
        if not message.outgoing or message.mti not in _FINANCIAL:
            continue
        intent = evidence.intent_of(message)
        if intent is None or message is not evidence.requests[intent.id][0]:
            continue
        if closed is not None and message.position < closed[0]:
            what = f"it went out before {closed[1].name} had ended"
            yield Violation("M3", what, _at(message))
        end = _end(evidence, intent)
        if closed is None or end > closed[0]:
            closed = end, intent


def _end(evidence: Evidence, intent: Transaction) -> int:
    """The place in the traffic from which on this intent is in nobody's way."""
    request = evidence.requests[intent.id][0]
    if intent.kind in REVERSED_ON_DOUBT and intent.state in ("reversed", "unresolved", "reversing"):
        last = evidence.reversals.get(intent.id, (request,))[-1]
        endings = _endings(evidence, intent)
        return max(last.position, endings[-1].position if endings else 0)
    answered = [
        answer.position
        for answer in evidence.answers.get((_answer_mti(request), request.get(11)), ())
        if answer.position > request.position and answer.get(41) == request.get(41)
    ]
    return answered[0] if answered and intent.kind in REVERSED_ON_DOUBT else request.position


def _answer_mti(request: Wire) -> str:
    return f"{int(request.mti) + 10:04d}"


def _endings(evidence: Evidence, intent: Transaction) -> list[Wire]:
    """The 0410s that may have ended this reversal: matching, and 00 (with 64), 25 or 12."""
    sent = evidence.reversals.get(intent.id, ())
    if not sent:
        return []
    first = sent[0]
    return [
        answer
        for answer in evidence.answers.get(("0410", intent.stan), ())
        if answer.position > first.position
        and answer.get(41) == first.get(41)
        and all(answer.get(n) in ("", first.get(n)) for n in _COMPARED)
        and answer.batch in ("", first.batch)
        and _ends(evidence, answer)
    ]


def _ends(evidence: Evidence, answer: Wire) -> bool:
    if answer.get(39) in _NONE_FOUND:
        return True
    with_mac = bool(answer.get(64)) or not evidence.expected.reversals_needing_mac
    return answer.get(39) == "00" and with_mac


def reversals_end_on_their_answer(evidence: Evidence) -> Iterator[Violation]:
    """M5: reversed only after a matching 0410, 00 once or "nothing there" twice; then silence."""
    if evidence.traffic is None:
        return
    for one in evidence.transactions:
        sent = evidence.reversals.get(one.id, ())
        if len(sent) > one.reversal_tries:
            what = f"{len(sent)} times 0400, {one.reversal_tries} tries counted"
            yield Violation("M5", what, one.name)
        if one.state != "reversed":
            continue
        endings = _endings(evidence, one)
        done = [answer for answer in endings if answer.get(39) == "00"]
        none = [answer for answer in endings if answer.get(39) in _NONE_FOUND]
        if not done and len(none) < 2:
            yield Violation("M5", "it is reversed, and no 0410 says so", one.name)
        elif sent[-1].position > endings[-1].position:
            yield Violation("M5", "an 0400 followed the end of its reversal", _at(sent[-1]))
        elif not done:
            answer = none[-1]
            date = answer.get(15) or answer.get(13)
            if date not in ("", one.sent_date):
                what = "nothing was found on another date: unresolved, not reversed"
                yield Violation("M5", what, one.name)


def reversals_follow_a_decision(evidence: Evidence) -> Iterator[Violation]:
    """M4, M7, M14: an 0400 means that no approval counts; declined and not sent need none."""
    for identity, messages in evidence.reversals.items():
        one = evidence.by_id[identity]
        if "reversing" not in {state for _, state in one.story}:
            rule = "M2" if one.response_code == "94" else "M14"
            what = f"an 0400 without the state reversing; it is {one.state}"
            yield Violation(rule, what, _at(messages[0]))
        if one.state in ("approved", "voided", "completed"):
            yield Violation("M7", f"it was reversed and is {one.state}", _at(messages[0]))


def reversals_repeat_the_original(evidence: Evidence) -> Iterator[Violation]:
    """M5, M10, M13: the elements of every 0400."""
    for identity, messages in evidence.reversals.items():
        one = evidence.by_id[identity]
        sent = evidence.requests.get(identity)
        asked: Mapping[int, str] = sent[0].elements if sent else one.stored
        for message in messages:
            for number in _AS_REQUESTED:
                if message.get(number) != asked.get(number, ""):
                    what = f"element {number} is not the original's"
                    yield Violation("M13" if number == 60 else "M5", what, _at(message))
            for number in _NEVER_REVERSED:
                if message.get(number):
                    yield Violation("M5", f"element {number} is in a reversal", _at(message))
            if message.get(39) not in _REASONS or message.get(39) != messages[0].get(39):
                yield Violation("M5", f"reason {message.get(39)!r}", _at(message))
            if not message.get(64):
                yield Violation("M13", "no element 64", _at(message))
            if one.kind in _OWN_IN_61 and message.get(61)[:12] != "".join(one.identity):
                yield Violation("M5", "61 does not name what is reversed", _at(message))


def notices_are_repeated_unchanged(evidence: Evidence) -> Iterator[Violation]:
    """M15: same elements, at most so many tries, a refund only while the process lives."""
    for identity, messages in evidence.requests.items():
        one, first = evidence.by_id[identity], messages[0]
        if one.kind not in NOTICES:
            continue
        for message in messages[1:]:
            changed = [
                number for number in _REPEATED_UNCHANGED
                if message.get(number) != first.get(number)
            ]  # fmt: skip
            if changed:
                yield Violation("M15", f"repeated with another {changed}", _at(message))
            if one.kind == "refund" and message.life != first.life:
                yield Violation("M15", "repeated by another process", _at(message))
        if one.kind == "refund" and len(messages) > evidence.expected.notice_tries:
            yield Violation("M15", f"sent {len(messages)} times", _at(first))


def one_exchange_a_connection(evidence: Evidence) -> Iterator[Violation]:
    """M13, M17: a fresh connection for each exchange, so nothing else goes out while one is open."""
    used: dict[int, Wire] = {}
    for message in evidence.messages:
        if not message.outgoing:
            continue
        if message.connection == 0:
            yield Violation("M17", "it was sent without a connection", _at(message))
            continue
        first = used.setdefault(message.connection, message)
        if first is not message:
            what = f"it shares its connection with {_at(first)}"
            yield Violation("M13" if message.mti == "0800" else "M17", what, _at(message))


_NOTHING: Final = bytes(32)
"""What most of a young ledger's pages are; longer than any secret, so that none is lost with it."""


def secrets_stay_out_of_the_ledger(evidence: Evidence) -> Iterator[Violation]:
    """M10: no card number, track or PIN block that was sent stands in the ledger's bytes."""
    seen: set[str] = set()
    raw = evidence.raw.replace(_NOTHING, b"\0")
    written = raw.lower()
    for message in evidence.messages:
        if not message.outgoing:
            continue
        track, number, block = message.get(35), message.get(2), message.get(52)
        pan = track.partition("D")[0] or number
        for name, digits in (("card number", pan), ("PIN block", block)):
            if not digits or digits in seen:
                continue
            seen.add(digits)
            if digits.lower().encode("ascii") in written or _packed(digits) in raw:
                yield Violation("M10", f"a {name} is in the ledger", _at(message))


def _packed(digits: str) -> bytes:
    """Two digits a byte, without one that is left over."""
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


RULES: Final = (
    what_is_sent_can_be_read,
    every_request_has_its_intent,
    numbers_on_the_wire,
    not_sent_means_no_byte,
    nothing_between,
    reversals_end_on_their_answer,
    reversals_follow_a_decision,
    reversals_repeat_the_original,
    notices_are_repeated_unchanged,
    one_exchange_a_connection,
    secrets_stay_out_of_the_ledger,
)
