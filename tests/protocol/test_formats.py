"""Every format writes what it reads and reads what it writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import Pan, PinBlock, Track
from protocol import errors as e
from protocol.formats import (
    FixedDigits,
    FixedHostText,
    FixedOctets,
    FixedText,
    PanDigits,
    PinBlockOctets,
    TrackDigits,
    VariableDigits,
    VariableHostText,
    VariableOctets,
)

LL, LLL = 1, 2


def digits(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=least, max_size=most)


ascii_text = st.text(st.characters(max_codepoint=127), max_size=20)
FORMATS = [
    (FixedDigits(6), digits(6, 6)),
    (FixedDigits(3), digits(3, 3)),
    (FixedDigits(3, left=True), digits(3, 3)),
    (VariableDigits(LL, 11), digits(0, 11)),
    (VariableDigits(LLL, 322), digits(0, 322)),
    (PanDigits(LL, 19), digits(0, 19).map(Pan)),
    (TrackDigits(LL, 37), st.text("0123456789=", max_size=37).map(Track)),
    (TrackDigits(LLL, 104), st.text("0123456789=", max_size=104).map(Track)),
    (TrackDigits(LL, 37, encrypted=True), st.text("0123456789=ABCEF", max_size=37).map(Track)),
    (FixedText(20), ascii_text.map(lambda text: text.ljust(20))),
    (FixedOctets(8), st.binary(min_size=8, max_size=8)),
    (PinBlockOctets(8), st.binary(min_size=8, max_size=8).map(PinBlock)),
    (VariableOctets(LLL, 999), st.binary(max_size=999)),
]


@pytest.mark.parametrize(
    ("form", "values"), FORMATS, ids=lambda value: getattr(value, "summary", "")
)
@given(data=st.data())
def test_a_value_comes_back_as_it_was(form, values, data):
    value = data.draw(values)
    again = form.read(form.write(value, "x"), "x")
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize(
    "form",
    [FixedHostText(40), VariableHostText(LL, 25), VariableHostText(LLL, 999)],
    ids=lambda f: f.summary,
)
@given(content=st.binary(max_size=25))
def test_host_text_is_exact_for_any_bytes(form, content):
    wire = content.ljust(40) if isinstance(form, FixedHostText) else form.write(content, "x")
    assert form.write(form.read(wire, "x"), "x") == wire


def test_host_text_is_exact_for_every_pair_of_bytes_and_for_cut_characters():
    form = FixedHostText(2)
    for number in range(0x10000):
        wire = number.to_bytes(2, "big")
        assert form.write(form.read(wire, "x"), "x") == wire
    assert (
        VariableHostText(LL, 25).read(b"\x05" + "商户".encode("gb18030") + b"\xc3", "x")
        == "商户\udcc3"
    )


@given(st.binary(max_size=12))
def test_what_a_format_reads_it_writes_back_with_a_pad_f_as_0(wire):
    for form, _ in FORMATS:
        try:
            value = form.read(wire, "x")
        except e.DecodeError:
            continue
        again = form.write(value, "x")
        read = wire[: len(again)]
        assert again in (read, read[:-1] + bytes([read[-1] & 0xF0]) if read else b"")


@pytest.mark.parametrize(
    ("form", "value", "wire"),
    [
        (FixedDigits(3, left=True), "021", "0210"),
        (FixedDigits(3), "001", "0001"),
        (FixedDigits(1), "1", "01"),
        (FixedDigits(12), "000000012345", "000000012345"),
        (VariableDigits(LL, 11), "48021000", "0848021000"),
        (VariableDigits(LLL, 17), "00000007301", "0011000000073010"),
        (PanDigits(LL, 19), Pan("622500"), "06622500"),
        (TrackDigits(LL, 37), Track("6225=4912"), "096225D49120"),
        (FixedText(4), "12", "31322020"),
        (VariableHostText(LL, 25), "中国", "04D6D0B9FA"),
        (VariableOctets(LLL, 999), b"\x9f\x36", "00029F36"),
    ],
)
def test_packing_is_the_dialects(form, value, wire):
    assert form.write(value, "x").hex().upper() == wire
    assert form.read(bytes.fromhex(wire), "x") in (
        value,
        value.ljust(4) if isinstance(value, str) else value,
    )


@pytest.mark.parametrize("pad", ["0", "F"])
def test_a_pad_of_0_or_f_is_accepted(pad):
    assert VariableDigits(LL, 11).read(bytes.fromhex("03123" + pad), "x") == "123"
    assert TrackDigits(LL, 37).read(bytes.fromhex("0312D" + pad), "x") == Track("12=")


@pytest.mark.parametrize("pad", "123456789ABCDE")
def test_every_other_pad_is_refused(pad):
    for form in (VariableDigits(LL, 11), TrackDigits(LL, 37), PanDigits(LL, 19)):
        with pytest.raises(e.BadPad):
            form.read(bytes.fromhex("03123" + pad), "x")
