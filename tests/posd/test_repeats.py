"""What is logged again and again: written a few times, then counted."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from posd import log, repeats
from posd.settings import LogSettings


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(repeats.time, "monotonic", clock)
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers, root.level
    yield clock
    root.handlers, sys.excepthook = handlers, hook
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def logged() -> io.StringIO:
    stream = io.StringIO()
    log.configure(LogSettings(format="json"), stream)
    return stream


def test_repeats_are_written_a_few_times_and_counted_when_their_minute_is_over(
    clock: Clock,
) -> None:
    stream = logged()
    for number in range(100):
        structlog.get_logger().warning("host_failed", reason="refused", exchange=number)
    assert len(lines(stream)) == repeats.WRITTEN
    clock.seconds = repeats.WINDOW_SECONDS
    structlog.get_logger().info("something_else")
    summary, last = lines(stream)[repeats.WRITTEN :]
    assert last["event"] == "something_else"
    assert (summary["event"], summary["of"]) == (repeats.SUMMARY, "host_failed")
    assert summary["text"] == f"{100 - repeats.WRITTEN} more suppressed"


def test_after_its_minute_it_is_written_again(clock: Clock) -> None:
    stream = logged()
    for _ in range(2):
        for _ in range(repeats.WRITTEN + 1):
            structlog.get_logger().warning("device_absent", role="printer")
        clock.seconds += repeats.WINDOW_SECONDS
    assert [each["event"] for each in lines(stream)].count("device_absent") == 2 * repeats.WRITTEN


def test_what_differs_in_what_it_names_is_no_repeat(clock: Clock) -> None:
    stream = logged()
    for number in range(50):
        structlog.get_logger().info("intent.stored", transaction=number)
    assert len(lines(stream)) == 50


def test_nothing_critical_is_left_out(clock: Clock) -> None:
    stream = logged()
    for _ in range(50):
        structlog.get_logger().critical("core.halted", reason="disk")
    assert len(lines(stream)) == 50


def test_what_is_remembered_is_bounded(clock: Clock) -> None:
    limiter = repeats.Repeats(clock)
    for number in range(10_000):
        limiter(None, "info", {"event": "odd", "transaction": number})
    assert len(limiter._kinds) == repeats._KINDS
