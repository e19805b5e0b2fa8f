"""What an ESC/POS printer says of itself: status bytes to one value.

Three kinds of answer share the line, told apart by fixed bits (Citizen CT-S310 command manual,
"Identification of Send Status"): answers to DLE EOT are 0xx1xx10, the first byte of an automatic
status is 0xx1xx00 and three more of the form 0xx0xxxx follow it, the answer to GS r is 0xx0xxxx.
An answer to DLE EOT does not say which question it answers: ask one at a time.

Pure: no input, no output.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

Paper = Literal["ok", "near_end", "out"]
Fault = Literal["paper_out", "cover_open", "cutter_error", "overheated", "offline"]

_FIXED_MASK: Final = 0b1001_0011
_REAL_TIME: Final = 0b0001_0010
_AUTOMATIC_FIRST: Final = 0b0001_0000
_OTHER_MASK: Final = 0b1001_0000  # all other answers have both bits off
_XON_XOFF: Final = (0x11, 0x13)


class PrinterStatus(Struct, frozen=True):
    """What the printer last said."""

    paper: Paper = "ok"
    cover_open: bool = False
    cutter_error: bool = False
    overheated: bool = False
    offline: bool = False

    @property
    def fault(self) -> Fault | None:
        """What keeps the printer from printing, the most telling cause first; None when nothing."""
        if self.cover_open:
            return "cover_open"
        if self.paper == "out":
            return "paper_out"
        if self.cutter_error:
            return "cutter_error"
        if self.overheated:
            return "overheated"
        return "offline" if self.offline else None


class Question:
    """The four questions of DLE EOT n, answered at once whatever the printer is doing."""

    PRINTER: Final = 1
    OFFLINE_CAUSE: Final = 2
    ERROR_CAUSE: Final = 3
    PAPER: Final = 4
    ALL: Final = (PRINTER, OFFLINE_CAUSE, ERROR_CAUSE, PAPER)

    @staticmethod
    def encode(number: int) -> bytes:
        """DLE EOT n."""
        return bytes((0x10, 0x04, number))


class RealTimeAnswer(Struct, frozen=True):
    """The byte that answers a DLE EOT."""

    byte: int


class AutomaticStatus(Struct, frozen=True):
    """The four bytes a printer sends by itself when something changes (GS a)."""

    data: bytes


class InTurnAnswer(Struct, frozen=True):
    """The byte that answers GS r 1: everything sent before it has been processed."""

    byte: int


Answer = RealTimeAnswer | AutomaticStatus | InTurnAnswer


class StatusParser:
    """Bytes from a printer to answers. Bytes that are none of them (noise) are dropped."""

    def __init__(self) -> None:
        self._automatic = b""
        self.dropped = 0
        """Bytes that were part of no answer."""

    def feed(self, data: bytes) -> list[Answer]:
        """The answers that these bytes complete."""
        answers: list[Answer] = []
        for byte in data:
            if byte in _XON_XOFF:
                continue
            answer = self._feed_byte(byte)
            if answer is not None:
                answers.append(answer)
        return answers

    def _feed_byte(self, byte: int) -> Answer | None:
        if byte & _FIXED_MASK == _REAL_TIME:
            self._drop_automatic()
            return RealTimeAnswer(byte)
        if byte & _FIXED_MASK == _AUTOMATIC_FIRST:
            self._drop_automatic()
            self._automatic = bytes((byte,))
            return None
        if byte & _OTHER_MASK:
            self._drop_automatic()
            self.dropped += 1
            return None
        if not self._automatic:
            return InTurnAnswer(byte)
        self._automatic += bytes((byte,))
        if len(self._automatic) < 4:
            return None
        complete, self._automatic = self._automatic, b""
        return AutomaticStatus(complete)

    def _drop_automatic(self) -> None:
        self.dropped += len(self._automatic)
        self._automatic = b""


def _paper(out: bool, near_end: bool) -> Paper:
    return "out" if out else "near_end" if near_end else "ok"


def after_real_time(status: PrinterStatus, question: int, byte: int) -> PrinterStatus:
    """The status with the answer to DLE EOT `question` taken in."""
    match question:
        case Question.PRINTER:
            return replace(status, offline=bool(byte & 0x08))
        case Question.OFFLINE_CAUSE:
            paper: Paper = "out" if byte & 0x20 else status.paper
            return replace(status, cover_open=bool(byte & 0x04), paper=paper)
        case Question.ERROR_CAUSE:
            # 0x20 is an error only a technician mends: the printer is off-line with it. 0x40 is
            # an error that mends itself: the head is too hot.
            return replace(
                status,
                cutter_error=bool(byte & 0x08),
                offline=status.offline or bool(byte & 0x20),
                overheated=bool(byte & 0x40),
            )
        case Question.PAPER:
            return replace(status, paper=_paper(bool(byte & 0x60), bool(byte & 0x0C)))
        case _:
            raise ValueError(f"expected a question from 1 to 4, found {question}")


def from_automatic(data: bytes) -> PrinterStatus:
    """The status in the four bytes of an automatic status."""
    printer, error, paper, _ = data
    return PrinterStatus(
        paper=_paper(bool(paper & 0x0C), bool(paper & 0x03)),
        cover_open=bool(printer & 0x20),
        cutter_error=bool(error & 0x08),
        overheated=bool(error & 0x40),
        offline=bool(printer & 0x08) or bool(error & 0x20),
    )


def after_in_turn(status: PrinterStatus, byte: int) -> PrinterStatus:
    """The status with the answer to GS r 1 taken in; a printer that gets to it is on-line."""
    return replace(status, paper=_paper(bool(byte & 0x0C), bool(byte & 0x03)), offline=False)
