"""The elements of an 0400, from the request that it undoes."""

from __future__ import annotations

import pytest

from protocol import Dialect, Pan, decode
from protocol.elements import restored, storable
from protocol.errors import InvalidRequest
from protocol.reversal import NO_ANSWER, NOT_USABLE, TERMINAL_FAULT, WRONG_MAC, reversal_elements
from protocol.transactions import (
    COMPLETION,
    COMPLETION_VOID,
    PRE_AUTHORISATION,
    PRE_AUTHORISATION_VOID,
    REVERSAL,
    SALE,
    SALE_VOID,
    validate,
)

VOID = "void request, card swiped, no PIN"
VOID_REVERSAL = "reversal of the void, reason 98, 61 = batch and STAN of the void itself, no 37"
DATED = (PRE_AUTHORISATION_VOID, COMPLETION, COMPLETION_VOID)


def without_mac(frame):
    return {number: value for number, value in decode(frame).elements.items() if number != 64}


def test_the_reversal_of_the_worked_sale(frames, sale):
    elements = reversal_elements(SALE, sale.elements, NO_ANSWER)
    assert elements == without_mac(frames["reversal of the sale, reason 98"])


def test_the_reversal_of_the_worked_void_points_at_the_void_itself(frames):
    elements = reversal_elements(SALE_VOID, decode(frames[VOID]).elements, NO_ANSWER)
    assert elements == without_mac(frames[VOID_REVERSAL])
    assert elements[61] == "000007000003"


def test_a_reversal_is_the_same_from_what_was_stored(frames, sale):
    for row, request in ((SALE, sale), (SALE_VOID, decode(frames[VOID]))):
        stored = restored(*storable(request.elements))
        assert reversal_elements(row, stored, "98") == reversal_elements(
            row, request.elements, "98"
        )


@pytest.mark.parametrize("reason", [NO_ANSWER, WRONG_MAC, TERMINAL_FAULT, NOT_USABLE])
def test_the_reason_is_element_39_and_the_reversal_keeps_its_rules(sale, reason):
    elements = reversal_elements(SALE, sale.elements, reason)
    assert elements[39] == reason
    validate(REVERSAL, elements)


def test_track_pin_and_reference_are_never_in_a_reversal(frames, sale):
    for request in (sale, decode(frames[VOID])):
        elements = reversal_elements(SALE_VOID, request.elements, "98")
        assert not elements.keys() & {26, 35, 36, 37, 52, 53, 63, 64}


def test_card_number_and_expiry_are_as_in_the_request_when_it_was_not_swiped(sale):
    keyed = {**sale.elements, 2: Pan("6225000000000014"), 14: "4912", 22: "012", 23: "001"}
    elements = reversal_elements(SALE, keyed, "98")
    assert (elements[2], elements[14], elements[23]) == (Pan("6225000000000014"), "4912", "001")


def test_after_a_swipe_there_is_no_card_number_even_when_it_is_stored(sale):
    stored = {**sale.elements, 2: Pan("6225000000000014"), 14: "4912"}
    assert not reversal_elements(SALE, stored, "98").keys() & {2, 14}


def test_hosts_that_want_the_expiry_after_a_swipe_get_it(sale):
    dialect = Dialect(reversal_expiry=True)
    assert reversal_elements(SALE, sale.elements, "98", dialect)[14] == "4912"
    stored = {number: value for number, value in sale.elements.items() if number != 35}
    assert 14 not in reversal_elements(SALE, stored, "98", dialect)
    assert reversal_elements(SALE, {**stored, 14: "4911"}, "98", dialect)[14] == "4911"


def test_hosts_that_want_the_reference_or_the_requests_original_get_them(frames):
    request = decode(frames[VOID]).elements
    dialect = Dialect(reversal_reference=True, reversal_original=True)
    elements = reversal_elements(SALE_VOID, request, "98", dialect)
    assert (elements[37], elements[61]) == (request[37], request[61])


def test_what_the_request_did_not_have_no_host_gets(sale):
    dialect = Dialect(reversal_reference=True, reversal_original=True)
    assert reversal_elements(SALE, sale.elements, "98", dialect).keys() & {37, 61} == set()
    own = reversal_elements(SALE_VOID, sale.elements, "98", dialect)[61]
    assert own == "000007000002"


@pytest.mark.parametrize("row", DATED, ids=lambda row: row.name)
def test_the_pre_authorisation_family_points_at_itself_with_a_date_of_zeros(sale, row):
    request = {**sale.elements, 38: "123456", 61: "0000070000010601"}
    elements = reversal_elements(row, request, "98")
    assert elements[61] == "0000070000020000"
    assert elements[38] == "123456"


@pytest.mark.parametrize("row", DATED, ids=lambda row: row.name)
def test_after_a_wrong_mac_the_date_is_the_hosts(sale, row):
    elements = reversal_elements(row, sale.elements, WRONG_MAC, host_date="0602")
    assert elements[61] == "0000070000020602"


@pytest.mark.parametrize("row", [SALE, PRE_AUTHORISATION], ids=lambda row: row.name)
def test_a_first_transaction_has_no_original(sale, row):
    assert 61 not in reversal_elements(row, sale.elements, WRONG_MAC, host_date="0602")


CHIP = bytes.fromhex(
    "9F2608AABBCCDDEEFF0011" + "9F1003070101" + "9505008004E000" + "9F36020123" + "9F1E0431323334"
)


def test_chip_data_is_cut_to_its_subset(sale):
    chip = {**sale.elements, 55: CHIP}
    assert (
        reversal_elements(SALE, chip, NO_ANSWER)[55].hex().upper()
        == "9505008004E000" + "9F1E0431323334"
    )
    with_counter = reversal_elements(SALE, chip, NOT_USABLE)[55]
    assert with_counter.hex().upper() == "9505008004E000" + "9F36020123" + "9F1E0431323334"


def test_chip_data_without_any_of_the_subset_is_left_out(sale):
    assert 55 not in reversal_elements(
        SALE, {**sale.elements, 55: bytes.fromhex("9A03260601")}, "98"
    )


@pytest.mark.parametrize("number", [3, 4, 11, 22, 25, 41, 42, 49, 60])
def test_a_request_that_lacks_what_an_0400_must_carry_is_refused(sale, number):
    request = {key: value for key, value in sale.elements.items() if key != number}
    with pytest.raises(InvalidRequest) as caught:
        reversal_elements(SALE, request, "98")
    assert caught.value.element == number


def test_a_void_whose_60_has_no_batch_is_refused(frames):
    request = {**decode(frames[VOID]).elements, 60: "23"}
    with pytest.raises(InvalidRequest, match="batch") as caught:
        reversal_elements(SALE_VOID, request, "98")
    assert caught.value.element == 60
