"""Is this frame the answer to that request, and is it usable?  (dialect: section 5, Matching)

Reasons say exactly what is wrong and never hold a value.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from msgspec import Struct

from protocol import mac
from protocol.codec import decode
from protocol.dialect import DEFAULT, Dialect
from protocol.errors import DecodeError
from protocol.key import Key
from protocol.message import Message
from protocol.response_codes import approves
from protocol.reversal import NOT_USABLE, WRONG_MAC
from protocol.transactions import ALL, REVERSAL, Transaction, identify

PARTIAL_APPROVAL = "10"
_FINANCIAL_MTIS = frozenset(row.request_mti for row in ALL if row.financial)


class MatchingRules(Struct, frozen=True):
    """What an acquirer's answers are held to, beyond what is always asked.

    compare_merchant: 42 must be equal where present. partial_approval: a sale may be approved in
    part. decline_needs_mac: a decline without 64 is not usable either. reversal_needs_mac: the
    code 00 of an 0410 counts only with 64.
    """

    compare_merchant: bool = True
    partial_approval: bool = True
    decline_needs_mac: bool = False
    reversal_needs_mac: bool = True


class Foreign(Struct, frozen=True):
    """Not the answer to this request: to be logged and dropped; the wait goes on."""

    reason: str


class Unusable(Struct, frozen=True):
    """The answer to this request, but nothing can be built on it: the wait is over.

    reversal_reason: element 39 for the 0400, where the request is one that is reversed.
    code: the answer's own element 39, where it could be read.
    """

    reversal_reason: str
    reason: str
    code: str | None = None


class Usable(Struct, frozen=True):
    """The answer to this request, approving or declining it."""

    message: Message


Match: TypeAlias = Foreign | Unusable | Usable

BY_DEFAULT: Final = MatchingRules()


def match(
    request: Message,
    frame: bytes,
    mac_key: Key | None,
    dialect: Dialect = DEFAULT,
    rules: MatchingRules = BY_DEFAULT,
) -> Match:
    """Judge a frame that arrived while the answer to a request is awaited.

    mac_key: the MAC key in force, or None for an exchange without one (sign-in, echo, sign-off).
    Raises only KeyProblem, when the key does not fit the dialect's MAC algorithm.
    """
    broken: DecodeError | None = None
    answer: Message | None
    try:
        answer = decode(frame, dialect)
    except DecodeError as error:
        broken, answer = error, error.decoded
    if answer is None:
        return Foreign(f"cannot be decoded: {broken}")
    foreign = _difference(request, answer, broken)
    if foreign is not None:
        return Foreign(foreign)
    code = answer.get(39)
    if broken is not None:
        return Unusable(NOT_USABLE, f"cannot be decoded: {broken}", code)
    if 64 in answer.elements and mac_key is not None:
        if not mac.verify_frame(frame, mac_key, dialect):
            return Unusable(WRONG_MAC, "element 64 does not fit the frame", code)
    elif 64 in answer.elements and 64 in request.elements:
        return Unusable(WRONG_MAC, "element 64 cannot be verified without a key", code)
    reason = _defect(request, answer, rules)
    return Usable(answer) if reason is None else Unusable(NOT_USABLE, reason, code)


def answer_mti(request_mti: str) -> str:
    """The MTI of the answer: that of the request plus 10."""
    return f"{int(request_mti) + 10:04d}"


def _difference(request: Message, answer: Message, broken: DecodeError | None) -> str | None:
    """Why the answer belongs to something else; None when MTI, 11 and 41 say that it is ours."""
    if answer.mti != answer_mti(request.mti):
        return "another MTI"
    for number in (11, 41):
        if number not in request.elements:
            continue  # an echo has no STAN
        if number not in answer.elements:
            cut = "" if broken is None else f", decoded as far as: {broken}"
            return f"no element {number}{cut}"
        if not _equal(number, request, answer):
            return f"another element {number}"
    return None


def _defect(request: Message, answer: Message, rules: MatchingRules) -> str | None:
    """Why nothing can be built on an answer that is ours and decodes; None when it is usable."""
    code = answer.get(39)
    if code is None:
        return "no element 39"
    transaction = identify(request)
    reversal = request.mti == REVERSAL.request_mti
    financial = request.mti in _FINANCIAL_MTIS
    partial = code == PARTIAL_APPROVAL and financial
    differing = _differing_element(request, answer, rules, amount=not partial)
    if differing is not None:
        return differing
    if reversal and _other_batch(request, answer):
        return "another batch in element 60"
    if partial and (defect := _partial_defect(request, answer, transaction, rules)):
        return defect
    approved = approves(code, transaction)
    mac_needed = _mac_needed(approved=approved, reversal=reversal, rules=rules)
    if mac_needed and 64 in request.elements and 64 not in answer.elements:
        return "no element 64 on an approval" if approved else "no element 64 on a decline"
    if approved and financial and not answer.get(37, "").strip():
        return "no element 37 on an approval"
    return None


def _mac_needed(*, approved: bool, reversal: bool, rules: MatchingRules) -> bool:
    if not approved:
        return rules.decline_needs_mac
    return rules.reversal_needs_mac or not reversal


def _differing_element(
    request: Message, answer: Message, rules: MatchingRules, *, amount: bool
) -> str | None:
    compared = (3, 4, 25, 42, 49) if amount else (3, 25, 42, 49)
    for number in compared:
        if number == 42 and not rules.compare_merchant:
            continue
        both = number in request.elements and number in answer.elements
        if both and not _equal(number, request, answer):
            return f"another element {number}"
    return None


def _equal(number: int, request: Message, answer: Message) -> bool:
    """A fixed text comes back padded with blanks, which the request may not have been yet."""
    asked, answered = str(request.elements[number]), str(answer.elements[number])
    return asked.rstrip(" ") == answered.rstrip(" ")


def _other_batch(request: Message, answer: Message) -> bool:
    """Both elements 60 carry a batch number, and not the same one."""
    asked, answered = request.get(60, "")[2:8], answer.get(60, "")[2:8]
    return len(asked) == len(answered) == 6 and asked != answered


def _partial_defect(
    request: Message, answer: Message, transaction: Transaction | None, rules: MatchingRules
) -> str | None:
    if transaction is None or not transaction.takes_partial_approval:
        return "a partial approval of what cannot be approved in part"
    if not rules.partial_approval:
        return "a partial approval, which this terminal does not take"
    if not 0 < int(answer.get(4, "0")) <= int(request.get(4, "0")):
        return "a partial approval without a fitting amount in element 4"
    return None
