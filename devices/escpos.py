"""ESC/POS: a slip as bytes for a receipt printer, and a printer's status bytes as values.

Sources: Epson, "ESC/POS Command Reference for TM Printers" (command names below are its own),
whose common part the printers of other makers follow; status bits also after the Bixolon SRP-350
and Citizen CT-S310 command manuals. Chinese text is GB 18030 in Kanji mode (FS &).

Pure: no input, no output.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from devices.bitmap import Bitmap
from devices.slip import Cut, Line, Logo, QRCode, Slip, TextLine, set_lines

PAPER_COLUMNS: Final = (32, 48)  # 58 mm and 80 mm paper, 12-dot characters at 203 dpi
PIECE_LIMIT: Final = 480  # bytes; two of them, and what is sent around them, are less than 1 KiB

INITIALISE: Final = b"\x1b@"  # ESC @: settings as at power-on, the print buffer emptied
CHINESE: Final = b"\x1c&"  # FS &: two- and four-byte characters are GB 18030
STATUS_BACK_ON: Final = b"\x1da\x0e"  # GS a 14: report on-line/off-line, errors, paper by itself
PAPER_STATUS_IN_TURN: Final = b"\x1dr\x01"  # GS r 1: answered when all before it was processed

_ALIGN_LEFT: Final = b"\x1ba\x00"  # ESC a 0
_ALIGN_CENTRE: Final = b"\x1ba\x01"  # ESC a 1
_BOLD: Final = {False: b"\x1bE\x00", True: b"\x1bE\x01"}  # ESC E
_LARGE: Final = {False: b"\x1d!\x00", True: b"\x1d!\x11"}  # GS !: twice as wide, twice as high
_CUT: Final = b"\x1dVB\x00"  # GS V 66 0: feed to the cutter, partial cut
_LINE_FEED: Final = b"\n"

# GS ( k with cn = 49 (QR code); fn 65 model 2, 67 size of a module in dots, 69 error correction
# M, 80 store the data, 81 print them
_QR_MODEL_2: Final = b"\x1d(k\x04\x00\x31\x41\x32\x00"
_QR_MODULE_DOTS: Final = b"\x1d(k\x03\x00\x31\x43\x04"
_QR_LEVEL_M: Final = b"\x1d(k\x03\x00\x31\x45\x31"
_QR_PRINT: Final = b"\x1d(k\x03\x00\x31\x51\x30"

# After a job that broke off: what is left of it is cut away from the slip that follows.
SEVER: Final = INITIALISE + _CUT


# GS v 0, m = 0 (normal size), then bytes in a row and rows, two bytes each, low byte first
_RASTER: Final = b"\x1dv0\x00"
_RASTER_HEADER: Final = len(_RASTER) + 4
_COLUMN_DOTS: Final = 12


def encode(slip: Slip, columns: int, logo: Bitmap | None = None) -> list[bytes]:
    """The slip in pieces of at most `PIECE_LIMIT` bytes, each ending at a line's end.

    Each piece sets the type it needs and leaves normal type behind, so any piece may be followed
    by a status request. Only printable characters (`devices.columns.is_printable`) get through.
    The first piece initialises the printer. Raises ValueError for a width no paper has, or a logo
    that is wider than the paper.
    """
    if columns not in PAPER_COLUMNS:
        raise ValueError(f"expected {PAPER_COLUMNS} columns, found {columns}")
    if logo is not None and logo.width > columns * _COLUMN_DOTS:
        raise ValueError(
            f"expected a logo of at most {columns * _COLUMN_DOTS} dots, found {logo.width}"
        )
    pieces: list[bytes] = []
    piece = INITIALISE + CHINESE + STATUS_BACK_ON
    for line in set_lines(slip, columns):
        for data in _encode_line(line, logo):
            if len(piece) + len(data) > PIECE_LIMIT:
                pieces.append(piece)
                piece = b""
            piece += data
    pieces.append(piece)
    return pieces


def _encode_line(line: Line, logo: Bitmap | None) -> Iterator[bytes]:
    """A line in parts between which a piece may end."""
    match line:
        case TextLine():
            yield _encode_text(line)
        case QRCode():
            set_up = _ALIGN_CENTRE + _QR_MODEL_2 + _QR_MODULE_DOTS + _QR_LEVEL_M
            yield set_up + _store_qr(line.data) + _QR_PRINT + _ALIGN_LEFT
        case Logo():
            if logo is not None:
                yield from _encode_bands(logo)
        case Cut():
            yield _CUT


def _encode_text(line: TextLine) -> bytes:
    """A line of text; the indent is in columns of normal type, so it goes before the large type."""
    data = line.text.encode("gb18030")
    if line.large:
        data = _LARGE[True] + data + _LARGE[False]
    if line.bold:
        data = _BOLD[True] + data + _BOLD[False]
    return b" " * line.indent + data + _LINE_FEED


def _encode_bands(logo: Bitmap) -> Iterator[bytes]:
    """The logo in bands, one below the other, each a raster picture of its own."""
    room = PIECE_LIMIT - _RASTER_HEADER - len(_ALIGN_CENTRE) - len(_ALIGN_LEFT)
    rows = room // logo.row_bytes
    for top in range(0, logo.height, rows):
        height = min(rows, logo.height - top)
        dots = logo.dots[top * logo.row_bytes : (top + height) * logo.row_bytes]
        size = logo.row_bytes.to_bytes(2, "little") + height.to_bytes(2, "little")
        yield _ALIGN_CENTRE + _RASTER + size + _without_commands(dots) + _ALIGN_LEFT


def _without_commands(dots: bytes) -> bytes:
    """Dots that a printer cannot take for a real-time command, which it obeys even in a picture.

    Those begin with DLE (0x10); one more dot, beside the one that makes the DLE, is not seen.
    """
    return dots.replace(b"\x10", b"\x30")


def _store_qr(data: str) -> bytes:
    """GS ( k pL pH cn fn m d1...dk, function 80; pL pH count the bytes after them."""
    content = b"\x31\x50\x30" + data.encode("ascii")
    return b"\x1d(k" + len(content).to_bytes(2, "little") + content
