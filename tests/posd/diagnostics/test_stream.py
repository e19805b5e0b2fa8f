"""Items come out of the stream whole, from any cut; what is too long, too deep or odd is refused early."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posd.diagnostics.stream import (
    DEEPEST,
    LONGEST_REQUEST,
    SequenceReader,
    StreamError,
    decode_item,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.floats(allow_nan=False)
    | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def depth(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inside), default=0) if isinstance(value, dict | list) else 0


def taken(reader: SequenceReader) -> list[bytes]:
    items = []
    while (item := reader.next()) is not None:
        items.append(item)
    return items


@given(st.lists(VALUES.filter(lambda value: depth(value) <= DEEPEST), max_size=4), st.data())
def test_what_was_encoded_comes_out_whatever_the_cuts(
    values: list[Any], data: st.DataObject
) -> None:
    stream = b"".join(map(cbor2.dumps, values))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = SequenceReader()
    found: list[bytes] = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        reader.feed(stream[begin:end])
        found += taken(reader)
    assert [decode_item(item) for item in found] == values
    assert reader.pending == 0


@given(st.binary(max_size=200))
def test_any_bytes_are_items_or_refused_and_cuts_do_not_matter(stream: bytes) -> None:
    def read(pieces: list[bytes]) -> tuple[list[bytes], bool]:
        reader, found = SequenceReader(), []
        try:
            for piece in pieces:
                reader.feed(piece)
                found += taken(reader)
        except StreamError:
            return found, True
        return found, False

    at_once, bytewise = read([stream]), read([stream[i : i + 1] for i in range(len(stream))])
    # What is good before the fault is found one by one; at once it may be found with the fault.
    assert at_once[1] == bytewise[1]
    for item in bytewise[0]:
        assert _agrees_with_cbor2(item)


def _agrees_with_cbor2(item: bytes) -> bool:
    """What the scanner calls one whole item, the decoder takes whole, or refuses with our error."""
    try:
        value = decode_item(item)
    except StreamError:
        return True
    return depth(value) <= DEEPEST


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"\xc1\x00", "a tag"),  # a time
        (b"\xc4\x82\x1a\x7f\xff\xff\xff\x01", "a tag"),  # a decimal with 2,147,483,647 zeros
        (b"\x5f\x41\x00\xff", "a stated length"),
        (b"\x9f\xff", "a stated length"),
        (b"\xff", "a stated length"),
        (b"\x1c", "a stated length"),
        (b"\x5b" + b"\xff" * 8, "at most 4096 bytes"),  # a string of 2^64 - 1 bytes
        (b"\x9b" + b"\xff" * 8, "at most 4096 bytes"),
        (b"\xbb" + b"\x7f" * 8, "at most 4096 bytes"),
        (b"\x99\x10\x00", "at most 4096 bytes"),  # 4096 items take that many bytes, and the head
        (b"\x81" * (DEEPEST + 1), "at most 8 levels"),
    ],
)
def test_it_is_refused_as_soon_as_its_head_is_read(stream: bytes, why: str) -> None:
    reader = SequenceReader()
    reader.feed(stream)
    with pytest.raises(StreamError, match=why):
        reader.next()


def test_an_item_of_the_greatest_length_is_taken_and_one_byte_more_is_not() -> None:
    for length, good in ((LONGEST_REQUEST - 3, True), (LONGEST_REQUEST - 2, False)):
        reader = SequenceReader()
        reader.feed(cbor2.dumps(bytes(length)))
        if good:
            assert reader.next() is not None
        else:
            with pytest.raises(StreamError):
                reader.next()


def test_the_deepest_item_is_taken() -> None:
    reader = SequenceReader()
    reader.feed(b"\x81" * (DEEPEST - 1) + b"\x80" + b"\xa0")
    assert len(taken(reader)) == 2


@pytest.mark.parametrize(
    "item",
    [
        b"\x62\xc3\x28",  # text that is no UTF-8
        b"\xf8\x00",  # a simple value that has a shorter form
    ],
)
def test_what_is_whole_and_no_cbor_is_refused(item: bytes) -> None:
    reader = SequenceReader()
    reader.feed(item)
    assert reader.next() == item
    with pytest.raises(StreamError, match="expected CBOR"):
        decode_item(item)


def test_text_that_is_no_utf_8_is_refused_without_showing_it() -> None:
    with pytest.raises(StreamError) as refused:
        decode_item(b"\x64\xff\xff12")
    assert "12" not in str(refused.value)
    assert refused.value.__cause__ is None
