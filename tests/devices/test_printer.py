import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devices.escpos import PAPER_STATUS_IN_TURN
from devices.line import LineSettings, LineState
from devices.printer import JobEnded, Printer, PrinterStatus
from devices.simulated.printer import SimulatedPrinter
from devices.slip import Cut, Slip, Text, cut_row, lay_out

SHORT = Slip((Text("消费/SALE", align="centre", large=True), Text("谢谢惠顾"), Cut()))
LONG = Slip((*(Text(f"line {number:03} {'x' * 20}") for number in range(150)), Cut()))


class Shop:
    """A printer on a line, its twin, and what it has said."""

    def __init__(
        self,
        folder: Path,
        *,
        flow_control: Any = "none",
        write_seconds: float = 0.3,
        **options: Any,
    ) -> None:
        self.twin = SimulatedPrinter(folder / "printer", 32)
        self.statuses: list[PrinterStatus] = []
        self.jobs: list[JobEnded] = []
        self.states: list[LineState] = []
        self.printer = Printer(
            LineSettings(
                str(self.twin.path),
                115200,
                flow_control=flow_control,
                write_seconds=write_seconds,
            ),
            32,
            self.statuses.append,
            self.jobs.append,
            self.states.append,
            **options,
        )

    def at_line(self, start: str, happens: Callable[[], None]) -> None:
        """Lets something happen when the line that begins so has been printed."""
        loop = asyncio.get_running_loop()

        def look(row: str) -> None:
            if row.startswith(start):
                loop.call_soon(happens)

        self.twin.mechanism.on_line = look

    async def __aenter__(self) -> "Shop":
        """Ready, and the first round of questions has ended: nothing is under way."""
        self.printer.start()
        async with asyncio.timeout(30):
            while self.printer.status is None or self.printer._inquiry._open:
                await asyncio.sleep(0.005)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.printer.close()
        self.twin.close()


def test_a_slip_lies_on_the_paper_as_it_was_laid_out(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Shop(tmp_path) as shop:
            shop.printer.print(7, SHORT)
            await until(lambda: shop.jobs)
            assert shop.jobs == [JobEnded(7, "printed")]
            assert shop.twin.paper == lay_out(SHORT, 32)
            assert shop.twin.mechanism.unknown == []

    asyncio.run(scene())


def test_jobs_are_printed_one_after_the_other(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Shop(tmp_path) as shop:
            shop.printer.print(1, LONG)
            shop.printer.print(2, SHORT)
            assert shop.jobs == [], "an outcome never comes from within print"
            await until(lambda: len(shop.jobs) == 2)
            assert shop.jobs == [JobEnded(1, "printed"), JobEnded(2, "printed")]
            assert shop.twin.paper == lay_out(LONG, 32) + lay_out(SHORT, 32)

    asyncio.run(scene())


def test_a_printer_that_says_nothing_in_a_job_fails_it_in_time(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Shop(tmp_path, piece_seconds=0.3) as shop:
            shop.at_line("line 050", shop.twin.stall)
            shop.printer.print(1, LONG)
            await until(lambda: shop.jobs)
            assert shop.jobs == [JobEnded(1, "failed", "timeout")]
            before = len(shop.twin.paper)
            shop.twin.resume()
            await until(lambda: shop.twin.paper[before:])  # what was under way is printed
            await asyncio.sleep(0.1)
            more = shop.twin.paper[before:]
            assert sum(len(row) + 1 for row in more) <= 1024

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("open_cover", "cover_open"),
        ("jam_cutter", "cutter_error"),
        ("overheat", "overheated"),
    ],
)
@pytest.mark.parametrize("automatic", [True, False])
def test_a_fault_in_a_job_ends_it_with_its_reason(
    tmp_path: Path, until: Any, fault: str, reason: Any, automatic: bool
) -> None:
    async def scene() -> None:
        async with Shop(tmp_path) as shop:
            shop.twin.mechanism.knows_automatic_status = automatic
            shop.at_line("line 050", getattr(shop.twin, fault))
            shop.printer.print(1, LONG)
            await until(lambda: shop.jobs)
            assert shop.jobs == [JobEnded(1, "failed", reason)]
            assert shop.printer.status is not None
            assert shop.printer.status.fault == reason

    asyncio.run(scene())


@pytest.mark.parametrize("automatic", [True, False])
@pytest.mark.parametrize("in_turn", [True, False])
def test_paper_that_ends_in_a_slip_fails_the_job_and_the_next_slip_stands_by_itself(
    tmp_path: Path, until: Any, automatic: bool, in_turn: bool
) -> None:
    async def scene() -> None:
        async with Shop(tmp_path) as shop:
            shop.twin.mechanism.knows_automatic_status = automatic
            shop.twin.mechanism.knows_in_turn_status = in_turn
            shop.twin.paper_out_after(20)
            shop.printer.print(1, LONG)
            await until(lambda: shop.jobs)
            assert shop.jobs == [JobEnded(1, "failed", "paper_out")]
            assert shop.twin.paper == lay_out(LONG, 32)[:20]
            shop.twin.load_paper()
            shop.printer.print(2, SHORT)
            await until(lambda: len(shop.jobs) == 2)
            assert shop.jobs[1] == JobEnded(2, "printed")
            slip = lay_out(SHORT, 32)
            assert shop.twin.paper[-len(slip) - 1 :] == [cut_row(32), *slip]

    asyncio.run(scene())


def test_paper_that_ends_in_the_last_piece_may_have_left_a_whole_slip(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        async with Shop(tmp_path) as shop:
            shop.twin.paper_out_after(3)
            shop.printer.print(1, SHORT)
            await until(lambda: shop.jobs)
            assert shop.jobs == [JobEnded(1, "failed", "paper_out", perhaps_complete=True)]

    asyncio.run(scene())


def test_a_printer_without_paper_is_sent_nothing(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Shop(tmp_path) as shop:
            shop.twin.paper_out_after(0)
            await until(lambda: shop.statuses[-1].paper == "out")
            shop.printer.print(1, SHORT)
            await until(lambda: shop.jobs)
            assert shop.jobs == [JobEnded(1, "failed", "paper_out")]
            assert shop.twin.mechanism.waiting == 0

    asyncio.run(scene())


def test_a_printer_that_does_not_know_gs_r_is_found_out_once(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Shop(tmp_path) as shop:
            shop.twin.mechanism.knows_in_turn_status = False
            sent = bytearray()
            shop.printer.line.tap = lambda _at, direction, data: (
                sent.extend(data) if direction == "out" else None
            )
            shop.printer.print(1, SHORT)
            await until(lambda: shop.jobs)
            assert sent.count(PAPER_STATUS_IN_TURN) == 1
            shop.printer.print(2, LONG)
            await until(lambda: len(shop.jobs) == 2)
            assert sent.count(PAPER_STATUS_IN_TURN) == 1, "it is not waited for again"
            assert shop.jobs == [JobEnded(1, "printed"), JobEnded(2, "printed")]
            assert shop.twin.paper == lay_out(SHORT, 32) + lay_out(LONG, 32)

    asyncio.run(scene())


@pytest.mark.parametrize("in_turn", [True, False])
def test_a_printer_that_loses_its_power_in_a_job_fails_it_though_the_line_stays(
    tmp_path: Path, until: Any, in_turn: bool
) -> None:
    async def scene() -> None:
        async with Shop(tmp_path, piece_seconds=0.7) as shop:
            shop.twin.mechanism.knows_in_turn_status = in_turn

            def power_fails() -> None:
                shop.twin.switch_off()
                asyncio.get_running_loop().call_later(0.3, shop.twin.switch_on)

            shop.at_line("line 050", power_fails)
            shop.printer.print(1, LONG)
            await until(lambda: shop.jobs)
            assert shop.jobs == [JobEnded(1, "failed", "timeout")]
            shop.printer.print(2, SHORT)
            await until(lambda: len(shop.jobs) == 2)
            assert shop.jobs[1] == JobEnded(2, "printed")
            assert shop.twin.paper[-4:] == [cut_row(32), *lay_out(SHORT, 32)]

    asyncio.run(scene())


def test_changes_of_an_idle_printer_are_reported_once_each(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Shop(tmp_path) as shop:
            await until(lambda: shop.statuses == [PrinterStatus()])
            shop.twin.paper_near_end()
            shop.twin.open_cover()
            shop.twin.close_cover()
            shop.twin.load_paper()
            await until(lambda: len(shop.statuses) == 5)
            assert shop.statuses[1:] == [
                PrinterStatus(paper="near_end"),
                PrinterStatus(paper="near_end", cover_open=True, offline=True),
                PrinterStatus(paper="near_end"),
                PrinterStatus(),
            ]

    asyncio.run(scene())


def test_an_idle_printer_without_automatic_status_is_asked_now_and_then(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        async with Shop(tmp_path, idle_poll_seconds=0.05) as shop:
            await until(lambda: shop.statuses)
            shop.twin.mechanism._automatic = False
            shop.twin.open_cover()
            await until(lambda: shop.statuses[-1].cover_open)

    asyncio.run(scene())


def test_a_line_with_no_printer_behind_it_is_off_line(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Shop(tmp_path) as shop:
            shop.twin.stall()
            shop.printer.print(1, SHORT)
            await until(lambda: shop.jobs)
            assert shop.jobs == [JobEnded(1, "failed", "offline")]
            assert shop.printer.status == PrinterStatus(offline=True)
            shop.twin.resume()
            await asyncio.sleep(0.05)
            assert shop.twin.paper == []

    asyncio.run(scene())


def test_a_printer_unplugged_in_a_job_fails_it_and_prints_when_it_is_back(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        async with Shop(tmp_path) as shop:
            shop.twin.drip_seconds = 0.05  # slow answers: the job is caught in the middle
            shop.printer.print(1, LONG)
            await until(lambda: len(shop.twin.paper) > 10)
            shop.twin.unplug()
            await until(lambda: shop.jobs)
            assert shop.jobs == [JobEnded(1, "failed", "absent")]
            shop.printer.print(2, SHORT)
            await until(lambda: len(shop.jobs) == 2)
            assert shop.jobs[1] == JobEnded(2, "failed", "absent")
            shop.twin.drip_seconds = 0
            shop.twin.replug()
            await until(lambda: shop.states[-1] is LineState.PRESENT)
            shop.printer.print(3, SHORT)
            await until(lambda: len(shop.jobs) == 3)
            assert shop.jobs[2] == JobEnded(3, "printed")

    asyncio.run(scene())


def test_xoff_pauses_a_job_and_xon_lets_it_end(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Shop(tmp_path, flow_control="xon_xoff", write_seconds=20) as shop:
            shop.at_line("line 020", shop.twin.hold_off)
            shop.printer.print(1, LONG)
            await until(lambda: len(shop.twin.paper) > 20 and not shop.twin.takes_bytes)
            await asyncio.sleep(0.15)
            held = len(shop.twin.paper)
            assert held < len(lay_out(LONG, 32))
            assert shop.jobs == []
            shop.twin.let_go()
            await until(lambda: shop.jobs)
            assert shop.jobs == [JobEnded(1, "printed")]
            assert shop.twin.paper == lay_out(LONG, 32)

    asyncio.run(scene())


def test_a_cancelled_job_is_over_and_the_next_one_prints(tmp_path: Path, until: Any) -> None:
    async def scene() -> None:
        async with Shop(tmp_path) as shop:
            shop.twin.drip_seconds = 0.02
            shop.printer.print(1, LONG)
            shop.printer.print(2, LONG)
            shop.printer.print(3, SHORT)
            await until(lambda: len(shop.twin.paper) > 10)
            shop.printer.cancel(2)
            shop.printer.cancel(1)
            shop.printer.cancel(99)
            await until(lambda: len(shop.jobs) == 3)
            assert shop.jobs == [
                JobEnded(2, "failed", "cancelled"),
                JobEnded(1, "failed", "cancelled"),
                JobEnded(3, "printed"),
            ]
            slip = lay_out(SHORT, 32)
            assert shop.twin.paper[-len(slip) :] == slip
            assert len(shop.twin.paper) < len(lay_out(LONG, 32))

    asyncio.run(scene())


@pytest.mark.parametrize("noise", [b"\xff\xfe\x80", b"\x12", b"\x00\x00", b"\x10", b"\x18\x00"])
def test_noise_from_the_printer_neither_stops_nor_fakes_a_job(
    tmp_path: Path, until: Any, noise: bytes
) -> None:
    async def scene() -> None:
        async with Shop(tmp_path) as shop:
            shop.twin.noise(noise)
            await asyncio.sleep(0.02)
            shop.printer.print(1, LONG)
            await until(lambda: shop.jobs)
            if shop.jobs[0].outcome == "printed":
                assert shop.twin.paper == lay_out(LONG, 32)

    asyncio.run(scene())


def test_a_width_that_no_paper_has_is_refused() -> None:
    with pytest.raises(ValueError, match="found 40"):
        Printer(LineSettings("/dev/null"), 40, print, print, print)
