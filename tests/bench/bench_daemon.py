"""What a terminal costs its machine: from exec to READY, and memory after a day and after months of trade.

Run it: `python tests/bench/bench_daemon.py`; with --check it exits with 1 when a target is missed. The
daemon is the wheel of this checkout in a virtual environment that holds nothing else: test tools bring
libraries that structlog would import. Its devices are pseudo-terminals and its acquirer is on loopback; a
clerk who reads each screen and never waits does the sales, with a settlement now and then.

- start: from exec to READY with a ledger in use, as a multiple of importing the run-time libraries in a
  bare interpreter, which tells READY in the same way. Both are started in turn, and the quickest of each
  counts: what else the machine does only adds. Target: 3.
- memory: resident, after the start and after so many sales, above a bare interpreter with the run-time
  libraries; each time at rest, when the terminal has looked after itself once. Targets: 12 MB, and 1 MB of
  growth from the first count to the last. The run-time libraries are what the daemon imports of each
  distribution that it depends on, and SQLite, a library of the system (0.9 MB).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from devices.keypad import Key  # noqa: E402
from posd.acquirer.cards import BY_NAME  # noqa: E402
from posd.testing.counter import Acquiring, Counter  # noqa: E402
from posd.testing.installation import Installation  # noqa: E402
from posd.testing.stage import Witness  # noqa: E402

TARGET_START: Final = 3.0
TARGET_MEMORY, TARGET_GROWTH = 12 * 1024, 1024  # KiB
LIBRARIES: Final = {
    "pyserial": "serial",
    "construct": "construct",
    "cbor2": "cbor2",
    "transitions": "transitions.extensions.nesting",
    "structlog": "structlog",
    "cryptography": "cryptography.hazmat.primitives.ciphers.aead",
    "msgspec": "msgspec",
}
"""What the daemon imports of each distribution that it depends on."""
OF_THE_SYSTEM: Final = ("sqlite3",)
BARE: Final = """\
import {modules}
import os, socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
sys.stdin.read()
"""
AS_SYSTEMD: Final = 'eval "exec 3<&$DOOR"; export LISTEN_PID=$$; exec "$0" "$@"'
SETTLE_AFTER: Final = 400  # sales
SILENCE: Final = 30.0  # s without a change of the screen: something is wrong
REST: Final = 22.0  # s; every 10 an idle terminal looks after its ledger and gives free heap back


def main() -> int:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="exit with 1 for a missed target")
    arguments.add_argument("--starts", type=int, default=15, help="of each kind")
    arguments.add_argument("--sales", type=int, nargs=2, default=(1_000, 10_000), metavar="N")
    arguments.add_argument("--no-sales", action="store_true", help="the start only")
    options = arguments.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory(prefix="posd-bench-") as name:
        missed = asyncio.run(measure(Path(name), options))
    for target in missed:
        print(f"missed: {target}", file=sys.stderr)
    return 1 if options.check and missed else 0


async def measure(directory: Path, options: argparse.Namespace) -> list[str]:
    prefix = install(directory)
    installation = Installation(directory)
    witness = Witness()
    counter = Counter(installation, witness)
    acquiring = Acquiring(installation, witness)
    for path, value in {
        ("host", "port"): await acquiring.open(),
        ("terminal", "duplicate_minutes"): 0,
        ("log", "level"): "warning",
    }.items():
        installation.configure(path, value)
    try:
        # The first time makes the ledger, with seven passwords; every later start reads it.
        await asyncio.to_thread(lambda: daemon(prefix, installation).end())
        missed = await asyncio.to_thread(measure_start, prefix, installation, options.starts)
        if not options.no_sales:
            missed += await measure_memory(prefix, installation, counter, witness, options.sales)
    finally:
        counter.close()
        await acquiring.close()
    return missed


def install(directory: Path) -> Path:
    """A virtual environment with the wheel and what it needs."""
    prefix, wheels = directory / "venv", directory / "wheels"
    for words in (
        [sys.executable, "-m", "pip", "wheel", "-q", "--wheel-dir", wheels, ROOT],
        [sys.executable, "-m", "venv", prefix],
        [prefix / "bin/pip", "install", "-q", "--no-index", f"--find-links={wheels}", "posd"],
    ):
        subprocess.run(words, check=True, stderr=subprocess.PIPE)
    return prefix


# -- the start ------------------------------------------------------------------------------------


class Process:
    """A process that says READY, and how long it took to get there from its exec."""

    def __init__(
        self,
        words: list[str | Path],
        directory: Path,
        more: dict[str, str] | None = None,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        address = directory / "ready"
        address.unlink(missing_ok=True)
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as ready:
            ready.bind(str(address))
            ready.settimeout(SILENCE)
            began = time.perf_counter()
            self._popen = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=descriptors,
                env={"NOTIFY_SOCKET": str(address), "PATH": os.environ["PATH"], **(more or {})},
            )
            while b"READY=1" not in ready.recv(4096):
                pass
            self.seconds = time.perf_counter() - began
            schedule = Path(f"/proc/{self._popen.pid}/schedstat").read_text("ascii")
            self.processor_seconds = int(schedule.split()[0]) / 1e9

    @property
    def resident(self) -> int:
        """In KiB."""
        status = Path(f"/proc/{self._popen.pid}/status").read_text("ascii")
        return int(status.partition("VmRSS:")[2].split()[0])

    def end(self) -> None:
        self._popen.terminate()
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen.wait(SILENCE)


def daemon(prefix: Path, installation: Installation) -> Process:
    """With the diagnostic socket handed over, as systemd does (sd_listen_fds(3))."""
    words = ["bash", "-c", AS_SYSTEMD, prefix / "bin/posd", "run", "--config"]
    with closing(socket.socket(socket.AF_UNIX)) as door:
        address = installation.directory / "diag.sock"
        address.unlink(missing_ok=True)
        door.bind(str(address))
        door.listen()
        more = {"DOOR": str(door.fileno()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "diag"}
        file = installation.configuration_file
        return Process([*words, file], installation.directory, more, (door.fileno(),))


def bare(prefix: Path, installation: Installation) -> Process:
    script = BARE.format(modules=", ".join((*LIBRARIES.values(), *OF_THE_SYSTEM)))
    return Process([prefix / "bin/python", "-c", script], installation.directory)


def measure_start(prefix: Path, installation: Installation, times: int) -> list[str]:
    seconds: dict[str, list[float]] = {"bare": [], "daemon": []}
    processor: dict[str, list[float]] = {"bare": [], "daemon": []}
    for _ in range(times):
        for name, kind in (("bare", bare), ("daemon", daemon)):
            process = kind(prefix, installation)
            seconds[name].append(process.seconds)
            processor[name].append(process.processor_seconds)
            process.end()
    quickest = min(seconds["daemon"]) / min(seconds["bare"])
    middle = statistics.median(seconds["daemon"]) / statistics.median(seconds["bare"])
    work = statistics.median(processor["daemon"]) / statistics.median(processor["bare"])
    print(
        f"start: READY after {min(seconds['daemon']) * 1000:.0f} ms, bare imports "
        f"{min(seconds['bare']) * 1000:.0f} ms: {quickest:.2f} times (median {middle:.2f}, "
        f"of processor time {work:.2f}), of {times}; target {TARGET_START}"
    )
    return [f"{quickest:.2f} times the bare imports"] if quickest > TARGET_START else []


# -- memory ---------------------------------------------------------------------------------------


async def measure_memory(
    prefix: Path,
    installation: Installation,
    counter: Counter,
    witness: Witness,
    sales: tuple[int, int],
) -> list[str]:
    process = await asyncio.to_thread(bare, prefix, installation)
    ground = process.resident
    await asyncio.to_thread(process.end)
    process = await asyncio.to_thread(daemon, prefix, installation)
    try:
        clerk = Clerk(counter, witness)
        await clerk.rest()
        sizes = [process.resident]
        print(
            f"memory: bare imports {ground / 1024:.1f} MB, after the start {sizes[0] / 1024:.1f} MB, "
            f"{(sizes[0] - ground) / 1024:.1f} MB above"
        )
        for count in sales:
            began, done = time.perf_counter(), clerk.sales
            await clerk.sell_until(count)
            seconds = time.perf_counter() - began
            await clerk.rest()
            sizes.append(process.resident)
            print(
                f"memory: after {count} sales {sizes[-1] / 1024:.1f} MB, "
                f"{(sizes[-1] - ground) / 1024:.1f} MB above; "
                f"{(count - done) / seconds:.0f} sales a second, {seconds:.0f} s"
            )
    finally:
        await asyncio.to_thread(process.end)
    missed = [
        f"{(size - ground) / 1024:.1f} MB above bare imports"
        for size in sizes
        if size - ground > TARGET_MEMORY
    ]
    if (growth := sizes[-1] - sizes[-2]) > TARGET_GROWTH:
        missed.append(f"memory grew by {growth / 1024:.1f} MB")
    return missed


class Clerk:
    """Reads each screen as it changes and answers at once."""

    def __init__(self, counter: Counter, witness: Witness) -> None:
        self.sales = 0
        self._counter = counter
        self._witness = witness
        self._unsettled = 0
        self._answers: tuple[tuple[str, Callable[[], None]], ...] = (
            ("请先签到", self._confirm),
            ("请刷卡或输入金额", self._begin),
            ("消费 金额", self._confirm),
            ("菜单", lambda: self._press(Key.D7)),
            ("正在", lambda: None),
            ("请刷卡", self._swipe),
            ("请持卡人输密码", self._confirm),
            ("请撕纸", self._sold),
            ("交易成功", self._confirm),
            ("确认=结算", self._confirm),
            ("确认=继续结算", self._confirm),
            ("结算完成", self._settled),
            ("按确认", self._confirm),
            ("确认=", self._confirm),
            ("", lambda: self._press(Key.CANCEL)),
        )

    async def sell_until(self, count: int) -> None:
        """Trade until so many sales were approved; then the idle screen stands."""
        seen, since, answered = "", time.perf_counter(), 0.0
        while True:
            self._counter.drain()
            del self._witness.screens[:-1], self._witness.slips[:-1]
            screen = "\n".join(self._counter.display.rows())
            if screen != seen:
                seen, since = screen, time.perf_counter()
                answered = since
                if self.sales >= count and "请刷卡或输入金额" in screen:
                    return
                self._answer(screen)
            elif time.perf_counter() - since > SILENCE:
                raise AssertionError(f"nothing happens; the screen is\n{screen}")
            elif time.perf_counter() - answered > 1:
                answered = time.perf_counter()
                self._answer(screen)  # a key that came too soon
            await asyncio.sleep(0.001)

    async def rest(self) -> None:
        """Nobody touches the terminal for a while."""
        end = time.perf_counter() + REST
        while time.perf_counter() < end:
            self._counter.drain()
            await asyncio.sleep(0.05)

    def _answer(self, screen: str) -> None:
        for text, answer in self._answers:
            if text in screen:
                answer()
                return

    def _press(self, *keys: Key) -> None:
        self._counter.keypad.press(*keys)

    def _confirm(self) -> None:
        self._press(Key.CONFIRM)

    def _begin(self) -> None:
        if self._unsettled >= SETTLE_AFTER:
            self._confirm()
        elif "未签到" in "\n".join(self._counter.display.rows()):
            self._press(Key.CONFIRM)
        else:
            self._counter.keypad.type(str(1000 + self.sales % 9000))
            self._press(Key.CONFIRM)

    def _sold(self) -> None:
        self.sales += 1
        self._unsettled += 1
        self._confirm()

    def _swipe(self) -> None:
        self._counter.card_reader.swipe(BY_NAME["nopin"].track2.reveal())

    def _settled(self) -> None:
        self._unsettled = 0
        self._confirm()


def distributions() -> set[str]:
    """What the daemon depends on, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {re.split(r"[<>=~! ]", each)[0] for each in project["dependencies"]}


if __name__ == "__main__":
    assert distributions() == set(LIBRARIES), "a dependency came or went"
    sys.exit(main())
