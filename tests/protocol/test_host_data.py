"""Elements 44, 54 and 63 say what they can, whatever the host sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import errors as e
from protocol.host_data import (
    ELEMENT_44,
    ELEMENT_54,
    Balance,
    Balances,
    HostTexts,
    Institutions,
    available_balance,
    host_texts,
    institutions,
    is_foreign,
)


def test_institutions_are_those_of_the_slip(approval):
    assert institutions(approval.get(44)) == Institutions("03080000   ", "48020000   ")
    assert institutions("0308") == Institutions("0308")
    assert institutions("") == Institutions("")


def test_host_texts_are_cut_by_their_bytes_in_gbk():
    content = "CUP" + "发卡行说好".encode("gbk").ljust(20).decode("gbk") + "网络"
    assert host_texts(content) == HostTexts("CUP", "发卡行说好" + " " * 10, "网络")


@given(st.binary(max_size=163))
def test_any_element_63_has_texts(raw):
    texts = host_texts(raw.decode("gb18030", "surrogateescape"))
    joined = texts.code + texts.issuer + texts.network + texts.acquirer + texts.terminal
    assert joined.encode("gb18030", "surrogateescape") == raw


@pytest.mark.parametrize(
    ("content", "foreign"),
    [("CUP", False), ("VIS", True), ("", False), ("   ", False), (None, False)],
)
def test_a_card_is_foreign_when_its_organisation_is_another(content, foreign):
    assert is_foreign(content) is foreign


@pytest.mark.parametrize(
    ("content", "fen"),
    [
        ("1002156C000000123456", 123456),
        ("0210156C000000123456", 123456),  # the two types swapped
        ("1002156D000000000100", -100),
        ("1001156C000000000001" + "1002156C000000000002", 2),
    ],
)
def test_the_available_balance_is_found(content, fen):
    balance = available_balance(content)
    assert balance is not None
    assert balance.fen == fen


@pytest.mark.parametrize(
    "content", ["", "no balance", "1001156C000000000001", "1002156X000000000001"]
)
def test_without_an_available_balance_there_is_none(content):
    assert available_balance(content) is None


def test_balances_go_back():
    accounts = (Balance("10", "02", "156", "C", "000000000001"),) * 2
    content = ELEMENT_54.text_of(Balances(accounts))
    assert ELEMENT_54.parts_of(content) == Balances(accounts)


def test_a_text_longer_than_its_place_is_not_written():
    assert ELEMENT_44.text_of(Institutions("0308", "4802")) == "03084802"
    with pytest.raises(e.WrongLength) as caught:
        ELEMENT_44.text_of(Institutions("中国银联银联"))
    assert (caught.value.path, caught.value.found_length) == ("44.issuer", 12)
