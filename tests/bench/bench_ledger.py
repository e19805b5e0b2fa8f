"""What the ledger costs: syncs a sale, time from the swipe and from the answer, growth with its use.

Run it: `python tests/bench/bench_ledger.py`; with --check it exits with 1 when a target is missed. The
real core and the real test acquirer run in one process on virtual time, so that what is measured is our
work and the disk's, without a clerk's fingers or a network. Times are told as multiples of one fsync on
the same disk in the same run, because disks differ by a factor of a thousand. Syncs are counted by strace
in a process of its own: fsync and fdatasync, as the kernel sees them.

The order is committed before the card is asked for and is not counted. What the terminal does while nobody
waits (the write-ahead log is copied into the file) is a line of its own.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from devices.slip import Slip  # noqa: E402
from posd.core.events import Event, HostReceived, Key  # noqa: E402
from posd.ledger.ledger import Ledger  # noqa: E402
from posd.ledger.records import State  # noqa: E402
from posd.ledger.transactions import Intent  # noqa: E402
from posd.testing.in_process import InProcessStage  # noqa: E402
from protocol import Pan  # noqa: E402

TARGET_SYNCS_BEFORE_SLIP, TARGET_SYNCS_AFTER = 2, 1
TARGET_GROWTH = 1.20
TARGET_VOUCHER_MS = 1.0
BATCH = 500
SYNC = re.compile(r"\bf(?:data)?sync\(\d+<[^>]*/state/")  # of the terminal, not of its acquirer
MARK = "/posd-bench/"  # a path that is asked for, never there: a mark in strace's output


def main() -> int:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="exit with 1 for a missed target")
    arguments.add_argument("--transactions", type=int, default=100_000, help="of the full ledger")
    arguments.add_argument("--sales", type=int, default=60, help="measured, in each ledger")
    arguments.add_argument("--starts", type=int, default=31, help="measured, of each ledger")
    arguments.add_argument("--directory", type=Path, help="on the disk to be measured")
    arguments.add_argument("--traced", type=Path, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if options.traced:
        return traced(options.traced, options.sales)
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        missed = measure(Path(name), options)
    for target in missed:
        print(f"missed: {target}", file=sys.stderr)
    return 1 if options.check and missed else 0


def measure(directory: Path, options: argparse.Namespace) -> list[str]:
    missed = [*count_syncs(directory / "traced", options.sales)]
    empty, full = directory / "empty", directory / "full"
    began = time.perf_counter()
    prepare(empty, 0)
    size = prepare(full, options.transactions)
    seconds = time.perf_counter() - began
    print(
        f"ledger of {options.transactions} transactions: {size / 1e6:.0f} MB, made in {seconds:.0f} s"
    )
    missed += measure_sales(empty, full, options.sales)
    missed += measure_growth(empty, full, options)
    return missed


# -- the terminal ---------------------------------------------------------------------------------


class Shop:
    """A terminal that sells, with a note of the moment of everything that matters."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.stage = InProcessStage(directory)
        self.stage.power_on()
        self.moments: dict[str, float] = {}
        self.on: Callable[[str], None] = lambda _what: None
        self._watch()
        self.press(Key.CONFIRM)
        self.wait("已签到")

    def note(self, what: str) -> None:
        self.on(what)
        self.moments.setdefault(what, time.perf_counter())

    def _watch(self) -> None:
        assert self.stage.terminal is not None
        core = self.stage.terminal.core
        host, handle, show = core.money._line._host, core.handle, self.stage.printer.print

        def send(exchange: int, frame: bytes) -> None:
            self.note("request")
            type(host).send(host, exchange, frame)

        def take(event: Event) -> None:
            if isinstance(event, HostReceived):
                self.note("answer")
            handle(event)

        def print_slip(job: int, slip: Slip) -> None:
            self.note("slip")
            show(job, slip)

        host.send = send  # type: ignore[attr-defined]
        core.handle = take  # type: ignore[method-assign]
        self.stage.printer.print = print_slip  # type: ignore[method-assign]

    @property
    def ledger(self) -> Ledger:
        assert self.stage.terminal is not None
        return self.stage.terminal.ledger

    def press(self, *keys: Key) -> None:
        for key in keys:
            self.stage.press(key)

    def wait(self, text: str) -> None:
        came = self.stage.let_pass(
            300, lambda: any(text in row for row in self.stage.witness.screen)
        )
        assert came, f"{text} never came: {self.stage.witness.screen}"

    def sale(self, amount: int) -> None:
        """From the amount to both slips. The clerk answers prompts at once."""
        self.moments.clear()
        self.press(*map(Key, str(amount)), Key.CONFIRM)
        self.note("swipe")
        self.stage.swipe("nopin", "")
        self.press(Key.CONFIRM)  # no PIN
        self.wait("撕")
        self.press(Key.CONFIRM)
        self.wait("请刷卡或输入金额")
        self.note("idle")


# -- syncs ----------------------------------------------------------------------------------------


def count_syncs(directory: Path, sales: int) -> Iterator[str]:
    """The same program under strace, which sees what the kernel is asked for."""
    strace = shutil.which("strace")
    if strace is None:
        yield "syncs were not counted: strace is not here"
        return
    directory.mkdir()
    log = directory / "strace"
    subprocess.run(
        [strace, "-f", "-y", "-qq", "-e", "trace=fsync,fdatasync,faccessat,faccessat2,access", "-o", str(log),
         sys.executable, __file__, "--traced", str(directory / "shop"), "--sales", str(sales)],
        check=True,
    )  # fmt: skip
    counts: dict[str, list[int]] = {}
    present: list[int] | None = None
    for line in log.read_text("utf-8").splitlines():
        if MARK in line:
            phase = line.split(MARK)[1].split('"')[0]
            counts.setdefault(phase, []).append(0)
            present = counts[phase]
        elif present is not None and SYNC.search(line):
            present[-1] += 1
    phases = (counts["swipe"], counts["request"], counts["answer"])
    before = [sum(each) for each in zip(*phases, strict=True)]
    after = counts["slip"]
    for title, found, target in (
        ("syncs from the swipe to the start of the slip", before, TARGET_SYNCS_BEFORE_SLIP),
        ("syncs after that", after, TARGET_SYNCS_AFTER),
    ):
        print(f"{title}: mean {statistics.mean(found):.2f}, most {max(found)} (target {target})")
        if max(found) > target:
            yield f"{title}: {max(found)}, wanted at most {target}"
    idle = sum(counts["care"])
    print(f"syncs while nobody waits: {idle} in {sales} sales")


def traced(directory: Path, sales: int) -> int:
    """What strace watches: marks in between tell where a sync belongs."""

    def mark(what: str) -> None:
        os.access(f"{MARK}{what}", os.F_OK)

    shop = Shop(directory)
    seen: set[str] = set()

    def once(what: str) -> None:
        if what not in seen:
            seen.add(what)
            mark(what)

    shop.on = once
    for number in range(sales):
        seen.clear()
        mark("order")
        shop.sale(1000 + number)
        mark("care")
        shop.ledger.look_after()
    shop.stage.close()
    return 0


# -- times ----------------------------------------------------------------------------------------


def measure_sales(empty: Path, full: Path, sales: int) -> list[str]:
    """The same sales in both ledgers by turns, each beside one fsync of the same disk."""
    shops = {"empty": Shop(empty), "full": Shop(full)}
    to_request: dict[str, list[float]] = {name: [] for name in shops}
    to_slip: dict[str, list[float]] = {name: [] for name in shops}
    syncs: list[float] = []
    with one_sync(full) as sync:
        for number in range(sales):
            for name, shop in shops.items():
                syncs.append(sync())
                shop.sale(1000 + number)
                moments = shop.moments
                to_request[name].append(moments["request"] - moments["swipe"])
                to_slip[name].append(moments["slip"] - moments["answer"])
                shop.ledger.look_after()
    unit = statistics.median(syncs)
    print(f"one fsync on this disk: median {unit * 1000:.2f} ms")
    for title, found in (
        ("from the swipe to the request's first byte", to_request),
        ("from the answer's last byte to the slip's first", to_slip),
    ):
        for name in shops:
            median = statistics.median(found[name])
            print(f"{title}, {name} ledger: {median * 1000:.2f} ms = {median / unit:.1f} fsyncs")
    for shop in shops.values():
        shop.stage.close()
    return []


@contextmanager
def one_sync(directory: Path) -> Iterator[Callable[[], float]]:
    """Seconds of one fsync after a write as small as a commit's."""
    with (directory / "probe").open("r+b" if (directory / "probe").exists() else "w+b") as file:

        def sync() -> float:
            file.write(bytes(16 * 1024))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            return time.perf_counter() - began

        yield sync


def measure_growth(empty: Path, full: Path, options: argparse.Namespace) -> list[str]:
    """Starts by turns, and vouchers at random."""
    found: dict[str, list[float]] = {"empty": [], "full": []}
    stages = {"empty": InProcessStage(empty), "full": InProcessStage(full)}
    for _ in range(options.starts):
        for name, stage in stages.items():
            began = time.perf_counter()
            stage.power_on()
            found[name].append(time.perf_counter() - began)
            stage.power_cut()
    start = {name: statistics.median(times) for name, times in found.items()}
    ratio = start["full"] / start["empty"]
    print(
        f"start: empty {start['empty'] * 1000:.1f} ms, full {start['full'] * 1000:.1f} ms,"
        f" ratio {ratio:.2f} (target {TARGET_GROWTH:.2f})"
    )
    stage = stages["full"]
    stage.power_on()
    assert stage.terminal is not None
    transactions = stage.terminal.ledger.transactions
    chance, times = random.Random(1), []
    for _ in range(2000):
        stan = f"{chance.randint(1, options.transactions):06d}"
        began = time.perf_counter()
        record = transactions.by_stan(stan)
        times.append((time.perf_counter() - began) * 1000)
        assert record is not None
        assert record.stan == stan
    times.sort()
    worst, median = times[int(len(times) * 0.99)], statistics.median(times)
    print(
        f"a voucher among {options.transactions}: median {median:.3f} ms, 99 % below {worst:.3f} ms"
        f" (target {TARGET_VOUCHER_MS:.0f} ms, for the median: other processes take milliseconds away)"
    )
    for each in stages.values():
        each.close()
    missed = []
    if ratio > TARGET_GROWTH:
        missed.append(f"start with a full ledger: {ratio:.2f} times, wanted {TARGET_GROWTH}")
    if median > TARGET_VOUCHER_MS:
        missed.append(f"a voucher: {median:.3f} ms, wanted {TARGET_VOUCHER_MS}")
    return missed


# -- a ledger of some years -----------------------------------------------------------------------


def prepare(directory: Path, transactions: int) -> int:
    """Sales in closed batches, through the ledger's own doors; bytes of the file."""
    directory.mkdir()
    stage = InProcessStage(directory)
    stage.power_on()
    assert stage.terminal is not None
    ledger = stage.terminal.ledger
    for first in range(1, transactions + 1, BATCH):
        with ledger.commit("batch"):
            for number in range(first, min(first + BATCH, transactions + 1)):
                add_sale(ledger, number)
            ledger._database.write(
                "UPDATE transactions SET account_number = NULL, expiry = NULL WHERE id >= ?",
                (first,),
            )
            ledger._database.write(
                "UPDATE batches SET closed_at = opened_at WHERE closed_at IS NULL"
            )
            ledger._database.write("INSERT INTO batches (opened_at) VALUES (1)")
    stage.close()
    return (stage.installation.state_directory / "ledger.db").stat().st_size


def add_sale(ledger: Ledger, number: int) -> None:
    """An approved and printed sale as the core leaves it, in the present commit."""
    stan, now = f"{number:06d}", ledger.now()
    order = ledger.orders.create(stan, number, now)
    elements = {3: "000000", 4: f"{number:012d}", 11: stan, 41: "T0000001", 42: "M00000000000001"}
    sale = ledger.transactions.add(
        Intent(
            kind="sale",
            batch_number="000001",
            stan=stan,
            amount=number,
            operator="01",
            supervisor="",
            account_number=Pan("6225000000000048"),
            expiry="4912",
            entry_mode="022",
            sent_date="0514",
            request=elements,
            order=order,
        )
    )
    ledger.transactions.move(
        sale, [State.OPEN], State.APPROVED, {"code": "00"}, ended_at=now, approved_amount=number,
        answer={**elements, 37: "123456789012", 38: "123456", 39: "00"}, response_code="00",
        retrieval_reference="123456789012", acknowledged=1,
    )  # fmt: skip
    ledger.orders.receive(order, number, now)
    for copy in ("merchant", "cardholder"):
        ledger.print_jobs.done(ledger.print_jobs.add(sale, copy, SLIP))


def _slip() -> Slip:
    """A slip as long as the real ones."""
    from devices.slip import Cut, Pair, Text

    pairs = tuple(Pair(f"项目{number}", "0123456789012345") for number in range(18))
    return Slip((Text("POS 签购单", align="centre", large=True), *pairs, Cut()))


SLIP = _slip()

if __name__ == "__main__":
    sys.exit(main())
