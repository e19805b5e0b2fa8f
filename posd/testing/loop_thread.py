"""An event loop in a thread of its own, for devices and servers that a waiting script talks to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

T = TypeVar("T")
_SECONDS: Final = 20.0  # no call into the loop takes long; one that does is a fault of ours


class LoopThread:
    """Runs an event loop until it is closed. Calls into it wait for their result."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # daemon: a program that fails before it closes this ends all the same
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="simulated devices", daemon=True
        )
        self._thread.start()

    def call(self, function: Callable[[], T]) -> T:
        """Call this within the loop; its result, or what it raises."""

        async def in_loop() -> T:
            return function()

        return self.run(in_loop())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run this within the loop to its end; its result, or what it raises."""
        return self.begin(coroutine).result(_SECONDS)

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run this within the loop while the caller does something else."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Let what still runs end, then the thread."""

        async def drain() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.run(drain())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()
