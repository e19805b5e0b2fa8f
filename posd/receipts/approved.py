"""The slip of an approved transaction, in its copies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from devices import columns as grid
from devices.slip import Feed, Pair, Row, Rule, Slip, Text
from posd import VERSION
from posd.ledger.ledger import moment
from posd.ledger.records import TransactionRecord
from posd.receipts.layouts import LAYOUTS, Layout
from posd.receipts.parts import finished, hotline, who
from posd.settings import Configuration
from posd.texts import amount_text
from protocol.card import mask_digit_runs
from protocol.response_codes import look_up

LARGE_COLUMNS: Final = 16  # on paper of 32
_EXPIRY_NOT_SHOWN: Final = "**/**"
_ENTRY_LETTERS: Final = {"02": "/S", "05": "/I", "07": "/C", "01": "/M"}  # element 22, digits 1-2
_HOST_TEXTS: Final = ((3, 23), (23, 43), (43, 63), (63, 123))  # element 63 after its 3 characters


COPIES: Final[Mapping[str, str]] = {
    "merchant": "商户存根 MERCHANT COPY",
    "cardholder": "持卡人存根 CARDHOLDER COPY",
}
"""The copies of a slip in the order in which they are printed, with their last line."""


def slips(
    record: TransactionRecord, configuration: Configuration, original: TransactionRecord | None
) -> tuple[tuple[str, Slip], ...]:
    """Every copy of the slip of an approved transaction, as (copy, slip), the first to print first.

    original is the transaction that this one undoes. Raises KeyError for a kind without a layout.
    """
    body = _head(record, configuration) + _transaction(record, original)
    return tuple((copy, _copy(body, copy, configuration)) for copy in COPIES)


def _head(record: TransactionRecord, configuration: Configuration) -> list[Row]:
    issuer, acquirer = _institutions(record)
    return [
        Text("签购单", "centre", large=True),
        Text("SALES SLIP", "centre"),
        *who(configuration),
        Pair("操作员号", record.operator),
        Pair("收单机构", acquirer),
        Pair("发卡机构", issuer),
    ]


def _transaction(record: TransactionRecord, original: TransactionRecord | None) -> list[Row]:
    layout = LAYOUTS[record.kind]
    amount = record.booked_amount
    return [
        Text("卡号 CARD NO."),
        Text(f"{record.masked_card} {_ENTRY_LETTERS.get(record.entry_mode[:2], '')}".rstrip()),
        Pair("有效期", _EXPIRY_NOT_SHOWN),
        Text("交易类型 TYPE"),
        *_kind(layout),
        Pair("批次号", record.batch_number),
        Pair("凭证号", record.stan),
        *_authorisation(record),
        Pair("参考号", grid.printable(record.retrieval_reference)),
        Pair("日期/时间", f"{host_moment(record):%Y-%m-%d %H:%M:%S}"),
        Text("金额 AMOUNT"),
        Text(f"RMB {amount_text(amount)}", large=True),
        *_in_part(record, amount),
        Text("备注 REFERENCE"),
        *(Text(remark) for remark in _remarks(record, layout, original)),
    ]


def _in_part(record: TransactionRecord, approved: int) -> list[Row]:
    """What was asked, what was approved, and what is still to be paid."""
    if approved >= record.amount:
        return []
    return [
        Pair("应收", f"RMB {amount_text(record.amount)}"),
        Pair("实收", f"RMB {amount_text(approved)}"),
        Pair("未收", f"RMB {amount_text(record.amount - approved)}"),
    ]


def _kind(layout: Layout) -> list[Row]:
    """交易类型, in one large row where the narrowest paper has room for it, else broken between its words."""
    if grid.width(layout.kind) <= LARGE_COLUMNS:
        return [Text(layout.kind, large=True)]
    chinese, slash, english = layout.kind.partition("/")
    return [Text(chinese + slash, large=True), Text(english, large=True)]


def _copy(body: list[Row], copy: str, configuration: Configuration) -> Slip:
    foot: list[Row] = [Rule()]
    if copy == "merchant":
        foot += [
            Text("持卡人签名 SIGNATURE"),
            Feed(2),
            Text("本人确认以上交易 同意将其记入本卡账户"),
            Text("I ACKNOWLEDGE THE TRANSACTION ABOVE"),
        ]
    foot += [*hotline(configuration), Pair("版本", VERSION), Text(COPIES[copy], "centre")]
    return finished([*body, *foot], configuration)


def _institutions(record: TransactionRecord) -> tuple[str, str]:
    """Issuer and acquirer from element 44: 11 characters each, space-padded."""
    value = _element(record, 44)
    return _clean(value[:11]), _clean(value[11:22])


def _authorisation(record: TransactionRecord) -> list[Row]:
    """A void has none at many hosts; then there is no empty line either."""
    code = grid.printable(record.authorisation_code)
    return [Pair("授权码", code)] if code else []


def _remarks(
    record: TransactionRecord, layout: Layout, original: TransactionRecord | None
) -> list[str]:
    """The original's voucher, what a special approval means, the texts of element 63."""
    remarks = []
    if layout.original:
        remarks += _original(record, layout, original)
    if record.response_code not in ("", "00"):
        remarks.append(look_up(record.response_code).zh)
    texts = _element(record, 63)
    remarks += [_clean(texts[start:end]) for start, end in _HOST_TEXTS]
    return [remark for remark in remarks if remark]


def _original(
    record: TransactionRecord, layout: Layout, original: TransactionRecord | None
) -> list[str]:
    """By its voucher; one that this ledger does not hold as the clerk named it: 37 or 38, date of 61."""
    if original is not None:
        return [f"{layout.original} {original.stan}"]
    named = (("原参考号", 37), ("原授权码", 38))
    remarks = [
        f"{label} {record.request[number]!s}" for label, number in named if number in record.request
    ]
    date = str(record.request.get(61, ""))[12:16]
    return [*remarks, f"原交易日期 {date}"] if date else remarks


def _element(record: TransactionRecord, number: int) -> bytes:
    """An element of the answer as the bytes that the host sent."""
    value = record.answer.get(number, b"")
    return value.encode("gb18030", "surrogateescape") if isinstance(value, str) else value


def _clean(data: bytes) -> str:
    """Text of the host for paper: printable, and no run of digits that could be a card number."""
    text = data.decode("gb18030", "replace").replace("\ufffd", "?").strip(" \0")
    return mask_digit_runs(grid.printable(text))


def host_moment(record: TransactionRecord) -> datetime:
    """Elements 13 and 12 of the answer, with the year that brings them nearest to the request.

    Without them, or when they are no date, the moment of the request.
    """
    created = moment(record.created_at)
    candidates = []
    for year in (created.year - 1, created.year, created.year + 1):
        try:
            moment_there = f"{year}{record.host_date}T{record.host_time}"
            candidates.append(datetime.fromisoformat(moment_there))
        except ValueError:
            continue  # no 29 February in that year, or no date at all
    return min(candidates, key=lambda each: abs(each - created), default=created)
