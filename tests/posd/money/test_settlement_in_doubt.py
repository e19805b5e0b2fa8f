"""Settlement when something fails: no answer, no line, no power, something pending; what stays afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from posd.acquirer import Fault
from posd.acquirer.cards import BY_NAME as CARDS
from posd.core.events import Outcome, SettlementDue, SettlementEnded, SignInEnded
from posd.ledger.records import State
from posd.money.requests import Reference, SwipedCard, request_of
from posd.settings import SettlementSettings
from tests.posd.money.rig import Counter, only_refusal, outcomes
from tests.posd.money.test_settlement import (
    DOMESTIC,
    FOREIGN,
    _slip,
    a_day,
    asked_there,
    change_there,
    ended,
    sent,
    settle,
    settled,
    unbalance,
)

# --- no answer, no line, no session ---------------------------------------------------------------


def test_without_a_line_nothing_has_begun_and_the_shop_goes_on(counter: Counter) -> None:
    counter.approved_sale(100)
    counter.link.up = False
    event = ended(settle(counter))
    assert event == SettlementEnded(settled=False, settlement=None, reason="not_connected")
    assert counter.money.settlement_unfinished is None
    counter.link.up = True
    counter.approved_sale(200)
    settled(counter)


def test_three_tries_without_an_answer_then_a_key_goes_on_with_the_same_message(
    counter: Counter,
) -> None:
    a_day(counter)
    counter.order_at_host("settlement", Fault.NO_ANSWER, times=3)
    event = ended(settle(counter))
    assert (event.settled, event.reason) == (False, "no_answer")
    assert len(sent(counter, "0500")) == 3
    settled(counter)
    first, *others = sent(counter, "0500")
    assert len(others) == 3
    assert all(other == first for other in others)
    assert asked_there(counter, "SELECT count(*) FROM settlements") == [(1,)]


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT, Fault.CLOSED, Fault.GARBAGE, Fault.LATE])
def test_a_fault_on_the_way_is_tried_again_unchanged(counter: Counter, fault: Fault) -> None:
    a_day(counter)
    unbalance(counter)
    for kind in ("settlement", "batch_upload"):
        counter.order_at_host(kind, fault)
    settled(counter)
    for mti in ("0500", "0320"):
        first, second = sent(counter, mti)[:2]
        assert first == second
    assert asked_there(counter, "SELECT count(*) FROM settlements") == [(1,)]
    assert asked_there(counter, "SELECT count(*) FROM uploads") == [(9,)]


def test_while_it_is_unfinished_nothing_financial_leaves(counter: Counter) -> None:
    sale = counter.approved_sale(100)
    counter.order_at_host("settlement", Fault.NO_ANSWER, times=3)
    settle(counter)
    before = len(counter.sent)
    assert only_refusal(counter.sale(200)) == "settlement_unfinished"
    assert only_refusal(counter.void(sale.id)) == "settlement_unfinished"
    assert len(counter.sent) == before


def test_the_line_goes_in_the_middle_of_an_upload_and_the_rest_follows_later(
    counter: Counter,
) -> None:
    a_day(counter)
    unbalance(counter)
    answered = 0
    receive = counter.acquirer.receive

    def goes_after_two(frame: bytes) -> object:
        nonlocal answered
        answered += 1
        if answered == 3:
            counter.link.up = False
        return receive(frame)

    counter.link.receive = goes_after_two  # type: ignore[assignment]
    counter.restart()
    event = ended(settle(counter))
    assert event.settled is False
    counter.link.receive = receive
    counter.link.up = True
    counter.restart()
    settled(counter)
    assert len(asked_there(counter, "SELECT DISTINCT stan FROM uploads")) == 9
    assert asked_there(counter, "SELECT count(*) FROM uploads") == [(9,)]


@pytest.mark.parametrize("code", ["77", "99", "A0"])
@pytest.mark.parametrize("kind", ["settlement", "batch_upload"])
def test_a_host_that_wants_a_sign_in_gets_one_and_the_same_message_again(
    counter: Counter, kind: str, code: str
) -> None:
    counter.approved_sale(100)
    counter.order_at_host(kind, code)
    settled(counter)
    expected = {
        "settlement": ["0500", "0800", "0500", "0320"],
        "batch_upload": ["0500", "0320", "0800", "0320"],
    }
    assert counter.sent_mtis()[-4:] == expected[kind]
    first, second = sent(counter, "0500" if kind == "settlement" else "0320")
    assert first == second
    assert counter.ledger.counters.batch_number == "000002"


def test_a_host_that_goes_on_wanting_a_sign_in_is_refused_once(counter: Counter) -> None:
    counter.approved_sale(100)
    counter.order_at_host("settlement", "77", times=2)
    event = ended(settle(counter))
    assert (event.settled, event.reason, event.code) == (False, "refused", "77")
    settled(counter)


def test_an_item_that_the_host_would_not_even_read_is_not_declined(counter: Counter) -> None:
    a_day(counter)
    unbalance(counter)
    counter.order_at_host("batch_upload", "77", times=2)
    event = ended(settle(counter))
    assert (event.settled, event.reason, event.code) == (False, "refused", "77")
    settled(counter)
    record = counter.ledger.batches.last_closed()
    assert record is not None
    assert {each.response_code for each in counter.ledger.batches.uploads(record.id)} == {"00"}


@pytest.mark.parametrize("kind", ["settlement", "batch_upload"])
def test_a_refusal_is_shown_and_a_key_tries_again(counter: Counter, kind: str) -> None:
    counter.approved_sale(100)
    counter.order_at_host(kind, "96")
    event = ended(settle(counter))
    assert (event.settled, event.reason, event.code) == (False, "refused", "96")
    unfinished = counter.money.settlement_unfinished
    assert unfinished is not None
    assert unfinished.response_code == "96"
    settled(counter)


# --- what is in its way (M11) ---------------------------------------------------------------------


def test_a_pending_reversal_blocks_a_settlement(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.order_at_host("reversal", Fault.LOST, times=2)
    counter.sale(100)
    assert "reversal_pending" in [getattr(report, "reason", "") for report in settle(counter)]
    assert sent(counter, "0500") == []
    counter.let_pass(400)  # it is reversed by itself
    settled(counter)


def test_a_pending_notice_is_tried_once_more_and_then_blocks(counter: Counter) -> None:
    sale = counter.approved_sale(900)
    counter.order_at_host("refund", Fault.LOST, times=2)
    swiped = SwipedCard(CARDS["nopin"].track2)
    request = request_of(
        "refund", 400, swiped, original=sale, reference=Reference.of(sale), supervisor="00"
    )
    assert outcomes(counter.do(lambda: counter.money.request(request), 70)) == [Outcome.PENDING]
    reports = settle(counter)
    assert [getattr(report, "reason", "") for report in reports][-1] == "notice_pending"
    assert sent(counter, "0500") == []
    reports = settle(counter)  # the notice is answered now, and the settlement follows
    assert outcomes(reports) == [Outcome.APPROVED]
    assert ended(reports).settled
    (totals,) = sent(counter, "0500")
    assert totals[48].startswith(f"{900:012d}001{400:012d}001")


def test_without_a_session_nothing_is_settled(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    assert only_refusal(settle(counter)) == "not_signed_in"
    counter.close()


def test_a_new_day_signs_in_first(counter: Counter) -> None:
    counter.approved_sale(100)
    counter.next_day()
    settled(counter)
    assert counter.sent_mtis()[-3:] == ["0800", "0500", "0320"]


def test_an_unresolved_case_is_in_no_total_and_on_the_slip(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    assert counter.sign_in().signed_in
    counter.approved_sale(700)
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.order_at_host("reversal", Fault.LOST, times=3)
    counter.sale(5_000)
    case = counter.newest()
    while not counter.money.tries_are_spent(counter.ledger.transactions.get(case.id)):
        counter.do(counter.money.retry_reversals)
    assert counter.money.give_up(case.id, "00", "3")
    assert counter.money.settlement_totals().domestic.debit == 700
    settled(counter)
    slip = _slip(counter)
    assert "未决 须联系收单机构" in slip
    assert f"{case.stan} 消费 50.00" in slip
    # Its number stays as long as it is a case, and then goes.
    assert counter.ledger.transactions.card(case.id)[0] == CARDS["nopin"].pan
    assert counter.money.close_case(case.id, "00", "1")
    with pytest.raises(KeyError):
        counter.ledger.transactions.card(case.id)
    counter.close()


def test_what_the_host_had_not_is_on_the_slip(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.LOST)
    counter.order_at_host("reversal", "25", times=2)
    counter.sale(5_000)
    counter.let_pass(300)
    undone = counter.newest()
    assert undone.state is State.REVERSED
    settled(counter)
    assert f"{undone.stan} 消费 50.00" in _slip(counter).partition("主机无原交易")[2]


# --- sign-in, batch numbers -----------------------------------------------------------------------


def test_a_batch_number_that_comes_meanwhile_is_adopted_at_the_end(counter: Counter) -> None:
    a_day(counter)
    unbalance(counter)
    counter.order_at_host("batch_upload", Fault.NO_ANSWER, times=3)
    settle(counter)
    counter.acquirer.change_batch("T0000001", "000777")
    assert counter.sign_in().signed_in
    assert counter.ledger.counters.batch_number == "000001"
    settled(counter)
    own = {each[60][2:8] for each in sent(counter, "0320")}
    assert own == {"000001"}
    assert counter.ledger.counters.batch_number == "000777"


def test_a_number_of_the_old_batch_that_comes_meanwhile_is_not_adopted(counter: Counter) -> None:
    counter.approved_sale(100)
    counter.order_at_host("batch_upload", "96")
    settle(counter)
    assert counter.sign_in().signed_in  # the host's batch is still the old one
    settled(counter)
    assert counter.ledger.counters.batch_number == "000002"


# --- the power goes -------------------------------------------------------------------------------


class PowerGone(BaseException):
    """No handler of the terminal's own may see it as an error."""


class Diary(list[str]):
    """Commits and frames in their order; the power goes at one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.cut_at: int | None = None

    def append(self, entry: str) -> None:
        super().append(entry)
        if self.cut_at is not None and len(self) == self.cut_at:
            raise PowerGone


@contextmanager
def a_terminal(directory: Path, *, balanced: bool) -> Iterator[Counter]:
    directory.mkdir()
    counter = Counter(directory)
    try:
        counter.diary = Diary()
        counter.reconfigure(settlement=SettlementSettings(sign_off=True))
        assert counter.sign_in().signed_in
        a_day(counter)
        if not balanced:
            unbalance(counter)
        counter.diary.clear()
        yield counter
    finally:
        counter.close()


def what_is_left(counter: Counter) -> object:
    """What both sides hold at the end, however they came there."""
    record = counter.ledger.batches.last_closed()
    assert record is not None
    uploads = counter.ledger.batches.uploads(record.id)
    jobs = [job.copy for job in counter.ledger.print_jobs.waiting() if job.copy == "totals"]
    cards = counter.ledger._database.one(
        "SELECT count(*) FROM transactions WHERE account_number IS NOT NULL"
    )
    assert cards is not None
    return (
        record.totals, record.answer, record.request,
        [(each.kind, each.request, each.response_code) for each in uploads],
        jobs, cards[0], counter.ledger.counters.batch_number,
        counter.ledger.settings.get("erased_in_log"), counter.ledger.settings.get("sign_off_due"),
        asked_there(counter, "SELECT batch, terminal_totals, state FROM settlements"),
        asked_there(counter, "SELECT stan, amount, known FROM uploads ORDER BY id"),
    )  # fmt: skip


def finish(counter: Counter) -> None:
    """Keys until it has ended."""
    for _ in range(3):
        counter.let_pass(400)
        if counter.ledger.batches.last_closed() is not None:
            return
        settle(counter)


@pytest.mark.parametrize("balanced", [True, False])
def test_a_power_cut_at_any_step_changes_nothing_of_what_comes_out(
    tmp_path: Path, *, balanced: bool
) -> None:
    with a_terminal(tmp_path / "undisturbed", balanced=balanced) as counter:
        settled(counter)
        counter.let_pass(100)
        points = list(counter.diary)
        wanted = what_is_left(counter)
        assert counter.money.signed_in is False
    labels = {point.partition(" ")[2] for point in points if point.startswith("after ")}
    assert labels >= {
        "settlement_begun",
        "settlement_answered",
        "settlement_try",
        "settlement_uploaded",
        "batch_closed",
        "erased_for_good",
        "signed_off_after_settlement",
    }
    for number, _point in enumerate(points, start=1):
        with a_terminal(tmp_path / f"cut {number}", balanced=balanced) as counter:
            assert isinstance(counter.diary, Diary)
            counter.diary.cut_at = number
            with pytest.raises(PowerGone):
                settle(counter)
            counter.diary.cut_at = None
            counter.power_cut()
            counter.power_on()
            finish(counter)
            assert what_is_left(counter) == wanted
            assert counter.money.settlement_unfinished is None
            if not counter.money.signed_in:
                assert counter.sign_in().signed_in
            counter.approved_sale(100)
            assert counter.net_here() + (0 if balanced else 2) == counter.net_there()


def test_a_commit_that_was_cut_is_told_at_power_up_by_the_ledger(counter: Counter) -> None:
    a_day(counter)
    counter.order_at_host("settlement", Fault.NO_ANSWER, times=3)
    settle(counter)
    counter.restart()
    unfinished = counter.money.settlement_unfinished
    assert unfinished is not None
    totals = counter.money.settlement_totals()
    assert (totals.domestic, totals.foreign) == (DOMESTIC, FOREIGN)
    settled(counter)


@pytest.mark.parametrize("call", ["begin", "answered", "upload_done", "close"])
def test_a_fault_of_ours_leaves_it_where_the_ledger_says(
    counter: Counter, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_day(counter)
    unbalance(counter)

    def escapes(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(counter.ledger.batches, call, escapes)
        with pytest.raises(ZeroDivisionError):
            settle(counter)
    counter.money.after_fault()
    assert not counter.money.busy
    assert (counter.money.settlement_unfinished is None) is (call == "begin")
    settled(counter)
    assert asked_there(counter, "SELECT count(*) FROM uploads") == [(9,)]


# --- what is erased -------------------------------------------------------------------------------


def test_card_numbers_are_erased_from_the_file_and_its_log(counter: Counter) -> None:
    a_day(counter)
    rows = counter.ledger._database.all("SELECT account_number, expiry FROM transactions")
    sealed = [value for row in rows for value in row]
    assert any(value in _on_disk(counter) for value in sealed)
    settled(counter)
    left = _on_disk(counter)
    assert not any(value in left for value in sealed)


def _on_disk(counter: Counter) -> bytes:
    paths = (counter.ledger_path, Path(f"{counter.ledger_path}-wal"))
    return b"".join(path.read_bytes() for path in paths if path.exists())


# --- closing by hand ------------------------------------------------------------------------------


def test_an_administrator_closes_what_the_host_goes_on_refusing(counter: Counter) -> None:
    day = a_day(counter)
    counter.order_at_host("settlement", "96")
    settle(counter)
    reports = counter.do(lambda: counter.money.close_batch_by_hand("99"))
    assert ended(reports).settled
    slip = _slip(counter)
    for words in ("未与主机对平", "管理员 99", "最后应答 96", "内卡 未对账", "借记 5 笔 733.45"):
        assert words in slip
    listed = _slip(counter, "details")
    assert "未与主机对平" in listed
    assert all(record.stan in listed for record in day.values())
    (entry,) = (e for e in counter.ledger.audit.entries() if e[2] == "batch_closed_by_hand")
    assert entry[1] == "99"
    assert counter.ledger.counters.batch_number == "000002"
    assert counter.money.refusal() is None


def test_without_an_unfinished_settlement_nothing_is_closed_by_hand(counter: Counter) -> None:
    counter.approved_sale(100)
    assert counter.money.close_batch_by_hand("99") is False
    assert counter.ledger.transactions.unsettled_count() == 1


# --- settings -------------------------------------------------------------------------------------


def test_a_host_whose_totals_differ_is_printed_beside_ours(counter: Counter) -> None:
    counter.approved_sale(1_000)
    change_there(counter, "UPDATE transactions SET amount = 1234")
    settled(counter)
    rows = _slip(counter).splitlines()
    assert rows[rows.index("内卡 对账不平") :][:5] == [
        "内卡 对账不平",
        "借记 1 笔 10.00",
        "贷记 0 笔 0.00",
        "主机 HOST",
        "借记 1 笔 12.34",
    ]


def test_the_detail_list_is_printed_unasked_when_it_is_set(counter: Counter) -> None:
    counter.reconfigure(settlement=SettlementSettings(detail_list=True))
    sale = counter.approved_sale(1_000)
    settled(counter)
    copies = [job.copy for job in counter.ledger.print_jobs.waiting() if job.transaction is None]
    assert copies == ["totals", "details"]
    assert sale.stan in _slip(counter, "details")


def test_sign_off_follows_where_it_is_set(counter: Counter) -> None:
    counter.reconfigure(settlement=SettlementSettings(sign_off=True))
    counter.approved_sale(100)
    reports = settle(counter)
    assert ended(reports).settled
    assert SignInEnded(signed_in=False, reason="signed_off") in reports
    assert counter.sent_mtis()[-3:] == ["0500", "0320", "0820"]
    assert only_refusal(counter.sale(100)) == "not_signed_in"
    assert counter.sign_in().signed_in
    counter.approved_sale(100)


# --- the time of day ------------------------------------------------------------------------------


def test_at_the_set_time_it_is_due_until_the_attempt_and_no_second_time(counter: Counter) -> None:
    now = counter.world.now()
    at = (now + timedelta(hours=2)).strftime("%H:%M")
    counter.reconfigure(settlement=SettlementSettings(at=at))
    counter.approved_sale(100)
    counter.reports.clear()
    counter.let_pass(3_000)
    assert SettlementDue() not in counter.reports
    counter.let_pass(5_400)
    assert counter.reports.count(SettlementDue()) > 5
    counter.link.up = False
    counter.do(counter.money.settle_by_time)
    counter.reports.clear()
    counter.let_pass(3_600)
    assert SettlementDue() not in counter.reports  # tried once; a person sees to it
    counter.link.up = True
    counter.let_pass(86_400)
    assert SettlementDue() in counter.reports  # the next day's
    assert ended(counter.do(counter.money.settle_by_time, 2_000)).settled


def test_nothing_is_due_when_nothing_is_stored(counter: Counter) -> None:
    at = (counter.world.now() + timedelta(minutes=30)).strftime("%H:%M")
    counter.reconfigure(settlement=SettlementSettings(at=at))
    counter.let_pass(86_400)
    assert SettlementDue() not in counter.reports


def test_a_time_that_passed_without_power_is_due_after_the_start(counter: Counter) -> None:
    at = (counter.world.now() + timedelta(hours=1)).strftime("%H:%M")
    counter.approved_sale(100)
    counter.power_cut()
    counter.let_pass(7_200)
    counter.power_on()
    counter.reports.clear()
    counter.reconfigure(settlement=SettlementSettings(at=at))
    counter.let_pass(1)
    assert SettlementDue() in counter.reports
