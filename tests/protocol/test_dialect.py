"""A dialect is a value that is checked when it is made."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from protocol import DEFAULT, Message, PinBlock, decode, encode
from protocol.elements import Element
from protocol.formats import FixedText


def test_a_dialect_is_a_value(sale):
    assert replace(DEFAULT) == DEFAULT
    assert hash(replace(DEFAULT)) == hash(DEFAULT)
    assert encode(sale, replace(DEFAULT)) == encode(sale)


@pytest.mark.parametrize(
    "wrong",
    [
        {"request_tpdu": "60"},
        {"request_tpdu": "60000600zz"},
        {"request_header": "6"},
        {"request_header": "６" * 12},
        {"elements": (Element(65, "beyond the bitmap", FixedText(1)),)},
    ],
)
def test_a_malformed_dialect_is_not_made(wrong):
    with pytest.raises(ValueError, match=r"digits|numbers"):
        replace(DEFAULT, **wrong)


@pytest.mark.parametrize(
    ("chip", "test", "header"),
    [(False, False, "603100310001"), (True, False, "613100310001"), (False, True, "603110310001")],
)
def test_the_header_says_chip_and_test(chip, test, header):
    assert DEFAULT.header(chip=chip, test=test) == header
    assert replace(DEFAULT, has_header=False).header(chip=chip, test=test) is None


@pytest.mark.parametrize(("method", "size"), [("0", 8), ("6", 8), ("3", 16), ("4", 16)])
def test_a_pin_block_has_the_size_of_the_ciphers_block(method, size):
    dialect = replace(DEFAULT, security_method=method)
    message = Message("0200", {52: PinBlock(bytes(size))})
    assert decode(encode(message, dialect), dialect).get(52) == PinBlock(bytes(size))
    assert dialect.cipher.block_size == size
