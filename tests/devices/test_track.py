import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.track import (
    Number,
    Track,
    TrackError,
    card_number,
    is_luhn_valid,
    lrc,
    read_track,
)

TRACK_1 = "B4000000000000002^TEST/CARD^25122010000000000"
TRACK_2 = "4000000000000002=25122010000000000"
TRACK_3 = "994000000000000002=15600000000000000003000000000000000000000000=000000000=00"


def test_a_track_prints_without_its_content() -> None:
    track = read_track(2, TRACK_2, luhn=True)
    for printed in (str(track), repr(track), f"{track}", f"{track!r:>40}", str([track])):
        assert "4000" not in printed
        assert "Track(2, 34 characters)" in printed
    assert track.reveal() == TRACK_2


def test_a_track_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="not to be stored"):
        pickle.dumps(Track(2, TRACK_2))


def test_an_error_holds_nothing_of_the_track() -> None:
    with pytest.raises(TrackError) as caught:
        read_track(2, TRACK_2 + "A", luhn=True)
    assert "4000" not in repr(caught.value)


@pytest.mark.parametrize(("number", "content"), [(1, TRACK_1), (2, TRACK_2), (3, TRACK_3)])
def test_the_card_number_is_found_on_every_track(number: Number, content: str) -> None:
    assert card_number(read_track(number, content, luhn=True)) == "4000000000000002"


@pytest.mark.parametrize(
    ("number", "content", "code"),
    [
        (1, TRACK_1, "201"),
        (2, TRACK_2, "201"),
        (2, "4000000000000002=2512=0000", None),
        (2, "4000000000000002==101", "101"),
        (3, TRACK_3, None),
    ],
)
def test_the_service_code_is_read_where_there_is_one(
    number: Number, content: str, code: str | None
) -> None:
    assert read_track(number, content, luhn=True).service_code == code


@pytest.mark.parametrize(
    ("number", "content", "reason"),
    [
        (1, "B4000000000000002^T^2512201", "garbled"),
        (1, "A4000000000000002^TEST/CARD^2512201", "garbled"),
        (1, TRACK_1 + "0" * 40, "too_long"),
        (1, "B4000000000000002^TEST\xe9CARD^2512201", "garbled"),
        (2, "4000000000000002", "garbled"),
        (2, "4000000000000002=2512", "garbled"),
        (2, "40000000000000028888=2512201", "garbled"),
        (2, TRACK_2 + "0000", "too_long"),
        (2, "4000000000000003=2512201", "luhn"),
        (2, "E", "garbled"),
        (2, "", "garbled"),
        (3, "4000", "garbled"),
        (3, TRACK_3 + "0" * 40, "too_long"),
    ],
)
def test_a_track_that_cannot_be_used_says_why(number: Number, content: str, reason: str) -> None:
    with pytest.raises(TrackError) as caught:
        read_track(number, content, luhn=True)
    assert caught.value.reason == reason


def test_the_longest_tracks_of_the_standard_are_read() -> None:
    read_track(1, "B4000000000000002^" + "N" * 26 + "^2512201" + "0" * 24, luhn=True)
    read_track(2, "4000000000000002=2512201" + "0" * 13, luhn=True)


def test_the_check_digit_can_be_left_unchecked() -> None:
    assert card_number(read_track(2, "4000000000000003=2512201", luhn=False)) == "4000000000000003"


@pytest.mark.parametrize("number", ["79927398713", "4000000000000002", "6222021234567890128", "0"])
def test_valid_check_digits_are_accepted(number: str) -> None:
    assert is_luhn_valid(number)


@given(st.text("0123456789", min_size=2, max_size=19), st.integers(0, 18), st.integers(1, 9))
def test_any_single_wrong_digit_is_found(digits: str, place: int, change: int) -> None:
    check = next(d for d in "0123456789" if is_luhn_valid(digits + d))
    number = digits + check
    place %= len(number)
    wrong = number[:place] + str((int(number[place]) + change) % 10) + number[place + 1 :]
    assert not is_luhn_valid(wrong)


def test_the_lrc_is_the_one_on_a_known_card() -> None:
    # ISO/IEC 7811-2 check character, computed by hand: B 1 D F -> the even parity of each column
    assert lrc(2, "1=") == "8"
    assert lrc(1, "A") == "["


@given(st.text("0123456789=", max_size=37))
def test_the_lrc_makes_every_bit_column_of_the_track_even(content: str) -> None:
    total = 0
    for character in ";" + content + "?" + lrc(2, content):
        total ^= ord(character) & 0x0F
    assert total == 0
