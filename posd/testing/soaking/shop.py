"""The shop of the soak: one daemon for the whole time, a clerk, troubles, and a verdict at every rest."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter as Counts
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any, Final

from posd.testing.checker import check_files
from posd.testing.compare import compare
from posd.testing.counter import Acquiring, Counter
from posd.testing.installation import Installation
from posd.testing.snapshot import Snapshots
from posd.testing.soaking.clerk import PacedClerk
from posd.testing.soaking.memory import Trend, resident, trend
from posd.testing.soaking.troubles import LineTroubles
from posd.testing.stage import Witness
from posd.testing.steps import SettingValue
from posd.testing.under_fire.process import DaemonProcess, Notifications
from posd.testing.under_fire.story import Story, seconds

SETTINGS: Final[Mapping[tuple[str, ...], SettingValue]] = {
    ("host", "connect_seconds"): 1.0,
    ("host", "answer_seconds"): 1.5,
    ("host", "reversal_answer_seconds"): 1.5,
    ("money", "backoff_first_seconds"): 0.2,
    ("money", "backoff_longest_seconds"): 2.0,
    ("money", "none_found_wait_seconds"): 0.5,
    ("money", "batch_limit"): 999,
    ("timeouts", "prompt_seconds"): 6,
    ("timeouts", "pin_seconds"): 5,
    ("timeouts", "result_seconds"): 3,
    ("timeouts", "tear_seconds"): 2,
}
"""Short times, so that a clerk without a keypad or a display is not waited for all day."""

SALES: Final = 600  # in the whole time: with voids and second tries less than a batch takes
REST_SECONDS: Final = 120.0
SAMPLE_SECONDS: Final = 5.0
_LOOK: Final = 0.2
_SILENCE: Final = 30.0  # s without a word for the watchdog: the loop hangs
_BAD_EVENTS: Final = ("core.fault", "core.halted", "core_failed", "callback_failed", "slip_refused")
_IN_DOUBT: Final = (
    "SELECT count(*) FROM transactions WHERE state IN ('open', 'reversing', 'pending')"
)
_WAITING_SLIPS: Final = "SELECT count(*) FROM print_jobs WHERE done_at IS NULL"
_NEWEST: Final = "SELECT coalesce(max(id), 0) FROM transactions"
_SOLD: Final = (
    "SELECT count(*) FROM transactions WHERE kind = 'sale' AND state = 'approved' AND id > ?"
)
_PRINTED: Final = """\
SELECT DISTINCT t.stan FROM print_jobs j JOIN transactions t ON t.id = j.transaction_id
WHERE j.copy = 'merchant' AND j.done_at IS NOT NULL"""


class SoakFailure(Exception):
    """What must not be, line by line."""


class Shop:
    """Make it and run it once, within an event loop."""

    def __init__(
        self, directory: Path, minutes: float, seed: str, tell: Callable[[str], None]
    ) -> None:
        self._directory = directory
        self._seconds = minutes * 60
        self._tell = tell
        self._story = Story(directory / "timeline.txt")
        self._installation = Installation(directory)
        for path, value in SETTINGS.items():
            self._installation.configure(path, value)
        self._witness = Witness()
        self._counter = Counter(self._installation, self._witness)
        self._acquiring = Acquiring(self._installation, self._witness)
        pace = max(0.5, self._seconds / SALES)
        chance = [Random(f"{seed}/{part}") for part in ("clerk", "troubles")]  # noqa: S311
        self._clerk = PacedClerk(self._counter, self._witness, self._story, chance[0], pace)
        self._troubles = LineTroubles(self._counter, self._acquiring, self._story, chance[1])
        self._snapshots = Snapshots(
            self._installation.state_directory / "ledger.db", directory / "copy.db"
        )
        self._log = directory / "posd.log"
        self._log_read = 0
        self._notifications = Notifications(directory / "notify")
        self._process: DaemonProcess | None = None
        self._sizes: list[int] = []
        self._rests = 0
        self._transactions: dict[str, int] = {}
        self._unresolved = 0

    async def run(self, stretch: float) -> None:
        """Trade for the whole time, with a rest after each stretch of seconds. Raises SoakFailure."""
        try:
            await self._open()
            end = seconds() + self._seconds
            while seconds() < end:
                await self._trade(min(stretch, max(1.0, end - seconds())))
                await self._rest()
            if self.trend.flat is False:
                raise SoakFailure(f"the daemon's memory grows: {self.trend}")
        finally:
            await self._close()

    @property
    def trend(self) -> Trend:
        return trend(self._sizes)

    def report(self) -> dict[str, Any]:
        """The figures, for JSON."""
        memory = self.trend
        return {
            "transactions": self._transactions,
            "unresolved": self._unresolved,
            "rests": self._rests,
            "slips": self._clerk.slips,
            "keys": self._clerk.keys,
            "troubles": dict(self._story.faults),
            "memory_kib": {
                "samples": memory.samples,
                "first": self._sizes[0] if self._sizes else 0,
                "second_quarter": memory.early,
                "last_quarter": memory.late,
                "most": max(self._sizes, default=0),
                "flat": memory.flat,
            },
        }

    # --- trade and rest ---------------------------------------------------------------------------

    async def _open(self) -> None:
        self._installation.configure(("host", "port"), await self._acquiring.open())
        self._installation.load()
        self._process = DaemonProcess(
            self._installation.configuration_file, self._log, self._notifications
        )
        await self._until(lambda: "".join(self._counter.display.rows()).strip() != "", "no screen")

    async def _trade(self, length: float) -> None:
        self._clerk.good = False
        tasks = [
            asyncio.create_task(self._clerk.trade()),
            asyncio.create_task(self._troubles.happen()),
        ]
        end, sample = seconds() + length, 0.0
        try:
            while seconds() < end:
                for task in tasks:
                    if task.done():
                        task.result()
                self._look_after_process()
                if seconds() >= sample:
                    self._sizes.append(resident(self._running.number))
                    sample = seconds() + SAMPLE_SECONDS
                await asyncio.sleep(_LOOK)
        finally:
            await _stop(tasks)

    async def _rest(self) -> None:
        """Everything heals; nothing may stay in doubt, waiting, or unsaid, and a sale must go through."""
        await self._troubles.heal()
        self._clerk.good = True
        before = await self._ask(_NEWEST)
        trading = [asyncio.create_task(self._clerk.trade())]
        try:
            await self._until_ledger(_IN_DOUBT, lambda count: count == 0, "still in doubt")
            await self._until_ledger(_SOLD, lambda count: count > 0, "no sale", before)
            await self._until_ledger(_WAITING_SLIPS, lambda count: count == 0, "slips wait")
        finally:
            await _stop(trading)
        await self._until_ledger(_IN_DOUBT, lambda count: count == 0, "still in doubt")
        await asyncio.to_thread(self._judge)
        self._rests += 1
        self._tell(f"rest {self._rests}: {self._transactions}, {self._sizes[-1]} KiB")

    def _judge(self) -> None:
        copy, host = self._snapshots.take(), self._installation.acquirer_ledger
        report = check_files(copy, host)
        comparison = compare(copy, host)
        with closing(sqlite3.connect(copy)) as connection:
            rows = connection.execute(
                "SELECT kind || ' ' || state, count(*) FROM transactions GROUP BY 1"
            ).fetchall()
            printed = {stan for (stan,) in connection.execute(_PRINTED)}
        self._transactions = Counts(dict(rows))
        self._unresolved = len(report.unresolved)
        if not report.holds:
            raise SoakFailure(str(report))
        if not comparison.agree:
            raise SoakFailure(str(comparison))
        self._clerk.look_at_paper()
        if lost := printed - self._clerk.merchant_copies:
            raise SoakFailure(f"lost slips: done in the ledger, not on paper: {sorted(lost)}")

    # --- the daemon -------------------------------------------------------------------------------

    @property
    def _running(self) -> DaemonProcess:
        assert self._process is not None
        return self._process

    def _look_after_process(self) -> None:
        code = self._running.wait(0.0, self._notifications.socket.fileno())
        if code is not None:
            lines = self._log.read_text("utf-8", "replace").splitlines()[-5:]
            raise SoakFailure("\n".join([f"the daemon ended with exit code {code}:", *lines]))
        if seconds() - self._running.heard_at > _SILENCE:
            raise SoakFailure("the daemon's loop hangs: no word for the watchdog")
        with self._log.open("rb") as log:
            log.seek(self._log_read)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._log_read += len(line)
                self._note_log(line)

    def _note_log(self, line: bytes) -> None:
        with suppress(ValueError):
            entry = json.loads(line)
            if entry.get("event") in _BAD_EVENTS:
                raise SoakFailure(f"in the daemon's log: {line.decode('utf-8', 'replace')}")

    # --- waiting ----------------------------------------------------------------------------------

    async def _until(self, holds: Callable[[], bool], what: str) -> None:
        end = seconds() + REST_SECONDS
        while not holds():
            if seconds() >= end:
                screen = "\n".join(self._counter.display.rows())
                raise SoakFailure(f"after {REST_SECONDS:.0f} s: {what}; the screen:\n{screen}")
            self._look_after_process()
            await asyncio.sleep(_LOOK)

    async def _until_ledger(
        self, query: str, good: Callable[[int], bool], what: str, *values: object
    ) -> None:
        newest = await self._ask(query, *values)
        end = seconds() + REST_SECONDS
        while not good(newest):
            await self._until(lambda: True, what)
            if seconds() >= end:
                screen = "\n".join(self._counter.display.rows())
                raise SoakFailure(
                    f"after {REST_SECONDS:.0f} s of rest: {what} ({newest}); the screen:\n{screen}"
                )
            await asyncio.sleep(_LOOK)
            newest = await self._ask(query, *values)

    async def _ask(self, query: str, *values: object) -> int:
        """One number from the ledger of the running daemon."""

        def ask() -> int:
            with closing(sqlite3.connect(self._snapshots.take())) as connection:
                return int(connection.execute(query, values).fetchone()[0])

        while True:
            self._look_after_process()
            try:
                return await asyncio.to_thread(ask)
            except (sqlite3.DatabaseError, TimeoutError):
                await asyncio.sleep(_LOOK)  # the copy was taken between two writes

    async def _close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.close()
        self._counter.close()
        await self._acquiring.close()
        self._notifications.close()
        self._story.close()


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    """Raises what they raised; being cancelled is no error."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception) and not isinstance(result, asyncio.CancelledError):
            raise result
