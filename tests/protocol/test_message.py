"""A message is a value: read-only, comparable, and masked."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Dialect, Message, Pan, PinBlock, Track, decode, encode
from protocol.elements import Element, Shown
from protocol.formats import VariableOctets

NUMBER = "6225000000000014"


def test_a_message_cannot_be_changed(sale):
    with pytest.raises(dataclasses.FrozenInstanceError):
        sale.mti = "0400"
    with pytest.raises(TypeError):
        sale.elements[11] = "000003"


def test_a_message_does_not_follow_the_mapping_that_it_was_made_of():
    elements = {11: "000001"}
    message = Message("0800", elements)
    elements[11] = "000002"
    assert message.get(11) == "000001"


def test_messages_are_equal_by_content(frames, sale):
    assert sale == decode(frames["sale request, magstripe + PIN"])
    assert sale != dataclasses.replace(sale, mti="0100")
    assert sale != sale.with_elements({11: "000009"})


def test_elements_are_set_and_left_out_in_a_copy(sale):
    changed = sale.with_elements({11: "000009", 52: None, 64: None})
    assert changed.get(11) == "000009"
    assert changed.get(52) is None
    assert sale.elements.keys() - changed.elements.keys() == {52, 64}
    assert (changed.tpdu, changed.header) == (sale.tpdu, sale.header)


def test_an_element_that_is_not_there_is_none_or_the_default(sale):
    assert sale.get(38) is None
    assert sale.get(38, "") == ""


def test_the_elements_order_does_not_matter():
    one = Message("0800", {41: "12345678", 11: "000001"})
    other = Message("0800", {11: "000001", 41: "12345678"})
    assert one == other
    assert encode(one) == encode(other)


def test_a_description_is_one_masked_line_an_element(sale):
    lines = sale.describe().splitlines()
    assert lines[0] == "0200"
    assert len(lines) == 1 + len(sale.elements)
    assert "622500******0014=" in sale.describe()


def test_elements_that_no_table_knows_are_described_as_a_length():
    assert "secret" not in Message("0200", {45: "secret"}).describe()


def test_a_dialects_own_rows_say_how_its_elements_are_shown():
    secret = Element(59, "member number", VariableOctets(2, 600), Shown.LENGTH)
    message = Message("0200", {59: b"member 12"})
    assert "member 12" in message.describe()
    assert "member 12" not in message.describe(Dialect(elements=(secret,)).table)


def test_values_of_the_wrong_type_are_described_as_a_length():
    wrong = Message("0200", {2: NUMBER, 35: NUMBER, 4: Pan(NUMBER), 52: NUMBER, 41: b"binary"})
    assert NUMBER not in wrong.describe()


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"member 12", "member 12"),
        ("会员".encode("gb18030"), "会员"),
        (b"card 6225000000000014", "card 622500******0014"),
        (b"\x00\x01", "(2 bytes)"),
        (b"\xd6", "(1 bytes)"),
    ],
)
def test_private_bytes_are_shown_as_text_when_they_are_printable(content, shown):
    assert Message("0210", {57: content}).describe().splitlines()[1].endswith(f" {shown}")


def test_the_type_of_each_value_is_its_formats(sale, approval):
    assert type(approval.get(2)) is Pan
    assert type(sale.get(35)) is Track
    assert type(sale.get(52)) is PinBlock
    assert type(sale.get(64)) is bytes
    assert type(sale.get(4)) is str


numbers = st.text("123456789", min_size=13, max_size=19)
SHOWN = 6  # digits in a row that may be seen


@given(
    card=numbers,
    track=numbers,
    third=numbers,
    listed=numbers,
    private=numbers,
    noise=st.binary(max_size=20),
)
def test_no_message_shows_more_than_six_and_four_digits_of_a_card_number(
    card, track, third, listed, private, noise
):
    elements = {
        2: Pan(card),
        35: Track(f"{track}=4912101000000"),
        36: Track(f"99{third}=156=1"),
        48: "010000020" + listed.zfill(20) + "000000012345",
        57: noise + private.encode("ascii") + noise,
    }
    message = Message("0320", elements)
    shown = message.describe() + repr(message) + str(message)
    again = decode(encode(message)).describe()
    for number in (card, track, third, listed, private):
        windows = [number[start : start + SHOWN + 1] for start in range(len(number) - SHOWN)]
        assert not [window for window in windows if window in shown or window in again]


@given(numbers, st.integers(0, 130))
def test_the_end_of_what_is_shown_does_not_cut_a_card_number_out_of_its_mask(number, position):
    shown = Message(
        "0210", {57: b"x" * position + number.encode(), 46: "x" * position + number}
    ).describe()
    windows = [number[start : start + SHOWN + 1] for start in range(len(number) - SHOWN)]
    assert not [window for window in windows if window in shown]
