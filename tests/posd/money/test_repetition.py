"""Back-off and the order of tries, on their own."""

from __future__ import annotations

import pytest

from posd.core.timers import CoreTimers
from posd.money.line import NoAnswer, NotConnected, Result
from posd.money.repetition import BackOff, one_after_the_other
from posd.settings import MoneySettings


class _Waits:
    """The `Timers` port: writes down what is asked for."""

    def __init__(self) -> None:
        self.running: dict[int, float] = {}

    def start(self, serial: int, seconds: float) -> None:
        self.running[serial] = seconds

    def stop(self, serial: int) -> None:
        self.running.pop(serial, None)


class _Rig:
    def __init__(self) -> None:
        self.waits = _Waits()
        self.timers = CoreTimers(self.waits)
        self.due = 0
        settings = MoneySettings(backoff_first_seconds=5, backoff_longest_seconds=18)
        self.back_off = BackOff(self.timers, settings, self._due)

    def _due(self) -> None:
        self.due += 1

    def wait(self) -> float:
        """The seconds of the one running wait, which is then over."""
        ((serial, seconds),) = self.waits.running.items()
        del self.waits.running[serial]
        self.timers.fired(serial)
        return seconds


@pytest.fixture
def rig() -> _Rig:
    return _Rig()


def test_each_wait_is_twice_the_one_before_up_to_the_longest(rig: _Rig) -> None:
    waits = []
    for _ in range(4):
        rig.back_off.start()
        waits.append(rig.wait())
    assert waits == [5, 10, 18, 18]
    assert rig.due == 4


def test_a_running_wait_is_not_begun_anew(rig: _Rig) -> None:
    rig.back_off.start()
    rig.back_off.start()
    assert rig.wait() == 5
    rig.back_off.start()
    assert rig.wait() == 10


def test_a_try_ends_the_wait_but_the_next_is_still_a_longer_one(rig: _Rig) -> None:
    rig.back_off.start()
    rig.back_off.stop()
    assert not rig.waits.running
    rig.back_off.start()
    assert rig.wait() == 10


def test_after_a_success_the_wait_is_short_again(rig: _Rig) -> None:
    rig.back_off.start()
    rig.wait()
    rig.back_off.succeeded()
    rig.back_off.start()
    assert rig.wait() == 5


def _walk(results: list[Result]) -> list[object]:
    seen: list[object] = []
    left = iter(results)
    one_after_the_other(
        range(len(results)),
        lambda identity, ended: (seen.append(identity), ended(next(left)))[1],
        lambda identity, result: seen.append((identity, result)),
        lambda: seen.append("done"),
    )
    return seen


def test_each_has_its_exchange_in_order_and_then_it_is_done() -> None:
    lost = NoAnswer("time_out")
    assert _walk([lost, lost]) == [0, (0, lost), 1, (1, lost), "done"]


def test_without_a_connection_the_rest_waits_for_the_next_time() -> None:
    refused = NotConnected("refused")
    assert _walk([refused, refused, refused]) == [0, (0, refused), "done"]


def test_nothing_to_try_is_done_at_once() -> None:
    assert _walk([]) == ["done"]
