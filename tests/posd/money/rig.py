"""The money core without a dialogue: the real ledger, the real acquirer, virtual time between them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec import structs

from posd.acquirer import Acquirer, AcquirerLedger, Fault, Order, Outcome, TerminalRecord
from posd.acquirer.cards import BY_NAME as CARDS
from posd.acquirer.situation import Options
from posd.core.events import (
    Event,
    HostConnected,
    HostFailed,
    HostReceived,
    MoneyProgress,
    RequestRefused,
    SignInEnded,
    TimerFired,
    TransactionEnded,
)
from posd.core.events import Outcome as Ended
from posd.core.ports import Ports
from posd.core.timers import CoreTimers
from posd.keys import Keys
from posd.ledger.ledger import Ledger
from posd.ledger.records import TransactionRecord
from posd.money.money import Money
from posd.money.requests import SwipedCard
from posd.settings import Configuration, HostSettings, MoneySettings, TerminalSettings
from posd.testing.virtual_devices import VirtualTimers
from posd.testing.virtual_host import VirtualHost, VirtualLink
from posd.testing.world import World
from protocol import Key, Message, decode

TERMINAL, MERCHANT = "T0000001", "M00000000000001"
MASTER = Key(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))


class SeededBytes:
    """Unpredictable enough for a test, and the same each time."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.calls = 0

    def __call__(self, length: int) -> bytes:
        self.calls += 1
        return hashlib.shake_128(f"{self.seed}/{self.calls}".encode()).digest(length)


class WatchedHost:
    """The virtual line, with a note of every frame handed to it, in order with the commits."""

    def __init__(self, host: VirtualHost, diary: list[str], sent: list[Message]) -> None:
        self.host, self.diary, self.sent = host, diary, sent

    def connect(self, exchange: int) -> None:
        self.host.connect(exchange)

    def send(self, exchange: int, frame: bytes) -> None:
        message = decode(frame)
        self.diary.append(f"send {message.mti}")
        self.sent.append(message)
        self.host.send(exchange, frame)

    def close(self, exchange: int) -> None:
        self.host.close(exchange)


class Nothing:
    """A port that the money core never uses."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        raise AssertionError(f"the money core has no business with {name}")


class Counter:
    """One terminal at one acquirer. diary: commits and frames in their order. reports: what money said."""

    def __init__(self, directory: Path, **money: Any) -> None:
        self.world = World()
        self.diary: list[str] = []
        self.sent: list[Message] = []
        self.reports: list[Event] = []
        self.configuration = Configuration(
            terminal=TerminalSettings(
                terminal_id=TERMINAL,
                merchant_id=MERCHANT,
                merchant_name="测试商户",
                state_directory=directory,
                test_host=True,
            ),
            host=HostSettings(address="127.0.0.1", port=1),
            money=MoneySettings(**money),
        )
        self.keys = Keys(bytes(range(32)), MASTER, password_cost=2)
        self.ledger_path = directory / "ledger.db"
        self.acquirer_ledger = AcquirerLedger(directory / "acquirer.db")
        self.acquirer = Acquirer(
            self.acquirer_ledger,
            [TerminalRecord(TERMINAL, MERCHANT, MASTER)],
            clock=self.world.now,
            random_bytes=SeededBytes("acquirer"),
            options=Options(late=61.0),
        )
        self.link = VirtualLink(self.world, self.acquirer.receive)
        self._starts = 0
        self.power_on()

    # -- power -----------------------------------------------------------------------------------

    def power_on(self) -> None:
        self._starts += 1
        self._queue: deque[Event] = deque()
        random_bytes = SeededBytes(f"terminal {self._starts}")
        self.ledger = Ledger.open(
            self.ledger_path, self.keys, self.world, random_bytes, self.diary.append
        )
        host = WatchedHost(self.link.plug_in(self.handle), self.diary, self.sent)
        port = VirtualTimers(self.world, self.handle)
        nothing: Any = Nothing()
        ports = Ports(nothing, nothing, host, port, self.world, random_bytes, nothing)
        self.timers = CoreTimers(port)
        self.money = Money(self.configuration, self.ledger, ports, self.timers, self._queue.append)
        self._alive = True
        self.money.recover()
        self.money.power_up()
        self._drain()

    def power_cut(self) -> None:
        """The process is gone between two events; the ledger file is what it was."""
        self._alive = False
        self.link.power_cut()
        self.ledger.close()

    def restart(self) -> None:
        """A power cut, and power again."""
        self.power_cut()
        self.power_on()

    def reconfigure(self, **sections: Any) -> None:
        """Another configuration from the next start on, which is now."""
        self.configuration = structs.replace(self.configuration, **sections)
        self.restart()

    def close(self) -> None:
        if self._alive:
            self.power_cut()
        self.acquirer_ledger.close()

    # -- events ----------------------------------------------------------------------------------

    def handle(self, event: Event) -> None:
        if not self._alive:
            return
        self._queue.append(event)
        self._drain()

    def _drain(self) -> None:
        while self._queue:
            event = self._queue.popleft()
            match event:
                case HostConnected():
                    self.money.host_connected(event)
                case HostReceived():
                    self.money.host_received(event)
                case HostFailed():
                    self.money.host_failed(event)
                case TimerFired():
                    self.timers.fired(event.serial)
                case _:
                    self.reports.append(event)
            self.money.check_invariants()

    def do(self, call: Callable[[], None], seconds: float = 400.0) -> list[Event]:
        """Ask for something, let it come to an end; what was reported on the way, without progress."""
        before = len(self.reports)
        call()
        self._drain()
        self.world.let_pass(seconds, until=lambda: not self.money.busy)
        return [r for r in self.reports[before:] if not isinstance(r, MoneyProgress)]

    def let_pass(self, seconds: float) -> None:
        self.world.let_pass(seconds)

    def next_day(self) -> None:
        self.world.step_clock(timedelta(days=1))

    # -- what a clerk would do -------------------------------------------------------------------

    def sign_in(self) -> SignInEnded:
        reports = self.do(lambda: self.money.sign_in("01"))
        (event,) = (report for report in reports if isinstance(report, SignInEnded))
        return event

    def sale(self, amount: int, card: str = "nopin") -> list[Event]:
        swiped = SwipedCard(CARDS[card].track2)
        with self.ledger.commit("order"):
            number = self.ledger.counters.next_stan()
            order = self.ledger.orders.create(number, amount, self.ledger.now())
        return self.do(lambda: self.money.sale(amount, order, swiped, None))

    def void(self, original: int, card: str | None = "nopin") -> list[Event]:
        swiped = SwipedCard(CARDS[card].track2) if card else None
        return self.do(lambda: self.money.void(original, swiped, None, "00"))

    def approved_sale(self, amount: int, card: str = "nopin") -> TransactionRecord:
        (event,) = self.sale(amount, card)
        assert isinstance(event, TransactionEnded)
        assert event.outcome is Ended.APPROVED, event
        return self.ledger.transactions.get(event.transaction)

    def order_at_host(self, transaction: str, fault: Fault | str, times: int = 1) -> None:
        outcome = Outcome(fault=fault) if isinstance(fault, Fault) else Outcome(code=fault)
        self.acquirer.order(Order(transaction, outcome, times))

    # -- what both sides hold --------------------------------------------------------------------

    def newest(self) -> TransactionRecord:
        record = self.ledger.transactions.last_unacknowledged()
        assert record is not None
        return record

    def net_here(self) -> int:
        """Fen that this side holds the cardholder for."""
        transactions = self.ledger._database.all("SELECT kind, state, amount FROM transactions")
        signs = {"sale": 1, "completion": 1, "completion_notice": 1}
        signs |= {"sale_void": -1, "refund": -1, "completion_void": -1}
        return sum(
            signs.get(row["kind"], 0) * row["amount"]
            for row in transactions
            if row["state"] in ("approved", "voided")
        )

    def net_there(self) -> int:
        """Fen that the acquirer does, by its own documented view."""
        with closing(
            sqlite3.connect(self.configuration.terminal.state_directory / "acquirer.db")
        ) as other:
            (net,) = other.execute("SELECT net FROM net_money").fetchone()
        return int(net)

    def sent_mtis(self) -> list[str]:
        return [message.mti for message in self.sent]


def only_refusal(reports: list[Event]) -> str:
    (event,) = reports
    assert isinstance(event, RequestRefused), event
    return str(event.reason)


def outcomes(reports: list[Event]) -> list[str]:
    return [str(r.outcome) for r in reports if isinstance(r, TransactionEnded)]
