"""Real devices on real pseudo-terminals for the tests of the drivers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

Until = Callable[..., Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Waits until a condition holds; fails after `seconds`, which a machine under load may need."""

    async def wait(condition: Callable[[], object], seconds: float = 30.0) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not condition():
            assert loop.time() < deadline, "did not happen in time"
            await asyncio.sleep(0.005)

    return wait
