"""Slips: which lines are printed about a transaction, and in which order. Not how a printer prints.

Pure. A slip is made once, inside the commit of the outcome that it shows, and stored; so it holds
nothing that may not be stored in clear: of the card number the first six and last four digits, of
the expiry date nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from devices import columns as grid
from devices.slip import Cut, Feed, Pair, Row, Rule, Slip, Text
from posd import VERSION
from posd.ledger.ledger import moment
from posd.ledger.records import State, TransactionRecord
from posd.settings import Configuration
from posd.texts import amount_text
from protocol.card import mask_digit_runs
from protocol.response_codes import look_up

DUPLICATED: Final = Text("重打印凭证/DUPLICATED", "centre", bold=True)
TEST_MARK: Final = Text("测试 无效 TEST VOID", "centre", bold=True)
_EXPIRY_NOT_SHOWN: Final = "**/**"
_ENTRY_LETTERS: Final = {"02": "/S", "05": "/I", "07": "/C", "01": "/M"}  # element 22, digits 1-2
_HOST_TEXTS: Final = ((3, 23), (23, 43), (43, 63), (63, 123))  # element 63 after its 3 characters


class Layout(NamedTuple):
    """What is particular to a kind of transaction."""

    kind: str  # 交易类型, as it is printed
    original: str = ""  # the label of the original's voucher number


LAYOUTS: Final[Mapping[str, Layout]] = {
    "sale": Layout("消费/SALE"),
    "sale_void": Layout("消费撤销/VOID", original="原凭证号"),
    "refund": Layout("退货/REFUND", original="原凭证号"),
    "pre_authorisation": Layout("预授权/AUTH"),
    "pre_authorisation_void": Layout("预授权撤销/CANCEL", original="原凭证号"),
    "completion": Layout("预授权完成/AUTH COMPLETE"),
    "completion_notice": Layout("预授权完成/AUTH COMPLETE"),
    "completion_void": Layout("预授权完成撤销/COMPLETE VOID", original="原凭证号"),
}
"""A row a kind, by the name of its row in protocol.transactions."""

COPIES: Final[Mapping[str, str]] = {
    "merchant": "商户存根 MERCHANT COPY",
    "cardholder": "持卡人存根 CARDHOLDER COPY",
}
"""The copies of a slip in the order in which they are printed, with their last line."""

_REASONS: Final[Mapping[str, str]] = {
    "98": "无应答",
    "A0": "应答MAC错误",
    "96": "终端故障",
    "06": "应答不可用",
}


def slips(
    record: TransactionRecord, configuration: Configuration, original: TransactionRecord | None
) -> tuple[tuple[str, Slip], ...]:
    """Every copy of the slip of an approved transaction, as (copy, slip), the first to print first.

    original is the transaction that this one undoes. Raises KeyError for a kind without a layout.
    """
    body = _head(record, configuration) + _transaction(record, original)
    return tuple((copy, _copy(body, copy, configuration)) for copy in COPIES)


def as_duplicate(slip: Slip) -> Slip:
    """The same slip marked 重打印凭证/DUPLICATED, once, above what is signed."""
    if DUPLICATED in slip.rows:
        return slip
    last_rule = max(
        (index for index, row in enumerate(slip.rows) if isinstance(row, Rule)), default=0
    )
    return Slip((*slip.rows[:last_rule], DUPLICATED, *slip.rows[last_rule:]))


def pending_slip(record: TransactionRecord, configuration: Configuration) -> Slip:
    """未决: a notice without a usable answer. It says nothing of success, and not to do it again."""
    again = f"{LAYOUTS[record.kind].kind.partition('/')[0]}处理中 请勿重复操作"
    rows: list[Row] = [
        Text("未决", "centre", large=True),
        Text("RESULT PENDING", "centre"),
        *_in_doubt(record, configuration),
        Rule(),
        Text(again, "centre", bold=True),
    ]
    return _finished(rows, configuration)


def fault_slip(record: TransactionRecord, configuration: Configuration) -> Slip:
    """冲正故障单: the reversal did not succeed in all its tries, or was given up: a person has to know."""
    how = "结果未定" if record.state is State.UNRESOLVED else "冲正未成功"
    rows: list[Row] = [
        Text("冲正故障单", "centre", large=True),
        Text("REVERSAL FAULT", "centre"),
        *_in_doubt(record, configuration),
        *([Pair("原因", _reason(record.reversal_reason))] if record.reversal_reason else []),
        Pair("冲正次数", str(record.reversal_tries)),
        Pair("最后应答", _last_answer(record.reversal_code)),
        *_hotline(configuration),
        Rule(),
        Text(f"{how} 请联系收单机构", "centre", bold=True),
        Text("请勿交货", "centre", bold=True),
    ]
    return _finished(rows, configuration)


# --- parts of a slip ------------------------------------------------------------------------------


def _who(configuration: Configuration) -> list[Row]:
    terminal = configuration.terminal
    return [
        Text(f"商户名称 {grid.printable(terminal.merchant_name)}"),
        Pair("商户编号", terminal.merchant_id),
        Pair("终端编号", terminal.terminal_id),
    ]


def _in_doubt(record: TransactionRecord, configuration: Configuration) -> list[Row]:
    """What names a transaction that has no outcome."""
    return [
        *_who(configuration),
        Pair("批次号", record.batch_number),
        Pair("凭证号", record.stan),
        Pair("交易类型", LAYOUTS[record.kind].kind),
        Pair("卡号", record.masked_card),
        Pair("金额", f"RMB {amount_text(record.amount)}", large=True),
        Pair("发送时间", f"{moment(record.created_at):%Y-%m-%d %H:%M:%S}"),
    ]


def _hotline(configuration: Configuration) -> list[Row]:
    hotline = configuration.terminal.hotline
    return [Pair("服务热线", grid.printable(hotline))] if hotline else []


def _head(record: TransactionRecord, configuration: Configuration) -> list[Row]:
    issuer, acquirer = _institutions(record)
    return [
        Text("签购单", "centre", large=True),
        Text("SALES SLIP", "centre"),
        *_who(configuration),
        Pair("操作员号", record.operator),
        Pair("收单机构", acquirer),
        Pair("发卡机构", issuer),
    ]


def _transaction(record: TransactionRecord, original: TransactionRecord | None) -> list[Row]:
    layout = LAYOUTS[record.kind]
    amount = record.amount if record.approved_amount is None else record.approved_amount
    return [
        Text("卡号 CARD NO."),
        Text(f"{record.masked_card} {_ENTRY_LETTERS.get(record.entry_mode[:2], '')}".rstrip()),
        Pair("有效期", _EXPIRY_NOT_SHOWN),
        Text("交易类型 TYPE"),
        Text(layout.kind, large=True),
        Pair("批次号", record.batch_number),
        Pair("凭证号", record.stan),
        *_authorisation(record),
        Pair("参考号", grid.printable(record.retrieval_reference)),
        Pair("日期/时间", f"{host_moment(record):%Y-%m-%d %H:%M:%S}"),
        Text("金额 AMOUNT"),
        Text(f"RMB {amount_text(amount)}", large=True),
        Text("备注 REFERENCE"),
        *(Text(remark) for remark in _remarks(record, layout, original)),
    ]


def _copy(body: list[Row], copy: str, configuration: Configuration) -> Slip:
    foot: list[Row] = [Rule()]
    if copy == "merchant":
        foot += [
            Text("持卡人签名 SIGNATURE"),
            Feed(2),
            Text("本人确认以上交易 同意将其记入本卡账户"),
            Text("I ACKNOWLEDGE THE TRANSACTION ABOVE"),
        ]
    foot += [*_hotline(configuration), Pair("版本", VERSION), Text(COPIES[copy], "centre")]
    return _finished([*body, *foot], configuration)


def _finished(rows: list[Row], configuration: Configuration) -> Slip:
    """With the test marks at top and bottom, and the cut."""
    if configuration.terminal.test_host:
        rows = [TEST_MARK, *rows, TEST_MARK]
    return Slip((*rows, Cut()))


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
    if layout.original and original is not None:
        remarks.append(f"{layout.original} {original.stan}")
    if record.response_code not in ("", "00"):
        remarks.append(look_up(record.response_code).zh)
    texts = _element(record, 63)
    remarks += [_clean(texts[start:end]) for start, end in _HOST_TEXTS]
    return [remark for remark in remarks if remark]


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
            candidates.append(
                datetime.strptime(f"{year}{record.host_date}{record.host_time}", "%Y%m%d%H%M%S")
            )
        except ValueError:
            continue  # no 29 February in that year, or no date at all
    return min(candidates, key=lambda each: abs(each - created), default=created)


def _reason(code: str) -> str:
    return f"{code} {_REASONS.get(code, '')}".strip()


def _last_answer(code: str) -> str:
    return f"{code} {look_up(code).zh}" if code else "无"
