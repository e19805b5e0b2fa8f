"""Elements 53, 60 and 61 fall into their parts and are made of them."""

from __future__ import annotations

import pytest
from msgspec.structs import asdict

from protocol import DEFAULT, Dialect
from protocol import errors as e
from protocol.private import (
    Element60,
    Element61,
    element_60,
    original_transaction,
    parse_60,
    parse_61,
    security_information,
)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("00000007", Element60("00", "000007")),
        ("00000001003", Element60("00", "000001", "003")),
        ("0100000700060", Element60("01", "000007", "000", "6", "0")),
        ("22000007000600", Element60("22", "000007", "000", "6", "0", "0")),
        ("22000007000600012", Element60("22", "000007", "000", "6", "0", "0", "012")),
    ],
)
def test_element_60_may_end_after_any_part(content, parts):
    assert parse_60(content) == parts
    values = [value for value in asdict(parts).values() if value is not None]
    if len(values) > 2:
        assert element_60(*values) == content


@pytest.mark.parametrize(
    ("content", "kind", "path", "offset"),
    [
        ("2", e.Truncated, "60.kind", 0),
        ("220000", e.Truncated, "60.batch", 2),
        ("220000070", e.Truncated, "60.network_code", 8),
        ("220000070006000123", e.TrailingBytes, "60", 17),
        ("2200000A000", e.BadDigit, "60.batch", 2),
    ],
)
def test_a_broken_element_60_names_its_part(content, kind, path, offset):
    with pytest.raises(e.DecodeError) as caught:
        parse_60(content)
    assert type(caught.value) is kind
    assert (caught.value.path, caught.value.offset) == (path, offset)
    assert caught.value.__context__ is None


def test_a_part_behind_a_gap_is_not_written():
    with pytest.raises(e.WrongLength, match=r"60\.terminal_capability"):
        element_60("22", "000007", "000", None, "0")


@pytest.mark.parametrize(
    ("batch", "kind"), [("7", e.WrongLength), ("00000x", e.NotDigits), (7, e.WrongType)]
)
def test_a_malformed_part_is_not_written(batch, kind):
    with pytest.raises(kind) as caught:
        element_60("22", batch)
    assert caught.value.path == "60.batch"


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("000007", Element61("000007")),
        ("000007000002", Element61("000007", "000002")),
        ("0000000000000601", Element61("000000", "000000", "0601")),
        (
            "00000700000206010112345678901",
            Element61("000007", "000002", "0601", "01", "12345678901"),
        ),
    ],
)
def test_element_61_may_end_after_any_part(content, parts):
    assert parse_61(content) == parts


def test_the_original_transaction_has_a_date_where_it_is_wanted():
    assert original_transaction("000007", "000002") == "000007000002"
    assert original_transaction("000000", "000000", "0601") == "0000000000000601"


@pytest.mark.parametrize(
    ("dialect", "pin", "content"),
    [
        (DEFAULT, True, "2600000000000000"),
        (DEFAULT, False, "0600000000000000"),
        (Dialect(track_encryption=True), False, "0610000000000000"),
        (Dialect(security_method="3"), True, "2300000000000000"),
    ],
)
def test_element_53_says_pin_method_and_track_encryption(dialect, pin, content):
    assert security_information(dialect, pin=pin) == content
