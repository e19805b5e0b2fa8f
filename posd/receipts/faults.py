"""Slips about what has no outcome: 未决, and 冲正故障单."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from devices.slip import Pair, Row, Rule, Slip, Text
from posd.ledger.ledger import moment
from posd.ledger.records import State, TransactionRecord
from posd.receipts.layouts import LAYOUTS
from posd.receipts.parts import finished, hotline, who
from posd.settings import Configuration
from posd.texts import amount_text
from protocol.response_codes import look_up

_REASONS: Final[Mapping[str, str]] = {
    "98": "无应答",
    "A0": "应答MAC错误",
    "96": "终端故障",
    "06": "应答不可用",
}


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
    return finished(rows, configuration)


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
        *hotline(configuration),
        Rule(),
        Text(f"{how} 请联系收单机构", "centre", bold=True),
        Text("请勿交货", "centre", bold=True),
    ]
    return finished(rows, configuration)


def _in_doubt(record: TransactionRecord, configuration: Configuration) -> list[Row]:
    """What names a transaction that has no outcome."""
    return [
        *who(configuration),
        Pair("批次号", record.batch_number),
        Pair("凭证号", record.stan),
        Pair("交易类型", LAYOUTS[record.kind].kind),
        Pair("卡号", record.masked_card),
        Pair("金额", f"RMB {amount_text(record.amount)}", large=True),
        Pair("发送时间", f"{moment(record.created_at):%Y-%m-%d %H:%M:%S}"),
    ]


def _reason(code: str) -> str:
    return f"{code} {_REASONS.get(code, '')}".strip()


def _last_answer(code: str) -> str:
    return f"{code} {look_up(code).zh}" if code else "无"
