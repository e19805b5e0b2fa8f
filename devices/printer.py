"""A receipt printer on a serial line: slips as jobs, one at a time, each with one outcome.

The kernel and USB converters take 20 KB before a write blocks, so that bytes written say nothing
about lines printed. A job is therefore sent in pieces, and after each the printer is asked, in turn
(GS r), whether it got that far: no more than 1 KiB is ever under way, in two pieces, so that the
line is busy while an answer comes back. While it works the printer is asked at once (DLE EOT) what
stops it. One that does not know GS r is found out before its first job, and then only asked at
once, piece by piece.

Knows how a job ends; knows nothing of what is on a slip or what is done after a failure.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from devices import escpos
from devices.bitmap import Bitmap
from devices.device import Device
from devices.line import Line, LineSettings, LineState
from devices.printer_inquiry import Inquiry
from devices.printer_status import (
    AutomaticStatus,
    Fault,
    InTurnAnswer,
    PrinterStatus,
    RealTimeAnswer,
    StatusParser,
    after_in_turn,
    from_automatic,
)
from devices.slip import Slip

__all__ = ["JobEnded", "Printer", "PrinterStatus", "Reason"]

Reason = Fault | Literal["absent", "timeout", "cancelled"]

IDLE_POLL_SECONDS: Final = 10.0
WORKING_POLL_SECONDS: Final = 0.5
PIECE_SECONDS: Final = 10.0  # 1 KiB of a slip is about 60 lines of 3.75 mm: 3 s at 75 mm/s
ANSWER_SECONDS: Final = 1.0
SETTLE_SECONDS: Final = 3.0  # what is left of a broken job, 1 KiB at the most, is printed in it
_UNDER_WAY_LIMIT: Final = 1024  # bytes; the smallest receive buffers are 4 KB
_PIECES_UNDER_WAY: Final = 2
_BITS_A_BYTE: Final = 10  # start, 8 data, stop


class JobEnded(Struct, frozen=True):
    """How a job ended. `reason` is None for a slip that was printed.

    `perhaps_complete`: the whole slip was on its way when it failed, so that it may lie there
    complete; a second one must be marked as a copy.
    """

    job: int
    outcome: Literal["printed", "failed"]
    reason: Reason | None = None
    perhaps_complete: bool = False


class _Job(Struct):
    number: int
    pieces: list[bytes]
    sent: int = 0
    is_processed: bool = False  # the printer got to the end

    @property
    def is_sent(self) -> bool:
        return self.sent == len(self.pieces)


class Printer(Device):
    """A printer on a line. `columns`: 32 (58 mm paper) or 48 (80 mm). `logo`: for slips that ask.

    `on_status` gets every change of what the printer says of itself, `on_job` one outcome for
    every job given to `print`, `on_state` whether the line is there. None of them is called from
    within `print` or `cancel`. A printer that answers nothing has the status off-line.
    """

    def __init__(
        self,
        settings: LineSettings,
        columns: int,
        on_status: Callable[[PrinterStatus], None],
        on_job: Callable[[JobEnded], None],
        on_state: Callable[[LineState], None],
        *,
        logo: Bitmap | None = None,
        piece_seconds: float = PIECE_SECONDS,
        idle_poll_seconds: float = IDLE_POLL_SECONDS,
    ) -> None:
        escpos.encode(Slip(()), columns, logo)  # ValueError now, not with the first slip
        self.columns = columns
        self._logo = logo
        self.status: PrinterStatus | None = None
        """What the printer last said; None while its line is absent or nothing is known yet."""
        self._on_status = on_status
        self._on_job = on_job
        self._on_state = on_state
        self._idle_poll_seconds = idle_poll_seconds
        transfer_seconds = _UNDER_WAY_LIMIT * _BITS_A_BYTE / settings.speed
        self._piece_seconds = piece_seconds + transfer_seconds
        self.line = Line(settings, self._on_bytes, self._state_changed)
        self._parser = StatusParser()
        self._inquiry = Inquiry(
            self.line, self._inquired, answer_seconds=ANSWER_SECONDS + transfer_seconds
        )
        self._waiting: deque[_Job] = deque()
        self._job: _Job | None = None
        self._piece_timer: asyncio.TimerHandle | None = None
        self._poll_timer: asyncio.TimerHandle | None = None
        self._settle_timer: asyncio.TimerHandle | None = None
        self._knows_in_turn: bool | None = None  # None: not tried yet on this connection
        self._turns_open = 0  # GS r sent and not answered: an old answer must not pass for a new
        self._sever = False

    def close(self) -> None:
        """Lets the line go; jobs that have not ended never do."""
        self._stop_timers()
        self._inquiry.stop()
        self._waiting.clear()
        self._job = None
        self.line.close()

    async def stop(self) -> None:
        """Lets the line go when what is queued is out."""
        self._stop_timers()
        await self.line.stop()
        self.close()

    def print(self, job: int, slip: Slip) -> None:
        """Prints the slip after those before it; `job` comes back in `JobEnded`."""
        self._waiting.append(_Job(job, escpos.encode(slip, self.columns, self._logo)))
        asyncio.get_running_loop().call_soon(self._start_next)

    def cancel(self, job: int) -> None:
        """Sends no more of the job; it ends as failed, cancelled, if it has not ended."""
        if self._job is not None and self._job.number == job:
            self._fail("cancelled")
            return
        for waiting in list(self._waiting):
            if waiting.number == job:
                self._waiting.remove(waiting)
                self._report(JobEnded(job, "failed", "cancelled"))

    # -- jobs -----------------------------------------------------------------------------------

    def _start_next(self) -> None:
        if self._job is not None or not self._waiting:
            return
        self._job = self._waiting.popleft()
        if self.line.state is LineState.ABSENT:
            self._fail("timeout" if self.line.stalled else "absent")
            return
        self._inquiry.ask_afresh()  # its end begins the job

    def _begin(self, job: _Job) -> None:
        """Sends the first pieces, if the status just asked for allows, and when nothing is left.

        What is left are answers to earlier GS r: they come when the rest of a broken job has been
        printed, or never, when the printer was switched off meanwhile or does not know GS r.
        """
        fault = self.status.fault if self.status is not None else "offline"
        if fault is not None:
            self._fail(fault)
            return
        if self._knows_in_turn is None and not self._turns_open:
            self._turns_open += self.line.write(escpos.PAPER_STATUS_IN_TURN)
        if self._turns_open:
            loop = asyncio.get_running_loop()
            self._settle_timer = loop.call_later(SETTLE_SECONDS, self._settled)
            return
        self._send_piece(job)
        self._send_pieces(job)

    def _settled(self) -> None:
        """Nothing is left of earlier jobs, or nothing is to be expected any more."""
        self._stop_timers()
        self._knows_in_turn = bool(self._knows_in_turn)
        self._turns_open = 0
        if self._job is not None:
            self._begin(self._job)

    def _send_pieces(self, job: _Job) -> None:
        """Sends as much as may be under way, to a printer that answers in turn."""
        while (
            self._job is job
            and self._knows_in_turn
            and not job.is_sent
            and self._turns_open < _PIECES_UNDER_WAY
        ):
            self._send_piece(job)

    def _send_piece(self, job: _Job) -> None:
        data = job.pieces[job.sent]
        if self._knows_in_turn:
            data += escpos.PAPER_STATUS_IN_TURN
        if self._sever and not job.sent:
            data = escpos.SEVER + data
        if not self.line.write(data):
            self._fail("timeout" if self.line.stalled else "absent")
            return
        self._sever = False
        job.sent += 1
        self._stop_timers()
        loop = asyncio.get_running_loop()
        self._piece_timer = loop.call_later(self._piece_seconds, self._piece_late)
        if self._knows_in_turn:
            self._turns_open += 1
            self._poll_later(WORKING_POLL_SECONDS)
        else:
            self._inquiry.ask_afresh()

    def _piece_checked(self, job: _Job) -> None:
        """The piece before is known to have gone well: the next one, or the end."""
        self._stop_timers()
        if not job.is_sent:
            self._send_piece(job)
            return
        self._job = None
        self._report(JobEnded(job.number, "printed"))
        self._next_later()

    def _piece_late(self) -> None:
        """No answer in turn: the printer is stuck, or lost its power and what it had received."""
        self._piece_timer = None
        if self._job is not None:
            self._fail("timeout")

    def _fail(self, reason: Reason) -> None:
        job = self._job
        assert job is not None
        self._job = None
        self._stop_timers()
        if job.sent:
            self.line.discard()
            self._sever = True
        self._report(JobEnded(job.number, "failed", reason, perhaps_complete=job.is_sent))
        self._next_later()

    def _next_later(self) -> None:
        self._poll_later(self._idle_poll_seconds)
        asyncio.get_running_loop().call_soon(self._start_next)

    def _report(self, ended: JobEnded) -> None:
        asyncio.get_running_loop().call_soon(self._on_job, ended)

    # -- status ---------------------------------------------------------------------------------

    def _on_bytes(self, data: bytes) -> None:
        for answer in self._parser.feed(data):
            match answer:
                case RealTimeAnswer():
                    self._inquiry.answer(answer.byte)
                case AutomaticStatus():
                    self._take(from_automatic(answer.data))
                case InTurnAnswer():
                    self._in_turn(answer)

    def _in_turn(self, answer: InTurnAnswer) -> None:
        self._take(after_in_turn(self.status or PrinterStatus(), answer.byte))
        if self._knows_in_turn is False:
            return  # too late to change the way in which the jobs of this connection are sent
        self._knows_in_turn = True
        self._turns_open = max(0, self._turns_open - 1)
        job = self._job
        if job is None:
            return
        if not job.sent:
            if self._settle_timer is not None and not self._turns_open:
                self._settled()
        elif not job.is_sent:
            self._send_pieces(job)
        elif not self._turns_open:
            job.is_processed = True
            self._inquiry.ask_afresh()  # whether the last lines and the cut went well

    def _inquired(self, status: PrinterStatus | None) -> None:
        """The end of a round of questions; None: no answer."""
        if self._job is None or not self._job.sent:
            # whatever is there and does not answer is off-line
            self._take(status or replace(self.status or PrinterStatus(), offline=True))
        elif status is not None:
            self._take(status)
        job = self._job
        if job is None:
            self._poll_later(self._idle_poll_seconds)
        elif not job.sent:
            if self._settle_timer is None:
                self._begin(job)
        elif status is None and not self._knows_in_turn:
            self._fail("timeout")  # nothing else would tell that it lost its power for a moment
        elif status is not None and (job.is_processed or not self._knows_in_turn):
            self._piece_checked(job)
        else:
            self._poll_later(WORKING_POLL_SECONDS)

    def _take(self, status: PrinterStatus) -> None:
        """Keeps and reports a status; a fault ends the job that is being printed."""
        if status != self.status:
            self.status = status
            asyncio.get_running_loop().call_soon(self._on_status, status)
        if status.fault is not None and self._job is not None and self._job.sent:
            self._fail(status.fault)

    def _poll_later(self, seconds: float) -> None:
        if self._poll_timer is not None:
            self._poll_timer.cancel()
        self._poll_timer = asyncio.get_running_loop().call_later(seconds, self._poll)

    def _poll(self) -> None:
        self._poll_timer = None
        if self.line.state is LineState.PRESENT:
            self._inquiry.ask()

    def _stop_timers(self) -> None:
        for timer in (self._piece_timer, self._poll_timer, self._settle_timer):
            if timer is not None:
                timer.cancel()
        self._piece_timer = self._poll_timer = self._settle_timer = None

    # -- line -----------------------------------------------------------------------------------

    def _state_changed(self, state: LineState) -> None:
        self._stop_timers()
        self._parser = StatusParser()
        self._knows_in_turn = None
        self._turns_open = 0
        self.status = None
        if state is LineState.ABSENT:
            self._inquiry.stop()
            if self._job is not None:
                self._fail("timeout" if self.line.stalled else "absent")
            self._stop_timers()
        else:
            self.line.write(escpos.STATUS_BACK_ON)
            self._inquiry.ask()
        self._on_state(state)
