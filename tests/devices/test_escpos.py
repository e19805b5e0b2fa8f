import pytest
from escpos.constants import QR_ECLEVEL_M, QR_MODEL_2
from escpos.printer import Dummy
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from devices import escpos
from devices.bitmap import Bitmap
from devices.simulated.receipt_printer import ReceiptPrinter
from devices.slip import Cut, Feed, Logo, Pair, QRCode, Rule, Slip, Text, lay_out

texts = st.text(max_size=120)
rows = st.one_of(
    st.builds(
        Text, texts, st.sampled_from(["left", "centre", "right"]), st.booleans(), st.booleans()
    ),
    st.builds(Pair, texts, texts, large=st.booleans(), bold=st.booleans()),
    st.just(Rule()),
    st.builds(Feed, st.integers(1, 5)),
    st.builds(QRCode, st.text("0123456789abc:/?", min_size=1, max_size=300)),
    st.just(Cut()),
)
slips = st.lists(rows, max_size=30).map(lambda rows: Slip(tuple(rows)))


def body(slip: Slip, columns: int = 32) -> bytes:
    """The bytes of a slip without what the first piece begins with."""
    start = escpos.INITIALISE + escpos.CHINESE + escpos.STATUS_BACK_ON
    joined = b"".join(escpos.encode(slip, columns))
    assert joined.startswith(start)
    return joined.removeprefix(start)


def test_a_slip_begins_by_initialising_the_printer_for_chinese() -> None:
    dummy = Dummy()
    dummy.hw("INIT")
    (piece,) = escpos.encode(Slip(()), 32)
    assert piece == dummy.output + b"\x1c&" + b"\x1da\x0e"


def test_large_type_is_what_python_escpos_sends_for_double_width_and_height() -> None:
    dummy = Dummy()
    dummy.set(custom_size=True, width=2, height=2)
    dummy._raw(b"AB")  # its text() would choose a code page
    dummy.set(custom_size=True, width=1, height=1)
    dummy._raw(b"\n")
    assert body(Slip((Text("AB", large=True),))) == dummy.output


def test_bold_is_what_python_escpos_sends() -> None:
    dummy = Dummy()
    dummy.set(bold=True)
    dummy._raw(b"AB")  # its text() would choose a code page
    dummy.set(bold=False)
    dummy._raw(b"\n")
    assert body(Slip((Text("AB", bold=True),))) == dummy.output


def test_a_qr_code_is_what_python_escpos_sends() -> None:
    dummy = Dummy()
    dummy.qr("https://example.com/?q=1", ec=QR_ECLEVEL_M, size=4, model=QR_MODEL_2, native=True)
    ours = body(Slip((QRCode("https://example.com/?q=1"),)))
    assert ours.replace(b"\x1ba\x01", b"").replace(b"\x1ba\x00", b"") == dummy.output


def test_a_cut_feeds_to_the_cutter_as_python_escpos_does() -> None:
    dummy = Dummy()
    dummy.cut(mode="PART", feed=False)
    assert dummy.output == b"\x1dVB\x00"
    assert body(Slip((Cut(),))) == dummy.output


def test_the_status_questions_are_what_python_escpos_sends() -> None:
    from escpos.constants import RT_STATUS_ONLINE, RT_STATUS_PAPER

    from devices.printer_status import Question

    assert Question.encode(Question.PRINTER) == RT_STATUS_ONLINE
    assert Question.encode(Question.PAPER) == RT_STATUS_PAPER


def test_chinese_is_sent_as_gb18030() -> None:
    assert body(Slip((Text("消费"),))) == bytes.fromhex("CFFBB7D1") + b"\n"


def test_text_cannot_command_the_printer() -> None:
    hostile = "\x1b@\x1dV\x00\x10\x04\x01\x1c.\x9b"
    assert body(Slip((Text(hostile),))) == b"?@?V????" + b"?.?\n"


def test_a_width_that_no_paper_has_is_refused() -> None:
    with pytest.raises(ValueError, match="columns"):
        escpos.encode(Slip(()), 40)


@given(slips, st.sampled_from([32, 48]))
def test_a_job_goes_out_in_bounded_pieces_that_end_with_a_line(slip: Slip, columns: int) -> None:
    pieces = escpos.encode(slip, columns)
    for piece in pieces:
        assert 0 < len(piece) <= escpos.PIECE_LIMIT
        # a printer that gets only this piece is left with nothing half done
        printer = ReceiptPrinter(columns, lambda answer: None)
        printer.feed(escpos.INITIALISE + escpos.CHINESE + piece + b"\x1dr\x01")
        assert printer.waiting == 0


@given(slips, st.sampled_from([32, 48]))
def test_what_lies_on_the_paper_is_what_was_laid_out(slip: Slip, columns: int) -> None:
    printer = ReceiptPrinter(columns, lambda answer: None)
    for piece in escpos.encode(slip, columns):
        printer.feed(piece)
    assert printer.paper == lay_out(slip, columns)
    assert printer.unknown == []


def test_a_logo_is_what_python_escpos_sends() -> None:
    dots = bytes(range(0x20, 0x20 + 6))
    dummy = Dummy()
    dummy.image(
        Image.frombytes("1", (16, 3), bytes(byte ^ 0xFF for byte in dots)), impl="bitImageRaster"
    )
    ours = body_with_logo(Bitmap(16, 3, dots))
    assert ours.replace(b"\x1ba\x01", b"").replace(b"\x1ba\x00", b"") == dummy.output


def body_with_logo(logo: Bitmap) -> bytes:
    start = escpos.INITIALISE + escpos.CHINESE + escpos.STATUS_BACK_ON
    return b"".join(escpos.encode(Slip((Logo(),)), 32, logo)).removeprefix(start)


@given(st.integers(1, 384), st.integers(1, 100), st.data())
def test_a_logo_of_any_size_is_printed_whole_in_bounded_pieces(
    width: int, height: int, data: st.DataObject
) -> None:
    row_bytes = (width + 7) // 8
    seed = data.draw(st.binary(min_size=1, max_size=50))
    dots = (seed * (row_bytes * height))[: row_bytes * height]
    printer = ReceiptPrinter(32, lambda answer: None)
    for piece in escpos.encode(Slip((Logo(), Text("after"))), 32, Bitmap(width, height, dots)):
        assert len(piece) <= escpos.PIECE_LIMIT
        printer.feed(piece)
        assert printer.waiting == 0
    assert b"".join(picture[2] for picture in printer.pictures) == dots.replace(b"\x10", b"\x30")
    assert {picture[0] for picture in printer.pictures} == {row_bytes * 8}
    assert printer.paper == ["after"]


def test_the_dots_of_a_logo_cannot_command_the_printer() -> None:
    answers = bytearray()
    printer = ReceiptPrinter(32, answers.extend)
    for piece in escpos.encode(Slip((Logo(),)), 32, Bitmap(24, 1, b"\x10\x04\x01")):
        printer.feed(piece)
    assert answers == b"\x10\x00\x00\x00", "only the automatic status that was asked for"


def test_a_printer_without_a_logo_leaves_it_out() -> None:
    assert body(Slip((Logo(), Rule()))) == b"-" * 32 + b"\n"


def test_a_logo_wider_than_the_paper_is_refused() -> None:
    with pytest.raises(ValueError, match="logo of at most 384 dots, found 400"):
        escpos.encode(Slip(()), 32, Bitmap(400, 1, bytes(50)))
