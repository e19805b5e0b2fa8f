"""A transaction's story, in the words that a clerk can tell a customer."""

from __future__ import annotations

import pytest

from devices import columns as grid
from posd.ledger.records import State, StepRecord, TransactionRecord
from posd.money.kinds import KINDS
from posd.terminal.screens import wrap
from posd.terminal.story import STEPS, story
from posd.texts import LANGUAGES, catalogue
from tests.posd.terminal.rig import Clerk

NOON = 43_200_000
ZH = catalogue("zh_CN")


def record(state: State, **columns: object) -> TransactionRecord:
    known = {
        "id": 1, "kind": "sale", "state": state, "batch": 1, "batch_number": "000001",
        "stan": "000007", "amount": 12_345, "operator": "01", "supervisor": "",
        "masked_card": "622500******0048", "entry_mode": "022", "created_at": NOON,
    }  # fmt: skip
    return TransactionRecord(**{**known, **columns})  # type: ignore[arg-type]


def step(what: str, minutes: int = 0, **details: object) -> StepRecord:
    return StepRecord(NOON + minutes * 60_000, what, details)


def test_a_sale_that_was_reversed_tells_sent_answered_undone_and_each_try() -> None:
    told = story(
        record(State.REVERSED, reversal_tries=2),
        [
            step("stored"),
            step("reversing", 1, reason="98"),
            step("reversal_sent", 1, **{"try": 1}),
            step("reversal_sent", 2, **{"try": 2}),
            step("reversed", 3, code="00"),
        ],
        ZH,
    )
    assert told == (
        "已发给收单机构",
        "没有可用的应答",
        "已冲正 等于没有做",
        "1970-01-01",
        "12:00 登记",
        "12:01 无应答 要冲正",
        "12:01 第1次冲正",
        "12:02 第2次冲正",
        "12:03 冲正成功",
    )


def test_what_never_left_is_told_so_and_nothing_more() -> None:
    told = story(record(State.NOT_SENT), [step("stored"), step("not_sent")], ZH)
    assert told[0] == "没有发出 没有扣款"
    assert not any("应答" in line for line in told)


def test_a_decline_is_told_with_its_code_and_meaning() -> None:
    told = story(record(State.DECLINED, response_code="51"), [step("declined", code="51")], ZH)
    assert "应答 51" in told
    assert any("余额" in line for line in told)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("sale", "已收款 123.45"),
        ("completion_notice", "已收款 123.45"),
        ("refund", "已退给顾客 123.45"),
        ("completion_void", "已退给顾客 123.45"),
        ("pre_authorisation", "冻结 123.45"),
        ("pre_authorisation_void", "解冻 123.45"),
        ("balance_inquiry", "只查余额 没有动账"),
    ],
)
def test_an_approval_says_where_the_money_is(kind: str, words: str) -> None:
    assert words in story(record(State.APPROVED, kind=kind, response_code="00"), [], ZH)


def test_of_a_part_only_the_part_was_paid() -> None:
    part = record(State.APPROVED, approved_amount=5000, response_code="10")
    assert "已收款 50.00" in story(part, [], ZH)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", State)
def test_every_kind_has_a_story_in_every_state(language: str, kind: str, state: State) -> None:
    assert story(record(state, kind=kind), [], catalogue(language))


def test_the_date_is_said_where_a_day_begins() -> None:
    told = story(record(State.UNRESOLVED), [step("stored"), step("unresolved", 1440)], ZH)
    assert [line for line in told if line.startswith("1970")] == ["1970-01-01", "1970-01-02"]


def test_who_decided_what_is_told_in_the_words_of_the_list() -> None:
    told = story(
        record(State.UNRESOLVED),
        [step("unresolved", reason="2", because="given up"), step("case_closed", verdict="1")],
        ZH,
    )
    assert told[-2:] == ("12:00 转人工 机构确认已成功", "12:00 结案 机构确认未成功")


def test_a_completion_that_was_voided_gives_its_original_back() -> None:
    told = story(record(State.APPROVED), [step("completed", by=2), step("approved", by=3)], ZH)
    assert told[-2:] == ("12:00 被完成", "12:00 恢复有效")


def test_a_step_of_a_later_version_is_still_a_line() -> None:
    assert story(record(State.APPROVED), [step("moved_to_the_moon")], ZH)[-1] == "12:00 有变化"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", State)
def test_every_state_and_step_is_told_in_rows_that_a_printer_and_a_screen_can_show(
    language: str, state: State
) -> None:
    details = {"code": "96", "try": 3, "reason": "A0", "verdict": "4"}
    steps = [StepRecord(NOON, what, details) for what in STEPS]
    steps.append(step("reversing", reason="unheard of"))
    told = story(record(state, response_code="96"), steps, catalogue(language))
    for line in told:
        assert "{" not in line
        assert line == grid.printable(line)
        assert all(grid.width(row) <= 16 for row in wrap(line, 16))


def test_the_story_of_a_real_sale_is_told_from_the_ledger(clerk: Clerk) -> None:
    sale = clerk.sell()
    told = story(sale, clerk.ledger.transactions.steps(sale.id), ZH)
    assert told[:2] == ("已发给收单机构", "应答 00")
    assert told[-1].endswith("成功")
