import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.printer_status import (
    AutomaticStatus,
    InTurnAnswer,
    PrinterStatus,
    Question,
    RealTimeAnswer,
    StatusParser,
    after_in_turn,
    after_real_time,
    from_automatic,
)

READY = PrinterStatus()


@pytest.mark.parametrize(
    ("question", "byte", "expected"),
    [
        (Question.PRINTER, 0x12, READY),
        (Question.PRINTER, 0x16, READY),  # the drawer's pin
        (Question.PRINTER, 0x1A, PrinterStatus(offline=True)),
        (Question.OFFLINE_CAUSE, 0x16, PrinterStatus(cover_open=True)),
        (Question.OFFLINE_CAUSE, 0x32, PrinterStatus(paper="out")),
        (Question.ERROR_CAUSE, 0x1A, PrinterStatus(cutter_error=True)),
        (Question.ERROR_CAUSE, 0x32, PrinterStatus(offline=True)),
        (Question.ERROR_CAUSE, 0x52, PrinterStatus(overheated=True)),
        (Question.PAPER, 0x1E, PrinterStatus(paper="near_end")),
        (Question.PAPER, 0x7E, PrinterStatus(paper="out")),
    ],
)
def test_every_bit_of_a_real_time_answer_means_what_the_manual_says(
    question: int, byte: int, expected: PrinterStatus
) -> None:
    assert after_real_time(READY, question, byte) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x10\x00\x00\x00", READY),
        (b"\x18\x00\x00\x00", PrinterStatus(offline=True)),
        (b"\x38\x00\x00\x00", PrinterStatus(offline=True, cover_open=True)),
        (b"\x18\x08\x00\x00", PrinterStatus(offline=True, cutter_error=True)),
        (b"\x10\x20\x00\x00", PrinterStatus(offline=True)),
        (b"\x10\x40\x00\x00", PrinterStatus(overheated=True)),
        (b"\x10\x00\x03\x00", PrinterStatus(paper="near_end")),
        (b"\x18\x00\x0f\x00", PrinterStatus(offline=True, paper="out")),
    ],
)
def test_every_bit_of_an_automatic_status_means_what_the_manual_says(
    data: bytes, expected: PrinterStatus
) -> None:
    assert from_automatic(data) == expected


def test_the_answer_in_turn_tells_of_the_paper() -> None:
    assert after_in_turn(READY, 0x00).paper == "ok"
    assert after_in_turn(READY, 0x03).paper == "near_end"
    assert after_in_turn(READY, 0x0F).paper == "out"


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (READY, None),
        (PrinterStatus(paper="near_end"), None),
        (PrinterStatus(paper="out", offline=True), "paper_out"),
        (PrinterStatus(paper="out", cover_open=True, offline=True), "cover_open"),
        (PrinterStatus(cutter_error=True, offline=True), "cutter_error"),
        (PrinterStatus(overheated=True, offline=True), "overheated"),
        (PrinterStatus(offline=True), "offline"),
    ],
)
def test_the_fault_is_the_cause_that_a_clerk_can_mend(
    status: PrinterStatus, fault: str | None
) -> None:
    assert status.fault == fault


def test_the_three_kinds_of_answer_are_told_apart() -> None:
    assert StatusParser().feed(b"\x12\x10\x00\x00\x00\x00\x12") == [
        RealTimeAnswer(0x12),
        AutomaticStatus(b"\x10\x00\x00\x00"),
        InTurnAnswer(0x00),
        RealTimeAnswer(0x12),
    ]


def test_an_automatic_status_may_be_cut_anywhere_and_hold_an_xoff() -> None:
    parser = StatusParser()
    assert parser.feed(b"\x18") == []
    assert parser.feed(b"\x00\x13") == []
    assert parser.feed(b"\x0f\x00") == [AutomaticStatus(b"\x18\x00\x0f\x00")]


def test_an_automatic_status_cut_short_does_not_swallow_the_next_answer() -> None:
    parser = StatusParser()
    assert parser.feed(b"\x18\x00\x12") == [RealTimeAnswer(0x12)]
    assert parser.feed(b"\x00") == [InTurnAnswer(0)]
    assert parser.dropped == 2


def test_noise_is_dropped_and_counted() -> None:
    parser = StatusParser()
    assert parser.feed(b"\xff\x80\x93") == []
    assert parser.dropped == 3


@given(st.binary(max_size=64), st.integers(0, 64))
def test_bytes_may_be_cut_anywhere(data: bytes, cut: int) -> None:
    halves = StatusParser()
    assert halves.feed(data[:cut]) + halves.feed(data[cut:]) == StatusParser().feed(data)


@given(st.binary(max_size=64))
def test_no_byte_stops_the_parser(data: bytes) -> None:
    for answer in StatusParser().feed(data):
        match answer:
            case RealTimeAnswer(byte):
                for question in Question.ALL:
                    after_real_time(READY, question, byte)
            case AutomaticStatus(status):
                from_automatic(status)
            case InTurnAnswer(byte):
                after_in_turn(READY, byte)
