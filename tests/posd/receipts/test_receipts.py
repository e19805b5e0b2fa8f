"""What is printed: the lines in their order, the marks, and what is never on paper."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import structs

from devices.slip import Slip, from_plain, lay_out, to_plain
from posd.ledger.ledger import milliseconds
from posd.ledger.records import State, TransactionRecord
from posd.receipts import (
    LAYOUTS,
    as_duplicate,
    fault_slip,
    host_moment,
    pending_slip,
    slips,
)
from posd.settings import Configuration, HostSettings, TerminalSettings
from posd.testing.world import BEGINNING
from protocol.transactions import BY_NAME

PAN = "6225000000000014"
SALE = TransactionRecord(
    id=7,
    kind="sale",
    state=State.APPROVED,
    batch=1,
    batch_number="000001",
    stan="000012",
    amount=12345,
    operator="01",
    supervisor="",
    masked_card="622500******0014",
    entry_mode="021",
    created_at=milliseconds(BEGINNING),
    answer={44: "ISSUER     ACQUIRER   ", 63: "CUP" + "发卡行留言".ljust(15) + "网络留言"},
    approved_amount=12345,
    response_code="00",
    retrieval_reference="000000000777",
    authorisation_code="123456",
    host_date="0514",
    host_time="093001",
)
VOID = structs.replace(SALE, id=8, kind="sale_void", stan="000013", original=7)


def configuration(**terminal: object) -> Configuration:
    values: dict[str, object] = {
        "terminal_id": "T0000001",
        "merchant_id": "M00000000000001",
        "merchant_name": "测试商户",
        "state_directory": Path("/nowhere"),
        "hotline": "95516",
    }
    return Configuration(
        terminal=TerminalSettings(**{**values, **terminal}),  # type: ignore[arg-type]
        host=HostSettings(address="127.0.0.1", port=1),
    )


def text(slip: Slip, columns: int = 32) -> str:
    return "\n".join(lay_out(slip, columns))


def copies(record: TransactionRecord = SALE, **terminal: object) -> dict[str, str]:
    original = SALE if record.original else None
    return {copy: text(slip) for copy, slip in slips(record, configuration(**terminal), original)}


def test_the_merchant_copy_comes_first() -> None:
    assert list(copies()) == ["merchant", "cardholder"]


def test_the_lines_stand_in_the_order_of_the_trade() -> None:
    expected = [
        "签购单",
        "商户名称 测试商户",
        "M00000000000001",
        "T0000001",
        "操作员号",
        "收单机构",
        "发卡机构",
        "622500******0014 /S",
        "有效期",
        "消费/SALE",
        "批次号",
        "凭证号",
        "授权码",
        "参考号",
        "日期/时间",
        "RMB 123.45",
        "备注",
        "持卡人签名",
        "本人确认",
        "服务热线",
        "版本",
        "商户存根 MERCHANT COPY",
    ]
    merchant = copies()["merchant"]
    places = [merchant.index(line) for line in expected]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("操作员号", "01"),
        ("收单机构", "ACQUIRER"),
        ("发卡机构", "ISSUER"),
        ("批次号", "000001"),
        ("凭证号", "000012"),
        ("授权码", "123456"),
        ("参考号", "000000000777"),
        ("日期/时间", "2031-05-14 09:30:01"),
        ("服务热线", "95516"),
    ],
)
def test_a_label_stands_beside_its_value(label: str, value: str) -> None:
    assert re.search(rf"{label} +{re.escape(value)}$", copies()["merchant"], re.MULTILINE)


def test_only_the_merchant_copy_is_signed() -> None:
    both = copies()
    assert "持卡人签名" in both["merchant"]
    assert "持卡人签名" not in both["cardholder"]
    assert "持卡人存根 CARDHOLDER COPY" in both["cardholder"]


def test_a_void_names_its_kind_and_the_original_voucher() -> None:
    merchant = copies(VOID)["merchant"]
    assert "消费撤销/VOID" in merchant
    assert "原凭证号 000012" in merchant.split("备注")[1]


def test_a_card_that_was_not_there_is_marked_so() -> None:
    assert "622500******0014 /M" in copies(structs.replace(SALE, entry_mode="012"))["merchant"]


def test_the_approved_amount_is_what_is_printed() -> None:
    partial = structs.replace(SALE, approved_amount=5000, response_code="10")
    assert "RMB 50.00" in copies(partial)["merchant"]
    assert "部分批准" in copies(partial)["merchant"].split("备注")[1]


def test_the_texts_of_the_host_stand_under_the_remarks() -> None:
    remarks = copies()["merchant"].split("备注")[1]
    assert "发卡行留言" in remarks
    assert "网络留言" in remarks
    assert "CUP" not in remarks


def test_a_text_of_the_host_carries_no_card_number_and_no_control_to_the_paper() -> None:
    hostile = "CUP" + f"\x1b@{PAN}".ljust(20)
    record = structs.replace(SALE, answer={63: hostile})
    merchant = copies(record)["merchant"]
    assert PAN not in merchant
    assert "\x1b" not in merchant


def test_a_text_of_the_host_that_is_cut_in_a_character_is_printed_all_the_same() -> None:
    cut = ("CUP" + "留" * 10).encode("gb18030")[:-1].decode("gb18030", "surrogateescape")
    record = structs.replace(SALE, answer={63: cut})
    (_, merchant), _ = slips(record, configuration(), None)
    assert "留" * 9 in text(merchant)
    text(merchant).encode("utf-8")


def test_bytes_and_text_of_an_element_print_the_same() -> None:
    value = SALE.answer[63]
    assert isinstance(value, str)
    as_bytes = structs.replace(SALE, answer={**SALE.answer, 63: value.encode("gb18030")})
    assert copies(as_bytes) == copies()


def test_the_expiry_date_is_not_printed() -> None:
    assert re.search(r"有效期 +\*\*/\*\*", copies()["merchant"])


@pytest.mark.parametrize("columns", [32, 48])
@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_slip_of_every_kind_fits_both_papers_and_survives_the_ledger(
    kind: str, columns: int
) -> None:
    record = structs.replace(SALE, kind=kind, original=7)
    for _, slip in slips(record, configuration(merchant_name="很" * 40), SALE):
        assert lay_out(slip, columns)
        assert from_plain(to_plain(slip)) == slip


def test_every_layout_is_of_a_transaction_of_the_dialect() -> None:
    assert LAYOUTS.keys() <= BY_NAME.keys()


def test_against_a_test_host_every_slip_is_marked_at_top_and_bottom() -> None:
    marked = [*copies(test_host=True).values()]
    marked.append(text(fault_slip(SALE, configuration(test_host=True))))
    for slip in marked:
        rows = slip.splitlines()
        assert "测试 无效" in rows[0]
        assert "测试 无效" in rows[-2]
    assert "测试" not in copies()["merchant"].replace("测试商户", "")


def test_a_duplicate_is_marked_once_above_the_signature() -> None:
    (_, merchant), _ = slips(SALE, configuration(), None)
    duplicate = as_duplicate(merchant)
    assert text(duplicate).count("重打印凭证/DUPLICATED") == 1
    assert text(duplicate).index("重打印凭证") < text(duplicate).index("持卡人签名")
    assert as_duplicate(duplicate) == duplicate
    assert text(duplicate).replace("重打印凭证/DUPLICATED", "").split() == text(merchant).split()


@pytest.mark.parametrize("make", [fault_slip, pending_slip])
def test_slips_of_doubt_can_be_marked_too(make: object) -> None:
    assert callable(make)
    assert "重打印凭证/DUPLICATED" in text(as_duplicate(make(SALE, configuration())))


def test_a_fault_slip_says_what_a_person_needs_to_settle_the_case() -> None:
    record = structs.replace(
        SALE, state=State.REVERSING, reversal_reason="98", reversal_tries=3, reversal_code="96"
    )
    slip = text(fault_slip(record, configuration()))
    for part in (
        "冲正故障单",
        "M00000000000001",
        "T0000001",
        "000001",
        "000012",
        "消费/SALE",
        "622500******0014",
        "RMB 123.45",
        "2031-05-14 09:30:00",
        "98 无应答",
        "95516",
        "冲正未成功 请联系收单机构",
    ):
        assert part in slip
    assert re.search(r"冲正次数 +3$", slip, re.MULTILINE)
    assert "96 拒绝" in slip


def test_a_fault_slip_without_any_answer_says_none() -> None:
    assert re.search(r"最后应答 +无$", text(fault_slip(SALE, configuration())), re.MULTILINE)


def test_the_slip_of_a_case_that_was_given_up_no_longer_says_that_it_is_reversed() -> None:
    given_up = structs.replace(SALE, state=State.UNRESOLVED, reversal_reason="")
    slip = text(fault_slip(given_up, configuration()))
    assert "结果未定 请联系收单机构" in slip
    assert "冲正未成功" not in slip
    assert "原因" not in slip


def test_a_pending_slip_says_nothing_of_success_and_not_to_do_it_again() -> None:
    slip = text(pending_slip(structs.replace(SALE, kind="refund"), configuration()))
    assert "未决" in slip
    assert "退货处理中 请勿重复操作" in slip
    assert "成功" not in slip


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("0101", "000001", "2032-01-01 00:00:01"),
        ("1231", "235959", "2031-12-31 23:59:59"),
        ("", "", "2031-12-31 23:59:58"),
        ("0230", "120000", "2031-12-31 23:59:58"),
    ],
)
def test_the_hosts_date_gets_the_year_that_brings_it_nearest(
    date: str, time: str, expected: str
) -> None:
    created = milliseconds(BEGINNING.replace(month=12, day=31, hour=23, minute=59, second=58))
    record = structs.replace(SALE, created_at=created, host_date=date, host_time=time)
    assert f"{host_moment(record):%Y-%m-%d %H:%M:%S}" == expected
