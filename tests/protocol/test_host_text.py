"""Text from a host is cleaned before a person, a log or a database sees it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("CUP 银联", "CUP 银联"),
        ("商\udcc3", "商?"),
        ("a\x00b\x1bc\x7fd\x85e\r\nf", "abcdef"),
        ("pay\u202e00.001\u202c", "pay00.001"),
        ("\u200f\u2066x\u2069\ufeff", "x"),
        ("line\u2028break\u2029", "linebreak"),
        ("\ue000\U0010ffff", "??"),
    ],
)
def test_what_is_removed_and_what_is_replaced(text, shown):
    assert printable(text, 100) == shown


def test_a_text_is_capped_after_it_is_cleaned():
    assert printable("\x00" * 50 + "abcdef", 3) == "abc"


@given(st.binary(max_size=60), st.integers(0, 80))
def test_any_bytes_give_text_that_every_codec_takes(raw, limit):
    shown = printable(raw.decode("gb18030", "surrogateescape"), limit)
    assert len(shown) <= limit
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs"}
