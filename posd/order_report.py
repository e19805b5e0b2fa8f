"""What became of orders in a time: unpaid, held, given up, paid otherwise; by operator, and as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from io import StringIO
from typing import Final

from msgspec import Struct

from posd.ledger.ledger import Ledger, milliseconds, moment
from posd.ledger.records import OrderRecord, OrderState

_CSV: Final[Mapping[str, Callable[[OrderRecord], object]]] = {
    "number": lambda order: order.number,
    "state": lambda order: "held" if order.held else str(order.state),
    "amount": lambda order: order.amount,
    "paid": lambda order: order.paid,
    "due": lambda order: order.due if order.state is OrderState.UNPAID else 0,
    "means": lambda order: order.means,
    "operator": lambda order: order.operator,
    "created_at": lambda order: _time(order.created_at),
    "closed_at": lambda order: _time(order.closed_at),
    "closed_by": lambda order: order.closed_by,
    "reason": lambda order: order.reason,
    "label": lambda order: order.label,
}


class Share(Struct, frozen=True):
    """One operator's part of a group. amount: fen still due, or of the orders when they are closed."""

    operator: str
    count: int
    amount: int


class Group(Struct, frozen=True):
    """Orders that stand the same, oldest first."""

    name: str  # unpaid, held, cancelled, paid_otherwise
    orders: tuple[OrderRecord, ...]

    @property
    def shares(self) -> tuple[Share, ...]:
        """By operator: who confirmed the amount; of a closed order, who closed it."""
        operators = sorted({self._who(order) for order in self.orders})
        return tuple(self._share(each) for each in operators)

    @property
    def total(self) -> int:
        return sum(self._amount(order) for order in self.orders)

    def _share(self, operator: str) -> Share:
        own = [self._amount(order) for order in self.orders if self._who(order) == operator]
        return Share(operator, len(own), sum(own))

    def _who(self, order: OrderRecord) -> str:
        return order.operator if order.state is OrderState.UNPAID else order.closed_by

    def _amount(self, order: OrderRecord) -> int:
        return order.due if order.state is OrderState.UNPAID else order.amount


class Report(Struct, frozen=True):
    """From the first moment on, up to the second (milliseconds of local time)."""

    since: int
    until: int
    groups: tuple[Group, ...]


def report(ledger: Ledger, since: int, until: int) -> Report:
    """Unpaid and held orders that were made in this time, and what was given up or paid otherwise in it."""
    waiting = [order for order in _made(ledger, since, until) if order.state is OrderState.UNPAID]
    closed = ledger.orders.closed_between(since, until)
    groups = {
        "unpaid": [order for order in waiting if not order.held],
        "held": [order for order in waiting if order.held],
        "cancelled": [order for order in closed if order.state is OrderState.CANCELLED],
        "paid_otherwise": [
            order
            for order in closed
            if order.state is OrderState.PAID and order.means in {"cash", "other"}
        ],
    }
    return Report(since, until, tuple(Group(name, tuple(each)) for name, each in groups.items()))


def day_of(at: int) -> tuple[int, int]:
    """The first moment of the day that holds this one, and the first of the next."""
    begin = moment(at).replace(hour=0, minute=0, second=0, microsecond=0)
    return milliseconds(begin), milliseconds(begin + timedelta(days=1))


def to_csv(ledger: Ledger, since: int, until: int) -> Iterator[str]:
    """Every order that was made in this time, in any state, a line each, a heading first.

    Amounts in fen, times local ISO 8601. For a technician's tool on a running daemon; of a stopped one
    `posd ledger export` writes the tables themselves.
    """
    yield _line(_CSV)
    for order in _made(ledger, since, until):
        yield _line(value(order) for value in _CSV.values())


def _made(ledger: Ledger, since: int, until: int) -> Iterable[OrderRecord]:
    return reversed(ledger.orders.created_between(since, until, limit=-1))


def _time(at: int | None) -> str:
    return "" if at is None else moment(at).isoformat(timespec="seconds")


def _line(values: Iterable[object]) -> str:
    import csv  # only a technician's question needs it

    line = StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()
