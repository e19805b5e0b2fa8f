"""How fast are the devices, and how quiet is a daemon that nobody uses?

Run it: `python tests/bench/bench_devices.py`; with --check it exits with 1 when a target is missed.

- key: from a byte of the keypad to the first byte for the display that answers it, through the
  daemon's own edges and core, on pseudo-terminals (which have no line time). Target: p99 below 5 ms.
- printing: a long slip at 115,200 baud, from its first byte to its last; the line is metered, because a
  pseudo-terminal has no rate. Target: 95 % of the line's rate.
- idle: CPU time and wake-ups of a daemon that shows its idle screen. Targets: below 0.2 %, at most 2
  wake-ups a second.

A machine that does other work shows it: --check repeats a figure that missed its target, and the best of
three counts.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from devices.escpos import encode  # noqa: E402
from devices.keypad import Key  # noqa: E402
from devices.line import LineSettings, LineState  # noqa: E402
from devices.printer import JobEnded, Printer  # noqa: E402
from devices.simulated.pseudo_terminal import PseudoTerminal  # noqa: E402
from devices.simulated.receipt_printer import ReceiptPrinter  # noqa: E402
from devices.slip import Cut, Slip, Text  # noqa: E402
from posd.testing.player import Player  # noqa: E402
from posd.testing.real import RealStage  # noqa: E402
from posd.testing.script import parse, parse_line  # noqa: E402

BAUD: Final = 115_200
BITS_A_BYTE: Final = 10
LONG_SLIP: Final = Slip((*(Text(f"{n:04} {'x' * 27}") for n in range(1500)), Cut()))
KEY_P99_MS, PRINT_SHARE, IDLE_CPU, IDLE_WAKE_UPS = 5.0, 0.95, 0.2, 2.0
TRIES: Final = 3
OPENING: Final = (
    "start",
    "expect screen 未签到",
    "press 确认",
    "expect screen 签到成功",
    "wait 6 s",
)


@dataclass(frozen=True)
class Figure:
    """One measured thing. better_below: the target is a limit from above."""

    name: str
    value: float
    target: float
    unit: str
    better_below: bool = True

    @property
    def holds(self) -> bool:
        return self.value <= self.target if self.better_below else self.value >= self.target

    def __str__(self) -> str:
        sign = "<=" if self.better_below else ">="
        verdict = "" if self.holds else "  MISSED"
        return (
            f"{self.name:34} {self.value:9.3f} {self.unit:6} target {sign} {self.target:g}{verdict}"
        )


# --- a key, and the screen that answers it --------------------------------------------------------


def key_to_screen(keys: int) -> list[Figure]:
    """Digits and 清除 by turns on the amount screen: one key, one changed screen."""
    with tempfile.TemporaryDirectory() as directory, closing(RealStage(Path(directory))) as stage:
        player = Player(parse("start\n", "bench"), stage)
        for line in (*OPENING[:4], "press 1"):
            player.play_step(parse_line(line))
        counter = stage._counter

        async def measure() -> list[float]:
            answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
            show = counter.display._on_bytes

            def first_byte(data: bytes) -> None:
                if not answered.done():
                    answered.set_result(time.perf_counter())
                show(data)

            counter.display._on_bytes = first_byte
            times = []
            for number in range(keys):
                answered = asyncio.get_running_loop().create_future()
                began = time.perf_counter()
                counter.keypad.press(Key.CLEAR if number % 2 else Key.D5)
                times.append(await asyncio.wait_for(answered, 5.0) - began)
                await asyncio.sleep(0.01)
            return times

        times = sorted(1000 * seconds for seconds in stage._loop.run(measure()))
    p99 = times[int(len(times) * 0.99)]
    return [
        Figure("key to first byte, p50", statistics.median(times), KEY_P99_MS, "ms"),
        Figure("key to first byte, p99", p99, KEY_P99_MS, "ms"),
    ]


# --- a long slip on a line of 115,200 baud --------------------------------------------------------


class MeteredPrinter(PseudoTerminal):
    """A printer behind a line of a real rate, faster than its line, that notes when bytes came."""

    def __init__(self, path: Path) -> None:
        self.mechanism = ReceiptPrinter(32, self.send)
        self.early = 0  # bytes up to the first line of text: the clock starts behind them
        self.first = self.last = 0.0
        super().__init__(path, self._take, bytes_per_second=BAUD / BITS_A_BYTE)

    def _take(self, data: bytes) -> None:
        now = time.perf_counter()
        if self.mechanism.paper and not self.first:
            self.first = now
        if not self.first:
            self.early += len(data)
        self.last = now
        self.mechanism.feed(data)


def printing() -> list[Figure]:
    """The slip's own bytes count; the questions between them are what is lost."""

    async def print_it(directory: str) -> float:
        twin = MeteredPrinter(Path(directory) / "printer")
        ended: asyncio.Future[JobEnded] = asyncio.get_running_loop().create_future()
        printer = Printer(
            LineSettings(str(twin.path), BAUD),
            32,
            lambda _status: None,
            ended.set_result,
            lambda _state: None,
        )
        printer.start()
        while printer.state is not LineState.PRESENT or printer.status is None:
            await asyncio.sleep(0.01)
        printer.print(1, LONG_SLIP)
        job = await asyncio.wait_for(ended, 60.0)
        assert job.outcome == "printed", job
        printer.close()
        twin.close()
        slip = sum(map(len, encode(LONG_SLIP, 32))) - twin.early
        return slip / (twin.last - twin.first) / (BAUD / BITS_A_BYTE)

    with tempfile.TemporaryDirectory() as directory:
        share = asyncio.run(print_it(directory))
    return [Figure("printing, share of the line rate", share, PRINT_SHARE, "", better_below=False)]


# --- a daemon that nobody uses --------------------------------------------------------------------


def idle(seconds: float) -> list[Figure]:
    """CPU time and voluntary context switches of every thread, from /proc."""
    with tempfile.TemporaryDirectory() as directory, closing(RealStage(Path(directory))) as stage:
        player = Player(parse("start\n", "bench"), stage)
        for line in OPENING:
            player.play_step(parse_line(line))
        assert stage.process is not None
        before = usage(stage.process.pid)
        time.sleep(seconds)
        after = usage(stage.process.pid)
    cpu, wake_ups = (later - earlier for earlier, later in zip(before, after, strict=True))
    return [
        Figure("idle, CPU", 100 * cpu / seconds, IDLE_CPU, "%"),
        Figure("idle, wake-ups a second", wake_ups / seconds, IDLE_WAKE_UPS, "1/s"),
    ]


def usage(process: int) -> tuple[float, int]:
    """Seconds of CPU time (sched_clock, ns in /proc/PID/schedstat), and how often it was woken."""
    cpu = wake_ups = 0
    for task in Path(f"/proc/{process}/task").iterdir():
        cpu += int((task / "schedstat").read_text().split()[0])
        status = (task / "status").read_text().splitlines()
        (line,) = (line for line in status if line.startswith("voluntary_ctxt_switches"))
        wake_ups += int(line.split()[1])
    return cpu / 1e9, wake_ups


def best(measure: Callable[[], list[Figure]], tries: int) -> list[Figure]:
    """The first round of figures that holds, else the last."""
    for _ in range(tries):
        figures = measure()
        if all(figure.holds for figure in figures):
            break
    return figures


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="exit with 1 below a target")
    arguments.add_argument("--keys", type=int, default=500)
    arguments.add_argument("--idle-seconds", type=float, default=60.0)
    options = arguments.parse_args()
    tries = TRIES if options.check else 1
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    figures: list[Figure] = []
    for measure in (
        lambda: key_to_screen(options.keys),
        printing,
        lambda: idle(options.idle_seconds),
    ):
        found = best(measure, tries)
        for figure in found:
            print(figure, flush=True)
        figures += found
    missed = [figure.name for figure in figures if not figure.holds]
    if options.check and missed:
        print(f"targets missed: {', '.join(missed)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
