"""Asking a printer how it is: the four questions of DLE EOT, one after the other.

The answers do not say which question they belong to, so a question is asked when the one before
it was answered; one without an answer ends the round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from devices.line import Line
from devices.printer_status import PrinterStatus, Question, after_real_time


class Inquiry:
    """Rounds of questions on a printer's line.

    `on_end` gets the status that a whole round of answers makes, or None when an answer did not
    come within `answer_seconds` or the line took no question.
    """

    def __init__(
        self,
        line: Line,
        on_end: Callable[[PrinterStatus | None], None],
        *,
        answer_seconds: float,
    ) -> None:
        self._line = line
        self._on_end = on_end
        self._answer_seconds = answer_seconds
        self._status = PrinterStatus()
        self._open: list[int] = []
        self._again = False
        self._timer: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        """Begins a round, unless one is under way."""
        if not self._open:
            self._status = PrinterStatus()
            self._open = list(Question.ALL)
            self._ask_next()

    def ask_afresh(self) -> None:
        """Begins a round of which every question is sent after now, when the present one ends."""
        self._again = bool(self._open)
        self.ask()

    def answer(self, byte: int) -> None:
        """Takes an answer; one that nobody asked for is left alone."""
        if not self._open:
            return
        self._status = after_real_time(self._status, self._open.pop(0), byte)
        if self._open:
            self._ask_next()
        else:
            self._end(self._status)

    def stop(self) -> None:
        """Breaks the round off, because the line is gone; `on_end` is not called for it."""
        self._open = []
        self._again = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask_next(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        taken = self._line.write(Question.encode(self._open[0]))
        seconds = self._answer_seconds if taken else 0.0
        self._timer = loop.call_later(seconds, self._end, None)

    def _end(self, status: PrinterStatus | None) -> None:
        again = self._again
        self.stop()
        if again:
            self.ask()
        else:
            self._on_end(status)
