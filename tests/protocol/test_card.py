"""Card data does not print itself, whatever prints it."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Pan, PinBlock, Track
from protocol.card import mask_digit_runs, mask_number

NUMBER = "6225000000000014"
TRACK = NUMBER + "=49121010000012340000"


@pytest.mark.parametrize("secret", [Pan(NUMBER), Track(TRACK)])
def test_every_way_to_print_shows_six_and_four_digits_at_most(secret):
    ways = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>60}",
        f"{secret:>60}",
        f"{[secret]}",
    ]
    ways += ["%s" % secret, "{}".format(secret), str({"card": secret}), ascii(secret)]  # noqa: UP031, UP032
    ways.append(logging.LogRecord("x", 10, "x", 1, "%s", (secret,), None).getMessage())
    assert [way for way in ways if "622500******0014" not in way or "50000" in way] == []


def test_a_masked_number_keeps_its_length():
    assert Pan(NUMBER).masked == "622500******0014"
    assert Track(TRACK).masked == "622500******0014=********************"


@given(st.text("0123456789", max_size=12))
def test_what_is_too_short_for_a_card_number_shows_nothing(digits):
    assert mask_number(digits) == "*" * len(digits)
    assert Pan(digits).first6 == Pan(digits).last4 == ""


def test_first_and_last_digits_are_for_slips():
    assert (Pan(NUMBER).first6, Pan(NUMBER).last4) == ("622500", "0014")


def test_reveal_gives_the_content():
    assert Pan(NUMBER).reveal() == NUMBER
    assert Track(TRACK).reveal() == TRACK


@pytest.mark.parametrize("secret", [Pan(NUMBER), Track(TRACK), PinBlock(bytes(8))])
def test_card_data_cannot_be_pickled(secret):
    with pytest.raises(TypeError) as caught:
        pickle.dumps(secret)
    assert NUMBER not in str(caught.value)


def test_card_data_is_equal_by_content_and_kind():
    assert Pan(NUMBER) == Pan(NUMBER)
    assert hash(Pan(NUMBER)) == hash(Pan(NUMBER))
    assert Pan(NUMBER) != Pan("6225000000000022")
    assert Pan(NUMBER) != Track(NUMBER)
    assert Pan(NUMBER) != NUMBER


def test_a_copy_is_the_same_value():
    assert copy.deepcopy({"card": Pan(NUMBER)})["card"] == Pan(NUMBER)
    assert copy.copy(Track(TRACK)) == Track(TRACK)


def test_an_attribute_that_is_not_there_shows_nothing():
    with pytest.raises(AttributeError) as caught:
        Pan(NUMBER).number  # noqa: B018
    assert NUMBER not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        (NUMBER, True),
        ("4111111111111111", True),
        ("4111111111111112", False),
        ("622500000000001x", False),
    ],
)
def test_the_check_digit_is_luhns(number, valid):
    assert Pan(number).luhn_valid is valid


@given(st.text("0123456789", min_size=12, max_size=18))
def test_exactly_one_check_digit_is_valid(digits):
    assert sum(Pan(digits + check).luhn_valid for check in "0123456789") == 1


def test_a_track_has_its_number_expiry_and_service_code():
    track = Track(TRACK)
    assert (track.pan, track.expiry, track.service_code) == (Pan(NUMBER), "4912", "101")


@pytest.mark.parametrize("content", [NUMBER, NUMBER + "=", NUMBER + "=491"])
def test_a_track_that_is_cut_has_no_expiry_and_no_service_code(content):
    track = Track(content)
    assert (track.pan, track.expiry, track.service_code) == (Pan(NUMBER), "", "")


def test_a_pin_block_is_bytes_that_print_masked():
    block = PinBlock(bytes.fromhex("765CC8367AB35AA9"))
    assert {repr(block), str(block), f"{block}", f"{block!s}"} == {"PinBlock(8 bytes)"}
    assert block == bytes.fromhex("765CC8367AB35AA9")
    assert block.reveal().hex().upper() == "765CC8367AB35AA9"
    assert type(block.reveal()) is bytes


@pytest.mark.parametrize(
    "text", [NUMBER, f"card {NUMBER}.", "6225 0000 0000 0014", "6225-0000-0000-0014"]
)
def test_digit_runs_in_free_text_are_masked(text):
    assert "0000000" not in mask_digit_runs(text).replace(" ", "").replace("-", "")


@given(st.text())
def test_text_without_long_runs_stays_as_it_is(text):
    if sum(character.isdigit() for character in text) < 13:
        assert mask_digit_runs(text) == text
