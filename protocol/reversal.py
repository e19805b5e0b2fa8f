"""The elements of an 0400, built from the request that it undoes (dialect: section 5, Reversal)."""

from __future__ import annotations

from collections.abc import Mapping

from protocol import chip_tags
from protocol.card import Track
from protocol.dialect import DEFAULT, Dialect
from protocol.elements import Value
from protocol.errors import InvalidRequest
from protocol.private import original_transaction, parse_60
from protocol.transactions import Original, Transaction, swiped

NO_ANSWER = "98"  # element 39: no answer in time
WRONG_MAC = "A0"  # the answer's MAC is wrong
TERMINAL_FAULT = "96"  # the terminal failed after an approval
NOT_USABLE = "06"  # anything else

_AS_REQUESTED = (3, 4, 11, 22, 23, 25, 38, 41, 42, 49, 60)
# What of the request's element 55 goes into the reversal: 9F10 is the card's second answer there.
_CHIP_TAGS = chip_tags.REVERSAL - {"9F10"}
_CHIP_COUNTER = "9F36"


def reversal_elements(
    original: Transaction,
    request: Mapping[int, Value],
    reason: str,
    dialect: Dialect = DEFAULT,
    *,
    host_date: str | None = None,
) -> dict[int, Value]:
    """The elements of the 0400 that undoes a request, without 64.

    request: the elements that were sent, or what is stored of them. reason: element 39, one of
    the constants of this module. host_date: element 13 of an answer whose MAC was wrong; it goes
    into 61 where that carries a date. Raises InvalidRequest when the request lacks an element
    that an 0400 must carry.
    """
    for number in (3, 4, 11, 22, 25, 41, 42, 49, 60):
        if number not in request:
            raise InvalidRequest("reversal", number, "is missing in the request")
    elements = {number: request[number] for number in _AS_REQUESTED if number in request}
    elements[39] = reason
    elements.update(_card(request, dialect))
    if original.original in (Original.STAN, Original.DATED):
        own = _own_transaction(original, request, host_date)
        elements[61] = request[61] if dialect.reversal_original and 61 in request else own
    if dialect.reversal_reference and 37 in request:
        elements[37] = request[37]
    chip_data = request.get(55)
    if isinstance(chip_data, bytes) and (kept := _chip_data(chip_data, reason)):
        elements[55] = kept
    return dict(sorted(elements.items()))


def _card(request: Mapping[int, Value], dialect: Dialect) -> dict[int, Value]:
    """2 and 14 as the request had them; after a swipe no 2, and 14 only for hosts that want it."""
    if not swiped(str(request[22])):
        return {number: request[number] for number in (2, 14) if number in request}
    if not dialect.reversal_expiry:
        return {}
    track = request.get(35)
    expiry = request.get(14) or (track.expiry if isinstance(track, Track) else "")
    return {14: expiry} if expiry else {}


def _own_transaction(
    original: Transaction, request: Mapping[int, Value], host_date: str | None
) -> str:
    """61 points at the very transaction that is reversed, not at the one that it was about."""
    date = (host_date or "0000") if original.original is Original.DATED else None
    batch = parse_60(str(request[60])).batch
    if batch is None:
        raise InvalidRequest("reversal", 60, "has no batch number")
    return original_transaction(batch, str(request[11]), date)


def _chip_data(chip_data: bytes, reason: str) -> bytes:
    wanted = _CHIP_TAGS - {_CHIP_COUNTER} if reason == NO_ANSWER else _CHIP_TAGS
    return chip_tags.subset(chip_data, wanted)
