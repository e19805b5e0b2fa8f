"""One terminal from its first start on: fire, rest, verdict, and again."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections import Counter as Counts
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import cbor2

from posd.testing.checker import check_files, write_capture
from posd.testing.compare import compare
from posd.testing.counter import Counter
from posd.testing.installation import ROLES, Installation
from posd.testing.snapshot import Snapshots
from posd.testing.stage import Witness
from posd.testing.steps import SettingValue
from posd.testing.under_fire.capture import Capture
from posd.testing.under_fire.clerk import Clerk
from posd.testing.under_fire.host import FireHost
from posd.testing.under_fire.proxy import Proxy
from posd.testing.under_fire.storage import Storage
from posd.testing.under_fire.story import Story, seconds
from posd.testing.under_fire.supervisor import Kills, Supervisor
from posd.testing.under_fire.troubles import Troubles

SETTINGS: Final[Mapping[tuple[str, ...], SettingValue]] = {
    ("host", "connect_seconds"): 0.5,
    ("host", "answer_seconds"): 0.5,
    ("host", "reversal_answer_seconds"): 0.5,
    ("money", "backoff_first_seconds"): 0.05,
    ("money", "backoff_longest_seconds"): 0.5,
    ("money", "none_found_wait_seconds"): 0.2,
    ("money", "free_space_bytes"): 1_000_000,
    ("money", "batch_limit"): 999,
    ("timeouts", "prompt_seconds"): 4,
    ("timeouts", "pin_seconds"): 3,
    ("timeouts", "result_seconds"): 2,
    ("timeouts", "tear_seconds"): 0.5,
    **{("devices", role, "required"): False for role in ROLES},
}
"""Short times, so that whatever they guard happens often; unplugged devices keep nobody from starting."""

_REST_SECONDS: Final = 90.0
_SETTLED_SECONDS: Final = 1.5  # s; longer than a key takes to become an intent on a loaded machine
_LOOK: Final = 0.1
_FULL_BATCH: Final = 900  # transactions: a batch takes 999, and no settlement empties it yet
_IN_DOUBT: Final = (
    "SELECT count(*) FROM transactions WHERE state IN ('open', 'reversing', 'pending')"
)
_PLAIN_SALES: Final = (
    "SELECT count(*) FROM transactions WHERE kind = 'sale' AND state = 'approved' AND id > ?"
)
_NEWEST: Final = "SELECT coalesce(max(id), 0) FROM transactions"


class Disagreement(Exception):
    """What must not be: the verdict, line by line."""


@dataclass(frozen=True, slots=True)
class Plan:
    """seconds: between two rests. rests: how many of them. ready_seconds: that a start may take."""

    seconds: float = 45.0
    rests: int = 3
    power: bool = False
    disk: bool = True
    dead_disk: bool = True
    ready_seconds: float = 30.0


@dataclass
class Outcome:
    """What one round counted, also when it ended in a disagreement."""

    kills: Kills = field(default_factory=Kills)
    faults: Counts[str] = field(default_factory=Counts)
    transactions: Counts[str] = field(default_factory=Counts)
    messages: int = 0
    unresolved: int = 0
    checks: int = 0
    keys: int = 0
    disagreement: str = ""


class Round:
    """Make it, and run it once, in an event loop. storage: not open yet, for directory/state."""

    def __init__(
        self,
        directory: Path,
        storage: Callable[[Path], Storage],
        plan: Plan,
        seed: str,
        tell: Callable[[str], None],
    ) -> None:
        directory.mkdir()
        self.outcome = Outcome()
        self.directory = directory
        self._plan = plan
        self._tell = tell
        self._seed = seed
        self._story = Story(directory / "timeline.txt")
        self._storage = storage(directory / "state")
        self._storage.open()
        self._installation = Installation(directory)
        for path, value in SETTINGS.items():
            self._installation.configure(path, value)
        self._ledger = self._installation.state_directory / "ledger.db"
        self._snapshots = Snapshots(self._ledger, directory / "copy.db")
        self._capture = Capture()
        self._witness = Witness()
        self._counter = Counter(self._installation, self._witness)
        self._clerk = Clerk(self._counter, self._witness, self._story, self._random("clerk"))
        self._host = FireHost(self._installation, lambda: self._troubles.host_crashed())
        self._proxy = Proxy(
            self._capture, self._story, self._random("line"), lambda: self._host.port()
        )
        self._supervisor = self._new_supervisor()
        self._troubles = self._new_troubles()

    async def run(self) -> Outcome:
        """Raises Disagreement, after everything of it has ended; the files stay."""
        self._story.note(f"seed {self._seed}, state on {self._storage.name}")
        try:
            await self._host.start()
            self._installation.configure(("host", "port"), await self._proxy.open())
            for rest in range(self._plan.rests):
                if rest:
                    self._supervisor = self._new_supervisor(self._supervisor.counted)
                    self._troubles = self._new_troubles()
                await self._fire()
                await self._come_to_rest()
                if await asyncio.to_thread(self._judge) >= _FULL_BATCH:
                    break
        except Disagreement as disagreement:
            self.outcome.disagreement = str(disagreement)
            self._keep()
            raise
        finally:
            await self._close()
        return self.outcome

    # --- fire and rest ----------------------------------------------------------------------------

    async def _fire(self) -> None:
        supervisor = self._supervisor
        self._clerk.good = self._proxy.calm = False
        supervisor.start()
        supervisor.fire(on=True)
        trading = asyncio.create_task(self._clerk.trade())
        troubles = asyncio.create_task(self._troubles.happen())
        end = seconds() + self._plan.seconds
        try:
            while seconds() < end and not supervisor.failure:
                for task in (trading, troubles):
                    if task.done():
                        task.result()
                await asyncio.sleep(_LOOK)
        finally:
            await _stop(troubles)
            await _stop(trading)
        self._check_process()

    async def _come_to_rest(self) -> None:
        """A healthy host, the daemon running until nothing is in doubt, a plain sale, an orderly end."""
        self._proxy.calm = True
        try:
            async with asyncio.timeout(_REST_SECONDS):
                await self._troubles.heal()
        except TimeoutError:
            self._check_process()
            raise Disagreement("the surroundings did not heal") from None
        self._supervisor.fire(on=False)
        await self._until(lambda: self._supervisor.ready, "the daemon is not ready")
        await self._proxy.drained()
        self._clerk.good = True
        before = await self._ask(_NEWEST)
        trading = asyncio.create_task(self._clerk.trade())
        try:
            await self._until_ledger(_IN_DOUBT, lambda count: count == 0, "still in doubt")
            await self._until_ledger(
                _PLAIN_SALES, lambda count: count > 0, "no plain sale is possible", before
            )
        finally:
            await _stop(trading)
        await self._until_settled()
        await asyncio.to_thread(self._supervisor.end)
        self._check_process()
        await self._proxy.drained()
        self._story.note("at rest")

    async def _until_settled(self) -> None:
        """Nothing in doubt and nothing new for a while: the last key may still be on its way."""
        newest, since = -1, 0.0

        async def settled() -> bool:
            nonlocal newest, since
            found = await self._ask(_NEWEST)
            if await self._ask(_IN_DOUBT) or found != newest:
                newest, since = found, seconds()
            return seconds() - since >= _SETTLED_SECONDS

        await self._until_async(settled, "still in doubt")

    def _check_process(self) -> None:
        if self._supervisor.failure:
            raise Disagreement(self._supervisor.failure)

    async def _ask(self, query: str, *values: object) -> int:
        """One number from the ledger of the running daemon."""

        def ask() -> int:
            with closing(sqlite3.connect(self._snapshots.take())) as connection:
                return int(connection.execute(query, values).fetchone()[0])

        while True:
            try:
                return await asyncio.to_thread(ask)
            except (sqlite3.DatabaseError, TimeoutError):
                await asyncio.sleep(_LOOK)  # between the first start and the first commit

    async def _until_ledger(
        self, query: str, good: Callable[[int], bool], what: str, *values: object
    ) -> None:
        async def holds() -> bool:
            return good(await self._ask(query, *values))

        await self._until_async(holds, what)

    async def _until(self, holds: Callable[[], bool], what: str) -> None:
        async def look() -> bool:
            return holds()

        await self._until_async(look, what)

    async def _until_async(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        end = seconds() + _REST_SECONDS
        while seconds() < end:
            self._check_process()
            if await holds():
                return
            await asyncio.sleep(_LOOK)
        screen = "\n".join(self._counter.display.rows())
        raise Disagreement(f"after {_REST_SECONDS:.0f} s of rest: {what}; the screen:\n{screen}")

    # --- the verdict ------------------------------------------------------------------------------

    def _judge(self) -> int:
        """How many transactions there are. Raises Disagreement."""
        captured = self._capture.lines()
        host = self._installation.acquirer_ledger
        with closing(sqlite3.connect(host)) as connection:  # its log, into its file
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        report = check_files(self._ledger, host, captured)
        outcome = self.outcome
        outcome.checks += 1
        outcome.messages = report.messages
        outcome.unresolved = len(report.unresolved)
        copy = self._snapshots.take()
        with closing(sqlite3.connect(copy)) as connection:
            rows = connection.execute(
                "SELECT kind || ' ' || state, count(*) FROM transactions GROUP BY 1"
            ).fetchall()
            undecided = _unresolved_by_nobody(connection)
        outcome.transactions = Counts(dict(rows))
        self._tell(str(report).partition("\n")[0])
        if not report.holds:
            raise Disagreement(str(report))
        if undecided:
            raise Disagreement(f"unresolved, and no supervisor did it: {undecided}\n{report}")
        comparison = compare(copy, host)
        if not comparison.agree:
            raise Disagreement(str(comparison))
        return report.transactions

    def _keep(self) -> None:
        """The evidence, where it can be looked at after everything has ended."""
        write_capture(self.directory / "traffic.txt", self._capture.lines())
        kept = self.directory / "kept-state"
        shutil.copytree(self._installation.state_directory, kept, dirs_exist_ok=True)

    async def _close(self) -> None:
        await self._troubles.abandon()
        if self._supervisor.is_alive():
            await asyncio.to_thread(self._supervisor.end)
        self.outcome.kills = self._supervisor.counted
        self.outcome.faults = self._story.faults
        self.outcome.keys = self._clerk.keys
        await self._proxy.shut()
        await self._host.stop()
        self._counter.close()
        self._storage.close()
        self._story.close()

    # --- parts ------------------------------------------------------------------------------------

    def _random(self, name: str) -> Random:
        """Each part has its own, so that one does not change what another does."""
        return Random(f"{self._seed}/{name}")  # noqa: S311 - chance, not secrets

    def _new_supervisor(self, counted: Kills | None = None) -> Supervisor:
        loop = asyncio.get_running_loop()

        def power_cycled() -> None:
            loop.call_soon_threadsafe(self._counter.power_cut)

        supervisor = Supervisor(
            self.directory,
            self._installation.configuration_file,
            self._ledger,
            self._storage,
            self._capture,
            self._story,
            self._random(f"kills/{self.outcome.checks}"),
            power=self._plan.power,
            ready_seconds=self._plan.ready_seconds,
            power_cycled=power_cycled,
        )
        if counted is not None:
            supervisor.counted = counted
        return supervisor

    def _new_troubles(self) -> Troubles:
        return Troubles(
            self._counter,
            self._proxy,
            self._host,
            self._supervisor,
            self._storage,
            self._story,
            self._random(f"troubles/{self.outcome.checks}"),
            disk=self._plan.disk,
            dead_disk=self._plan.dead_disk,
        )


def _unresolved_by_nobody(connection: sqlite3.Connection) -> list[str]:
    """Vouchers for a person that no person made so; here nothing else has a reason to."""
    given_up = {
        cbor2.loads(details).get("transaction")
        for (details,) in connection.execute("SELECT details FROM audit WHERE what = 'given_up'")
    }
    unresolved = connection.execute("SELECT id, stan FROM transactions WHERE state = 'unresolved'")
    return [stan for number, stan in unresolved if number not in given_up]


async def _stop(task: asyncio.Task[None]) -> None:
    """Raises what it raised; being cancelled is no error."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return
