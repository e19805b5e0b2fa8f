"""A message laid open: coded values in words, nothing that may not be seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Message, Pan, ProtocolError, Track, decode, decode_message, encode
from protocol.explain import NETWORK_CODES, explain

NUMBER = "6225000000000014"


@pytest.fixture
def explained(frames):
    """explained("sale request...")["22"]: the line of a path."""
    return lambda name: {line.path: line for line in explain(decode(frames[name]))}


def lines_of(message: Message):
    return {line.path: line for line in explain(decode(encode(message)))}


def test_the_worked_sale(explained):
    lines = explained("sale request, magstripe + PIN")
    assert lines["MTI"].meaning == "消费 SALE"
    assert lines["bitmap"].shown == "302004C020C09811"
    assert lines["bitmap"].meaning == "3 4 11 22 25 26 35 41 42 49 52 53 60 64"
    assert lines["4"].meaning == "123.45"
    assert lines["22"].meaning == "magnetic stripe, with PIN"
    assert lines["35"].shown == "622500******0014=********************"
    assert lines["52"].shown == "(8 bytes)"
    assert lines["53.method"].meaning == "double-length 3DES"
    assert lines["60.network_code"].meaning == "not a management message"
    assert lines["60.terminal_capability"].meaning == "chip and contactless"


def test_the_header_is_explained(explained):
    lines = explained("sale request, magstripe + PIN")
    assert lines["TPDU"].shown == "6000060000"
    assert lines["header.category"].meaning == "magnetic stripe"
    assert lines["header.status"].meaning == "normal"
    assert lines["header.requirement"].meaning == "none"


def test_response_codes_are_explained(explained):
    assert "可用余额不足" in explained("sale response, declined 51, no MAC")["39"].meaning
    assert explained("sale response, approved")["39"].meaning.startswith("approved")


def test_working_keys_are_named_and_not_shown(explained, worked):
    lines = explained("sign-in response (40-byte keys)")
    assert lines["62"].shown == "(40 bytes)"
    assert lines["62.PIK"].shown == "(16 bytes, check value 4 bytes)"
    assert lines["62.MAK"].depth == 1
    printed = "".join(line.shown + line.meaning for line in lines.values())
    assert worked["keys"]["element62_40_mak8"][:8] not in printed


def test_totals_are_explained(explained):
    lines = explained("settlement response: domestic not balanced, host totals")
    assert lines["48.domestic.debit_amount"].meaning == "123.45"
    assert lines["48.domestic.result"].meaning == "not balanced"
    assert lines["48.foreign.result"].meaning == "balanced"


def test_uploads_are_explained_with_masked_card_numbers(explained):
    lines = explained("batch upload, 2 magstripe items: the sale and its void")
    assert lines["48.1.pan"].shown == "622500******0014"
    assert lines["48.2.stan"].shown == "000003"
    assert explained("batch upload end, unbalanced")["48.details"].shown == "0001"


def test_element_48_of_another_message_stays_a_length():
    lines = lines_of(Message("0200", {48: "6225000000000014" + "0" * 46}))
    assert [path for path in lines if path.startswith("48")] == ["48"]
    assert lines["48"].shown == "(62 characters)"


def test_a_device_string_is_explained(captured):
    message = decode(bytes.fromhex(captured["messages"]["csdn_signin"]["hex"]))
    assert {line.path: line.shown for line in explain(message)}["62.label"] == "Sequence No"


def test_balances_are_explained():
    lines = lines_of(Message("0210", {54: "1002156D000000000100"}))
    assert lines["54.1.amount"].meaning == "-1.00"


def test_chip_data_is_explained_bit_by_bit():
    chip = bytes.fromhex(
        "9505008004E000" + "9F36020123" + "5A08" + NUMBER + "DF7F0101" + "710586038424" + "00"
    )
    lines = lines_of(Message("0200", {55: chip}))
    assert lines["55.9F36"].name == "application transaction counter"
    assert (
        lines["55.95.1"].meaning
        == "byte 2 bit 8: chip and terminal have different application versions"
    )
    assert lines["55.5A"].shown == "622500******0014"
    assert (lines["55.DF7F"].name, lines["55.DF7F"].shown) == ("unknown tag", "(1 bytes)")
    assert lines["55.71.86"].depth == 2


def test_what_cannot_be_parsed_is_a_length_and_a_reason():
    message = Message("0810", {55: bytes.fromhex("9F26"), 60: "000000010", 62: bytes(57)})
    lines = lines_of(message)
    assert lines["55"].shown == "(2 bytes)"
    assert "55.9F26 at byte 2" in lines["55"].meaning
    assert "60.network_code" in lines["60"].meaning
    assert "found 57" in lines["62"].meaning


@pytest.mark.parametrize(
    ("mti", "code", "content", "path", "shown"),
    [
        ("0320", "203", b"610000000000012345156", "62.amount", "000000012345"),
        ("0820", "362", b"011021", "62.02", "1"),
        ("0810", "360", b"1260", "62.12", "60"),
        ("0830", "372", b"1\x9f\x06\x01\xa0", "62.9F06", "A0"),
    ],
)
def test_element_62_is_explained_by_its_network_code(mti, code, content, path, shown):
    lines = lines_of(Message(mti, {60: f"00000001{code}", 62: content}))
    assert lines[path].shown == shown


def test_elements_that_no_table_knows_are_a_length():
    (line,) = [line for line in explain(Message("0200", {45: NUMBER})) if line.path == "45"]
    assert (line.shown, line.meaning) == ("(16 characters)", "not in the table")


def test_a_hand_made_message_of_nonsense_does_not_break_the_explanation():
    nonsense = {
        4: "lots",
        22: "",
        39: "",
        44: b"\xff",
        48: "x",
        53: "1",
        54: "y",
        60: "",
        61: "",
        63: b"\x00",
    }
    assert len(explain(Message("0510", nonsense))) >= len(nonsense)


def test_every_network_code_has_words():
    assert all(len(code) == 3 and words for code, words in NETWORK_CODES.items())


SHOWN = 6
numbers = st.text("123456789", min_size=13, max_size=19)


@given(numbers, st.sampled_from(["0200", "0320", "0510", "0810"]), st.binary(max_size=12))
def test_no_explanation_shows_more_than_six_and_four_digits_of_a_card_number(number, mti, noise):
    packed = bytes.fromhex(number + "F" * (len(number) % 2))
    elements = {
        2: Pan(number),
        35: Track(number + "=4912101"),
        36: Track("99" + number),
        48: f"010000020{number:0>20}000000012345",
        55: b"\x5a"
        + bytes([len(packed)])
        + packed
        + b"\x57\x0a"
        + packed.ljust(10, b"\xff")
        + noise,
        57: noise + number.encode(),
        62: b"22" + number.encode().ljust(40),
        63: "CUP" + number,
    }
    lines = explain(Message(mti, elements))
    printed = "\n".join(f"{line.path} {line.name} {line.shown} {line.meaning}" for line in lines)
    windows = [number[start : start + SHOWN + 1] for start in range(len(number) - SHOWN)]
    assert not [window for window in windows if window in printed]


@given(numbers, st.integers(0, 80))
def test_a_card_number_across_two_parts_is_masked(number, position):
    content = "CUP" + "x" * position + number
    lines = explain(Message("0210", {44: ("x" * (position % 9) + number)[:25], 63: content}))
    printed = "\n".join(line.shown for line in lines)
    windows = [number[start : start + SHOWN + 1] for start in range(len(number) - SHOWN)]
    assert not [window for window in windows if window in printed]


@given(st.binary(max_size=200))
def test_any_bytes_that_decode_can_be_explained(noise):
    try:
        message = decode_message(noise)
    except ProtocolError as error:
        message = getattr(error, "decoded", None)
    if message is not None:
        assert explain(message)
