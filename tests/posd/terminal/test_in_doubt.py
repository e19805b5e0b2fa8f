"""未决交易: what waits, what can be done about it, and what a supervisor decides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from posd.ledger.records import State, TransactionRecord
from posd.ledger.retirement import retire
from posd.terminal.cases import Case, age_text, case_screen, cases, list_screen
from posd.terminal.screens import lay_out
from posd.texts import LANGUAGES, catalogue
from tests.posd.terminal.rig import Clerk

LONG = {"money__backoff_longest_seconds": 3600, "money__backoff_first_seconds": 3600}
"""The next try does not come while the test looks."""


def stuck_sale(clerk: Clerk) -> TransactionRecord:
    """A sale without an answer, and a reversal without one. The screen says so."""
    clerk.host_does("no-answer", "sale")
    clerk.host_does("lost", "reversal")
    clerk.pay()
    clerk.wait_for_state("sale.pending")
    return newest(clerk)


def newest(clerk: Clerk) -> TransactionRecord:
    record = clerk.ledger.transactions.last("sale", *State)
    assert record is not None
    return record


def spend_the_tries(clerk: Clerk) -> None:
    while not clerk.dialogue.money.tries_are_spent(newest(clerk)):
        clerk.host_does("lost", "reversal")
        try_again(clerk)
        clerk.stage.let_pass(100, lambda: not clerk.dialogue.money.busy)


def try_again(clerk: Clerk) -> None:
    """As the back-off's timer does, without a key."""
    clerk.dialogue.money.retry_reversals()


def leave(clerk: Clerk) -> None:
    """Back to idle, over whatever is told on the way."""
    for _ in range(5):
        if clerk.state != "idle.ready":
            clerk.press("取消")


def open_list(clerk: Clerk) -> str:
    leave(clerk)
    return clerk.press("▼ 8 5")


def give_up(clerk: Clerk, reason: str = "3") -> str:
    clerk.press("3")
    clerk.press("123456 确认")
    return clerk.press(reason)


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Clerk]:
    """A terminal that is closed because of such a sale."""
    with Clerk(tmp_path, **LONG) as clerk:
        clerk.sign_in()
        stuck_sale(clerk)
        yield clerk


def test_without_a_case_the_list_says_so_and_leads_back(clerk: Clerk) -> None:
    assert "没有未决交易" in clerk.press("确认 8 5")
    assert "没有第1项" in clerk.press("1")
    clerk.press("确认")
    assert clerk.state == "idle.ready"


def test_clear_leads_from_the_list_back_to_the_menu(clerk: Clerk) -> None:
    clerk.press("确认 8 5 清除")
    assert clerk.state == "menu.main"


def test_a_pending_reversal_is_listed_with_its_age(stuck: Clerk) -> None:
    said = open_list(stuck)
    assert "未决交易 1" in said
    assert f"{newest(stuck).stan} 冲正 2分" in said
    leave(stuck)
    stuck.stage.link(up=False)
    stuck.wait(3 * 3600)
    assert f"{newest(stuck).stan} 冲正 3时" in open_list(stuck)


def test_a_case_shows_tries_and_last_answer_and_its_story(stuck: Clerk) -> None:
    open_list(stuck)
    said = stuck.press("确认")
    assert "2分前 试1次" in said
    assert "最后应答 无" in said
    for _ in range(20):
        said += stuck.press("▼")
    for words in (
        "RMB 123.45",
        "622500****0048",
        "已发给收单机构",
        "没有可用的应答",
        "无应答 要冲正",
    ):
        assert words in said
    stuck.press("确认")
    assert stuck.state == "in_doubt.list"


def test_the_list_is_reached_from_the_screen_that_says_closed(stuck: Clerk) -> None:
    leave(stuck)
    assert "8未决" in stuck.press("5")
    assert "未决交易 1" in stuck.press("8")


def test_the_list_is_reached_before_sign_in(stuck: Clerk) -> None:
    stuck.stage.link(up=False)
    stuck.wait(86_400)
    leave(stuck)
    assert "未签到" in stuck.screen
    assert "未决交易 1" in open_list(stuck)


def test_one_retries_at_once_and_the_result_is_told(stuck: Clerk) -> None:
    assert "正在重试冲正" in open_list(stuck) + stuck.press("1")
    stuck.wait_for("上笔 123.45 未成功 已冲正")
    stuck.press("确认")
    assert stuck.state == "idle.ready"
    assert "没有未决交易" in open_list(stuck)


def test_a_retry_that_fails_says_that_it_goes_on(stuck: Clerk) -> None:
    stuck.host_does("lost", "reversal")
    open_list(stuck)
    stuck.press("1")
    assert "线路正忙" in stuck.press("1")
    stuck.wait_for("会自动再试", 100)


def test_while_tries_are_left_there_is_no_slip_and_no_handing_over(stuck: Clerk) -> None:
    open_list(stuck)
    assert "暂无故障单" in stuck.press("2")
    assert "不用转人工" in stuck.press("3")
    assert "不能结案" in stuck.press("4")
    assert stuck.state == "in_doubt.list"


def test_the_fault_slip_is_printed_again_and_marked(stuck: Clerk) -> None:
    spend_the_tries(stuck)
    open_list(stuck)
    stuck.press("2")
    stuck.wait_for_state("idle.ready")
    assert "冲正故障单" in stuck.paper[-1]
    assert "DUPLICATED" not in stuck.paper[-1], "the first one had not come out"
    open_list(stuck)
    stuck.press("2")
    stuck.wait_for_state("idle.ready")
    assert "冲正故障单" in stuck.paper[-1]
    assert "DUPLICATED" in stuck.paper[-1]
    assert newest(stuck).state is State.REVERSING


def test_a_case_that_moved_to_another_terminal_is_closed_there(stuck: Clerk) -> None:
    retire(stuck.ledger, "moved", "an archive")
    stuck.restart()
    leave(stuck)
    assert "人工" in open_list(stuck)
    assert "请在新终端结案" in stuck.press("4")
    assert not stuck.dialogue.money.close_case(newest(stuck).id, "00", "1")
    assert stuck.ledger.transactions.verdict(newest(stuck).id) is None


def test_a_supervisor_hands_the_case_over_and_closes_it_later(stuck: Clerk) -> None:
    spend_the_tries(stuck)
    open_list(stuck)
    assert "主管密码" in stuck.press("3")
    assert "联系不上" in stuck.press("123456 确认 ▼ ▼")
    said = stuck.press("3")
    assert "已转人工" in said
    assert stuck.state == "in_doubt.list"
    assert newest(stuck).state is State.UNRESOLVED
    assert stuck.dialogue.money.refusal() is None, "the terminal is open again"
    assert "人工" in stuck.press("▼")
    assert "不能重试" in stuck.press("1")
    assert "已转人工" in stuck.press("3")

    stuck.press("4")
    assert "收单机构说" in stuck.press("123456 确认")
    assert "没有第3项" in stuck.press("3")
    assert "已结案 可以重新办理" in stuck.press("1")
    assert "已结" in stuck.press("▼")
    assert "已经结案" in stuck.press("4")
    assert newest(stuck).state is State.UNRESOLVED
    story = stuck.press("确认")
    for _ in range(20):
        story += stuck.press("▼")
    assert "转人工 联系不上" in story
    assert "结案 机构确认未成功" in story
    decisions = [entry[1:] for entry in stuck.ledger.audit.entries() if entry[1] == "00"]
    assert [(who, what) for who, what, _ in decisions] == [
        ("00", "given_up"),
        ("00", "case_closed"),
    ]
    assert [details.get("reason", details.get("verdict")) for _, _, details in decisions] == [
        "3",
        "1",
    ]


def test_after_the_decision_no_reversal_leaves_and_nobody_is_told_twice(stuck: Clerk) -> None:
    spend_the_tries(stuck)
    open_list(stuck)
    stuck.press("2")
    stuck.wait_for_state("idle.ready")
    open_list(stuck)
    give_up(stuck)
    sent = len(stuck.stage.witness.received)
    stuck.wait(10_000)
    assert len(stuck.stage.witness.received) == sent
    stuck.restart()
    assert stuck.state == "idle.ready", "the supervisor knows"
    assert "未决1" in " ".join(stuck.screen.split())


def given_up_on_the_line(clerk: Clerk, host: str) -> None:
    """A supervisor hands it over while a try waits for an answer that comes as the host does."""
    spend_the_tries(clerk)
    open_list(clerk)
    clerk.host_does(host, "reversal")
    try_again(clerk)
    assert "若无结果就转人工" in give_up(clerk)
    assert newest(clerk).state is State.REVERSING, "the answer may still come"


def test_a_reversal_on_the_line_is_handed_over_right_after_a_try_in_vain(stuck: Clerk) -> None:
    given_up_on_the_line(stuck, "lost")
    stuck.wait_for("结果未定")
    assert newest(stuck).state is State.UNRESOLVED
    assert ("00", "given_up") in [entry[1:3] for entry in stuck.ledger.audit.entries()]
    leave(stuck)
    assert "未决1" in " ".join(stuck.screen.split())
    sent = len(stuck.stage.witness.received)
    stuck.wait(10_000)
    assert len(stuck.stage.witness.received) == sent


def test_a_reversal_on_the_line_that_succeeds_is_not_handed_over(stuck: Clerk) -> None:
    given_up_on_the_line(stuck, "slow")
    stuck.wait_for("未成功 已冲正")
    stuck.wait(10_000)
    assert newest(stuck).state is State.REVERSED
    assert "given_up" not in [entry[2] for entry in stuck.ledger.audit.entries()]


def test_a_reversal_that_succeeds_while_the_supervisor_decides_is_told(stuck: Clerk) -> None:
    spend_the_tries(stuck)
    open_list(stuck)
    stuck.press("3")
    stuck.press("123456 确认")
    try_again(stuck)
    stuck.wait_for("未成功 已冲正")
    assert newest(stuck).state is State.REVERSED


def test_three_wrong_passwords_lock_the_function(stuck: Clerk) -> None:
    spend_the_tries(stuck)
    open_list(stuck)
    stuck.press("3")
    for _ in range(3):
        stuck.press("654321 确认")
    assert "密码已锁定" in stuck.screen
    open_list(stuck)
    assert "密码已锁定" in stuck.press("3")
    assert newest(stuck).state is State.REVERSING


def test_the_choice_follows_the_case_and_not_its_row(stuck: Clerk) -> None:
    spend_the_tries(stuck)
    open_list(stuck)
    give_up(stuck)
    leave(stuck)
    first = newest(stuck)
    stuck_sale(stuck)
    open_list(stuck)
    assert stuck.rows[1].startswith(newest(stuck).stan), "what is still tried comes first"
    stuck.press("▼")
    assert stuck.dialogue.form.transaction == first.id
    spend_the_tries(stuck)
    assert stuck.dialogue.form.transaction == first.id


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", [State.REVERSING, State.PENDING, State.UNRESOLVED, "closed"])
@pytest.mark.parametrize("kind", ["sale_void", "refund", "pre_authorisation_void"])
def test_a_case_of_every_kind_and_state_fits_the_smallest_screen(
    stuck: Clerk, monkeypatch: pytest.MonkeyPatch, language: str, state: str, kind: str
) -> None:
    closed = state == "closed"
    record = structs.replace(
        newest(stuck),
        kind=kind,
        state=State.UNRESOLVED if closed else State(state),
        amount=9_999_999_999,
        created_at=0,
        reversal_tries=999,
        notice_tries=0,
        reversal_code="96",
    )
    case = Case(record, closed)
    monkeypatch.setattr("posd.terminal.cases.cases", lambda _ledger: [case])
    stuck.dialogue.catalogue = catalogue(language)
    hint = f"hint.case_{case.word}"
    for screen in (list_screen(stuck.dialogue, hint), case_screen(stuck.dialogue, case, hint)):
        assert lay_out(screen, "", 0, 16, 4).cut == ()


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(-5, "0分"), (59 * 60_000, "59分"), (3_600_000, "1时"), (86_400_000, "1天"),
     (29 * 86_400_000, "29天"), (60 * 86_400_000, "2月"), (10**13, "99月")],
)  # fmt: skip
def test_an_age_is_told_in_one_unit(milliseconds: int, text: str) -> None:
    assert age_text(catalogue("zh_CN"), milliseconds) == text


def test_a_closed_case_of_an_earlier_batch_is_no_longer_listed(
    stuck: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend_the_tries(stuck)
    open_list(stuck)
    give_up(stuck)
    stuck.press("4")
    stuck.press("123456 确认 1")
    assert len(cases(stuck.ledger)) == 1
    monkeypatch.setattr(type(stuck.ledger.counters), "open_batch", property(lambda _self: 99))
    assert cases(stuck.ledger) == []
