"""One life of a terminal, from power to its end, with every port call and every commit as a point.

Two kinds: the money core at its own interface, and the whole core with dialogue, keys and paper.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from devices.picture import Picture
from devices.slip import Slip
from posd import receipts
from posd.core import ports
from posd.core.core import Core
from posd.core.events import (
    DeviceChanged,
    Event,
    HostConnected,
    HostFailed,
    HostReceived,
    TimerFired,
)
from posd.core.ports import Ports, Randomness
from posd.core.timers import CoreTimers
from posd.keys import Keys
from posd.ledger.errors import LedgerError
from posd.ledger.ledger import Ledger
from posd.ledger.records import State
from posd.money.money import Money
from posd.pin_entry import SecretPrompt, check_inline
from posd.settings import Configuration
from posd.testing.matrix.points import Points
from posd.testing.matrix.wire import Line
from posd.testing.stage import Witness
from posd.testing.virtual_devices import VirtualPrinter, VirtualTimers
from posd.testing.world import World
from protocol import decode

PASSWORD_COST: Final = 2
_DEVICES: Final = ("keypad", "display", "card_reader")


@dataclass(frozen=True, slots=True)
class Handed:
    """A slip that was handed to the printer. marked: as a copy of one that may have come out before."""

    job: int
    marked: bool


@dataclass(frozen=True)
class Surroundings:
    """What a life is given. papers and forbidden outlive it: slips handed over, and what must not be."""

    configuration: Configuration
    keys: Keys
    world: World
    random_bytes: Randomness
    points: Points
    plug_in: Callable[[Callable[[Event], None]], Line]
    ledger_path: str
    papers: list[Handed]
    forbidden: list[str]


class _Host:
    """The Host port: before and after each call is a point."""

    def __init__(self, line: Line, points: Points, forbidden: list[str]) -> None:
        self._line, self._points, self._forbidden = line, points, forbidden

    def connect(self, exchange: int) -> None:
        self._points.reached("connect")
        self._line.connect(exchange)

    def send(self, exchange: int, frame: bytes) -> None:
        mti = decode(frame).mti
        if self._points.commit_failed:
            self._forbidden.append(f"{mti} was sent after a commit had reported an error")
        self._points.reached(f"send {mti}, before")
        self._line.send(exchange, frame)
        self._points.reached(f"send {mti}, after")

    def close(self, exchange: int) -> None:
        self._points.reached("close")
        self._line.close(exchange)


class _Timers:
    def __init__(self, timers: VirtualTimers, points: Points) -> None:
        self._timers, self._points = timers, points

    def start(self, serial: int, seconds: float) -> None:
        self._points.reached("timer start")
        self._timers.start(serial, seconds)

    def stop(self, serial: int) -> None:
        self._points.reached("timer stop")
        self._timers.stop(serial)


class _Display:
    def __init__(self, points: Points) -> None:
        self._points = points
        self.rows: tuple[str, ...] = ()

    def show(self, picture: Picture) -> None:
        if picture.rows != self.rows:
            self._points.reached("show")
            self.rows = picture.rows


class _Printer:
    def __init__(self, printer: VirtualPrinter, points: Points, around: Surroundings) -> None:
        self._printer, self._points, self._around = printer, points, around

    def print(self, job: int, slip: Slip) -> None:
        if self._points.commit_failed:
            self._around.forbidden.append("a slip was printed after a commit had reported an error")
        self._points.reached("print command, before")
        self._around.papers.append(Handed(job, receipts.DUPLICATED in slip.rows))
        self._printer.print(job, slip)
        self._points.reached("print command, after")


class _SecretEntry:
    def __init__(self, prompt: ports.SecretEntry, points: Points) -> None:
        self._prompt, self._points = prompt, points

    def ask_pin(self, *arguments: Any) -> None:
        self._points.reached("ask PIN")
        self._prompt.ask_pin(*arguments)

    def ask_password(self, *arguments: Any) -> None:
        self._points.reached("ask password")
        self._prompt.ask_password(*arguments)

    def ask_new_password(self, *arguments: Any) -> None:
        self._points.reached("ask new password")
        self._prompt.ask_new_password(*arguments)

    def close(self, entry: int) -> None:
        self._prompt.close(entry)


class _Unused:
    """A port that the money core has no business with."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the money core has no business with {name}")


class Life(ABC):
    """Between start and end. Everything may raise Stopped; ended: the terminal has stopped itself."""

    money: Money
    ledger: Ledger

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.alive = True
        self.ledger = Ledger.open(
            around.ledger_path,
            around.keys,
            around.world,
            around.random_bytes,
            lambda point: around.points.reached(f"commit {_label(point)}"),
        )
        self._line = around.plug_in(self.report)

    def report(self, event: Event) -> None:
        """What a port has to say; nobody listens once this life is over."""
        if self.alive:
            self.handle(event)

    @abstractmethod
    def start(self) -> None:
        """Recover, then do what needs no clerk."""

    @abstractmethod
    def handle(self, event: Event) -> None: ...

    @abstractmethod
    def do(self, call: Callable[[], None]) -> None:
        """Something that comes from outside, and all that follows at once."""

    @property
    @abstractmethod
    def ended(self) -> str | None:
        """Why the terminal has ended itself; None while it runs."""

    def end(self, *, power: bool) -> None:
        """Over: by itself or not. power: the devices have none any more either."""
        self.alive = False
        self.ledger.close()
        if power:
            self._devices_lose_power()

    @abstractmethod
    def _devices_lose_power(self) -> None: ...

    def at_rest(self) -> bool:
        """Nothing is under way and nothing is in doubt but what a person must decide."""
        unfinished = (State.OPEN, State.REVERSING, State.PENDING)
        return not self.money.busy and not self.ledger.transactions.in_states(*unfinished)

    def _ports(self, **others: Any) -> Ports:
        around = self.around
        unused: Any = _Unused()
        given: dict[str, Any] = dict.fromkeys(("display", "printer", "secret_entry"), unused)
        given |= others
        return Ports(
            host=_Host(self._line, around.points, around.forbidden),
            timers=_Timers(VirtualTimers(around.world, self.report), around.points),
            clock=around.world,
            random_bytes=around.random_bytes,
            **given,
        )


class MoneyLife(Life):
    """The money core alone. reports: what it said, oldest first."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.reports: list[Event] = []
        self._queue: deque[Event] = deque()
        self._failure: str | None = None
        ports = self._ports()
        self._timers = CoreTimers(ports.timers)
        self.money = Money(
            around.configuration, self.ledger, ports, self._timers, self._queue.append
        )

    @property
    def ended(self) -> str | None:
        return self._failure

    def start(self) -> None:
        self.do(self.money.recover)
        self.do(self.money.power_up)

    def _devices_lose_power(self) -> None:
        """There are none where only money is concerned."""

    def handle(self, event: Event) -> None:
        self._queue.append(event)
        self.do(lambda: None)

    def do(self, call: Callable[[], None]) -> None:
        if self._failure is not None:
            return
        try:
            call()
            while self._queue:
                self._dispatch(self._queue.popleft())
                self.money.check_invariants()
        except LedgerError as error:
            self._failure = str(error)  # as the core does: nothing more happens here (money M14)

    def _dispatch(self, event: Event) -> None:
        match event:
            case HostConnected():
                self.money.host_connected(event)
            case HostReceived():
                self.money.host_received(event)
            case HostFailed():
                self.money.host_failed(event)
            case TimerFired():
                self._timers.fired(event.serial)
            case _:
                self.reports.append(event)


class DialogueLife(Life):
    """The whole core at its keys, with a printer that prints a line at a time."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.printer = VirtualPrinter(around.world, Witness())
        self.display = _Display(around.points)
        cost = check_inline(around.keys.device, PASSWORD_COST)
        self.prompt = SecretPrompt(self.report, cost, mask=lambda _open: None)
        ports = self._ports(
            display=self.display,
            printer=_Printer(self.printer, around.points, around),
            secret_entry=_SecretEntry(self.prompt, around.points),
        )
        self.core = Core(around.configuration, self.ledger, ports, around.keys)
        self.money = self.core.money

    @property
    def ended(self) -> str | None:
        return self.core.halted

    def start(self) -> None:
        self.core.start()
        for role in _DEVICES:
            self.report(DeviceChanged(role, present=True))
        self.printer.power_up(self.report)

    def handle(self, event: Event) -> None:
        if self.core.halted is None:
            self.core.handle(event)

    def do(self, call: Callable[[], None]) -> None:
        if self.core.halted is None:
            call()

    def end(self, *, power: bool) -> None:
        self.printer.report = None  # it prints on what it was handed, and nobody hears of it
        super().end(power=power)

    def _devices_lose_power(self) -> None:
        self.printer.power_cut()


def _label(point: str) -> str:
    """before intent -> intent, before"""
    moment, _, label = point.partition(" ")
    return f"{label}, {moment}"
