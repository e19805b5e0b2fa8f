"""What goes wrong on the lines while clerks trade: pulled out, stalled, slow, cut short, noisy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Final

from devices.simulated.pseudo_terminal import PseudoTerminal
from posd.testing.counter import Acquiring, Counter
from posd.testing.under_fire.story import Story

_PAUSE: Final = 2.0  # s between two troubles, on average
_LONGEST: Final = 8.0  # s; a line that takes nothing for 5 s counts as absent
_NOISE: Final = 64  # bytes at the most
_LINES: Final = 30  # of paper that are left at the most


class LineTroubles:
    """Random troubles, each for a while, at most one on each line at a time. Within the event loop."""

    def __init__(
        self, counter: Counter, acquiring: Acquiring, story: Story, random: Random
    ) -> None:
        self._counter = counter
        self._acquiring = acquiring
        self._story = story
        self._random = random
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def happen(self) -> None:
        """Until it is cancelled; then call `heal`."""
        kinds = (*self._counter.by_role, "paper", "everything", "host")
        while True:
            await asyncio.sleep(self._random.expovariate(1 / _PAUSE))
            kind = self._random.choice(kinds)
            if kind not in self._under_way:
                task = asyncio.create_task(self._trouble(kind))
                self._under_way[kind] = task
                task.add_done_callback(partial(self._over, kind))

    def _over(self, kind: str, _task: asyncio.Task[None]) -> None:
        del self._under_way[kind]

    async def heal(self) -> None:
        """Nothing is wrong any more when this returns."""
        for task in tuple(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        for line in self._counter.by_role.values():
            line.replug()
            line.resume()
            line.drip_seconds = line.delay_seconds = 0.0
            line.stop_after = None
        printer = self._counter.printer
        printer.load_paper()
        printer.close_cover()
        printer.jam_cutter(False)
        printer.overheat(False)
        printer.switch_on()

    async def _trouble(self, kind: str) -> None:
        match kind:
            case "paper":
                await self._mechanism()
            case "everything":
                await self._pull(*self._counter.by_role)
            case "host":
                await self._host()
            case _:
                await self._line(kind, self._counter.by_role[kind])

    def _seconds(self) -> float:
        return self._random.uniform(0.05, _LONGEST)

    async def _line(self, role: str, line: PseudoTerminal) -> None:
        kinds: tuple[Callable[[], Awaitable[None]], ...] = (
            lambda: self._pull(role),
            lambda: self._noise(role, line),
            lambda: self._stall(role, line),
            lambda: self._drip(role, line),
            lambda: self._half(role, line),
        )
        await self._random.choice(kinds)()

    async def _pull(self, *roles: str) -> None:
        self._story.fault("unplugged" if len(roles) == 1 else "all unplugged", " ".join(roles))
        for role in roles:
            self._counter.plug(role, plugged=False)
        await asyncio.sleep(self._seconds())
        for role in roles:
            self._counter.plug(role, plugged=True)

    async def _noise(self, role: str, line: PseudoTerminal) -> None:
        self._story.fault("noise", role)
        for _ in range(self._random.randint(1, 10)):
            line.noise(self._random.randbytes(self._random.randint(1, _NOISE)))
            await asyncio.sleep(self._random.uniform(0.0, 0.3))

    async def _stall(self, role: str, line: PseudoTerminal) -> None:
        self._story.fault("stalled", role)
        line.stall()
        await asyncio.sleep(self._seconds())
        line.resume()

    async def _drip(self, role: str, line: PseudoTerminal) -> None:
        self._story.fault("slow", role)
        line.drip_seconds = self._random.uniform(0.001, 0.05)
        await asyncio.sleep(self._seconds())
        line.drip_seconds = 0.0

    async def _half(self, role: str, line: PseudoTerminal) -> None:
        """Every frame is cut short: a swipe, an answer of the printer."""
        self._story.fault("half frames", role)
        line.stop_after = self._random.randint(0, 12)
        await asyncio.sleep(self._seconds() / 2)
        line.stop_after = None

    async def _mechanism(self) -> None:
        printer = self._counter.printer
        kinds: tuple[tuple[str, Callable[[], None], Callable[[], None]], ...] = (
            ("paper out", self._end_paper, printer.load_paper),
            ("cover open", printer.open_cover, printer.close_cover),
            ("cutter jammed", printer.jam_cutter, lambda: printer.jam_cutter(False)),
            ("overheated", printer.overheat, lambda: printer.overheat(False)),
            ("printer off", printer.switch_off, printer.switch_on),
        )
        name, break_it, mend_it = self._random.choice(kinds)
        self._story.fault(name)
        break_it()
        await asyncio.sleep(self._seconds())
        mend_it()

    def _end_paper(self) -> None:
        self._counter.printer.paper_out_after(self._random.randint(0, _LINES))

    async def _host(self) -> None:
        self._story.fault("host down")
        await self._acquiring.shut()
        try:
            await asyncio.sleep(self._seconds() / 2)
        finally:
            await self._acquiring.open()
