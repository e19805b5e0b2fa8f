"""Decoding is strict: each fault has its own error, with path, byte offset, and no value."""

from __future__ import annotations

import dataclasses
import re
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import (
    DEFAULT,
    Dialect,
    Message,
    Pan,
    ProtocolError,
    Track,
    decode,
    decode_message,
    encode,
    encode_message,
)
from protocol import errors as e
from protocol.codec import content_offsets
from protocol.elements import Element
from protocol.formats import FixedText

MTI = 13  # where it stands in a frame
BITMAP = 15
ELEMENTS = 23


def frame(mti: str, numbers: list[int], body: str, head: str = "6000060000603100310001") -> bytes:
    """A whole frame of hex, whatever its content."""
    bits = sum(1 << (64 - number) for number in numbers)
    content = bytes.fromhex(head + mti + f"{bits:016X}" + body)
    return len(content).to_bytes(2, "big") + content


# name, the frame, the error, its path, its offset, the length it found
FAULTS = [
    ("LEN alone", b"\x00\x05", e.FrameTruncated, "LEN", 0, 2),
    ("nothing", b"", e.FrameTruncated, "LEN", 0, 0),
    ("LEN too large", b"\x00\x05\x60", e.FrameLengthWrong, "LEN", 0, 1),
    ("LEN too small", b"\x00\x01\x60\x00", e.FrameLengthWrong, "LEN", 0, 2),
    ("LEN above the cap, cut", b"\xff\xff\x60", e.LengthAboveCap, "LEN", 0, 65535),
    ("LEN above the cap", b"\x10\x01" + bytes(4097), e.LengthAboveCap, "LEN", 0, 4097),
    ("cut in the TPDU", b"\x00\x03\x60\x00\x06", e.FrameTruncated, "TPDU", 2, 3),
    ("cut in the header", b"\x00\x06\x60\x00\x06\x00\x00\x60", e.FrameTruncated, "header", 7, 1),
    ("header not digits", frame("0800", [], "", "60000600006A3100310001"), e.BadDigit, "header", 7, None),
    ("MTI not digits", frame("0A00", [], ""), e.UnknownMti, "MTI", MTI, None),
    ("MTI of another version", frame("1200", [], ""), e.UnknownMti, "MTI", MTI, None),
    ("MTI of no class", frame("0000", [], ""), e.UnknownMti, "MTI", MTI, None),
    ("bit 1", frame("0800", [1, 11], "000001"), e.SecondBitmap, "bitmap", BITMAP, None),
    ("an unknown bit", frame("0800", [11, 45], "000001"), e.UnknownElement, "45", 26, None),
    ("a letter in 11", frame("0800", [11], "0000A1"), e.BadDigit, "11", 25, 6),
    ("a pad in 23", frame("0200", [23], "F001"), e.BadDigit, "23", ELEMENTS, 4),
    ("a digit before 23", frame("0200", [23], "1001"), e.BadDigit, "23", ELEMENTS, None),
    ("a pad in 22", frame("0200", [22], "021F"), e.BadDigit, "22", 24, 4),
    ("a digit behind 22", frame("0200", [22], "0211"), e.BadDigit, "22", 24, None),
    ("cut in 11", frame("0800", [11], "0000"), e.Truncated, "11", ELEMENTS, 2),
    ("cut in 43", frame("0200", [43], "2020"), e.Truncated, "43", ELEMENTS, 2),
    ("cut in 52", frame("0200", [52], "2020"), e.Truncated, "52", ELEMENTS, 2),
    ("cut in 44", frame("0200", [44], "0520"), e.Truncated, "44", 24, 1),
    ("cut before 41", frame("0800", [41], ""), e.Truncated, "41", ELEMENTS, 0),
    ("cut in the prefix of 60", frame("0800", [60], "00"), e.Truncated, "60", ELEMENTS, 1),
    ("cut in 60", frame("0800", [60], "00110000"), e.Truncated, "60", 25, 2),
    ("a prefix not packed", frame("0200", [2], "1A62"), e.BadLengthPrefix, "2", ELEMENTS, None),
    ("a card number too long", frame("0200", [2], "20" + "62" * 10), e.LengthAboveMaximum, "2", ELEMENTS, 20),
    ("a text too long", frame("0200", [44], "26" + "20" * 26), e.LengthAboveMaximum, "44", ELEMENTS, 26),
    ("a bad pad", frame("0200", [2], "036225"), e.BadPad, "2", 25, None),
    ("a letter in a track", frame("0200", [35], "0462E5"), e.BadDigit, "35", 25, 4),
    ("not ASCII", frame("0800", [41], "31323334353637E4"), e.NotAscii, "41", 30, 8),
    ("bytes left over", frame("0800", [11], "00000199"), e.TrailingBytes, "end", 26, 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "kind", "path", "offset", "found"),
    [pytest.param(*row[1:], id=row[0]) for row in FAULTS],
)
def test_a_fault_has_its_own_error_with_path_offset_and_length(data, kind, path, offset, found):
    with pytest.raises(e.DecodeError) as caught:
        decode(data)
    error = caught.value
    assert type(error) is kind
    assert (error.path, error.offset, error.found_length) == (path, offset, found)
    assert error.expected
    assert path in str(error)


def test_an_error_carries_what_was_decoded_before_it_masked(frames):
    broken = frames["sale response, approved"][:-9]
    broken = (len(broken) - 2).to_bytes(2, "big") + broken[2:]
    with pytest.raises(e.Truncated) as caught:
        decode(broken)
    assert caught.value.path == "63"
    assert caught.value.decoded.get(11) == "000002"
    assert "622500******0014" in caught.value.partial
    assert "6225000000000014" not in caught.value.partial


def test_an_error_prints_its_kind_and_place_only():
    with pytest.raises(e.DecodeError) as caught:
        decode(frame("0800", [11], "0000A1"))
    text = "11 at byte 25: expected digits 0 to 9, found length 6"
    assert (str(caught.value), repr(caught.value)) == (text, f"BadDigit({text!r})")


def test_an_error_before_the_mti_has_nothing_decoded():
    with pytest.raises(e.DecodeError) as caught:
        decode(b"\x00\x01\x60")
    assert caught.value.decoded is None
    assert caught.value.partial == ""


def fault(data: bytes) -> e.DecodeError | None:
    try:
        decode(data)
    except e.DecodeError as error:
        return error
    return None


@given(
    st.binary(max_size=120),
    st.lists(st.sampled_from(sorted(DEFAULT.table)), unique=True, min_size=1, max_size=6),
)
def test_no_error_hangs_on_another_exception_or_prints_more_than_where_and_how_long(noise, numbers):
    error = fault(frame("0200", numbers, noise.hex()))
    if error is not None:
        assert (error.__context__, error.__cause__) == (None, None)
        printed = "".join(traceback.format_exception_only(error))
        assert re.fullmatch(r"protocol\.errors\.\w+: (\w+) at byte \d+: expected [^:]+\n", printed)
        assert not re.search(r"\d{4}", printed)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_message_or_an_error_of_the_tree(noise):
    for read in (decode, decode_message):
        try:
            message = read(noise)
        except ProtocolError:
            continue
        message.describe()


@pytest.mark.parametrize(
    ("elements", "kind", "path"),
    [
        ({4: "12345"}, e.WrongLength, "4"),
        ({4: "00000000123x"}, e.NotDigits, "4"),
        ({4: "０" * 12}, e.NotDigits, "4"),
        ({4: 12345}, e.WrongType, "4"),
        ({2: "6225000000000014"}, e.WrongType, "2"),
        ({2: Pan("6" * 20)}, e.WrongLength, "2"),
        ({2: Pan("622500 000014")}, e.NotDigits, "2"),
        ({35: "6225"}, e.WrongType, "35"),
        ({35: Track("6225D4912")}, e.NotDigits, "35"),
        ({60: 22000007}, e.WrongType, "60"),
        ({43: "x" * 41}, e.WrongLength, "43"),
        ({44: "x" * 26}, e.WrongLength, "44"),
        ({44: 4400}, e.WrongType, "44"),
        ({55: "9F26"}, e.WrongType, "55"),
        ({41: "123456789"}, e.WrongLength, "41"),
        ({41: "终端"}, e.NotEncodable, "41"),
        ({41: b"12345678"}, e.WrongType, "41"),
        ({56: "\ud800"}, e.NotEncodable, "56"),
        ({64: b"1234"}, e.WrongLength, "64"),
        ({64: "12345678"}, e.WrongType, "64"),
        ({60: "1" * 18}, e.WrongLength, "60"),
        ({62: bytes(1000)}, e.WrongLength, "62"),
        ({45: "unknown"}, e.ElementNotInTable, "45"),
    ],
)
def test_a_value_that_breaks_its_format_is_named_by_element_and_rule(elements, kind, path):
    with pytest.raises(e.EncodeError) as caught:
        encode(Message("0200", elements))
    assert type(caught.value) is kind
    assert caught.value.path == path
    assert caught.value.expected
    assert caught.value.__context__ is None
    value = next(iter(elements.values()))
    content = value.reveal() if hasattr(value, "reveal") else str(value)
    assert content not in str(caught.value)


@pytest.mark.parametrize("mti", ["20", "02x0", "02０0"])
def test_an_mti_has_four_digits(mti):
    with pytest.raises(e.NotDigits):
        encode(Message(mti, {}))


def test_a_frame_above_the_cap_is_not_encoded():
    with pytest.raises(e.FrameTooLong):
        encode(Message("0200", {62: bytes(999)}), Dialect(frame_cap=1000))


def test_text_shorter_than_its_element_is_padded_with_blanks():
    assert decode(encode(Message("0800", {41: "1234", 43: "店"}))).elements == {
        41: "1234    ",
        43: "店" + " " * 38,
    }


def test_the_tpdu_and_the_header_are_the_dialects_when_the_message_has_none():
    message = decode(encode(Message("0820", {}), Dialect(request_header="613100310001")))
    assert (message.tpdu, message.header) == ("6000060000", "613100310001")


def test_a_messages_own_tpdu_and_header_are_sent():
    message = Message("0820", {}, tpdu="60000A0001", header="603100330001")
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    ("tpdu", "header"),
    [("6000", None), ("60000600zz", None), (None, "6031"), (None, "60310031000A")],
)
def test_a_malformed_tpdu_or_header_is_not_sent(tpdu, header):
    with pytest.raises(e.EncodeError):
        encode(Message("0820", {}, tpdu, header))


@pytest.mark.parametrize("has_tpdu", [True, False])
@pytest.mark.parametrize("has_header", [True, False])
def test_tpdu_and_header_can_be_configured_away(sale, has_tpdu, has_header):
    dialect = Dialect(has_tpdu=has_tpdu, has_header=has_header)
    data = encode(dataclasses.replace(sale, tpdu=None, header=None), dialect)
    assert len(data) == 2 + 5 * has_tpdu + 6 * has_header + len(encode_message(sale))
    again = decode(data, dialect)
    assert again.elements == sale.elements
    assert (again.tpdu is None, again.header is None) == (not has_tpdu, not has_header)


def test_what_a_frame_is_is_not_guessed(frames):
    bare = frames["echo test"][MTI:]
    with pytest.raises(e.DecodeError):
        decode(bare)
    with pytest.raises(e.DecodeError):
        decode_message(frames["echo test"])
    assert decode_message(bare).mti == "0820"


@pytest.mark.parametrize("mti", ["0920", "0930", "0302", "0610"])
def test_an_mti_outside_the_table_of_transactions_decodes(mti):
    assert decode(frame(mti, [11], "000001")).mti == mti


@pytest.mark.parametrize("length", [8, 11, 12, 13, 14, 17])
def test_element_60_of_every_public_length_decodes(length):
    digits = "00000007301600012"[:length]
    assert decode(encode(Message("0820", {60: digits}))).get(60) == digits


@pytest.mark.parametrize("size", [57, 104])
def test_other_acquirers_key_data_decodes(size):
    message = Message("0810", {11: "000001", 62: bytes(range(size))})
    assert decode(encode(message)).get(62) == bytes(range(size))


def test_an_acquirers_rows_replace_and_extend_the_table():
    dialect = Dialect(
        elements=(Element(45, "track 1", FixedText(10)), Element(41, "id", FixedText(3)))
    )
    message = Message("0200", {41: "123", 45: "ABCDEFGHIJ"}, "6000060000", "603100310001")
    assert decode(encode(message, dialect), dialect) == message
    with pytest.raises(e.UnknownElement):
        decode(encode(message, dialect))


def test_encrypted_tracks_decode_only_where_the_dialect_says_that_they_are_encrypted():
    encrypted = Dialect(track_encryption=True)
    data = encode(Message("0200", {35: Track("6225=49F7EC26")}), encrypted)
    assert decode(data, encrypted).get(35) == Track("6225=49F7EC26")
    with pytest.raises(e.BadDigit):
        decode(data)


def test_the_content_of_each_element_is_found_in_a_frame_and_in_a_bare_message(frames, sale):
    data = frames["sale request, magstripe + PIN"]
    offsets = content_offsets(data)
    assert list(offsets) == sorted(sale.elements)
    assert offsets[3] == ELEMENTS
    assert data[offsets[60] : offsets[60] + 7] == bytes.fromhex("22000007000600")
    assert content_offsets(data[MTI:], bare=True) == {n: at - MTI for n, at in offsets.items()}
    assert list(content_offsets(data[:40])) == [3, 4, 11, 22, 25, 26]
    assert content_offsets(b"") == {}
