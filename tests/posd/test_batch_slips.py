"""Slips of a whole batch: every line that they must have, on narrow and wide paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from devices import columns as grid
from devices.slip import Slip, from_plain, lay_out, to_plain
from posd.batch_slips import Contents, detail_list, summary, totals_slip
from posd.ledger.batches import SettlementRecord, SettlementState, UploadKind, UploadRecord
from posd.ledger.records import State, TransactionRecord
from posd.money.kinds import KINDS
from posd.money.totals import ClassResult, ClassTotals, totals_of
from posd.settings import Configuration, HostSettings, TerminalSettings

CONFIGURATION = Configuration(
    terminal=TerminalSettings(
        terminal_id="T0000001",
        merchant_id="M00000000000001",
        merchant_name="测试商户",
        state_directory=Path("/nowhere"),
        hotline="95516",
    ),
    host=HostSettings(address="127.0.0.1", port=1),
)


def a_record(
    number: int, kind: str, state: State = State.APPROVED, **more: Any
) -> TransactionRecord:
    fixed: dict[str, Any] = {
        "batch": 1,
        "batch_number": "000001",
        "stan": f"{number:06d}",
        "amount": 100_000 + number,
        "operator": "01",
        "supervisor": "",
        "masked_card": "622500******0014",
        "entry_mode": "022",
        "created_at": 1_780_306_200_000,
        "authorisation_code": "123456",
    }
    return TransactionRecord(id=number, kind=kind, state=state, **(fixed | more))


RECORDS = (
    a_record(1, "sale", State.VOIDED),
    a_record(2, "sale_void", amount=100_001, supervisor="00"),
    a_record(3, "sale", answer={63: "VIS"}),
    a_record(4, "refund", supervisor="00", operator="02"),
    a_record(5, "refund", supervisor="00", operator="02"),
    a_record(6, "sale", State.UNRESOLVED),
    a_record(7, "sale", State.REVERSED, host_had_none=True),
    a_record(8, "sale", State.DECLINED),
    a_record(9, "pre_authorisation", State.COMPLETED),
    a_record(10, "completion"),
)
SETTLEMENT = SettlementRecord(
    id=1, batch=1, batch_number="000001", state=SettlementState.CLOSED, operator="01",
    begun_at=1_780_306_200_000, request={}, totals=totals_of(RECORDS).plain(), tries=1,
    response_code="00", answer="", next_batch_number="", closed_at=1_780_306_260_000, closed_by="",
)  # fmt: skip
CONTENTS = Contents(
    batch_number="000001",
    operator="01",
    at=1_780_306_260_000,
    totals=totals_of(RECORDS),
    records=lambda: iter(RECORDS),
    cancelled=(("01", "00", 2_500), ("01", "00", 700), ("03", "", 100)),
    settlement=SETTLEMENT,
    domestic=ClassResult(totals_of(RECORDS).domestic, "1"),
    foreign=ClassResult(ClassTotals(1, 2, 3, 4), "2"),
    uploads=(
        UploadRecord(1, 1, UploadKind.ITEMS, {}, (3,), 1, "12", 1),
        UploadRecord(2, 1, UploadKind.UNREADABLE, {}, (10,), 0, "", 1),
        UploadRecord(3, 1, UploadKind.NOTICE, {}, (4,), 1, "00", 1),
        UploadRecord(4, 1, UploadKind.END, {}, (), 1, "00", 1),
    ),
)


def rows(slip: Slip, columns: int = 32) -> list[str]:
    return [" ".join(row.split()) for row in lay_out(slip, columns)]


def test_the_totals_slip_says_who_which_batch_and_when() -> None:
    said = rows(totals_slip(CONTENTS, CONFIGURATION))
    for words in (
        "结算总计单",
        "商户名称 测试商户",
        "商户编号 M00000000000001",
        "终端编号 T0000001",
        "批次号 000001",
        "操作员号 01",
        "服务热线 95516",
    ):
        assert words in said


def test_each_class_has_its_result_and_the_hosts_totals_only_where_they_differ() -> None:
    said = rows(totals_slip(CONTENTS, CONFIGURATION))
    domestic = said.index("内卡 对账平")
    assert said[domestic + 1 : domestic + 4] == [
        "借记 2 笔 2000.11",
        "贷记 3 笔 3000.10",
        "外卡 对账不平",
    ]
    foreign = said.index("外卡 对账不平")
    assert said[foreign + 1 : foreign + 6] == [
        "借记 1 笔 1000.03",
        "贷记 0 笔 0.00",
        "主机 HOST",
        "借记 2 笔 0.01",
        "贷记 4 笔 0.03",
    ]


@pytest.mark.parametrize(("result", "words"), [("1", "对账平"), ("2", "对账不平"), ("3", "对账错")])
def test_every_result_has_its_words(result: str, words: str) -> None:
    contents = structs.replace(CONTENTS, domestic=ClassResult(ClassTotals(), result))
    assert f"内卡 {words}" in rows(totals_slip(contents, CONFIGURATION))


def test_a_case_that_was_closed_is_listed_with_what_was_said_of_it() -> None:
    open_case = rows(totals_slip(CONTENTS, CONFIGURATION))
    assert "未决 须联系收单机构" in open_case
    assert "未决 已结案" not in open_case
    contents = structs.replace(CONTENTS, verdicts={6: "1"})
    said = rows(totals_slip(contents, CONFIGURATION))
    assert "未决 须联系收单机构" not in said
    first = said.index("未决 已结案")
    assert said[first + 1].startswith("000006 消费")
    assert said[first + 2] == "机构确认未成功"


def test_kinds_cases_declined_details_and_people_are_listed() -> None:
    said = rows(totals_slip(CONTENTS, CONFIGURATION))
    for words in (
        "消费 2 笔 2000.04",
        "消费撤销 1 笔 1000.01",
        "退货 2 笔 2000.09",
        "预授权 1 笔 1000.09",
        "000006 消费 1000.06",
        "000007 消费 1000.07",
        "000003 被拒 12",
        "000010 未上送",
        "01/00 消费撤销 1 笔 1000.01",
        "02/00 退货 2 笔 2000.09",
        "01/00 订单取消 2 笔 32.00",
        "03/-- 订单取消 1 笔 1.00",
    ):
        assert words in said
    assert said.index("未决 须联系收单机构") < said.index("000006 消费 1000.06")
    assert said.index("已冲正 主机无原交易") < said.index("000007 消费 1000.07")


def test_a_batch_without_any_of_these_has_no_empty_headings() -> None:
    contents = structs.replace(CONTENTS, records=lambda: iter(()), cancelled=(), uploads=())
    said = rows(totals_slip(contents, CONFIGURATION))
    assert not {
        "未决 须联系收单机构",
        "已冲正 主机无原交易",
        "批上送 未被接受",
        "操作员/主管",
    } & set(said)


def test_the_list_has_every_transaction_that_counts_and_no_other() -> None:
    said = rows(detail_list(CONTENTS, CONFIGURATION))
    numbers = [row[:6] for row in said if row[:6].isdigit() and "622500" not in row]
    assert numbers == ["000001", "000002", "000003", "000004", "000005", "000009", "000010"]
    assert "笔数 7" in said
    assert "授权码 123456 已撤销" in said
    assert "授权码 123456 外卡" in said


def test_the_summary_says_nothing_of_a_result() -> None:
    said = rows(summary(CONTENTS, CONFIGURATION))
    assert "交易汇总" in said
    assert "借记 2 笔 2000.11" in said
    assert not any("对账" in row for row in said)


def test_a_batch_that_was_closed_by_hand_says_so_on_both_slips() -> None:
    settlement = structs.replace(SETTLEMENT, closed_by="99", response_code="96")
    contents = structs.replace(CONTENTS, settlement=settlement, domestic=None, foreign=None)
    for slip in (totals_slip(contents, CONFIGURATION), detail_list(contents, CONFIGURATION)):
        said = rows(slip)
        assert "未与主机对平" in said
        assert "管理员 99" in said
        assert "最后应答 96" in said
    assert "内卡 未对账" in rows(totals_slip(contents, CONFIGURATION))


@pytest.mark.parametrize("columns", [32, 48])
@pytest.mark.parametrize("make", [totals_slip, detail_list, summary])
def test_every_slip_fits_the_paper_and_survives_the_ledger(make: Any, columns: int) -> None:
    most = tuple(
        a_record(number, kind, amount=99_999_999_999, supervisor="00")
        for number, kind in enumerate(KINDS, start=999_900)
    )
    contents = structs.replace(
        CONTENTS, records=lambda: iter(most), totals=totals_of(most), uploads=()
    )
    slip = make(contents, CONFIGURATION)
    assert from_plain(to_plain(slip)) == slip
    assert all(grid.width(row) <= columns for row in lay_out(slip, columns))
