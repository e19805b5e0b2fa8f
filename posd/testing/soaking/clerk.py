"""A clerk who trades for hours at an even pace, and keeps every slip that came out."""

from __future__ import annotations

import asyncio
import re
from random import Random
from typing import Final

from devices.keypad import Key
from posd.testing.counter import Counter
from posd.testing.stage import Slip, Witness
from posd.testing.under_fire.clerk import Clerk
from posd.testing.under_fire.story import Story, seconds

_VOUCHER: Final = re.compile(r"凭证号\D*(\d{6})")
_MERCHANT_COPY: Final = "商户存根"
_BLIND: Final = 0.5  # s between two looks at a display that is not there
_LOOK: Final = 0.05


class PacedClerk(Clerk):
    """seconds_a_sale: what there is at least between two of them; a batch takes 999 transactions.

    merchant_copies: vouchers whose merchant copy came out whole.
    """

    def __init__(
        self,
        counter: Counter,
        witness: Witness,
        story: Story,
        random: Random,
        seconds_a_sale: float,
    ) -> None:
        super().__init__(counter, witness, story, random)
        self.merchant_copies: set[str] = set()
        self.slips = 0
        self._newest: Slip | None = None  # it stays with the witness until the next one
        self._seconds_a_sale = seconds_a_sale
        self._next_sale = 0.0

    def look_at_paper(self) -> None:
        """Take notice of what came out by now."""
        self._look()

    def _look(self) -> None:
        self._counter.drain()
        for slip in self._witness.slips:
            if slip is self._newest or not slip.ended:
                continue
            self._newest = slip
            self.slips += 1
            text = "\n".join(slip.rows)
            found = _VOUCHER.search(text)
            if found is not None and _MERCHANT_COPY in text:
                self.merchant_copies.add(found[1])
        super()._look()

    async def _answer(self, screen: str) -> None:
        if self._counter.display.is_plugged:
            await super()._answer(screen)
            return
        await asyncio.sleep(_BLIND)
        if self._random.random() < 0.1:
            await self._press(self._random.choice((Key.CONFIRM, Key.CANCEL)))

    async def _pin(self) -> None:
        await self._clear_stars()
        await super()._pin()

    async def _password(self) -> None:
        await self._clear_stars()
        await super()._password()

    async def _clear_stars(self) -> None:
        """Digits of a slow keypad may have come late, into a prompt that they were not meant for."""
        stars = "".join(self._counter.display.rows()).count("*")
        for _ in range(stars):
            await self._press(Key.CLEAR)

    async def _begin(self) -> None:
        screen = "".join(self._counter.display.rows())
        if "待打" in screen and self.good:
            for key in (Key.CONFIRM, Key.D6, Key.D7):
                await self._press(key)
            return
        if seconds() < self._next_sale:
            await asyncio.sleep(_LOOK)
            return
        self._next_sale = seconds() + self._seconds_a_sale
        await super()._begin()
