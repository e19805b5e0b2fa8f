"""Everything around the terminal that fails, at random moments, until it is told to heal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from devices.simulated.pseudo_terminal import PseudoTerminal
from posd.acquirer.outcomes import Fault, Order, Outcome
from posd.testing.counter import Counter
from posd.testing.under_fire.host import FireHost
from posd.testing.under_fire.proxy import Proxy
from posd.testing.under_fire.storage import Storage
from posd.testing.under_fire.story import Story
from posd.testing.under_fire.supervisor import Supervisor

_PAUSE: Final = 0.5  # s on average between two troubles
_LONGEST: Final = 2.0  # s that one lasts
_LOOK: Final = 0.05
_DISK_LEFT: Final = 600_000  # bytes at most that a full disk still takes
_ON_THE_WAY: Final = tuple(
    fault for fault in Fault if fault not in (Fault.WRONG_KEYS, Fault.SIGN_IN_ASKED)
)
_DECLINES: Final = ("05", "51", "55", "91", "94", "96", "77", "99", "A0", "ZZ")
_REFUSED_REVERSALS: Final = ("96", "91", "77", "99", "A0", "ZZ")
"""Never 00, 12 or 25: a host that says so without having done it would be lying."""
_REFUSED_SIGN_INS: Final = ("05", "91", "96", "97")


class Troubles:
    """Runs within the event loop of counter, proxy and host. Each trouble ends by itself."""

    def __init__(
        self,
        counter: Counter,
        proxy: Proxy,
        host: FireHost,
        supervisor: Supervisor,
        storage: Storage,
        story: Story,
        random: Random,
        *,
        disk: bool,
        dead_disk: bool,
    ) -> None:
        self._counter = counter
        self._proxy = proxy
        self._host = host
        self._supervisor = supervisor
        self._storage = storage
        self._story = story
        self._random = random
        self._under_way: set[asyncio.Task[None]] = set()
        self._busy: set[str] = set()
        kinds: list[tuple[int, str, Callable[[], Awaitable[None]]]] = [
            (40, "", self._order),
            (8, "link", self._link_down),
            (16, "", self._link_reset),
            (6, "host", self._host_stops),
            (12, "", self._host_crashes),
            (4, "printer", lambda: self._pulled("printer", counter.printer)),
            (2, "reader", lambda: self._pulled("card reader", counter.card_reader)),
            (1, "keypad", lambda: self._pulled("keypad", counter.keypad)),
            (1, "display", lambda: self._pulled("display", counter.display)),
            (4, "paper", self._paper_out),
        ]
        if disk:
            kinds += [(1, "disk", self._disk_full), (1, "disk", self._disk_read_only)]
        if disk and dead_disk:
            kinds.append((1, "disk", self._disk_dead))
        self._kinds = [(name, act) for weight, name, act in kinds for _ in range(weight)]

    async def happen(self) -> None:
        """Until it is cancelled; then call `heal`."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / _PAUSE))
            name, act = self._random.choice(self._kinds)
            if name in self._busy:
                continue
            task = asyncio.create_task(self._one(name, act))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def heal(self) -> None:
        """Wait until nothing is broken any more. Raises what went wrong inside the acquirer."""
        await asyncio.gather(*self._under_way)
        await self._host.stop()  # with all orders that nobody has met
        await self._host.start()
        await self._proxy.open()

    async def abandon(self) -> None:
        """The run is over; each trouble tidies up behind itself."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _one(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        if name:
            self._busy.add(name)
        try:
            await act()
        finally:
            self._busy.discard(name)

    async def _lasting(self) -> None:
        await asyncio.sleep(self._random.uniform(0.05, _LONGEST))

    # --- the host and the way to it ---------------------------------------------------------------

    async def _order(self) -> None:
        kind = self._random.choice(("sale", "sale", "sale_void", "reversal", "sign_in"))
        if kind == "sign_in":
            chosen = self._random.choice((*_REFUSED_SIGN_INS, *_ON_THE_WAY, Fault.WRONG_KEYS))
        elif kind == "reversal":
            chosen = self._random.choice((*_REFUSED_REVERSALS, *_ON_THE_WAY))
        else:
            chosen = self._random.choice((*_DECLINES, *_ON_THE_WAY, Fault.SIGN_IN_ASKED))
        outcome = Outcome(fault=chosen) if isinstance(chosen, Fault) else Outcome(code=chosen)
        if kind == "sale" and self._random.random() < 0.1:
            outcome = Outcome(partial=self._random.randint(1, 300))
        self._story.fault("host: ordered outcome", f"{kind} {outcome.label}")
        self._host.order(Order(kind, outcome, self._random.randint(1, 2)))

    async def _link_down(self) -> None:
        self._story.fault("link: down")
        await self._proxy.shut()
        try:
            await self._lasting()
        finally:
            await self._proxy.open()

    async def _link_reset(self) -> None:
        self._story.fault("link: connections cut at a random moment")
        self._proxy.reset()

    async def _host_stops(self) -> None:
        self._story.fault("host: stopped and started")
        await self._host.stop()
        try:
            await self._lasting()
        finally:
            await self._host.start()

    async def _host_crashes(self) -> None:
        self._host.crash_at_next_commit()

    def host_crashed(self) -> None:
        """The injected crash has happened: it is started again a little later."""
        self._story.fault("host: crash between commit and answer")
        task = asyncio.create_task(self._one("host", self._host_comes_back))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _host_comes_back(self) -> None:
        await self._host.stop()
        try:
            await asyncio.sleep(self._random.uniform(0.0, 0.5))
        finally:
            await self._host.start()

    # --- devices ----------------------------------------------------------------------------------

    async def _pulled(self, name: str, device: PseudoTerminal) -> None:
        self._story.fault(f"device: {name} unplugged")
        device.unplug()
        try:
            await self._lasting()
        finally:
            device.replug()

    async def _paper_out(self) -> None:
        self._story.fault("device: paper out")
        self._counter.printer.paper_out_after(self._random.randint(0, 40))
        try:
            await self._lasting()
        finally:
            self._counter.printer.load_paper()

    # --- the disk ---------------------------------------------------------------------------------

    async def _disk_full(self) -> None:
        self._story.fault("disk: full")
        left = self._random.choice((0, self._random.randint(0, _DISK_LEFT)))
        self._supervisor.trouble_with_the_disk(on=True)
        self._supervisor.in_life(lambda process: self._storage.fill(process.number, left))
        try:
            await self._lasting()
        finally:
            self._supervisor.in_life(lambda process: self._storage.empty(process.number))
            await self._next_life()

    async def _disk_read_only(self) -> None:
        self._story.fault("disk: read-only at a start")
        self._supervisor.trouble_with_the_disk(on=True)
        self._supervisor.between_lives(lambda: self._storage.read_only(on=True))
        try:
            await self._lasting()
        finally:
            self._supervisor.between_lives(lambda: self._storage.read_only(on=False))
            await self._next_life()

    async def _disk_dead(self) -> None:
        self._story.fault("disk: every access fails")
        self._supervisor.trouble_with_the_disk(on=True)
        self._supervisor.in_life(self._supervisor.dead_disk)
        try:
            await self._lasting()
        finally:
            await self._next_life()

    async def _next_life(self) -> None:
        """The daemon may have given up, or have seen the end of it: what follows is a new one."""
        done: list[bool] = []

        def over() -> None:
            self._supervisor.trouble_with_the_disk(on=False)
            done.append(True)

        self._supervisor.between_lives(over)
        while not done and self._supervisor.is_alive():
            await asyncio.sleep(_LOOK)
