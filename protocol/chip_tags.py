"""The chip tags of the dialect: which messages carry them, their names, the bits of tag 95.

Names and bits are EMV's (book 3, annexes A and C); which tags travel is the dialect's (section 9).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct

from protocol import tlv
from protocol.card import Pan, Track, mask_digit_runs


class ChipTag(Struct, frozen=True):
    """One row. shown: False for what may appear only as a length."""

    tag: str
    name: str
    shown: bool = True


_ROWS = (
    ChipTag("57", "track 2 equivalent data"),
    ChipTag("5A", "application PAN"),
    ChipTag("5F20", "cardholder name", shown=False),
    ChipTag("5F24", "application expiry", shown=False),
    ChipTag("5F2A", "transaction currency code"),
    ChipTag("5F34", "application PAN sequence number"),
    ChipTag("71", "issuer script template 1"),
    ChipTag("72", "issuer script template 2"),
    ChipTag("82", "application interchange profile"),
    ChipTag("84", "dedicated file name"),
    ChipTag("86", "issuer script command"),
    ChipTag("91", "issuer authentication data"),
    ChipTag("95", "terminal verification results"),
    ChipTag("9A", "transaction date"),
    ChipTag("9B", "transaction status information"),
    ChipTag("9C", "transaction type"),
    ChipTag("9F02", "amount, authorised"),
    ChipTag("9F03", "amount, other"),
    ChipTag("9F06", "application identifier"),
    ChipTag("9F09", "application version number"),
    ChipTag("9F10", "issuer application data"),
    ChipTag("9F18", "issuer script identifier"),
    ChipTag("9F1A", "terminal country code"),
    ChipTag("9F1E", "interface device serial number"),
    ChipTag("9F1F", "track 1 discretionary data", shown=False),
    ChipTag("9F20", "track 2 discretionary data", shown=False),
    ChipTag("9F22", "CA public key index"),
    ChipTag("9F26", "application cryptogram"),
    ChipTag("9F27", "cryptogram information data"),
    ChipTag("9F33", "terminal capabilities"),
    ChipTag("9F34", "cardholder verification results"),
    ChipTag("9F35", "terminal type"),
    ChipTag("9F36", "application transaction counter"),
    ChipTag("9F37", "unpredictable number"),
    ChipTag("9F41", "transaction sequence counter"),
    ChipTag("9F63", "card product identification"),
    ChipTag("DF31", "issuer script results"),
)
TAGS: Mapping[str, ChipTag] = MappingProxyType({row.tag: row for row in _ROWS})

# Which tags element 55 has in each kind of message (dialect: section 9).
REQUEST_REQUIRED = frozenset(
    ("9F26", "9F27", "9F10", "9F37", "9F36", "95", "9A", "9C", "9F02", "5F2A", "82", "9F1A",
     "9F03", "9F33")
)  # fmt: skip
REQUEST_OPTIONAL = frozenset(("9F34", "9F35", "9F1E", "84", "9F09", "9F41", "9F63"))
ANSWER = frozenset(("91", "71", "72", "9F36"))
SCRIPT_RESULT = frozenset(
    ("9F33", "95", "9F37", "9F1E", "9F10", "9F26", "9F36", "82", "DF31", "9F1A", "9A")
)
# 9F10 only when the issuer approved and the card declined: it is the card's second answer then,
# which the request does not have. 9F36 unless the reversal is due to no answer.
REVERSAL = frozenset(("95", "9F1E", "9F10", "DF31", "9F36"))

# Tag 95, byte by byte, from bit 8 down to bit 1; bits that EMV reserves have no name.
_RESULTS: tuple[tuple[str, ...], ...] = (
    (
        "offline data authentication was not performed",
        "static data authentication failed",
        "chip data missing",
        "card on the terminal's exception file",
        "dynamic data authentication failed",
        "combined data authentication failed",
        "static data authentication selected",
    ),
    (
        "chip and terminal have different application versions",
        "expired application",
        "application not yet effective",
        "service not allowed for the card product",
        "new card",
    ),
    (
        "cardholder verification failed",
        "unrecognised verification method",
        "PIN tries exceeded",
        "PIN asked for, PIN pad missing or broken",
        "PIN asked for, not entered",
        "online PIN entered",
    ),
    (
        "floor limit exceeded",
        "lower consecutive offline limit exceeded",
        "upper consecutive offline limit exceeded",
        "selected at random for going online",
        "merchant forced going online",
    ),
    (
        "default TDOL used",
        "issuer authentication failed",
        "script failed before the final cryptogram",
        "script failed after the final cryptogram",
    ),
)


def show_tag(tag: str, value: bytes) -> str:
    """The value of a tag as it may be shown; a length when no row allows more."""
    row = TAGS.get(tag)
    digits = value.hex().upper()
    if row is None or not row.shown:
        return f"({len(value)} bytes)"
    if tag == "57":
        return Track(digits.rstrip("F").replace("D", "=")).masked
    if tag == "5A":
        return Pan(digits.rstrip("F")).masked
    return mask_digit_runs(digits)


def verification_results(value: bytes) -> Iterable[str]:
    """The meaning of each bit that is set in tag 95, in order, as "byte 1 bit 8: ..."."""
    for position, byte in enumerate(value):
        names = _RESULTS[position] if position < len(_RESULTS) else ()
        for bit in range(8, 0, -1):
            if byte >> (bit - 1) & 1:
                index = 8 - bit
                name = names[index] if index < len(names) else "reserved"
                yield f"byte {position + 1} bit {bit}: {name}"


def subset(chip_data: bytes, tags: Collection[str]) -> bytes:
    """The items of element 55 that have one of these tags, byte-exact and in order.

    Raises DecodeError when the data cannot be parsed.
    """
    return tlv.build(item for item in tlv.parse(chip_data) if item.name in tags)


def missing(chip_data: bytes, tags: Collection[str]) -> list[str]:
    """Those of the tags that element 55 does not have, sorted. Raises DecodeError."""
    return sorted(set(tags) - {item.name for item in tlv.parse(chip_data)})
