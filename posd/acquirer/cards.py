"""The test cards: invented numbers, their PINs, and how the test acquirer's issuer treats them."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol import Pan, Track

FUNDS_WITHOUT_END = 10_000_000_000  # fen; twelve digits of an amount hold a hundred times as much

_TRACK_2_LENGTH = 37  # ISO/IEC 7813


@dataclass(frozen=True)
class TestCard:
    """One invented card.

    name: how scripts and people call it, ascii, one word.
    expiry: YYMM. pin: 4 to 12 digits, or None when the issuer asks for none.
    organisation: element 63.1 of answers, `CUP` for domestic cards.
    funds: fen available before any transaction. code: an element 39 that the issuer gives to
    every request of the card, or None.
    """

    __test__ = False  # pytest takes any class named Test... for a suite

    name: str
    pan: Pan
    expiry: str
    pin: str | None = field(repr=False)
    organisation: str = "CUP"
    service_code: str = "101"
    funds: int = FUNDS_WITHOUT_END
    code: str | None = None

    @property
    def track2(self) -> Track:
        """Track 2 as the stripe carries it, without sentinels: 37 characters."""
        complete = f"{self.pan.reveal()}={self.expiry}{self.service_code}0000012340000"
        return Track(complete[:_TRACK_2_LENGTH])

    @property
    def foreign(self) -> bool:
        """Does the card count in the foreign totals of a settlement?"""
        return self.organisation != "CUP"


CARDS = (
    TestCard("good", Pan("6225000000000014"), "4912", "123456"),
    TestCard("second", Pan("6225000000000022"), "4811", "654321"),
    TestCard("nopin", Pan("6225000000000048"), "4710", None),
    TestCard("long", Pan("6217000000000090005"), "4609", "112233"),
    TestCard("visa", Pan("4000000000000077"), "4508", "2468", organisation="VIS"),
    TestCard("expired", Pan("6225000000000055"), "2001", "123456"),
    TestCard("poor", Pan("6225000000000063"), "4912", "123456", funds=0),
    TestCard("lost", Pan("6225000000000071"), "4912", "123456", code="41"),
    TestCard("stolen", Pan("6225000000000089"), "4912", "123456", code="43"),
)
"""The table that the README documents. `expired` is answered 54, `poor` 51, and so on."""

BY_NAME = {card.name: card for card in CARDS}
