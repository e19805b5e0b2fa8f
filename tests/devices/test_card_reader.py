import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.card_reader import BadSwipe, CardReader, MagneticStripeParser, Swipe, mask_card_data
from devices.line import LineSettings, LineState
from devices.simulated.card_reader import Garble, SimulatedCardReader
from devices.track import lrc

TRACK_1 = "B4000000000000002^TEST/CARD^25122010000000000"
TRACK_2 = "4000000000000002=25122010000000000"
TRACK_3 = "994000000000000002=15600000000000000003000000000000000000000000=000000000=00"
WHOLE = f"%{TRACK_1}?;{TRACK_2}?+{TRACK_3}?\r\n".encode()
ONLY_TRACK_2 = f";{TRACK_2}?\r\n".encode()


def stx_frame(content: bytes) -> bytes:
    check = 0x03
    for byte in content:
        check ^= byte
    return b"\x02" + content + b"\x03" + bytes((check,))


def good(swipe: Swipe | BadSwipe) -> Swipe:
    assert isinstance(swipe, Swipe), swipe
    return swipe


def test_three_tracks_are_read() -> None:
    (swipe,) = MagneticStripeParser().feed(WHOLE)
    read = good(swipe)
    assert read.track1 is not None
    assert read.track1.reveal() == TRACK_1
    assert read.track2.reveal() == TRACK_2
    assert read.track3 is not None
    assert read.track3.reveal() == TRACK_3


def test_track_2_alone_is_enough() -> None:
    (swipe,) = MagneticStripeParser().feed(ONLY_TRACK_2)
    assert good(swipe).track1 is None
    assert good(swipe).track3 is None


def test_a_fault_on_another_track_does_not_spoil_track_2() -> None:
    (swipe,) = MagneticStripeParser().feed(f"%E?;{TRACK_2}?+E?\r".encode())
    assert good(swipe).track1 is None
    assert good(swipe).track2.reveal() == TRACK_2


@pytest.mark.parametrize(("code", "chip"), [("201", True), ("601", True), ("101", False)])
def test_the_service_code_tells_whether_there_is_a_chip(code: str, chip: bool) -> None:
    (swipe,) = MagneticStripeParser().feed(f";4000000000000002=2512{code}0000?\r".encode())
    assert good(swipe).service_code == code
    assert good(swipe).has_chip is chip


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b";4000000000000002=2512201\r\n", "incomplete"),
        (b";4000000000000003=25122010000?\r\n", "luhn"),
        (b";40000000x0000002=25122010000?\r\n", "garbled"),
        (b";4000000000000002=2512201" + b"0" * 20 + b"?\r\n", "too_long"),
        (b";" + b"4" * 300 + b"?\r\n", "too_long"),
        (b"%E?;E?\r\n", "garbled"),
        (f"%{TRACK_1}?\r\n".encode(), "no_track_2"),
        (f"%{TRACK_1}?;5000000000000009=2512201?\r\n".encode(), "tracks_disagree"),
        (b"4000000000000002=25122010000\r\n", "garbled"),
    ],
)
def test_a_swipe_that_cannot_be_used_says_why(data: bytes, reason: str) -> None:
    assert MagneticStripeParser().feed(data) == [BadSwipe(reason)]  # type: ignore[arg-type]


def test_the_swipe_after_a_bad_one_is_read() -> None:
    parser = MagneticStripeParser()
    parser.feed(b";" + b"4" * 300 + b"?\r\n")
    (swipe,) = parser.feed(ONLY_TRACK_2)
    assert good(swipe).track2.reveal() == TRACK_2


def test_two_swipes_in_one_read_are_two_swipes() -> None:
    swipes = MagneticStripeParser().feed(WHOLE + WHOLE)
    assert [good(swipe).track2.reveal() for swipe in swipes] == [TRACK_2, TRACK_2]


def test_two_swipes_without_a_line_end_between_are_two_swipes() -> None:
    both = f"%{TRACK_1}?;{TRACK_2}?%{TRACK_1}?;{TRACK_2}?\r".encode()
    assert [good(s).track2.reveal() for s in MagneticStripeParser().feed(both)] == [TRACK_2] * 2


@pytest.mark.parametrize("noise", [b"\xff\x00", b"\r\n\r\n", b"\x80\x80\x80"])
def test_noise_around_a_swipe_is_left_out(noise: bytes) -> None:
    parser = MagneticStripeParser()
    (swipe,) = parser.feed(noise + ONLY_TRACK_2)
    assert good(swipe).track2.reveal() == TRACK_2
    assert parser.feed(noise + b"\r") == []


def test_semicolons_and_pluses_belong_to_track_1_when_they_stand_in_it() -> None:
    name = "B4000000000000002^A+B;C^25122010000"
    (swipe,) = MagneticStripeParser().feed(f"%{name}?;{TRACK_2}?\r".encode())
    track1 = good(swipe).track1
    assert track1 is not None
    assert track1.reveal() == name


@given(st.integers(0, len(WHOLE)))
def test_a_swipe_may_come_in_any_two_parts(cut: int) -> None:
    parser = MagneticStripeParser()
    swipes = parser.feed(WHOLE[:cut]) + parser.feed(WHOLE[cut:])
    assert [good(swipe).track2.reveal() for swipe in swipes] == [TRACK_2]


@given(st.integers(0, len(stx_frame(WHOLE))))
def test_a_frame_may_come_in_any_two_parts(cut: int) -> None:
    parser = MagneticStripeParser("stx")
    frame = stx_frame(WHOLE)
    swipes = parser.feed(frame[:cut]) + parser.feed(frame[cut:])
    assert [good(swipe).track2.reveal() for swipe in swipes] == [TRACK_2]


@pytest.mark.parametrize("framing", ["sentinels", "stx"])
@given(data=st.lists(st.binary(max_size=80), max_size=5))
def test_no_bytes_stop_the_parser(framing: Any, data: list[bytes]) -> None:
    parser = MagneticStripeParser(framing, with_lrc=True)
    for piece in data:
        parser.feed(piece)
    parser.end_of_read()
    assert not parser.is_reading
    frame = f";{TRACK_2}?{lrc(2, TRACK_2)}".encode()
    (swipe,) = parser.feed(stx_frame(frame) if framing == "stx" else frame + b"\r")
    assert good(swipe).track2.reveal() == TRACK_2


@given(place=st.integers(1, len(TRACK_2)), bit=st.sampled_from([1, 2, 4, 8]))
def test_any_wrong_bit_in_track_2_is_found_with_its_lrc(place: int, bit: int) -> None:
    frame = bytearray(f";{TRACK_2}?{lrc(2, TRACK_2)}\r".encode())
    frame[place] ^= bit
    swipes = MagneticStripeParser(with_lrc=True).feed(bytes(frame))
    assert all(isinstance(swipe, BadSwipe) for swipe in swipes)
    assert swipes


@given(place=st.integers(1, len(ONLY_TRACK_2)), bit=st.integers(0, 6))
def test_any_wrong_bit_in_a_frame_is_found_with_its_check_byte(place: int, bit: int) -> None:
    frame = bytearray(stx_frame(ONLY_TRACK_2))
    frame[place] ^= 1 << bit
    parser = MagneticStripeParser("stx")
    swipes = [*parser.feed(bytes(frame)), *parser.end_of_read()]
    assert all(isinstance(swipe, BadSwipe) for swipe in swipes)
    assert swipes


def test_a_frame_that_begins_in_another_ends_the_other() -> None:
    cut_short, swipe = MagneticStripeParser("stx").feed(b"\x02;4000" + stx_frame(ONLY_TRACK_2))
    assert cut_short == BadSwipe("incomplete")
    assert good(swipe).track2.reveal() == TRACK_2


def test_the_mask_leaves_structure_and_no_content() -> None:
    assert mask_card_data(ONLY_TRACK_2) == b";" + b"*" * 16 + b"=" + b"*" * 17 + b"?\r\n"


@given(st.binary())
def test_the_mask_leaves_no_letter_or_digit(data: bytes) -> None:
    assert not any(chr(byte).isalnum() for byte in mask_card_data(data))


FRAMINGS = [("sentinels", False), ("sentinels", True), ("stx", False), ("stx", True)]


@pytest.mark.parametrize(("framing", "with_lrc"), FRAMINGS)
def test_cards_swiped_on_a_real_line_are_read_and_not_remembered(
    tmp_path: Path, until: Any, framing: Any, with_lrc: bool
) -> None:
    async def scene() -> None:
        twin = SimulatedCardReader(tmp_path / "reader", framing=framing, with_lrc=with_lrc)
        swipes: list[Swipe | BadSwipe] = []
        reader = CardReader(
            LineSettings(str(twin.path)), framing, swipes.append, lambda state: None,
            with_lrc=with_lrc,
        )  # fmt: skip
        reader.start()
        await until(lambda: reader.state is LineState.PRESENT)
        twin.swipe(TRACK_2, TRACK_1, TRACK_3)
        await until(lambda: len(swipes) == 1)
        assert good(swipes[0]).track2.reveal() == TRACK_2
        twin.drip_seconds = 0.001
        twin.swipe(TRACK_2)
        await until(lambda: len(swipes) == 2)
        assert good(swipes[1]).track2.reveal() == TRACK_2
        kept = reader.recorder.dump()
        assert "30 30 30 30" not in kept
        assert b"0000" not in b"".join(entry.data for entry in reader.recorder.entries())
        assert "TEST" not in kept
        reader.close()
        twin.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("cut_short", "incomplete"),
        ("wrong_digit", "luhn"),
        ("too_long", "too_long"),
        ("reader_error", "garbled"),
        ("no_track_2", "no_track_2"),
    ],
)
@pytest.mark.parametrize("framing", ["sentinels", "stx"])
def test_a_garbled_swipe_is_an_event_with_its_reason(
    tmp_path: Path, until: Any, framing: Any, how: Garble, reason: str
) -> None:
    async def scene() -> None:
        twin = SimulatedCardReader(tmp_path / "reader", framing=framing)
        swipes: list[Swipe | BadSwipe] = []
        reader = CardReader(
            LineSettings(str(twin.path)), framing, swipes.append, lambda state: None
        )
        reader.start()
        await until(lambda: reader.state is LineState.PRESENT)
        twin.swipe_garbled(TRACK_2, how=how)
        await until(lambda: swipes)
        assert swipes == [BadSwipe(reason)]  # type: ignore[arg-type]
        reader.close()
        twin.close()

    asyncio.run(scene())


def test_a_read_that_stops_in_the_middle_is_over_after_a_silence(
    tmp_path: Path, until: Any
) -> None:
    async def scene() -> None:
        twin = SimulatedCardReader(tmp_path / "reader")
        swipes: list[Swipe | BadSwipe] = []
        reader = CardReader(
            LineSettings(str(twin.path)), "sentinels", swipes.append, lambda state: None
        )
        reader.start()
        await until(lambda: reader.state is LineState.PRESENT)
        twin.stop_after = 20
        twin.swipe(TRACK_2)
        await until(lambda: swipes)
        assert swipes == [BadSwipe("incomplete")]
        twin.stop_after = None
        twin.swipe(TRACK_2)
        await until(lambda: len(swipes) == 2)
        assert good(swipes[1]).track2.reveal() == TRACK_2
        reader.close()
        twin.close()

    asyncio.run(scene())
