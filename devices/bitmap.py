"""A black and white picture, for a logo on a slip.

File format: PBM, raw ("P4"), as the netpbm manual has it (pbm(5)); every drawing program and
`convert logo.png -monochrome logo.pbm` writes it.

Pure: no input, no output.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

LARGEST_WIDTH: Final = 576  # dots: 80 mm paper at 203 dpi (48 columns of 12 dots)
LARGEST_HEIGHT: Final = 576
_HEADER: Final = re.compile(rb"P4(?:\s|#[^\n]*\n)+(\d{1,5})(?:\s|#[^\n]*\n)+(\d{1,5})\s")


@dataclass(frozen=True, slots=True)
class Bitmap:
    """Dots, a bit each (1 is black), in rows from the top; a row fills whole bytes, left first."""

    width: int
    height: int
    dots: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not (1 <= self.width <= LARGEST_WIDTH and 1 <= self.height <= LARGEST_HEIGHT):
            raise ValueError(
                f"expected a picture of at most {LARGEST_WIDTH} x {LARGEST_HEIGHT} dots, "
                f"found {self.width} x {self.height}"
            )
        if len(self.dots) != self.row_bytes * self.height:
            raise ValueError(
                f"expected {self.row_bytes * self.height} bytes of dots, found {len(self.dots)}"
            )

    @property
    def row_bytes(self) -> int:
        """Bytes in a row."""
        return (self.width + 7) // 8


def read_pbm(data: bytes) -> Bitmap:
    """The picture in a raw PBM file. Raises ValueError with what was expected."""
    header = _HEADER.match(data)
    if header is None:
        raise ValueError("expected a raw PBM picture (it begins with P4, width and height)")
    return Bitmap(int(header[1]), int(header[2]), data[header.end() :])
