"""A slip as a picture, so that people can look at it without a printer.

Needs Pillow (extra `pictures`) and a font with Chinese in which a Chinese character is as wide as
two of ASCII; GNU Unifont (Debian: fonts-unifont) is one, and is free. A QR code is drawn as a
frame with its data: the printer makes the code itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from devices import columns as grid
from devices.bitmap import Bitmap
from devices.slip import Cut, Line, Logo, QRCode, Slip, TextLine, set_lines

UNIFONT: Final = Path("/usr/share/fonts/opentype/unifont/unifont.otf")
_COLUMN: Final = 12  # dots, as on the paper: 203 dpi, 12 x 24 characters
_LINE: Final = 30  # dots from line to line, ESC/POS default line spacing (1/6 inch)
_MARGIN: Final = 16
_QR_SIDE: Final = 160
_PAPER: Final = 255
_INK: Final = 0


def draw(
    slip: Slip, columns: int, *, font: Path = UNIFONT, logo: Bitmap | None = None
) -> Image.Image:
    """The slip in black and white, a dot of the printer a dot of the picture.

    Raises OSError when the font is not there.
    """
    ordinary = ImageFont.truetype(font, 2 * _COLUMN)
    lines = set_lines(slip, columns)
    height = sum(_height(line, logo) for line in lines)
    image = Image.new("L", (columns * _COLUMN + 2 * _MARGIN, height + 2 * _MARGIN), _PAPER)
    top = _MARGIN
    for line in lines:
        _draw_line(image, top, line, ordinary, logo)
        top += _height(line, logo)
    return image


def _height(line: Line, logo: Bitmap | None) -> int:
    match line:
        case TextLine(large=True):
            return 2 * _LINE
        case QRCode():
            return _QR_SIDE + _LINE
        case Logo():
            return logo.height if logo is not None else 0
        case _:
            return _LINE


def _draw_line(
    image: Image.Image,
    top: int,
    line: Line,
    font: ImageFont.FreeTypeFont,
    logo: Bitmap | None,
) -> None:
    match line:
        case TextLine():
            _draw_text(image, top, line, font)
        case QRCode():
            _draw_frame(image, top, line, font)
        case Logo():
            if logo is not None:
                _draw_logo(image, top, logo)
        case Cut():
            draw_on = ImageDraw.Draw(image)
            middle = top + _LINE // 2
            for left in range(0, image.width, 2 * _COLUMN):
                draw_on.line((left, middle, left + _COLUMN, middle), _INK, 2)


def _draw_text(image: Image.Image, top: int, line: TextLine, font: ImageFont.FreeTypeFont) -> None:
    """Each character in its own cells; large type is the ordinary one, each dot four."""
    scale = 2 if line.large else 1
    left = _MARGIN + line.indent * _COLUMN
    for character in line.text:
        cells = grid.width(character)
        glyph = Image.new("L", (cells * _COLUMN, 2 * _COLUMN), _PAPER)
        draw_on = ImageDraw.Draw(glyph)
        draw_on.text((0, 0), character, _INK, font)
        if line.bold:
            draw_on.text((1, 0), character, _INK, font)
        if line.large:
            glyph = glyph.resize((2 * glyph.width, 2 * glyph.height), Image.Resampling.NEAREST)
        image.paste(glyph, (left, top + scale * (_LINE - 2 * _COLUMN) // 2))
        left += scale * cells * _COLUMN


def _draw_frame(image: Image.Image, top: int, code: QRCode, font: ImageFont.FreeTypeFont) -> None:
    left = (image.width - _QR_SIDE) // 2
    draw_on = ImageDraw.Draw(image)
    draw_on.rectangle((left, top, left + _QR_SIDE, top + _QR_SIDE), outline=_INK, width=2)
    columns = _QR_SIDE // _COLUMN - 2
    for row, text in enumerate(grid.wrap(f"QR {code.data}", columns)[: _QR_SIDE // _LINE]):
        draw_on.text((left + _COLUMN, top + 4 + row * _LINE), text, _INK, font)


def _draw_logo(image: Image.Image, top: int, logo: Bitmap) -> None:
    black = Image.frombytes("1", (logo.width, logo.height), logo.dots)
    image.paste(_INK, ((image.width - logo.width) // 2, top), black)
