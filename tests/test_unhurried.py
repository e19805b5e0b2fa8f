"""The clock of the tests' event loops: time that was taken from the process does not count."""

import asyncio
import time

from tests.unhurried import STEP_SECONDS, UnhurriedClock, UnhurriedLoop


def test_a_clock_goes_with_the_machine_while_somebody_looks() -> None:
    times = iter([10.0, 10.01, 10.02])
    clock = UnhurriedClock(lambda: next(times))
    assert [round(clock(), 6) for _ in range(2)] == [10.01, 10.02]


def test_what_passed_while_nobody_looked_does_not_count() -> None:
    times = iter([10.0, 70.0, 70.01])
    clock = UnhurriedClock(lambda: next(times))
    assert [round(clock(), 6) for _ in range(2)] == [10 + STEP_SECONDS, 10.01 + STEP_SECONDS]


def test_the_tests_run_on_such_a_loop_and_its_time_is_never_ahead() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, UnhurriedLoop)
        begun, really = loop.time(), time.monotonic()  # noqa: TID251
        await asyncio.sleep(0.1)
        assert 0.1 <= loop.time() - begun <= time.monotonic() - really + 0.001  # noqa: TID251

    asyncio.run(scene())


def test_an_answer_comes_before_its_time_out_however_long_the_process_stood() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        happened: list[str] = []
        loop.call_later(0.2, happened.append, "time-out")

        def ask() -> None:
            time.sleep(0.5)  # as a process that is stopped
            loop.call_soon(loop.call_soon, loop.call_soon, happened.append, "answer")

        loop.call_soon(ask)
        while len(happened) < 2:
            await asyncio.sleep(0.01)
        assert happened == ["answer", "time-out"]

    asyncio.run(scene())
