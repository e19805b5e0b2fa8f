"""BER-TLV: byte-exact, in order, and never deeper than the limit."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ProtocolError, TlvError, TlvTooDeep
from protocol.tlv import DEPTH_LIMIT, Tlv, build, parse

PUBLISHED = "9F3602031E910A42FE066E2918B0883030"

tags = st.sampled_from(
    ["9F26", "9F27", "9F10", "95", "9A", "DF31", "9F8101", "82", "C0", "DFAE7F"]
).map(bytes.fromhex)
items = st.lists(st.builds(Tlv, tags, st.binary(max_size=300)), max_size=6)


def test_a_published_element_55():
    counter, authentication = parse(bytes.fromhex(PUBLISHED))
    assert (counter.name, counter.value.hex()) == ("9F36", "031e")
    assert (authentication.name, len(authentication.value)) == ("91", 10)
    assert (counter.offset, authentication.offset) == (0, 5)


@given(items)
def test_items_come_back_in_order(written):
    assert [(item.tag, item.value) for item in parse(build(written))] == [
        (item.tag, item.value) for item in written
    ]


@given(st.binary(max_size=80))
def test_what_parses_builds_to_the_same_bytes(data):
    try:
        parsed = parse(data)
    except TlvError as error:
        assert error.path.startswith("55")  # noqa: PT017
        return
    assert build(parsed) == data


@pytest.mark.parametrize("wire", ["9F26810155", "9F2682000155", "9F260155"])
def test_a_length_that_is_longer_than_need_be_is_kept_as_it_was(wire):
    data = bytes.fromhex(wire)
    assert build(parse(data)) == data
    assert parse(data)[0].value == b"\x55"


@pytest.mark.parametrize(
    ("size", "head"), [(127, "9A7F"), (128, "9A8180"), (255, "9A81FF"), (256, "9A820100")]
)
def test_a_new_item_has_the_shortest_length(size, head):
    assert build([Tlv(b"\x9a", bytes(size))])[: len(head) // 2].hex().upper() == head


def test_constructed_tags_are_opened():
    script = bytes.fromhex("710C" + "9F180400000001" + "86038424" + "00")
    (template,) = parse(script)
    assert [child.name for child in template.children] == ["9F18", "86"]
    assert build([template]) == script


FAULTS = [
    ("9F", "55", 0),  # a tag that is cut
    ("9F8181818101", "55", 0),  # a tag too long
    ("0001AA", "55", 0),  # padding is no tag
    ("9A03260601FF", "55", 5),
    ("9A03260601FF00", "55", 5),
    ("9F26", "55.9F26", 2),  # no length
    ("9F2682", "55.9F26", 2),  # a length that is cut
    ("9F2680AA", "55.9F26", 2),  # an indefinite length
    ("9F2683000001AA", "55.9F26", 2),  # a length too long
    ("9F2608AABB", "55.9F26", 3),  # a value that is cut
    ("7106" + "9F1808000000", "55.71.9F18", 5),  # inside a constructed tag
]


@pytest.mark.parametrize(("wire", "path", "offset"), FAULTS)
def test_a_fault_is_found_where_it_is(wire, path, offset):
    with pytest.raises(TlvError) as caught:
        parse(bytes.fromhex(wire))
    assert (caught.value.path, caught.value.offset) == (path, offset)


@pytest.mark.parametrize(
    ("wire", "expected", "found"),
    [
        ("9F26", "a length", 0),
        ("9F268201", "a length in 3 bytes", 2),
        ("9F2608AABB", "8 bytes", 2),
        ("9F81818101", "a tag of at most 4 bytes", 5),
    ],
)
def test_a_fault_says_what_was_expected_and_what_length_was_found(wire, expected, found):
    with pytest.raises(TlvError) as caught:
        parse(bytes.fromhex(wire))
    assert (caught.value.expected, caught.value.found_length) == (expected, found)


def test_an_item_may_be_empty_and_as_large_as_its_length_can_tell():
    assert [item.value for item in parse(bytes.fromhex("9A8100" + "9C00"))] == [b"", b""]
    (largest,) = parse(build([Tlv(b"\x9a", bytes(0xFFFF))]))
    assert len(largest.value) == 0xFFFF


def nested(levels: int) -> bytes:
    data = b""
    for _ in range(levels):
        data = b"\x70" + bytes([len(data)]) + data
    return data


def test_nesting_up_to_the_limit_is_opened_and_beyond_it_refused():
    parse(nested(DEPTH_LIMIT - 1))
    with pytest.raises(TlvTooDeep):
        parse(nested(DEPTH_LIMIT))
    with pytest.raises(TlvTooDeep):
        parse(nested(60))


@given(st.binary(max_size=400))
def test_any_bytes_give_items_or_an_error_of_the_tree(data):
    with contextlib.suppress(ProtocolError):
        parse(data)


def test_a_value_that_no_length_can_tell_is_refused():
    with pytest.raises(ValueError, match="65,535"):
        build([Tlv(b"\x9a", bytes(65536))])


def test_an_item_prints_no_value():
    assert repr(Tlv(b"\x5a", bytes.fromhex("6225000000000014"))) == "Tlv(5A, 8 bytes)"
