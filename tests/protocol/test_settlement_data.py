"""Element 48: totals, lists and ends come out as they stand in the vectors, and go back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Pan, decode
from protocol import errors as e
from protocol.settlement_data import (
    BatchTotals,
    Totals,
    UploadEnd,
    UploadItem,
    UploadList,
    element_48,
    parse_48,
)

CARD = Pan("6225000000000014")


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


def test_the_worked_totals(frames):
    content = decode(frames["settlement response, domestic+foreign balanced"]).get(48)
    domestic = Totals("000000012345", "001", "000000005000", "001", "1")
    foreign = Totals("000000000000", "000", "000000000000", "000", "1")
    assert parse_48(content) == BatchTotals(domestic, foreign)
    assert parse_48(content[:31]) == BatchTotals(domestic)


def test_the_worked_upload(frames):
    content = decode(frames["batch upload, 2 magstripe items: the sale and its void"]).get(48)
    items = [UploadItem("00", stan, CARD, "000000012345") for stan in ("000002", "000003")]
    assert parse_48(content) == UploadList(tuple(items))
    assert parse_48(decode(frames["batch upload end, unbalanced, 3 details"]).get(48)) == UploadEnd(
        "0003"
    )


def test_every_worked_element_48_goes_back(frames):
    contents = [decode(frame).get(48) for frame in frames.values()]
    worked = [content for content in contents if content]
    assert len(worked) == 8
    assert [element_48(parse_48(content)) for content in worked] == worked


items = st.builds(
    UploadItem,
    digits(2),
    digits(6),
    st.text("123456789", min_size=13, max_size=19).map(Pan),
    digits(12),
)


@given(st.lists(items, max_size=8))
def test_up_to_eight_items_go_and_come_back(listed):
    content = element_48(UploadList(tuple(listed)))
    assert parse_48(content) == UploadList(tuple(listed))
    assert len(content) <= 322


def test_nine_items_do_not_go():
    with pytest.raises(e.WrongLength, match="at most 8"):
        element_48(UploadList((UploadItem("00", "000001", CARD, "000000000001"),) * 9))


def test_a_list_that_says_more_items_than_the_message_may_have_is_refused():
    with pytest.raises(e.LengthAboveMaximum, match="at most 8 items"):
        parse_48("99" + "0" * 40)


@pytest.mark.parametrize("content", ["", "00000", "1" * 30, "1" * 63])
def test_an_element_48_of_no_known_length_is_refused(content):
    with pytest.raises(e.LayoutUnknown) as caught:
        parse_48(content)
    assert caught.value.found_length == len(content)


def test_a_list_shorter_than_it_says_is_refused():
    with pytest.raises(e.Truncated) as caught:
        parse_48("02" + "0" * 40)
    assert caught.value.path == "48.items.2.card_class"


def test_a_card_number_in_a_list_is_a_pan():
    with pytest.raises(e.WrongType) as caught:
        element_48(UploadList((UploadItem("00", "000001", CARD.reveal(), "000000000001"),)))
    assert caught.value.path == "48.items.1.pan"
