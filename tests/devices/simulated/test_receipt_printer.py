from typing import Any

import pytest
from escpos.printer import Dummy
from hypothesis import given
from hypothesis import strategies as st

from devices.simulated.receipt_printer import ReceiptPrinter
from devices.slip import cut_row


class Desk:
    """A printer of 32 columns and what it answered."""

    def __init__(self) -> None:
        self.answers = bytearray()
        self.printer = ReceiptPrinter(32, self.answers.extend)


def test_it_prints_what_python_escpos_sends() -> None:
    dummy = Dummy()
    dummy.hw("INIT")
    dummy.set(align="center", bold=True)
    dummy._raw(b"TITLE\n")
    dummy.set(align="left", bold=False)
    dummy._raw(b"\x1c&" + "消费 1.00\n".encode("gb18030"))
    dummy.cut(mode="PART", feed=False)
    desk = Desk()
    # python-escpos also chooses fonts, underlining and so on, which this printer skips
    wanted = dummy.output
    for unknown in (b"\x1bt\x00", b"\x1b!\x00", b"\x1b-\x00", b"\x1bM\x00", b"\x1d!\x00"):
        wanted = wanted.replace(unknown, b"")
    for unknown in (b"\x1b{\x00", b"\x1dB\x00", b"\x1dL\x00\x00", b"\x1bd\x00"):
        wanted = wanted.replace(unknown, b"")
    desk.printer.feed(wanted)
    assert desk.printer.paper == [" " * 13 + "TITLE", "消费 1.00", cut_row(32)]


def test_a_line_that_is_too_long_goes_on_in_the_next() -> None:
    desk = Desk()
    desk.printer.feed(b"\x1c&" + b"x" * 31 + "中\n".encode("gb18030"))
    assert desk.printer.paper == ["x" * 31, "中"]


def test_without_chinese_mode_there_is_no_chinese() -> None:
    desk = Desk()
    desk.printer.feed("中\n".encode("gb18030"))
    assert "中" not in desk.printer.paper[0]


@pytest.mark.parametrize(
    ("trouble", "answers"),
    [
        ({}, "12 12 12 12"),
        ({"near_end": True}, "12 12 12 1e"),
        ({"lines_left": 0}, "1a 32 12 7e"),
        ({"cover_open": True}, "1a 16 12 12"),
        ({"cutter_error": True}, "1a 52 1a 12"),
        ({"overheated": True}, "1a 52 52 12"),
    ],
)
def test_it_answers_the_four_questions_at_once(trouble: dict[str, Any], answers: str) -> None:
    desk = Desk()
    for name, value in trouble.items():
        setattr(desk.printer, name, value)
    desk.printer.feed(b"text\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04")
    assert desk.answers.hex(" ") == answers


def test_it_reports_by_itself_what_changes_once_it_was_asked_to() -> None:
    desk = Desk()
    desk.printer.cover_open = True
    desk.printer.work()
    desk.printer.cover_open = False
    desk.printer.feed(b"\x1da\x0e")
    assert desk.answers.hex(" ") == "10 00 00 00"
    desk.printer.cover_open = True
    desk.printer.work()
    desk.printer.work()
    assert desk.answers.hex(" ") == "10 00 00 00 38 00 00 00"


def test_it_answers_in_turn_only_when_it_gets_there() -> None:
    desk = Desk()
    desk.printer.lines_left = 1
    desk.printer.feed(b"one\ntwo\n\x1dr\x01")
    assert desk.answers == b""
    desk.printer.lines_left = None
    desk.printer.work()
    assert desk.printer.paper == ["one", "two"]
    assert desk.answers == b"\x00"


def test_a_power_cycle_forgets_what_was_not_printed() -> None:
    desk = Desk()
    desk.printer.cover_open = True
    desk.printer.feed(b"lost\n")
    desk.printer.power_cycle()
    desk.printer.cover_open = False
    desk.printer.work()
    assert desk.printer.paper == []


@given(st.binary(max_size=300), st.integers(0, 300))
def test_bytes_may_be_cut_anywhere(data: bytes, cut: int) -> None:
    whole, halves = Desk(), Desk()
    whole.printer.feed(data)
    halves.printer.feed(data[:cut])
    halves.printer.feed(data[cut:])
    assert halves.printer.paper == whole.printer.paper
    assert halves.printer.unknown == whole.printer.unknown
