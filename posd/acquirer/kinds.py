"""What each kind of financial request does to money and to its original: one row a kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One row. name: as in `protocol.transactions`.

    direction: +1 the merchant is owed the amount, -1 it goes back to the cardholder, 0 neither.
    original_becomes: state of the original once this is approved; None: it stays as it is.
    is_void: the request undoes another one (the amounts 1.xx and 3.xx hit it).
    needs_pin: a card that has a PIN is declined 55 without one.
    authorises: the approval carries an authorisation code (element 38).
    """

    name: str
    direction: int = 0
    original_becomes: str | None = None
    is_void: bool = False
    needs_pin: bool = False
    authorises: bool = False


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("balance_inquiry", needs_pin=True),
        Kind("sale", +1, needs_pin=True, authorises=True),
        Kind("sale_void", -1, "voided", is_void=True),
        Kind("refund", -1),
        Kind("pre_authorisation", needs_pin=True, authorises=True),
        Kind("pre_authorisation_void", 0, "voided", is_void=True),
        Kind("completion", +1, "completed", authorises=True),
        Kind("completion_notice", +1, "completed", authorises=True),
        Kind("completion_void", -1, "voided", is_void=True),
    )
}
