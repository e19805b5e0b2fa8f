"""Slips about a whole batch: the totals slip of a settlement, the list of transactions, the summary.

Pure, but for reading the ledger once (`Contents.of`). As other slips, they are made in the commit of what
they show, and hold no card number in full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from msgspec import Struct, field

from devices.slip import Pair, Row, Rule, Slip, Text
from posd.ledger.batches import SettlementRecord, UploadKind, UploadRecord
from posd.ledger.ledger import Ledger, moment
from posd.ledger.records import State, TransactionRecord
from posd.money.kinds import KINDS, Side
from posd.money.totals import (
    ClassResult,
    ClassTotals,
    SettlementTotals,
    is_counted,
    is_foreign,
    parse_answer,
    totals_of,
)
from posd.receipts.parts import finished, hotline, who
from posd.settings import Configuration
from posd.texts import amount_text

TOTALS: Final = "totals"
DETAILS: Final = "details"
SUMMARY: Final = "summary"
"""Names of the copies in the print queue."""

_RESULTS: Final = {"1": "对账平", "2": "对账不平", "3": "对账错"}
_NOT_COMPARED: Final = "未对账"
_TIME: Final = "%Y-%m-%d %H:%M:%S"
_STATES: Final = {State.VOIDED: "已撤销", State.COMPLETED: "已完成"}
_DONE: Final = "00"
_VERDICTS: Final = {"1": "机构确认未成功", "2": "机构确认已成功", "3": "联系不上", "4": "其他"}
"""What a supervisor closed a case with, by its digit, in the words of the list it was chosen from."""


class Contents(Struct, frozen=True):
    """What there is to say of one batch. settlement is None while the batch is open.

    records: reads them, one by one. domestic, foreign: the host's word, where there is one. cancelled:
    operator, supervisor and fen of each order. verdicts: of the cases that a person has closed, by
    transaction.
    """

    batch_number: str
    operator: str
    at: int
    totals: SettlementTotals
    records: Callable[[], Iterator[TransactionRecord]]
    cancelled: tuple[tuple[str, str, int], ...]
    settlement: SettlementRecord | None = None
    domestic: ClassResult | None = None
    foreign: ClassResult | None = None
    uploads: tuple[UploadRecord, ...] = ()
    verdicts: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, ledger: Ledger, settlement: SettlementRecord) -> Contents:
        """Of a batch that is settled, or being settled. Raises ProtocolError for an answer that is none."""
        domestic, foreign = parse_answer(settlement.answer) if settlement.answer else (None, None)
        records = partial(ledger.transactions.in_batch, settlement.batch)
        return cls(
            batch_number=settlement.batch_number,
            operator=settlement.operator,
            at=settlement.begun_at if settlement.closed_at is None else settlement.closed_at,
            totals=SettlementTotals.from_plain(settlement.totals),
            records=records,
            cancelled=tuple(ledger.batches.cancelled_orders(settlement.batch)),
            settlement=settlement,
            domestic=domestic,
            foreign=foreign,
            uploads=tuple(ledger.batches.uploads(settlement.id)),
            verdicts=_verdicts(ledger, records()),
        )

    @classmethod
    def of_open_batch(cls, ledger: Ledger, operator: str) -> Contents:
        """Of the open batch as it is now."""
        records = partial(ledger.transactions.in_batch, ledger.counters.open_batch)
        return cls(
            batch_number=ledger.counters.batch_number,
            operator=operator,
            at=ledger.now(),
            totals=totals_of(records()),
            records=records,
            cancelled=tuple(ledger.batches.cancelled_orders(ledger.counters.open_batch)),
            verdicts=_verdicts(ledger, records()),
        )


def _verdicts(ledger: Ledger, records: Iterable[TransactionRecord]) -> dict[int, str]:
    """What was said of each case that is closed."""
    cases = (record.id for record in records if record.state is State.UNRESOLVED)
    verdicts = ((identity, ledger.transactions.verdict(identity)) for identity in cases)
    return {identity: verdict for identity, verdict in verdicts if verdict is not None}


def totals_slip(contents: Contents, configuration: Configuration) -> Slip:
    """结算总计单: what terminal and host say of the batch, and what a person has to look at."""
    by_hand = contents.settlement is not None and bool(contents.settlement.closed_by)
    return finished(
        [
            *_head("结算总计单", "SETTLEMENT", contents, configuration),
            *(_by_hand(contents) if by_hand else ()),
            Rule(),
            *_class("内卡", contents.totals.domestic, contents.domestic),
            *_class("外卡", contents.totals.foreign, contents.foreign),
            Rule(),
            *_kinds(contents.totals),
            *_cases(contents),
            *_uploads(contents),
            *_by_person(contents),
            *_foot(configuration),
        ],
        configuration,
    )


def summary(contents: Contents, configuration: Configuration) -> Slip:
    """交易汇总: the open batch by class of cards and by kind. Nothing of it was compared."""
    return finished(
        [
            *_head("交易汇总", "SUMMARY", contents, configuration),
            Rule(),
            *_sums("内卡", contents.totals.domestic),
            *_sums("外卡", contents.totals.foreign),
            Rule(),
            *_kinds(contents.totals),
            *_cases(contents),
            *_by_person(contents),
            *_foot(configuration),
        ],
        configuration,
    )


def detail_list(contents: Contents, configuration: Configuration) -> Slip:
    """交易明细: every transaction that counts, in the order in which they were made."""
    by_hand = contents.settlement is not None and bool(contents.settlement.closed_by)
    rows: list[Row] = [
        *_head("交易明细", "TRANSACTION LIST", contents, configuration),
        *(_by_hand(contents) if by_hand else ()),
        Rule(),
    ]
    count = 0
    for record in filter(is_counted, contents.records()):
        count += 1
        rows += _detail(record)
    rows += [Rule(), Pair("笔数", str(count)), *_foot(configuration)]
    return finished(rows, configuration)


# --- parts ----------------------------------------------------------------------------------------


def _head(title: str, subtitle: str, contents: Contents, configuration: Configuration) -> list[Row]:
    return [
        Text(title, "centre", large=True),
        Text(subtitle, "centre"),
        *who(configuration),
        Pair("批次号", contents.batch_number),
        Pair("操作员号", contents.operator),
        Pair("日期/时间", f"{moment(contents.at):{_TIME}}"),
    ]


def _foot(configuration: Configuration) -> list[Row]:
    contact = hotline(configuration)
    return [Rule(), *contact] if contact else []


def _by_hand(contents: Contents) -> list[Row]:
    assert contents.settlement is not None
    return [
        Text("未与主机对平", "centre", bold=True),
        Text("NOT BALANCED WITH THE HOST", "centre"),
        Pair("管理员", contents.settlement.closed_by),
        Pair("最后应答", contents.settlement.response_code or "无"),
    ]


def _class(name: str, ours: ClassTotals, host: ClassResult | None) -> list[Row]:
    """One class of cards: the result, our sums, and the host's where they differ."""
    result = _NOT_COMPARED if host is None else _RESULTS[host.result]
    rows: list[Row] = [Pair(name, result, bold=True), *_lines(ours)]
    if host is not None and host.totals != ours:
        rows += [Text("主机 HOST"), *_lines(host.totals)]
    return rows


def _sums(name: str, ours: ClassTotals) -> list[Row]:
    return [Text(name, bold=True), *_lines(ours)]


def _lines(totals: ClassTotals) -> list[Row]:
    return [
        Pair(f"借记 {totals.debit_count} 笔", amount_text(totals.debit)),
        Pair(f"贷记 {totals.credit_count} 笔", amount_text(totals.credit)),
    ]


def _kinds(totals: SettlementTotals) -> list[Row]:
    return [
        Pair(f"{KINDS[each.kind].row.title_zh} {each.count} 笔", amount_text(each.amount))
        for each in totals.kinds
    ]


def _cases(contents: Contents) -> list[Row]:
    """What is in no total: cases for a person, and reversals of which the host knew nothing.

    A case that was closed stays a case of its batch, with what was said of it.
    """
    unresolved = [record for record in contents.records() if record.state is State.UNRESOLVED]
    closed = [record for record in unresolved if record.id in contents.verdicts]
    open_still = [record for record in unresolved if record.id not in contents.verdicts]
    had_none = [
        record
        for record in contents.records()
        if record.state is State.REVERSED and record.host_had_none
    ]
    return [
        *_listed("未决 须联系收单机构", open_still),
        *_closed(closed, contents.verdicts),
        *_listed("已冲正 主机无原交易", had_none),
    ]


def _listed(title: str, records: Sequence[TransactionRecord]) -> list[Row]:
    if not records:
        return []
    return [Rule(), Text(title, bold=True), *(_case(record) for record in records)]


def _case(record: TransactionRecord) -> Pair:
    return Pair(f"{record.stan} {KINDS[record.kind].row.title_zh}", amount_text(record.amount))


def _closed(records: Sequence[TransactionRecord], verdicts: Mapping[int, str]) -> list[Row]:
    rows: list[Row] = []
    for record in records:
        verdict = verdicts[record.id]
        rows += [_case(record), Pair("", _VERDICTS.get(verdict, verdict))]
    return [Rule(), Text("未决 已结案", bold=True), *rows] if rows else []


def _uploads(contents: Contents) -> list[Row]:
    """Details that the host would not take, or that could not be sent."""
    stans = {record.id: record.stan for record in contents.records()}
    rows: list[Row] = []
    for upload in contents.uploads:
        if upload.kind is UploadKind.END or upload.done_at is None:
            continue
        if upload.response_code != _DONE:
            why = (
                "未上送" if upload.kind is UploadKind.UNREADABLE else f"被拒 {upload.response_code}"
            )
            rows += [Pair(stans[identity], why) for identity in upload.transactions]
    return [Rule(), Text("批上送 未被接受", bold=True), *rows] if rows else []


def _by_person(contents: Contents) -> list[Row]:
    """Voids, refunds and cancellations, by who did and who allowed them."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}

    def count(what: str, person: str, amount: int) -> None:
        number, total = sums.get((what, person), (0, 0))
        sums[what, person] = (number + 1, total + amount)

    for record in contents.records():
        if is_counted(record) and KINDS[record.kind].side is Side.CREDIT:
            person = f"{record.operator}/{record.supervisor or '--'}"
            count(KINDS[record.kind].row.title_zh, person, record.booked_amount)
    for operator, supervisor, amount in contents.cancelled:
        count("订单取消", f"{operator}/{supervisor or '--'}", amount)
    if not sums:
        return []
    lines = _person_lines(sums.items())
    return [Rule(), Text("操作员/主管", bold=True), *lines]


def _person_lines(
    sums: Iterable[tuple[tuple[str, str], tuple[int, int]]],
) -> list[Row]:
    return [
        Pair(f"{person} {what} {number} 笔", amount_text(total))
        for (what, person), (number, total) in sums
    ]


def _detail(record: TransactionRecord) -> list[Row]:
    state = _STATES.get(record.state, "")
    marks = " ".join(word for word in ("外卡" if is_foreign(record) else "", state) if word)
    rows: list[Row] = [
        Pair(f"{record.stan} {KINDS[record.kind].row.title_zh}", amount_text(record.booked_amount)),
        Pair(record.masked_card, f"{moment(record.created_at):%m-%d %H:%M}"),
    ]
    if record.authorisation_code or marks:
        code = record.authorisation_code.strip()
        rows.append(Pair(f"授权码 {code}" if code else "", marks))
    return rows
