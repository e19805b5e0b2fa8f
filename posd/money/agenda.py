"""The order of business: jobs on the host line, one after the other, each ended by its own done()."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

Job = Callable[[Callable[[], None]], None]


class Agenda:
    """Runs each job when the one before has called done(). Never two at a time (money M17)."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._running: Job | None = None

    @property
    def busy(self) -> bool:
        return self._running is not None

    def add(self, job: Job) -> None:
        self._jobs.append(job)
        self._start()

    def add_next(self, job: Job) -> None:
        """Before everything that waits, after what runs now."""
        self._jobs.appendleft(job)
        self._start()

    def clear(self) -> None:
        """Forget everything, also the running job: its done() does nothing any more."""
        self._jobs.clear()
        self._running = None

    def _start(self) -> None:
        if self._running is not None or not self._jobs:
            return
        job = self._running = self._jobs.popleft()

        def done() -> None:
            if self._running is job:
                self._running = None
                self._start()

        job(done)
