"""Requests that are repeated instead of reversed, and those that simply go without an answer.

They have no keys yet: a flow of this test asks the money core for them, with the shared steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from posd.acquirer.cards import BY_NAME as CARDS
from posd.core.events import KeyPressed
from posd.ledger.records import State, TransactionRecord
from posd.money.requests import Reference, SwipedCard, request_of
from posd.terminal.exchange import exchange
from posd.terminal.flows import FLOWS
from posd.terminal.machine import Action, Flow, Part, Row, Step, assemble
from posd.terminal.screens import Screen, lay_out, page
from posd.texts import LANGUAGES, catalogue
from protocol.transactions import Doubt
from tests.posd.terminal.rig import Clerk

if TYPE_CHECKING:
    from posd.terminal.dialogue import Dialogue

CARD = SwipedCard(CARDS["nopin"].track2)


def title(_dialogue: Dialogue) -> str:
    return "title"


def ask_refund(dialogue: Dialogue, _event: KeyPressed) -> None:
    sale = dialogue.ledger.transactions.last("sale")
    assert sale is not None
    dialogue.money.request(
        request_of(
            "refund", 100, CARD, original=sale, reference=Reference.of(sale), supervisor="00"
        )
    )


def ask_balance(dialogue: Dialogue, _event: KeyPressed) -> None:
    dialogue.money.request(request_of("balance_inquiry", 0, CARD))


def ready(_dialogue: Dialogue) -> Screen:
    return Screen("ready")


def asking(name: str, ask: Action, doubt: Doubt) -> Flow:
    first = Part((Step("ready", ready),), (Row("ready", "confirm", None, "waiting", ask),))
    return assemble(name, first, exchange(title, name, "ready", doubt=doubt))


TRIALS = (
    asking("refund", ask_refund, Doubt.NOTICE),
    asking("balance", ask_balance, Doubt.NOTHING),
)


@pytest.fixture
def clerk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clerk]:
    """A terminal with a sale, where a refund and a balance inquiry can be asked for."""
    monkeypatch.setattr("posd.terminal.dialogue.FLOWS", (*FLOWS, *TRIALS))
    with Clerk(tmp_path, host__answer_seconds=10) as clerk:
        clerk.sign_in()
        clerk.sell()
        yield clerk


def ask(clerk: Clerk, flow: str) -> None:
    """From wherever the clerk is: no row leads there yet."""
    clerk.dialogue._machine.jump(f"{flow}.ready")
    clerk.press("确认")


def refund(clerk: Clerk) -> TransactionRecord:
    record = clerk.ledger.transactions.last("refund", *State)
    assert record is not None
    return record


def test_a_refund_in_doubt_says_not_to_do_it_again_and_offers_its_slip(clerk: Clerk) -> None:
    clerk.host_does("lost", "refund", 9)
    ask(clerk, "refund")
    said = clerk.wait_for("退货处理中")
    assert "请勿重复退货" in said
    assert "成功" not in said
    assert clerk.state == "refund.in_progress"
    clerk.press("确认")
    clerk.wait_for_state("idle.ready")
    assert "未决" in clerk.paper[-1]
    assert "成功" not in clerk.paper[-1]


def test_a_refund_in_doubt_is_a_case_and_is_sent_again_from_the_list(clerk: Clerk) -> None:
    clerk.host_does("lost", "refund")
    ask(clerk, "refund")
    clerk.wait_for("退货处理中")
    clerk.press("取消 取消")
    said = clerk.press("确认 8 5")
    assert f"{refund(clerk).stan} 重发" in said
    assert "自动重试" in clerk.press("3")
    assert "正在重发" in clerk.press("1")
    clerk.wait_for("成功")
    assert refund(clerk).state is State.APPROVED
    clerk.press("确认")
    clerk.take_slips()
    assert any("退货/REFUND" in slip for slip in clerk.paper)


def test_the_slip_of_a_pending_refund_is_printed_again_and_marked(clerk: Clerk) -> None:
    clerk.host_does("lost", "refund", 9)
    ask(clerk, "refund")
    clerk.wait_for("退货处理中")
    clerk.press("确认")
    clerk.wait_for_state("idle.ready")
    clerk.press("确认 8 5 2")
    clerk.wait_for_state("idle.ready", 4)
    assert "未决" in clerk.paper[-1]
    assert "DUPLICATED" in clerk.paper[-1]


def test_a_refund_whose_tries_are_spent_is_told_to_be_unknown(clerk: Clerk) -> None:
    clerk.host_does("lost", "refund", 9)
    ask(clerk, "refund")
    clerk.wait_for("退货处理中")
    clerk.wait_for("结果未定", 2000)
    assert refund(clerk).state is State.UNRESOLVED


def test_the_wait_says_when_an_older_notice_goes_first_and_keeps_it_apart(clerk: Clerk) -> None:
    """Its approval is not taken for that of the sale that the clerk waits for."""
    clerk.host_does("lost", "refund")
    ask(clerk, "refund")
    clerk.wait_for("退货处理中")
    clerk.press("取消 取消")
    older = refund(clerk)
    clerk.host_does("slow", "refund")
    clerk.pay("777")
    assert "正在重发" in clerk.screen
    clerk.wait_for_state("slip.tear")
    shown = clerk.dialogue.form.transaction
    assert shown != older.id
    assert clerk.ledger.transactions.get(older.id).state is State.APPROVED
    clerk.press("确认")
    clerk.wait_for(f"上笔 1.00 成功 退货 {older.stan}")


def test_a_balance_inquiry_without_an_answer_is_asked_again(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "balance_inquiry")
    ask(clerk, "balance")
    clerk.wait_for("无应答")
    assert clerk.state == "balance.no_answer"
    clerk.press("确认")
    assert clerk.state == "balance.ready"
    assert clerk.ledger.transactions.last_unacknowledged() is None


def test_what_ends_while_nobody_is_there_is_told_at_idle(clerk: Clerk) -> None:
    clerk.host_does("no-answer", "balance_inquiry")
    clerk.dialogue.money.request(request_of("balance_inquiry", 0, CARD))
    assert "无应答" in clerk.wait_for("上笔 0.00")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("flow", TRIALS, ids=lambda flow: flow.name)
def test_the_steps_of_doubt_are_drawn_whole_and_have_help(
    clerk: Clerk, flow: Flow, language: str
) -> None:
    clerk.dialogue.catalogue = catalogue(language)
    clerk.dialogue.form.transaction = 1
    for step in flow.steps[1:]:
        assert lay_out(step.screen(clerk.dialogue), "", 0, 16, 4).cut == ()
        for text in catalogue(language).pages(f"help.{step.help}"):
            assert page(text, 16, 4).cut == ()
