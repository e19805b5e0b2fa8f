"""Which chip tags travel, what they are called, and what may be seen of them."""

from __future__ import annotations

import pytest

from protocol.chip_tags import (
    ANSWER,
    REQUEST_OPTIONAL,
    REQUEST_REQUIRED,
    REVERSAL,
    SCRIPT_RESULT,
    TAGS,
    missing,
    show_tag,
    subset,
    verification_results,
)
from protocol.errors import TlvError

NUMBER = "6225000000000014"
DATA = bytes.fromhex("9F3602031E" + "9A03260601" + "9505008004E000")


@pytest.mark.parametrize(
    "tags", [REQUEST_REQUIRED, REQUEST_OPTIONAL, ANSWER, REVERSAL, SCRIPT_RESULT]
)
def test_every_tag_that_travels_has_a_name(tags):
    assert tags <= TAGS.keys()


def test_a_subset_keeps_the_order_and_the_bytes():
    assert subset(DATA, ("95", "9F36")).hex().upper() == "9F3602031E" + "9505008004E000"
    assert subset(DATA, ()) == b""


def test_what_is_missing_is_named():
    assert missing(DATA, ("95", "9F36")) == []
    assert missing(DATA, ("9F37", "95", "9F26")) == ["9F26", "9F37"]


def test_data_that_cannot_be_parsed_is_refused():
    for use in (subset, missing):
        with pytest.raises(TlvError):
            use(DATA[:-1], ("95",))


def test_tags_of_card_data_show_a_length_or_a_mask():
    assert show_tag("5F24", b"\x49\x12\x31") == "(3 bytes)"
    assert show_tag("57", bytes.fromhex(NUMBER + "D4912101")) == "622500******0014=*******"
    assert show_tag("9F26", bytes(8)) == "000000******0000"  # it looks like a card number
    assert all(row.tag == tag and row.name for tag, row in TAGS.items())


def test_reserved_bits_of_the_verification_results_are_named_so():
    assert list(verification_results(bytes.fromhex("0100000000"))) == ["byte 1 bit 1: reserved"]
    assert list(verification_results(bytes.fromhex("00000000000180"))) == [
        "byte 6 bit 1: reserved",
        "byte 7 bit 8: reserved",
    ]
