"""A clerk who trades at the simulated keypad and card reader and reads the display, mostly sensibly."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from devices.keypad import Key
from posd.acquirer.cards import BY_NAME
from posd.acquirer.outcomes import REQUEST_OUTCOMES, REVERSAL_OUTCOMES, VOID_OUTCOMES
from posd.testing.counter import GARBLED, Counter
from posd.testing.stage import Witness
from posd.testing.under_fire.story import Story, seconds

_NOTICE: Final = 0.2  # s that a screen may take to answer a key
_QUIET: Final = 0.01  # s without a change: the screen is drawn
_LOOK: Final = 0.02
_VOUCHER: Final = re.compile(r"凭证号\D*(\d{6})")
_SUPERVISOR, _CASHIER = "123456", "0000"
_MISTAKES: Final = 0.06  # of what the clerk does
_KEYS: Final = tuple(Key)
_CARDS: Final = (
    "good",
    "good",
    "second",
    "second",
    "nopin",
    "nopin",
    "long",
    "visa",
    "poor",
    "lost",
)
_REFUSED_VOUCHERS: Final = ("没有可撤销的", "无此凭证号", "该笔", "该订单已取消")
_WAITING: Final = "正在"
_PATIENCE: Final = 10  # answers to the same text
_FAILED: Final = ("交易失败", "未扣款", "撤销未发送", "撤销未成功")
_ENDLESS: Final = (67, 69, 94, 98)
"""Amounts 2.xx and 3.xx whose reversal never ends: no run could come to rest."""
_FAULTY_AMOUNTS: Final = (
    *REQUEST_OUTCOMES,
    *(100 + digits for digits in VOID_OUTCOMES),
    *(
        series + digits
        for series in (200, 300)
        for digits in REVERSAL_OUTCOMES
        if digits not in _ENDLESS
    ),
)


class Clerk:
    """Runs within the event loop of the counter. good: makes no mistakes, and every sale is plain."""

    def __init__(self, counter: Counter, witness: Witness, story: Story, random: Random) -> None:
        self.good = False
        self.keys = 0
        self._counter = counter
        self._witness = witness
        self._story = story
        self._random = random
        self._card = "good"
        self._seen: list[str] = []
        self._answered = ""  # the text that was answered last
        self._tired = 0  # how often since something else was
        self._bought: dict[str, str] = {}  # voucher -> card
        self._wanted: str | None = None  # the card of the sale that is being voided
        self._answers: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
            # a process that a clerk ends is no news for a torture, and training has a host of its own
            ("关机/重启", lambda: self._press(Key.CANCEL)),
            ("终端将", lambda: self._press(Key.CANCEL)),
            ("培训模式", lambda: self._press(Key.CANCEL)),
            ("请输入密码", self._password),
            ("请持卡人输密码", self._pin),
            ("密码已锁定", lambda: self._press(Key.CANCEL)),
            ("主管密码", self._password),
            *((refused, lambda: self._press(Key.CANCEL)) for refused in _REFUSED_VOUCHERS),
            ("请输原凭证号", self._voucher),
            ("撤销原因", lambda: self._type(str(self._random.randint(1, 5)))),
            ("确认=取消订单", self._confirm_mostly),
            ("确认=撤销", self._confirm_mostly),
            ("请先签到", self._confirm),
            ("请刷卡或输入金额", self._begin),
            ("超过限额", lambda: self._press(Key.CANCEL)),
            ("位数太多", lambda: self._press(Key.CANCEL)),
            ("不是原卡", self._other_card),
            ("消费 金额", self._amount),
            ("请刷卡", self._swipe),
            ("重新刷卡", self._swipe),
            ("疑似重复", self._confirm_mostly),
            ("请撕纸", self._confirm),
            ("确认=重打", self._paper_trouble),
            *((failed, self._try_again_or_not) for failed in _FAILED),
            (_WAITING, self._wait),
            ("管理", lambda: self._press(Key.CANCEL)),
            ("菜单", self._menu),
            ("上笔", self._confirm_mostly),
            ("确认=", self._confirm_mostly),
            ("按确认", self._confirm),
        )

    async def trade(self) -> None:
        """Until it is cancelled."""
        while True:
            self._look()
            if self._random.random() < _MISTAKES / 2 and not self.good:
                await self._press(self._random.choice(_KEYS))
            rows = self._counter.display.rows()
            if rows != self._seen:
                self._story.note("|".join(["", *rows, ""]))
                self._seen = rows
            await self._answer("".join(rows))

    # --- eyes and fingers -------------------------------------------------------------------------

    async def _answer(self, screen: str) -> None:
        for text, answer in self._answers:
            if text in screen:
                self._tired = self._tired + 1 if text == self._answered else 0
                self._answered = text
                if self._tired > _PATIENCE and text != _WAITING:
                    await self._press(Key.CANCEL)  # this leads nowhere: begin again
                    self._tired = 0
                else:
                    await answer()
                return
        if screen.strip():
            await self._press(Key.CANCEL)
        await asyncio.sleep(2 * _LOOK)

    def _look(self) -> None:
        """Take the paper that came out, for the voucher numbers on it."""
        self._counter.drain()
        for slip in self._witness.slips[:-1]:
            for row in slip.rows:
                found = _VOUCHER.search(row)
                if found is not None:
                    self._bought.setdefault(found[1], self._card)
        del self._witness.slips[:-1]
        del self._witness.screens[:-1]

    async def _press(self, key: Key) -> None:
        self.keys += 1
        before = self._counter.display.received
        self._counter.keypad.press(key)
        end = seconds() + _NOTICE
        while self._counter.display.received == before and seconds() < end:
            await asyncio.sleep(0.003)
        while True:
            before = self._counter.display.received
            await asyncio.sleep(_QUIET)
            if self._counter.display.received == before:
                return

    async def _type(self, digits: str) -> None:
        """As fast as the line takes them; only the last one is looked after."""
        self.keys += len(digits[:-1])
        self._counter.keypad.type(digits[:-1])
        if digits:
            await self._press(Key.from_digit(digits[-1]))

    async def _confirm(self) -> None:
        await self._press(Key.CONFIRM)

    async def _enter(self, digits: str) -> None:
        await self._type(digits)
        await self._confirm()

    def _by_mistake(self) -> bool:
        return not self.good and self._random.random() < _MISTAKES

    # --- answers to screens -----------------------------------------------------------------------

    async def _begin(self) -> None:
        self._wanted = None
        chance = 0.3 if self.good else self._random.random()
        if chance < 0.05:
            await self._swipe_any()
        elif chance < 0.72:
            await self._enter(str(self._next_amount()))
        elif chance < 0.95:
            await self._press(Key.CONFIRM)
        else:
            await self._press(self._random.choice(_KEYS))

    def _next_amount(self) -> int:
        chance = self._random.random()
        if self.good or chance < 0.6:
            return self._random.randint(400, 99_999)
        if chance < 0.7:
            return self._random.choice((500, 1000))  # the same again: asked about
        return self._random.choice(_FAULTY_AMOUNTS)

    async def _amount(self) -> None:
        if self._by_mistake():
            await self._press(self._random.choice((Key.CLEAR, Key.CANCEL, Key.FUNCTION)))
        await self._enter(str(self._next_amount()))

    async def _swipe(self) -> None:
        if self._by_mistake():
            how = self._random.choice((*GARBLED.values(), None))
            if how is None:
                await self._press(Key.CANCEL)
            else:
                track = BY_NAME["good"].track2.reveal()
                self._counter.card_reader.swipe_garbled(track, how=how)
                await asyncio.sleep(_NOTICE)
            return
        await self._swipe_card(self._wanted or self._some_card())

    async def _swipe_any(self) -> None:
        await self._swipe_card(self._some_card())

    async def _other_card(self) -> None:
        """It wants the card of the original, which this one may not remember."""
        if self.good or self._random.random() < 0.4:
            await self._press(Key.CANCEL)
        else:
            await self._swipe_any()

    def _some_card(self) -> str:
        return "nopin" if self.good else self._random.choice(_CARDS)

    async def _swipe_card(self, name: str) -> None:
        self._card = name
        self._counter.card_reader.swipe(BY_NAME[name].track2.reveal())
        await asyncio.sleep(3 * _LOOK)

    async def _pin(self) -> None:
        digits = BY_NAME[self._card].pin or ""
        if self._by_mistake() and self._random.random() < 0.3:
            digits = "999999"
        await self._enter(digits)

    async def _password(self) -> None:
        screen = "".join(self._counter.display.rows())
        right = _SUPERVISOR if "主管" in screen else _CASHIER
        wrong = self._by_mistake() and self._random.random() < 0.5
        await self._enter("111111" if wrong else right)

    async def _voucher(self) -> None:
        chance = self._random.random()
        if self._bought and chance < 0.6:
            voucher = self._random.choice([*self._bought])
            self._wanted = self._bought[voucher]
            await self._enter(voucher.lstrip("0"))
        elif chance < 0.95:
            self._wanted = self._card
            await self._confirm()
        elif chance < 0.98:
            await self._enter("999999")
        else:
            await self._press(Key.CANCEL)

    async def _menu(self) -> None:
        await self._press(Key.CANCEL if self._by_mistake() or self.good else Key.D1)

    async def _confirm_mostly(self) -> None:
        await self._press(Key.CANCEL if self._by_mistake() else Key.CONFIRM)

    async def _try_again_or_not(self) -> None:
        again = not self.good and self._random.random() < 0.4
        await self._press(Key.CONFIRM if again else Key.CANCEL)

    async def _paper_trouble(self) -> None:
        again = self.good or self._random.random() < 0.5
        await self._press(Key.CONFIRM if again else Key.CANCEL)

    async def _wait(self) -> None:
        if self._random.random() < 0.02 and not self.good:
            await self._press(Key.CANCEL)
        await asyncio.sleep(_LOOK)
