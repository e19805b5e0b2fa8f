"""What is logged again and again is written a few times a minute, and then counted.

A structlog processor. A line is a repeat when event, level and every value are the same, but for those that
count or measure. Nothing of level `critical` is ever left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final

import structlog

_Event = MutableMapping[str, Any]

WINDOW_SECONDS: Final = 60.0
WRITTEN: Final = 20
"""Lines of one kind that are written within one window: more than a person reads."""

SUMMARY: Final = "log.suppressed"
_VARYING: Final = frozenset(
    {"timestamp", "exchange", "attempt", "seconds", "length", "job", "elapsed", "count"}
)
_KINDS: Final = 256  # that are remembered at once


class Repeats:
    """Drops what has been written often enough; when its minute is over, one line says how many were."""

    def __init__(self, seconds: Callable[[], float] | None = None) -> None:
        self._seconds = seconds or time.monotonic  # noqa: TID251 - how often is a matter of real time
        self._kinds: dict[tuple[str, ...], _Kind] = {}
        self._next_end = 0.0

    def __call__(self, _logger: object, method: str, event: _Event) -> _Event:
        now = self._seconds()
        if now >= self._next_end:
            self._end_windows(now)
        if method == "critical" or event.get("event") == SUMMARY:
            return event
        key = (
            method,
            *(f"{name}={event[name]}" for name in sorted(event) if name not in _VARYING),
        )
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= _KINDS:
                return event
            kind = self._kinds[key] = _Kind(str(event.get("event")), now + WINDOW_SECONDS)
            self._next_end = min(self._next_end, kind.ends) if self._next_end > now else kind.ends
        kind.seen += 1
        if kind.seen > WRITTEN:
            raise structlog.DropEvent
        return event

    def _end_windows(self, now: float) -> None:
        over = [key for key, kind in self._kinds.items() if kind.ends <= now]
        told = [self._kinds.pop(key) for key in over]
        self._next_end = min((kind.ends for kind in self._kinds.values()), default=now)
        for kind in told:
            if kind.seen > WRITTEN:
                more = kind.seen - WRITTEN
                structlog.get_logger().warning(
                    SUMMARY, of=kind.event, text=f"{more} more suppressed"
                )


class _Kind:
    def __init__(self, event: str, ends: float) -> None:
        self.event = event
        self.ends = ends
        self.seen = 0
