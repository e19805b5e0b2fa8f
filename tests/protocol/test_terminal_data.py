"""Element 62: device strings, chip details, parameters and downloads."""

from __future__ import annotations

import pytest

from protocol import errors as e
from protocol.terminal_data import (
    CHIP_DETAILS,
    DEVICE_STRING,
    PARAMETERS,
    ChipDetail,
    DeviceString,
    parameters,
    parse_download_list,
    parse_parameters,
)


def test_a_published_device_string(captured):
    content = bytes.fromhex(captured["messages"]["csdn_signin"]["elements"]["62"])
    parts = DEVICE_STRING.parts_of(content)
    assert parts == DeviceString("9491000001041812CA859291")
    assert DEVICE_STRING.content_of(parts) == content


def test_chip_details_go_and_come_back():
    detail = ChipDetail("00", "00", "000000012345", "156")
    content = CHIP_DETAILS.content_of(detail)
    assert content == b"610000000000012345156"
    assert CHIP_DETAILS.parts_of(content) == detail


def test_parameters_go_and_come_back():
    values = {"12": "60", "22": "商户".ljust(38), "26": "\x01\x02\x03\x04"}
    content = parameters(values.items())
    assert content.startswith(b"1260" + b"22" + "商户".encode("gbk"))
    assert {tag: value.rstrip(" ") for tag, value in parse_parameters(content).items()} == {
        tag: value.rstrip(" ") for tag, value in values.items()
    }


def test_a_parameter_that_no_row_knows_ends_the_list():
    with pytest.raises(e.LayoutUnknown) as caught:
        parse_parameters(b"126099x")
    assert caught.value.offset == 4
    with pytest.raises(e.WrongLength, match="a known parameter"):
        parameters([("99", "x")])


def test_a_parameter_that_is_cut_or_too_long_is_refused():
    with pytest.raises(e.Truncated) as caught:
        parse_parameters(b"22shop")
    assert (caught.value.path, caught.value.found_length) == ("62.22", 4)
    with pytest.raises(e.WrongLength, match="at most 2 bytes"):
        parameters([("12", "600")])


def test_every_parameter_has_room_and_a_name():
    assert all(row.size > 0 and row.name and len(tag) == 2 for tag, row in PARAMETERS.items())


def test_a_download_list_is_a_status_and_items():
    content = b"2" + bytes.fromhex("9F0605A000000333" + "9F220101")
    parts = parse_download_list(content)
    assert parts.status == "2"
    assert [item.name for item in parts.items] == ["9F06", "9F22"]
    with pytest.raises(e.TlvError) as caught:
        parse_download_list(content[:-1])
    assert (caught.value.path, caught.value.offset) == ("62.9F22", 12)
