"""Trying again: when the next try is due, and one record after the other (money M5, M15)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from posd.core.timers import CoreTimers
from posd.money.line import NotConnected, Result
from posd.settings import MoneySettings


class BackOff:
    """One timer: the first wait is short, each further one twice as long, up to a limit."""

    def __init__(
        self, timers: CoreTimers, settings: MoneySettings, due: Callable[[], None]
    ) -> None:
        """due() is called when a wait is over."""
        self._timers = timers
        self._settings = settings
        self._call = due
        self._timer: int | None = None
        self._delay = settings.backoff_first_seconds

    def start(self) -> None:
        """Begin the next wait, unless one is running."""
        if self._timer is None:
            self._timer = self._timers.after(self._delay, self._due)
            self._delay = min(2 * self._delay, self._settings.backoff_longest_seconds)

    def stop(self) -> None:
        """A try has begun: nothing is waited for. The wait after it is still a longer one."""
        self._timers.stop(self._timer)
        self._timer = None

    def succeeded(self) -> None:
        """The host is there and decides: the next wait is short again."""
        self._delay = self._settings.backoff_first_seconds

    def _due(self) -> None:
        self._timer = None
        self._call()


def one_after_the_other(
    identities: Iterable[int],
    exchange: Callable[[int, Callable[[Result], None]], None],
    ended: Callable[[int, Result], None],
    done: Callable[[], None],
) -> None:
    """Have an exchange for each record, in this order, then call done().

    Without a connection the rest is left for the next time: each would only wait for the same.
    """
    queue = list(identities)

    def next_one() -> None:
        if not queue:
            done()
            return
        identity = queue.pop(0)

        def over(result: Result) -> None:
            ended(identity, result)
            if isinstance(result, NotConnected):
                queue.clear()
            next_one()

        exchange(identity, over)

    next_one()
