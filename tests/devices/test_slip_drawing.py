"""The layout is judged with the font that Pillow brings along: it has no Chinese, and is not missed."""

from pathlib import Path

import pytest
from PIL import Image, ImageFont

from devices import slip_drawing
from devices.bitmap import Bitmap
from devices.slip import Cut, Feed, Logo, Pair, QRCode, Rule, Slip, Text


@pytest.fixture
def font(tmp_path: Path) -> Path:
    brought = ImageFont.load_default(24)
    assert isinstance(brought, ImageFont.FreeTypeFont)
    path = tmp_path / "font.ttf"
    path.write_bytes(brought.font_bytes)
    return path


def inked(image: Image.Image, top: int, bottom: int) -> tuple[int, int] | None:
    """The first and last column of dots with ink between two rows of dots."""
    band = image.crop((0, top, image.width, bottom)).point(lambda dot: 255 - dot)
    box = band.getbbox()
    return None if box is None else (box[0], box[2])


def test_the_picture_is_as_wide_as_the_paper(font: Path) -> None:
    for columns in (32, 48):
        assert slip_drawing.draw(Slip((Rule(),)), columns, font=font).width == columns * 12 + 32


def test_an_empty_slip_is_an_empty_picture(font: Path) -> None:
    image = slip_drawing.draw(Slip((Feed(3),)), 32, font=font)
    assert inked(image, 0, image.height) is None
    assert image.height == 3 * 30 + 32


def test_text_stands_in_its_columns(font: Path) -> None:
    slip = Slip((Text("H"), Text("H", align="right"), Text("H", align="centre", large=True)))
    image = slip_drawing.draw(slip, 32, font=font)
    left, right, middle = (inked(image, *rows) for rows in ((16, 46), (46, 76), (76, 136)))
    assert left is not None
    assert right is not None
    assert middle is not None
    assert 16 <= left[0] < left[1] <= 16 + 12 + 8
    assert 16 + 31 * 12 <= right[0] < right[1] <= 16 + 32 * 12
    assert 16 + 15 * 12 <= middle[0] < middle[1] <= 16 + 17 * 12 + 16


def test_a_pair_reaches_both_edges(font: Path) -> None:
    box = inked(slip_drawing.draw(Slip((Pair("HH", "HH"),)), 32, font=font), 16, 46)
    assert box is not None
    assert box[0] < 28
    assert box[1] > 16 + 30 * 12


def test_a_logo_is_drawn_dot_by_dot_in_the_middle(font: Path) -> None:
    slip = Slip((Logo(), Cut()))
    image = slip_drawing.draw(slip, 32, font=font, logo=Bitmap(8, 2, b"\xff\x81"))
    left = (image.width - 8) // 2
    assert [image.getpixel((left + dot, 16)) for dot in range(8)] == [0] * 8
    assert [image.getpixel((left + dot, 17)) for dot in range(8)] == [0] + [255] * 6 + [0]


def test_a_qr_code_is_a_frame(font: Path) -> None:
    image = slip_drawing.draw(Slip((QRCode("https://example.com/1"),)), 32, font=font)
    assert inked(image, 16, 18) == ((image.width - 160) // 2, (image.width + 160) // 2 + 1)


def test_a_font_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot open"):
        slip_drawing.draw(Slip(()), 32, font=tmp_path / "none.ttf")
