"""The parts of the private elements come out as they stand in the vectors, and go back."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import DEFAULT, Dialect, Pan, decode
from protocol import errors as e
from protocol.header import ProcessingRequirement, parse_header, processing_requirement
from protocol.host_data import (
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
from protocol.private import (
    Element60,
    Element61,
    element_60,
    original_transaction,
    parse_60,
    parse_61,
    security_information,
)
from protocol.settlement_data import (
    BatchTotals,
    Totals,
    UploadEnd,
    UploadItem,
    UploadList,
    element_48,
    parse_48,
)
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

CARD = Pan("6225000000000014")


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


# Element 60 and 61


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
    values = [value for value in vars(parts).values() if value is not None]
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


# Element 48


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


# Elements 44, 54 and 63


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


# Element 62


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


# Header


def test_the_header_of_an_answer_says_what_the_host_wants(frames):
    answer = frames["sale response, approved"]
    wants = answer.replace(bytes.fromhex("603100310001"), bytes.fromhex("603103310001"), 1)
    assert processing_requirement(decode(answer)) is ProcessingRequirement.NONE
    assert processing_requirement(decode(wants)) is ProcessingRequirement.SIGN_IN


def test_an_answer_without_header_wants_nothing(approval):
    assert processing_requirement(replace(approval, header=None)) is ProcessingRequirement.NONE


@given(digits(12))
def test_every_header_has_its_parts(header):
    parts = parse_header(header)
    requirement = parts.requirement.value
    assert parts.category + parts.generation + parts.status + requirement + parts.version == header


# All of them

READERS = [parse_60, parse_61, parse_48, institutions, host_texts, ELEMENT_54.parts_of]
BINARY_READERS = [
    DEVICE_STRING.parts_of,
    CHIP_DETAILS.parts_of,
    parse_parameters,
    parse_download_list,
]


@given(st.one_of(st.binary(max_size=90), st.text("0123456789", max_size=330).map(str.encode)))
def test_any_content_gives_parts_or_an_error_of_the_tree(content):
    text = content.decode("gb18030", "surrogateescape")
    for read, given_content in [(r, text) for r in READERS] + [
        (r, content) for r in BINARY_READERS
    ]:
        error = fault(read, given_content)
        if error is not None:
            assert (error.__context__, error.__cause__) == (None, None)
            assert error.path.startswith(("44", "48", "54", "60", "61", "62", "63"))
            assert not re.search(r"\d{5}", str(error))


def fault(read, content) -> e.DecodeError | None:
    try:
        read(content)
    except e.DecodeError as error:
        return error
    return None
