"""Every step there is: drawn whole in both languages, with help, left by 取消 and by its time-out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec import structs

from posd.core.events import Phase
from posd.ledger.order_rules import Action
from posd.ledger.records import PrintJob, State, TransactionRecord
from posd.money.money import Refusal
from posd.money.requests import SwipedCard
from posd.terminal.flows import FLOWS
from posd.terminal.form import Form
from posd.terminal.machine import IDLE, STAY, Row, every_row
from posd.terminal.order_choice import OrderChoice
from posd.terminal.screens import Screen, lay_out, page, wrap
from posd.texts import LANGUAGES, catalogue
from protocol import Track
from protocol.response_codes import CODES
from tests.posd.terminal.rig import Clerk

STEPS = {f"{flow.name}.{step.name}": step for flow in FLOWS for step in flow.steps}
HALTED = "fault.halted"
EXCHANGES = sorted(state for state in STEPS if state.endswith(".waiting"))
WAITS = {*EXCHANGES, "sign_in.leaving", "slip.printing"}
"""What ends only with the host's or the printer's word."""
ENDED = "shutdown.ending"
HELD = {"lock.locked", ENDED, "training.entering", "training.leaving"}
"""What is left by a password only, or not at all."""


@pytest.fixture(scope="module", params=LANGUAGES)
def ended(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clerk]:
    """A terminal with an approved sale, in each language."""
    directory = tmp_path_factory.mktemp(request.param)
    with Clerk(directory, terminal__language=request.param, terminal__hotline="95516") as clerk:
        clerk.press("确认")
        clerk.wait_for_state(IDLE)
        clerk.sell("9999999")
        yield clerk


def longest_order(clerk: Clerk) -> tuple[int, int]:
    """An order and an application about it, with everything that can be said of them; and a held one."""
    ledger = clerk.ledger
    found = ledger.orders.by_number("999999")
    if found is None:
        amount, now = 9_999_999_999, ledger.now()
        with ledger.commit("orders"):
            held = ledger.orders.create("999998", amount, now, "01")
            ledger.orders.hold(held, "13800138000", now, "01")
            order = ledger.orders.create("999999", amount, now, "01")
            ledger.orders.receive(order, 1, now, "01")
            for what, reason in (("paid_otherwise", "cash"), ("cancel", "1"), ("amend", "")):
                ledger.applications.make(order, Action(what), reason, now, "01", amount)
            refused = ledger.applications.of_order(order)[0].id
            ledger.applications.refuse(refused, "00", "2", now)
        found = ledger.orders.get(order)
    return found.id, ledger.applications.of_order(found.id)[-1].id


def full_form(clerk: Clerk) -> Form:
    """Everything at its longest."""
    record = clerk.ledger.transactions.last("sale")
    assert record is not None
    order, application = longest_order(clerk)
    return Form(
        amount=9_999_999_999,
        number="999999",
        card=SwipedCard(Track("6217000000000090005=46091010000012340000")),
        secret_length=12,
        order=order,
        order_number="999999",
        label="13800138000",
        orders=OrderChoice(application=application),
        original=record,
        similar="999999",
        transaction=record.id,
        phase=Phase.WAITING,
        deadline=clerk.stage.world.monotonic() + 86_400,
        refusal=Refusal.REVERSAL_PENDING,
        code="E301",
        jobs=[PrintJob(1, record.id, "cardholder", None)],  # type: ignore[arg-type]
        printer_reason="cutter_error",
    )


def draw(clerk: Clerk, screen: Screen) -> tuple[str, ...]:
    """What of a screen is cut on 16 x 4."""
    return lay_out(screen, "", 0, 16, 4).cut


@pytest.mark.parametrize("state", STEPS)
def test_a_step_is_drawn_whole(ended: Clerk, state: str) -> None:
    ended.dialogue.form = full_form(ended)
    assert draw(ended, STEPS[state].screen(ended.dialogue)) == ()


@pytest.mark.parametrize("state", EXCHANGES)
@pytest.mark.parametrize("phase", Phase)
def test_every_phase_of_a_wait_is_drawn_whole(ended: Clerk, state: str, phase: Phase) -> None:
    ended.dialogue.form = full_form(ended)
    ended.dialogue.form.phase = phase
    assert draw(ended, STEPS[state].screen(ended.dialogue)) == ()


@pytest.mark.parametrize("refusal", Refusal)
@pytest.mark.parametrize(
    "state", ["blocked.shown", *(state for state in STEPS if state.endswith(".refused"))]
)
def test_every_refusal_is_drawn_whole(ended: Clerk, state: str, refusal: Refusal) -> None:
    ended.dialogue.form = full_form(ended)
    ended.dialogue.form.refusal = refusal
    screen = STEPS[state].screen(ended.dialogue)
    assert draw(ended, screen) == ()
    assert screen.body[0] != ended.dialogue.text("result.refused")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_every_response_text_has_at_most_four_rows_to_scroll_through(
    language: str, code: str
) -> None:
    row = CODES[code]
    assert len(wrap(row.zh if language == "zh_CN" else row.en, 16)) <= 4


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", sorted(STEPS.keys() - {HALTED}))
def test_a_step_has_help_that_fits(language: str, state: str) -> None:
    pages = catalogue(language).pages(f"help.{STEPS[state].help}")
    assert pages
    for text in pages:
        assert page(text, 16, 4).cut == ()


@pytest.mark.parametrize("state", sorted(STEPS.keys() - {HALTED} - WAITS - HELD))
def test_a_step_is_left_by_cancel_and_by_its_time_out(state: str) -> None:
    for event in ("cancel", "timeout"):
        (*_, last) = _rows_for(state, event)
        assert last.then != STAY or state == IDLE, event


@pytest.mark.parametrize("state", sorted(WAITS))
def test_a_wait_is_left_by_no_key_and_no_time_out(state: str) -> None:
    for event in ("cancel", "clear", "timeout"):
        rows = _rows_for(state, event)
        assert all(row.then == STAY for row in rows), event


@pytest.mark.parametrize("state", sorted(WAITS))
def test_a_wait_has_no_time_out_of_its_own(ended: Clerk, state: str) -> None:
    assert STEPS[state].seconds(ended.dialogue) == 0


def test_every_step_can_be_reached() -> None:
    reached = {HALTED, "fault.shown", IDLE}  # faults are not in the rows: the core leads there
    for flow in FLOWS:
        for row in every_row(flow):
            if row.then != STAY:
                reached.add(row.then if "." in row.then else f"{flow.name}.{row.then}")
    assert reached == set(STEPS)


@pytest.mark.parametrize("columns_and_lines", [(21, 8), (40, 12)])
def test_a_larger_display_is_used_whole(
    columns_and_lines: tuple[int, int],
) -> None:
    columns, lines = columns_and_lines
    laid_out = lay_out(Screen("title", ("one", "two"), "hint"), "", 0, columns, lines)
    assert laid_out.picture.columns == columns
    assert len(laid_out.picture.rows) == lines
    assert laid_out.picture.rows[-1] == "hint"
    assert laid_out.picture.rows[1] == ""


def test_a_body_that_is_too_long_scrolls_to_its_end() -> None:
    screen = Screen("title", ("one", "two", "three", "four"), "hint")
    top = lay_out(screen, "", 0, 16, 4)
    assert top.picture.rows[1:3] == ("one", "two")
    assert top.picture.rows[0].endswith("▼")
    bottom = lay_out(screen, "", top.last_offset, 16, 4)
    assert bottom.picture.rows[1:3] == ("three", "four")
    assert bottom.picture.rows[0].endswith("▲")


@pytest.mark.parametrize(
    ("title", "at_the_top", "in_the_middle", "at_the_end"),
    [
        ("000002 50.00", "000002 50.00  ▼", "000002 50.00▲▼", "000002 50.00  ▲"),
        ("000002 1234.56", "000002 1234.56▼", "000002 1234.56▼", "000002 1234.56▲"),
        ("000002 12345.67", "000002 12345.67", "000002 12345.67", "000002 12345.67"),
    ],
)
def test_no_amount_in_a_title_is_shortened_for_the_marks(
    title: str, at_the_top: str, in_the_middle: str, at_the_end: str
) -> None:
    body = ("one", "two", "three", "four")
    for offset, wanted in ((0, at_the_top), (1, in_the_middle), (2, at_the_end)):
        assert lay_out(Screen(title, body, "hint"), "", offset, 16, 4).picture.rows[0] == wanted


def test_the_selected_row_is_always_in_view_and_in_reverse() -> None:
    items = ("one", "two", "three", "four")
    for index, item in enumerate(items):
        picture = lay_out(Screen("title", items, "hint", index), "", 0, 16, 4).picture
        assert picture.reverse is not None
        assert picture.rows[picture.reverse] == item


def test_an_answer_stands_over_the_hint_and_leaves_what_was_typed() -> None:
    screen = Screen("title", ("typed",), "hint")
    picture = lay_out(screen, "first word then another", 0, 16, 4).picture
    assert picture.rows == ("     title", "typed", "first word then", "another")


def test_a_row_breaks_between_words_where_there_is_room() -> None:
    assert wrap("订单000002 已取消", 16) == ["订单000002", "已取消"]
    assert wrap("金额不能为零请输入金额再按确认", 16) == ["金额不能为零请输", "入金额再按确认"]


def test_what_does_not_fit_is_told_and_not_hidden() -> None:
    assert lay_out(Screen("x" * 17), "", 0, 16, 4).cut == ("x" * 17,)
    assert lay_out(Screen("title"), "three rows of a long answer that is too long", 0, 16, 4).cut


@pytest.mark.parametrize("state", State)
def test_the_last_transaction_is_told_in_every_state(
    ended: Clerk, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = ended.ledger.transactions.last("sale")
    assert record is not None
    shown: TransactionRecord = structs.replace(record, state=state)
    ended.dialogue.form = full_form(ended)
    monkeypatch.setattr(ended.ledger.transactions, "get", lambda _identity: shown)
    assert draw(ended, STEPS["last.shown"].screen(ended.dialogue)) == ()
    assert draw(ended, STEPS["slip.tear"].screen(ended.dialogue)) == ()


def _rows_for(state: str, event: str) -> list[Row]:
    """The rows that are tried for an event in a state: its own, then the flow's."""
    name, _, step = state.partition(".")
    (flow,) = (flow for flow in FLOWS if flow.name == name)
    rows = [row for row in every_row(flow) if row.event == event and row.state in (step, "")]
    rows.sort(key=lambda row: row.state == "")
    closed = next((index for index, row in enumerate(rows) if row.when is None), len(rows) - 1)
    return rows[: closed + 1]
