"""A small terminal for the tests: it words requests, seals them, and reads what comes back."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from posd.acquirer import Acquirer, AcquirerLedger, TerminalRecord
from posd.acquirer.cards import BY_NAME as CARDS
from protocol import DEFAULT, Key, Message, decode, encode
from protocol.keys import working_keys
from protocol.mac import seal, verify_frame
from protocol.pin import pin_block
from protocol.transactions import BY_NAME as TRANSACTIONS

MASTER = Key(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
TERMINAL, MERCHANT = "12345678", "898000000000001"


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, 9, 30, 15)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)


class Terminal:
    """One terminal at one acquirer. Counts its own STANs; knows the keys of its last sign-in."""

    def __init__(self, acquirer: Acquirer, dialect=DEFAULT) -> None:
        self.acquirer = acquirer
        self.dialect = dialect
        self.keys = None
        self.batch = "000001"
        self.stan = 0
        self.terminal = TERMINAL
        self.merchant = MERCHANT

    def next_stan(self) -> str:
        self.stan += 1
        return f"{self.stan:06d}"

    # Frames

    def frame(self, message: Message) -> bytes:
        if message.get(64) is not None and self.keys is not None:
            message = seal(message, self.keys.mac, self.dialect)
        return encode(message, self.dialect)

    def deliveries(self, message: Message):
        return self.acquirer.receive(self.frame(message))

    def ask(self, message: Message) -> Message:
        """The one answer, which must come at once and whole, and right if it has a MAC."""
        (delivery,) = self.deliveries(message)
        assert (delivery.after, delivery.close) == (0.0, False)
        answer = decode(delivery.data, self.dialect)
        if answer.get(64) is not None:
            assert verify_frame(delivery.data, self.keys.mac, self.dialect)
        return answer

    # Requests

    def request(self, name: str, elements: dict, *, batch: str | None = None) -> Message:
        row = TRANSACTIONS[name]
        private = f"{row.kind}{batch or self.batch}{row.network_code or '000'}600"
        usual = {
            3: row.processing_code,
            11: self.next_stan(),
            22: "022",
            25: row.condition_code,
            41: self.terminal,
            42: self.merchant,
            49: "156",
            60: private,
            64: bytes(8),
        }
        complete = {**usual, **elements}
        return Message(row.request_mti, {n: v for n, v in complete.items() if v is not None})

    def with_card(self, card: str, pin: str | None = "right") -> dict:
        test_card = CARDS[card]
        elements = {35: test_card.track2, 53: "0600000000000000"}
        if pin == "right":
            pin = test_card.pin
        if pin is not None:
            block = pin_block(pin, test_card.pan, self.keys.pin)
            elements |= {22: "021", 26: "12", 52: block, 53: "2600000000000000"}
        return elements

    def sale(self, amount: int, card: str = "good", pin: str | None = "right") -> Message:
        return self.request("sale", {4: f"{amount:012d}", **self.with_card(card, pin)})

    def void(self, sale: Message, answer: Message, card: str = "good", **changes) -> Message:
        elements = {
            4: answer.get(4),
            37: answer.get(37),
            38: answer.get(38),
            61: sale.get(60)[2:8] + sale.get(11),
            **self.with_card(card, None),
        }
        return self.request("sale_void", {**elements, **changes})

    def reversal(self, request: Message, reason: str = "98") -> Message:
        kept = (2, 3, 4, 11, 14, 22, 25, 38, 41, 42, 49, 60)
        elements = {n: request.elements[n] for n in kept if n in request.elements}
        return Message("0400", {**elements, 39: reason, 64: bytes(8)})

    def refund(self, sale: Message, answer: Message, amount: int, card: str = "good") -> Message:
        return self.request(
            "refund",
            {
                4: f"{amount:012d}",
                37: answer.get(37),
                61: "0" * 12 + answer.get(13),
                63: "000",
                **self.with_card(card, None),
            },
        )

    def management(self, name: str, network_code: str, **elements) -> Message:
        row = TRANSACTIONS[name]
        usual = {11: self.next_stan(), 41: self.terminal, 42: self.merchant}
        usual |= {60: f"00{self.batch}{network_code}"}
        usual |= {int(number[1:]): value for number, value in elements.items()}
        return Message(row.request_mti, {n: v for n, v in usual.items() if v is not None})

    def sign_in(self, network_code: str = "003") -> Message:
        answer = self.ask(self.management("sign_in", network_code, e63="01 "))
        if answer.get(39) == "00":
            self.learn(answer)
        return answer

    def learn(self, answer: Message) -> None:
        """Take over the keys and the batch number of a sign-in answer."""
        self.keys = working_keys(answer.get(62), MASTER, self.dialect)
        self.batch = answer.get(60)[2:8]

    # What the acquirer's ledger says

    def rows(self, query: str, *values):
        return self.acquirer.ledger.connection.execute(query, values).fetchall()

    def states(self) -> list[tuple[str, str]]:
        return self.rows("SELECT kind, state FROM transactions ORDER BY id")

    def net(self) -> int:
        return self.acquirer.ledger.book.net(TERMINAL)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_acquirer(clock):
    """Acquirers on ledgers in memory, or on a path; each is closed at the end."""
    ledgers = []

    def make(path=":memory:", **options) -> Acquirer:
        ledgers.append(AcquirerLedger(path))
        records = [TerminalRecord(TERMINAL, MERCHANT, MASTER)]
        source = random.Random(7)
        options = {"clock": clock, "random_bytes": source.randbytes, **options}
        return Acquirer(ledgers[-1], records, **options)

    yield make
    for ledger in ledgers:
        ledger.close()


@pytest.fixture
def acquirer(make_acquirer):
    return make_acquirer()


@pytest.fixture
def unsigned(acquirer):
    """A terminal that has not signed in."""
    return Terminal(acquirer)


@pytest.fixture
def terminal(unsigned):
    """A terminal that has signed in."""
    unsigned.sign_in()
    return unsigned


@pytest.fixture
def terminal_at():
    """A signed-in terminal at an acquirer of the test's own making."""

    def make(acquirer, **options) -> Terminal:
        made = Terminal(acquirer, **options)
        made.sign_in()
        return made

    return make
