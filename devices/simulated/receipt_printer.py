"""What an ESC/POS printer puts on paper and answers, from the bytes it is sent.

The subset of Epson's "ESC/POS Command Reference for TM Printers" that `devices.escpos` writes and
`devices.printer_status` reads, understood independently of them. Anything else is listed in
`unknown` and skipped, as printers do.

Pure: no input, no output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from devices import columns as grid
from devices.slip import cut_row

_DLE, _EOT, _LF, _CR, _ESC, _FS, _GS = 0x10, 0x04, 0x0A, 0x0D, 0x1B, 0x1C, 0x1D
_LARGE: Final = 0x11
_CENTRE: Final = 1
_RIGHT: Final = 2
# Parameter bytes of the commands that have a fixed number of them.
_PARAMETERS: Final = {
    (_ESC, ord("@")): 0,
    (_ESC, ord("a")): 1,
    (_ESC, ord("E")): 1,
    (_ESC, ord("d")): 1,
    (_FS, ord("&")): 0,
    (_FS, ord(".")): 0,
    (_GS, ord("!")): 1,
    (_GS, ord("a")): 1,
    (_GS, ord("r")): 1,
}
_CUT_WITH_FEED: Final = (65, 66)  # GS V m n; every other m has no n


class ReceiptPrinter:
    """A printer of so many columns, with paper, closed, ready.

    `answer` gets the bytes it sends; `on_line` each line as it is printed. `paper` is everything
    printed so far, a string a line, a cut as `devices.slip.cut_row`. Printing stops while there is
    no paper, the cover is open or something is broken; what was received waits.
    """

    def __init__(
        self,
        columns: int,
        answer: Callable[[bytes], None],
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.columns = columns
        self.paper: list[str] = []
        self.pictures: list[tuple[int, int, bytes]] = []
        """Width, height and dots of every picture printed; they are not in `paper`."""
        self.unknown: list[bytes] = []
        self.knows_in_turn_status = True
        """Whether it answers GS r."""
        self.knows_automatic_status = True
        """Whether it sends its status by itself after GS a."""
        self.is_off = False
        """Whether it has no power: it neither hears nor answers."""
        self.lines_left: int | None = None
        """Lines until the paper ends; None: a long roll."""
        self.near_end = False
        self.cover_open = False
        self.cutter_error = False
        self.overheated = False
        self._answer = answer
        self.on_line = on_line
        self._buffer = bytearray()
        self._real_time = b""
        self._automatic = False
        self._reported: bytes | None = None
        self._initialise()

    @property
    def paper_out(self) -> bool:
        """Whether the paper has ended."""
        return self.lines_left == 0

    @property
    def offline(self) -> bool:
        """Whether something keeps it from printing."""
        return self.paper_out or self.cover_open or self.cutter_error or self.overheated

    @property
    def waiting(self) -> int:
        """Bytes received and not processed."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Takes bytes, cut anywhere."""
        if self.is_off:
            return
        for byte in data:
            self._receive(byte)
        self.work()

    def work(self) -> None:
        """Processes what waits, as far as the state allows, and reports a changed state."""
        while self._buffer and not self.offline:
            taken = self._take_command()
            if not taken:
                break
            del self._buffer[:taken]
        self._report_change()

    def power_cycle(self) -> None:
        """Forgets everything received and set; the paper stays."""
        self._buffer.clear()
        self._real_time = b""
        self._automatic = False
        self._reported = None
        self._initialise()

    # -- status ---------------------------------------------------------------------------------

    def _receive(self, byte: int) -> None:
        """Real-time commands work at once, whatever is waiting; the rest goes to the buffer."""
        self._real_time += bytes((byte,))
        if self._real_time in (bytes((_DLE,)), bytes((_DLE, _EOT))):
            return
        if len(self._real_time) == 3 and byte in (1, 2, 3, 4):
            self._answer(bytes((self._real_time_status(byte),)))
        else:
            self._buffer += self._real_time
        self._real_time = b""

    def _real_time_status(self, question: int) -> int:
        fixed = 0x12
        match question:
            case 1:
                return fixed | (0x08 if self.offline else 0)
            case 2:
                error = self.cutter_error or self.overheated
                return (
                    fixed
                    | (0x04 if self.cover_open else 0)
                    | (0x20 if self.paper_out else 0)
                    | (0x40 if error else 0)
                )
            case 3:
                return fixed | (0x08 if self.cutter_error else 0) | (0x40 if self.overheated else 0)
            case _:
                return fixed | (0x0C if self._near_end else 0) | (0x60 if self.paper_out else 0)

    @property
    def _near_end(self) -> bool:
        return self.near_end or self.paper_out

    def _paper_sensors(self) -> int:
        return (0x03 if self._near_end else 0) | (0x0C if self.paper_out else 0)

    def _automatic_status(self) -> bytes:
        printer = 0x10 | (0x08 if self.offline else 0) | (0x20 if self.cover_open else 0)
        error = (0x08 if self.cutter_error else 0) | (0x40 if self.overheated else 0)
        return bytes((printer, error, self._paper_sensors(), 0))

    def _report_change(self) -> None:
        status = self._automatic_status()
        if self._automatic and status != self._reported:
            self._reported = status
            self._answer(status)

    # -- commands -------------------------------------------------------------------------------

    def _initialise(self) -> None:
        self._line: list[str] = []
        self._used = 0
        self._align = 0
        self._large = False
        self._chinese = False
        self._qr_data = ""

    def _take_command(self) -> int:
        """Carries out what the buffer begins with. Returns its length; 0: not all there yet."""
        first = self._buffer[0]
        if first in (_ESC, _FS, _GS):
            return self._take_escape()
        if first == _LF:
            self._end_line()
            return 1
        if first == _CR:
            return 1
        if first < 0x20 or first == 0x7F:
            self.unknown.append(bytes((first,)))
            return 1
        return self._take_character()

    def _take_character(self) -> int:
        first = self._buffer[0]
        size = 1
        if self._chinese and 0x81 <= first <= 0xFE:
            if len(self._buffer) < 2:
                return 0
            size = 4 if 0x30 <= self._buffer[1] <= 0x39 else 2
            if len(self._buffer) < size:
                return 0
        character = bytes(self._buffer[:size]).decode("gb18030" if size > 1 else "ascii", "replace")
        width = grid.width(character) * (2 if self._large else 1)
        if self._used + width > self.columns:
            self._end_line()
        self._line.append(character)
        self._used += width
        return size

    def _take_escape(self) -> int:
        if len(self._buffer) < 2:
            return 0
        lead, command = self._buffer[0], self._buffer[1]
        if (lead, command) == (_GS, ord("V")):
            return self._take_cut()
        if (lead, command) == (_GS, ord("(")):
            return self._take_block()
        if (lead, command) == (_GS, ord("v")):
            return self._take_raster()
        count = _PARAMETERS.get((lead, command))
        if count is None:
            self.unknown.append(bytes((lead, command)))
            return 2
        if len(self._buffer) < 2 + count:
            return 0
        self._carry_out(lead, command, self._buffer[2] if count else 0)
        return 2 + count

    def _carry_out(self, lead: int, command: int, parameter: int) -> None:
        match lead, chr(command):
            case 0x1B, "@":
                self._initialise()
            case 0x1B, "a":
                self._align = parameter
            case 0x1B, "d":
                for _ in range(parameter):
                    self._end_line()
            case 0x1C, "&":
                self._chinese = True
            case 0x1C, ".":
                self._chinese = False
            case 0x1D, "!":
                self._large = parameter == _LARGE
            case 0x1D, "a":
                self._automatic = bool(parameter) and self.knows_automatic_status
                self._reported = None
            case 0x1D, "r":
                if self.knows_in_turn_status:
                    self._answer(bytes((self._paper_sensors(),)))

    def _take_cut(self) -> int:
        if len(self._buffer) < 3:
            return 0
        size = 4 if self._buffer[2] in _CUT_WITH_FEED else 3
        if len(self._buffer) < size:
            return 0
        if self._line:
            self._end_line()
        self._print(cut_row(self.columns))
        return size

    def _take_block(self) -> int:
        """GS ( fn pL pH ...: here the QR code functions of GS ( k."""
        if len(self._buffer) < 5:
            return 0
        size = 5 + int.from_bytes(self._buffer[3:5], "little")
        if len(self._buffer) < size:
            return 0
        block = bytes(self._buffer[5:size])
        if self._buffer[2:3] != b"k" or block[:1] != b"1":
            self.unknown.append(bytes(self._buffer[:5]))
        elif block[1:3] == b"P0":
            self._qr_data = block[3:].decode("ascii", "replace")
        elif block[1:3] == b"Q0":
            for row in grid.wrap(f"[QR {self._qr_data}]", self.columns):
                self._print(row)
        return size

    def _take_raster(self) -> int:
        """GS v 0 m xL xH yL yH d...: x bytes in a row, y rows."""
        if len(self._buffer) < 8:
            return 0
        width = int.from_bytes(self._buffer[4:6], "little")
        height = int.from_bytes(self._buffer[6:8], "little")
        size = 8 + width * height
        if len(self._buffer) < size:
            return 0
        self.pictures.append((width * 8, height, bytes(self._buffer[8:size])))
        return size

    def _end_line(self) -> None:
        text = "".join(self._line).rstrip(" ")
        free = self.columns - self._used
        if text and self._align == _CENTRE:
            text = " " * (free // 2) + text
        elif text and self._align == _RIGHT:
            text = " " * free + text
        self._line = []
        self._used = 0
        self._print(text)

    def _print(self, row: str) -> None:
        self.paper.append(row)
        if self.lines_left is not None:
            self.lines_left = max(0, self.lines_left - 1)
        if self.on_line is not None:
            self.on_line(row)
