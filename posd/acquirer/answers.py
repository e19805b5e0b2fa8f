"""The words of an answer, and the way it takes: deliveries, with the faults that were ordered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from posd.acquirer.kinds import KINDS
from posd.acquirer.outcomes import Fault
from posd.acquirer.situation import APPROVED, Situation, Verdict
from protocol import Message, Pan, encode
from protocol.mac import seal

INSTITUTION = "48021000"  # element 32
ISSUER_AND_ACQUIRER = "03080000   48020000   "  # element 44

_ECHOED = (3, 4, 11, 23, 25, 41, 42, 49, 60)
_ISSUER_TEXTS = {"51": "余额不足", "54": "卡已过期", "55": "密码错", "75": "密码次数超限"}
_SIGN_IN = "3"  # processing requirement, sixth digit of the header


@dataclass(frozen=True)
class Delivery:
    """Bytes that go back to the terminal.

    after: seconds from the receipt of the request. data: whole frames, part of one, or nothing.
    close: the connection is closed after them.
    """

    after: float
    data: bytes = field(repr=False)
    close: bool = False


def usual_elements(situation: Situation, verdict: Verdict) -> dict[int, str]:
    """Elements of the answer that may be stored: all but 2, 14, 62 and 64."""
    request, now = situation.request, situation.now
    elements: dict[int, str | None] = {
        number: str(request.message.elements[number])
        for number in _ECHOED
        if number in request.message.elements
    }
    elements |= {12: f"{now:%H%M%S}", 13: f"{now:%m%d}", 39: verdict.code}
    if request.kind != "echo":
        elements[32] = INSTITUTION
    if request.kind not in ("echo", "sign_in", "sign_off"):
        elements[15] = f"{now:%m%d}"
    if request.kind == "settlement":
        elements[63] = request.message.get(63)
    if request.kind in KINDS:
        elements |= _institutions(situation, verdict)
    elements |= verdict.elements
    return {number: value for number, value in elements.items() if value is not None}


def _institutions(situation: Situation, verdict: Verdict) -> Mapping[int, str | None]:
    organisation = "CUP" if situation.card is None else situation.card.organisation
    if verdict.code in APPROVED:
        return {44: ISSUER_AND_ACQUIRER, 63: organisation}
    text = _ISSUER_TEXTS.get(verdict.code)
    return {} if text is None else {63: organisation + text}


def answer_message(situation: Situation, verdict: Verdict, elements: Mapping[int, str]) -> Message:
    """The answer with everything but its MAC, TPDU source and destination swapped."""
    request = situation.request
    complete: dict[int, str | bytes | Pan] = dict(elements)
    if verdict.card is not None and request.kind in KINDS:
        complete[2] = verdict.card.pan
        if verdict.code in APPROVED:
            complete[14] = verdict.card.expiry
    if verdict.working_keys is not None:
        complete[62] = verdict.working_keys
    tpdu = request.message.tpdu
    swapped = None if tpdu is None else tpdu[:2] + tpdu[6:] + tpdu[2:6]
    mti = f"{int(request.mti) + 10:04d}"
    return Message(mti, complete, swapped, request.message.header)


# Faults that change the answer itself


def _wrong_amount(answer: Message) -> Message:
    return answer.with_elements({4: f"{int(answer.get(4, '0')) + 1:012d}"})


def _no_reference(answer: Message) -> Message:
    return answer.with_elements({37: " " * 12})


def _sign_in_asked(answer: Message) -> Message:
    header = answer.header
    return replace(answer, header=header and header[:5] + _SIGN_IN + header[6:])


def _wrong_keys(answer: Message) -> Message:
    keys = bytes(answer.get(62, b""))
    return answer.with_elements({62: keys[:-1] + bytes([keys[-1] ^ 0xFF])}) if keys else answer


_BEFORE_SEALING: Mapping[Fault, Callable[[Message], Message]] = {
    Fault.WRONG_AMOUNT: _wrong_amount,
    Fault.NO_REFERENCE: _no_reference,
    Fault.SIGN_IN_ASKED: _sign_in_asked,
    Fault.WRONG_KEYS: _wrong_keys,
}


def _wrong_mac(answer: Message) -> Message:
    right = answer.get(64)
    return answer.with_elements({64: b"00000000" if right != b"00000000" else b"11111111"})


# Faults of the way


def deliveries(situation: Situation, answer: Message, *, sealed: bool) -> tuple[Delivery, ...]:
    """How an answer reaches the terminal: usually at once and whole. Empty: not at all.

    sealed: the answer is to carry a MAC, under the working keys in force.
    """
    fault, options = situation.outcome.fault, situation.house.options
    if fault is not None and fault in _BEFORE_SEALING:
        answer = _BEFORE_SEALING[fault](answer)
    data = _frame(situation, answer, sealed=sealed)
    match fault:
        case Fault.LOST | Fault.NO_ANSWER:
            return ()
        case Fault.CLOSED:
            return (Delivery(0.0, b"", close=True),)
        case Fault.CUT:
            asked = situation.outcome.cut_at
            return (Delivery(0.0, data[: len(data) // 2 if asked is None else asked], close=True),)
        case Fault.LATE:
            return (Delivery(options.late, data),)
        case Fault.SLOW:
            return (Delivery(options.slow, data),)
        case Fault.TWICE:
            return (Delivery(0.0, data), Delivery(0.0, data))
        case Fault.FOREIGN_FIRST:
            foreign = _frame(situation, _foreign(answer), sealed=sealed)
            return (Delivery(0.0, foreign), Delivery(0.0, data))
        case Fault.GARBAGE:
            return (Delivery(0.0, _garbage(situation)),)
        case Fault.GARBAGE_FIRST:
            return (Delivery(0.0, _garbage(situation)), Delivery(0.0, data))
    return (Delivery(0.0, data),)


def _frame(situation: Situation, answer: Message, *, sealed: bool) -> bytes:
    fault, dialect = situation.outcome.fault, situation.house.dialect
    if sealed and fault is not Fault.NO_MAC and situation.keys is not None:
        answer = seal(answer, situation.keys.mac, dialect)
    if fault is Fault.WRONG_MAC:
        answer = _wrong_mac(answer)
    return encode(answer, dialect)


def _foreign(answer: Message) -> Message:
    """The same answer to another request: another STAN, or another terminal where there is none."""
    if answer.get(11) is None:
        return answer.with_elements({41: "99999999"})
    return answer.with_elements({11: f"{int(answer.get(11)) % 999_999 + 1:06d}"})


def _garbage(situation: Situation) -> bytes:
    """A frame of the right length whose nibbles are no digits, wherever they stand."""
    noise = bytes(byte | 0xF0 for byte in situation.house.random_bytes(40))
    return len(noise).to_bytes(2, "big") + noise
