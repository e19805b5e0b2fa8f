import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from devices.bitmap import Bitmap, read_pbm


@given(st.integers(1, 60), st.integers(1, 20), st.data())
def test_a_picture_that_pillow_writes_is_read(width: int, height: int, data: st.DataObject) -> None:
    black = data.draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height))
    image = Image.new("1", (width, height), 1)
    image.putdata([0 if dot else 255 for dot in black])
    file = io.BytesIO()
    image.save(file, "PPM")
    bitmap = read_pbm(file.getvalue())
    assert (bitmap.width, bitmap.height) == (width, height)
    for index, dot in enumerate(black):
        row, column = divmod(index, width)
        byte = bitmap.dots[row * bitmap.row_bytes + column // 8]
        assert bool(byte & 0x80 >> column % 8) == dot


def test_comments_are_part_of_the_format() -> None:
    assert read_pbm(b"P4\n# by a drawing program\n8 1\n\xaa") == Bitmap(8, 1, b"\xaa")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"P1\n8 1\n1 0 1 0 1 0 1 0",
        b"P4\n8\n",
        b"P4\n8 2\n\xaa",
        b"P4\n0 1\n",
        b"P4\n9999 1\n",
        b"P4\n8 1\n\xaa\xaa",
    ],
)
def test_what_is_no_such_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_pbm(data)


@given(st.binary(max_size=40))
def test_no_bytes_do_anything_else_than_be_refused(data: bytes) -> None:
    for header in (b"", b"P4 ", b"P4\n8 1\n", b"P4\n#"):
        try:
            bitmap = read_pbm(header + data)
        except ValueError:
            continue
        assert len(bitmap.dots) == bitmap.row_bytes * bitmap.height
