"""What of a message may be stored, and what may be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Pan, PinBlock, Track, decode
from protocol.elements import TABLE, Shown, Storage, restored, storable

NUMBER = "6225000000000014"


def test_the_rows_are_those_of_the_dialect():
    assert list(TABLE) == [
        *(2, 3, 4, 11, 12, 13, 14, 15, 22, 23, 25, 26, 27, 32, 35, 36, 37, 38, 39, 41, 42, 43, 44),
        *(46, 48, 49, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64),
    ]
    assert all(row.number == number for number, row in TABLE.items())


def test_card_data_is_stored_encrypted_or_never():
    encrypted = {number for number, row in TABLE.items() if row.storage is Storage.ENCRYPTED}
    never = {number for number, row in TABLE.items() if row.storage is Storage.NEVER}
    assert encrypted == {2, 14}
    assert never == {35, 36, 48, 52, 57, 58, 59, 64}


def test_what_holds_secrets_is_never_shown_plain():
    hidden = {number for number, row in TABLE.items() if row.shown in (Shown.LENGTH, Shown.MASKED)}
    assert hidden == {2, 14, 35, 36, 48, 52, 55, 62, 64}


def test_a_stored_sale_holds_neither_track_nor_pin_block_nor_mac(sale):
    plain, encrypted = storable(sale.elements)
    assert encrypted == {}
    assert sale.elements.keys() - plain.keys() == {35, 52, 64}


def test_card_number_and_expiry_go_apart(approval):
    plain, encrypted = storable(approval.elements)
    assert encrypted == {2: NUMBER, 14: "4912"}
    assert not plain.keys() & {2, 14}
    assert restored(plain, encrypted) == {
        number: value for number, value in approval.elements.items() if number != 64
    }


def test_totals_and_the_end_of_an_upload_are_stored_and_lists_of_cards_are_not(frames):
    kept = {
        name: 48 in storable(message.elements)[0]
        for name, frame in frames.items()
        if 48 in (message := decode(frame)).elements
    }
    assert {name for name, is_kept in kept.items() if not is_kept} == {
        "batch upload, 1 magstripe item",
        "batch upload, 2 magstripe items: the sale and its void",
    }


def test_chip_tags_with_card_data_are_taken_out_at_any_depth():
    plain_tags = bytes.fromhex("9F2608AABBCCDDEEFF0011" + "9A03260601")
    card_tags = bytes.fromhex(
        "5A086225000000000014" + "5F2403491231" + "9F1F0131" + "9F200132" + "57016F"
    )
    nested = bytes.fromhex("700A" + "5A086225000000000014")
    plain, _ = storable({55: card_tags + plain_tags + nested})
    assert plain == {55: plain_tags}


def test_chip_data_that_cannot_be_parsed_is_not_stored():
    assert storable({55: bytes.fromhex("9F26")}) == ({}, {})


@pytest.mark.parametrize("number", [1, 5, 45, 65])
def test_what_the_table_does_not_know_is_not_stored(number):
    assert storable({number: "value"}) == ({}, {})


def test_card_data_in_the_wrong_place_is_not_stored():
    assert storable({41: Pan(NUMBER), 63: Track(NUMBER)}) == ({}, {})


def test_a_digit_run_in_a_text_is_stored_masked():
    assert storable({63: f"CUP {NUMBER}"})[0] == {63: "CUP 622500******0014"}


def test_text_that_cannot_be_decoded_is_stored_as_its_bytes():
    elements = {38: "12\udcff456", 63: "CUP商户"}
    plain, _ = storable(elements)
    assert plain == {38: b"12\xff456", 63: "CUP商户"}


secret_numbers = st.text("123456789", min_size=16, max_size=19)


@given(secret_numbers, st.text(max_size=30), st.binary(max_size=40))
def test_nothing_that_is_stored_in_plain_holds_a_card_number(number, text, noise):
    elements = {
        2: Pan(number),
        35: Track(f"{number}=4912"),
        36: Track(f"99{number}"),
        48: f"010000020{number:0>20}000000012345",
        52: PinBlock(number[:8].encode()),
        55: bytes.fromhex("5A0A" + number.ljust(20, "F")) + noise,
        57: noise + number.encode(),
        63: text + number,
    }
    plain, encrypted = storable(elements)
    assert number not in repr(plain)
    assert number not in str(
        {key: getattr(value, "hex", str)() for key, value in plain.items() if key != 55}
    )
    assert encrypted == {2: number}
