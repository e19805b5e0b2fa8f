"""The table of transactions, and what a request must, may and must not carry."""

from __future__ import annotations

import pytest

from protocol import Message, Pan, Track, decode
from protocol.chip_tags import REQUEST_OPTIONAL, REQUEST_REQUIRED
from protocol.errors import InvalidRequest
from protocol.tlv import Tlv, build
from protocol.transactions import (
    ALL,
    BATCH_UPLOAD,
    BY_NAME,
    ECHO,
    ENTRY_MODES,
    REVERSAL,
    SALE,
    SALE_VOID,
    SIGN_IN,
    Doubt,
    identify,
    swiped,
    validate,
)

REQUESTS = {
    "sign-in request": "sign_in",
    "sale request, magstripe + PIN": "sale",
    "void request, card swiped, no PIN": "sale_void",
    "reversal of the sale, reason 98": "reversal",
    "refund request": "refund",
    "balance inquiry": "balance_inquiry",
    "pre-authorisation": "pre_authorisation",
    "settlement request": "settlement",
    "batch upload, 1 magstripe item": "batch_upload",
    "batch upload end, unbalanced": "batch_upload",
    "echo test": "echo",
    "sign-off": "sign_off",
    "reversal of the void, reason 98, 61 = batch and STAN of the void itself, no 37": "reversal",
    "settlement request: sale 123.45 (voided), its void, refund 50.00": "settlement",
    "batch upload, 2 magstripe items: the sale and its void": "batch_upload",
    "batch upload of the refund, no track, no 64": "batch_upload",
    "batch upload end, unbalanced, 3 details": "batch_upload",
}


def without(elements, *numbers):
    return {number: value for number, value in elements.items() if number not in numbers}


def test_the_table_has_every_transaction_by_its_name():
    assert list(BY_NAME) == [
        "balance_inquiry",
        "sale",
        "sale_void",
        "refund",
        "pre_authorisation",
        "pre_authorisation_void",
        "completion",
        "completion_notice",
        "completion_void",
        "reversal",
        "script_result",
        "sign_in",
        "sign_off",
        "echo",
        "settlement",
        "batch_upload",
    ]


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
def test_a_row_is_consistent(row):
    assert int(row.answer_mti) == int(row.request_mti) + 10
    assert not row.required & row.optional
    assert 64 not in row.required | row.optional
    assert row.mac or not row.financial
    assert row.financial or row.doubt is not Doubt.REVERSAL


def test_only_what_moves_money_at_once_is_reversed_and_notices_are_repeated():
    assert {row.name for row in ALL if row.doubt is Doubt.REVERSAL} == {
        "sale",
        "sale_void",
        "pre_authorisation",
        "pre_authorisation_void",
        "completion",
        "completion_void",
    }
    assert {row.name for row in ALL if row.doubt is Doubt.NOTICE} == {
        "refund",
        "completion_notice",
        "script_result",
    }


@pytest.mark.parametrize(("name", "transaction"), REQUESTS.items())
def test_every_worked_request_is_identified_and_keeps_its_rules(frames, name, transaction):
    message = decode(frames[name])
    assert identify(message) is BY_NAME[transaction]
    validate(BY_NAME[transaction], message.elements)


def test_every_worked_answer_is_identified(frames):
    answers = {name: decode(frame) for name, frame in frames.items() if name not in REQUESTS}
    assert all(message.mti[2] in "13" for message in answers.values())
    assert [name for name, message in answers.items() if identify(message) is None] == []


def test_a_message_that_no_row_fits_is_not_identified(sale):
    assert identify(Message("0920", {11: "000001"})) is None
    assert identify(sale.with_elements({3: "990000"})) is None
    assert identify(Message("0820", {60: "00000001999"})) is None
    assert identify(Message("0820", {41: "12345678"})) is None  # sign-off or echo


@pytest.mark.parametrize("number", sorted(SALE.required))
def test_a_request_without_a_required_element_is_refused(sale, number):
    with pytest.raises(InvalidRequest) as caught:
        validate(SALE, without(sale.elements, number))
    assert (caught.value.element, caught.value.transaction) == (number, "sale")


@pytest.mark.parametrize(
    ("number", "value"),
    [(37, "093121000002"), (38, "123456"), (39, "98"), (61, "000007000002"), (63, "000")],
)
def test_a_request_with_an_element_that_does_not_belong_is_refused(sale, number, value):
    with pytest.raises(InvalidRequest, match=f"element {number} does not belong"):
        validate(SALE, {**sale.elements, number: value})


@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({11: "000000"}, 11),
        ({3: "200000"}, 3),
        ({25: "06"}, 25),
        ({60: "23000007000600"}, 60),
        ({60: "22000007003600"}, 60),
        ({22: "990"}, 22),
        ({22: "022"}, 22),  # says that there is no PIN
        ({2: Pan("6225000000000014")}, 2),  # after a swipe
        ({14: "4912"}, 14),
    ],
)
def test_a_sale_with_a_wrong_code_is_refused(sale, changes, element):
    with pytest.raises(InvalidRequest) as caught:
        validate(SALE, {**sale.elements, **changes})
    assert caught.value.element == element


@pytest.mark.parametrize(
    ("missing", "element"), [((35,), 35), ((26,), 26), ((53,), 53), ((26, 52), 22)]
)
def test_pin_and_track_bring_their_companions(sale, missing, element):
    with pytest.raises(InvalidRequest) as caught:
        validate(SALE, without(sale.elements, *missing))
    assert caught.value.element == element


def test_security_information_without_pin_and_track_is_refused(sale):
    elements = without(sale.elements, 26, 35, 52) | {2: Pan("6225000000000014"), 22: "012"}
    with pytest.raises(InvalidRequest) as caught:
        validate(SALE, elements)
    assert caught.value.element == 53
    validate(SALE, without(elements, 53))


def test_a_chip_card_brings_its_number_and_chip_data(sale):
    elements = {**sale.elements, 22: "051", 2: Pan("6225000000000014"), 14: "4912", 23: "001"}
    with pytest.raises(InvalidRequest) as caught:
        validate(SALE, elements)
    assert caught.value.element == 55
    validate(SALE, elements | {55: chip_data(REQUEST_REQUIRED)})


def chip_data(tags) -> bytes:
    return build(Tlv(bytes.fromhex(tag), b"\x01") for tag in sorted(tags))


@pytest.mark.parametrize("tag", sorted(REQUEST_REQUIRED))
def test_chip_data_has_every_tag_that_a_request_must_have(sale, tag):
    elements = {**sale.elements, 22: "051", 2: Pan("6225000000000014"), 23: "001"}
    validate(SALE, elements | {55: chip_data(REQUEST_REQUIRED | REQUEST_OPTIONAL)})
    with pytest.raises(InvalidRequest, match=f"55 lacks the tags {tag}$"):
        validate(SALE, elements | {55: chip_data(REQUEST_REQUIRED - {tag})})


def test_chip_data_that_cannot_be_parsed_is_refused(sale):
    elements = {**sale.elements, 22: "071", 2: Pan("6225000000000014"), 55: bytes.fromhex("9F26")}
    with pytest.raises(InvalidRequest) as caught:
        validate(SALE, elements)
    assert caught.value.element == 55
    assert caught.value.__cause__ is None


def test_a_void_without_the_card_has_number_and_expiry_and_no_track(frames):
    elements = decode(frames["void request, card swiped, no PIN"]).elements
    validate(
        SALE_VOID, without(elements, 35, 53) | {22: "012", 2: Pan("6225000000000014"), 14: "4912"}
    )
    with pytest.raises(InvalidRequest) as caught:
        validate(SALE_VOID, {**elements, 22: "012", 2: Pan("6225000000000014")})
    assert caught.value.element == 35


def test_an_echo_has_no_stan():
    elements = {41: "12345678", 42: "898000000000001", 60: "00000007301"}
    validate(ECHO, elements)
    with pytest.raises(InvalidRequest):
        validate(ECHO, elements | {11: "000001"})


@pytest.mark.parametrize("code", ["001", "003", "004", "005", "006"])
def test_a_sign_in_may_ask_for_every_kind_of_key(code):
    elements = {
        11: "000001",
        41: "12345678",
        42: "898000000000001",
        60: f"00000001{code}",
        63: "01 ",
    }
    validate(SIGN_IN, elements)
    assert identify(Message("0800", elements)) is SIGN_IN


def test_the_error_names_the_rule_and_no_value(sale):
    with pytest.raises(InvalidRequest) as caught:
        validate(SALE, {**sale.elements, 36: Track("99"), 2: Pan("6225000000000014")})
    assert "6225" not in str(caught.value)
    assert "magnetic stripe" in str(caught.value)


def test_the_usual_network_code_is_the_first():
    assert (SIGN_IN.network_code, SALE.network_code, ECHO.network_code) == ("003", "000", "301")
    assert REVERSAL.network_code is BATCH_UPLOAD.network_code is None


def test_which_entry_modes_are_swipes():
    assert {mode for mode in ENTRY_MODES if swiped(mode + "1")} == {"02", "80", "90"}
    assert not swiped("991")
