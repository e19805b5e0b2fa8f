"""Every kind of the dialect's table, driven at money's own interface, in every kind of doubt."""

from __future__ import annotations

import pytest

from posd.acquirer import Fault
from posd.core.events import Event, Outcome
from posd.ledger.records import State, TransactionRecord
from posd.money.kinds import KINDS
from posd.money.requests import Reference, Request, SwipedCard, request_of
from protocol.transactions import Doubt
from tests.posd.money.rig import CARDS, Counter, only_refusal, outcomes

CARD = SwipedCard(CARDS["nopin"].track2)
REVERSED_KINDS = [name for name, kind in KINDS.items() if kind.row.doubt is Doubt.REVERSAL]


def ask(
    counter: Counter, kind: str, amount: int, original: TransactionRecord | None
) -> list[Event]:
    """A request of this kind about this original, with the card swiped again."""
    reference = Reference.of(original) if original else None
    request = request_of(
        kind, amount, CARD, original=original, reference=reference, supervisor="00"
    )
    return counter.do(lambda: counter.money.request(request))


def approved(counter: Counter, kind: str, amount: int = 10_000) -> TransactionRecord:
    """An approved transaction of this kind, with all that must come before it."""
    original = prepared(counter, kind, amount)
    assert outcomes(ask(counter, kind, amount, original)) == [Outcome.APPROVED]
    return counter.newest()


def prepared(counter: Counter, kind: str, amount: int = 10_000) -> TransactionRecord | None:
    """The original that a request of this kind needs."""
    first = {
        "sale_void": "sale",
        "refund": "sale",
        "pre_authorisation_void": "pre_authorisation",
        "completion": "pre_authorisation",
        "completion_notice": "pre_authorisation",
        "completion_void": "completion",
    }.get(kind)
    return approved(counter, first, amount) if first else None


def state_of(counter: Counter, record: TransactionRecord | None) -> State | None:
    return None if record is None else counter.ledger.transactions.get(record.id).state


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "balance_inquiry"])
def test_each_kind_is_approved_and_changes_its_original(counter: Counter, kind: str) -> None:
    record = approved(counter, kind)
    assert (record.kind, record.state) == (kind, State.APPROVED)
    if record.original is not None and KINDS[kind].original_becomes is not None:
        original = counter.ledger.transactions.get(record.original)
        assert original.state is KINDS[kind].original_becomes
    assert counter.net_here() == counter.net_there()
    copies = [job.copy for job in counter.ledger.print_jobs.waiting(record.id)]
    assert copies == ["merchant", "cardholder"]


@pytest.mark.parametrize(
    "fault", [Fault.NO_ANSWER, Fault.LOST, Fault.CUT, Fault.WRONG_MAC, Fault.NO_MAC]
)
@pytest.mark.parametrize("kind", REVERSED_KINDS)
def test_each_reversible_kind_is_undone_without_a_usable_answer(
    counter: Counter, kind: str, fault: Fault
) -> None:
    original = prepared(counter, kind)
    counter.order_at_host(kind, fault)
    assert outcomes(ask(counter, kind, 10_000, original)) == [Outcome.REVERSED]
    assert counter.newest().state is State.REVERSED
    assert state_of(counter, original) in (None, State.APPROVED)
    assert counter.net_here() == counter.net_there()


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "balance_inquiry"])
def test_each_kind_that_is_declined_leaves_its_original_alone(counter: Counter, kind: str) -> None:
    original = prepared(counter, kind)
    counter.order_at_host(kind, "51")
    assert outcomes(ask(counter, kind, 10_000, original)) == [Outcome.DECLINED]
    assert state_of(counter, original) in (None, State.APPROVED)
    assert counter.net_here() == counter.net_there()


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_kind_that_is_not_sent_leaves_no_trace_at_the_host(
    counter: Counter, kind: str
) -> None:
    original = prepared(counter, kind)
    counter.link.up = False
    amount = 0 if kind == "balance_inquiry" else 10_000
    assert outcomes(ask(counter, kind, amount, original)) == [Outcome.NOT_SENT]
    assert counter.newest().state is State.NOT_SENT
    assert counter.net_here() == counter.net_there()


# --- balance inquiry ------------------------------------------------------------------------------


def test_a_balance_inquiry_moves_no_money_and_prints_nothing(counter: Counter) -> None:
    assert outcomes(ask(counter, "balance_inquiry", 0, None)) == [Outcome.APPROVED]
    record = counter.newest()
    assert record.answer[54]
    assert counter.ledger.print_jobs.waiting(record.id) == []
    assert counter.ledger.transactions.unsettled_count() == 0


def test_a_balance_inquiry_without_an_answer_ends_so(counter: Counter) -> None:
    counter.order_at_host("balance_inquiry", Fault.NO_ANSWER)
    assert outcomes(ask(counter, "balance_inquiry", 0, None)) == [Outcome.NO_ANSWER]
    assert counter.newest().state is State.NO_ANSWER
    assert "0400" not in counter.sent_mtis()


# --- refund: a notice that cannot be rebuilt ------------------------------------------------------


def test_partial_refunds_add_up_and_never_exceed_their_original(counter: Counter) -> None:
    sale = counter.approved_sale(10_000)
    assert outcomes(ask(counter, "refund", 6_000, sale)) == [Outcome.APPROVED]
    assert outcomes(ask(counter, "refund", 3_000, sale)) == [Outcome.APPROVED]
    assert only_refusal(ask(counter, "refund", 1_001, sale)) == "more_than_left"
    assert outcomes(ask(counter, "refund", 1_000, sale)) == [Outcome.APPROVED]
    assert state_of(counter, sale) is State.APPROVED
    assert counter.net_there() == 0


def test_a_refunded_sale_is_not_voided(counter: Counter) -> None:
    sale = counter.approved_sale(10_000)
    ask(counter, "refund", 1, sale)
    assert only_refusal(counter.void(sale.id)) == "original_refunded"


def test_while_a_void_is_unresolved_its_original_is_not_refunded(counter: Counter) -> None:
    sale = counter.approved_sale(10_000)
    counter.order_at_host("sale_void", Fault.NO_ANSWER)
    counter.order_at_host("reversal", Fault.LOST, times=99)
    counter.void(sale.id)
    void = counter.newest()
    counter.world.let_pass(
        2_000, until=lambda: counter.newest().reversal_tries >= 3 and not counter.money.busy
    )
    assert counter.money.give_up(void.id, "00", "3")
    sent = len(counter.sent)
    assert only_refusal(ask(counter, "refund", 4_000, sale)[-1:]) == "original_locked"
    assert only_refusal(counter.void(sale.id)) == "original_locked"
    assert len(counter.sent) == sent


def test_a_refund_in_doubt_is_repeated_as_it_was_until_it_is_answered(counter: Counter) -> None:
    sale = counter.approved_sale(10_000)
    counter.order_at_host("refund", Fault.NO_ANSWER)
    assert outcomes(ask(counter, "refund", 4_000, sale)) == [Outcome.PENDING]
    refund = counter.newest()
    assert refund.state is State.PENDING
    assert [job.copy for job in counter.ledger.print_jobs.waiting(refund.id)] == ["pending"]
    assert counter.ledger.transactions.refunded(sale.id) == 4_000  # at once
    counter.let_pass(10)
    assert counter.ledger.transactions.get(refund.id).state is State.APPROVED
    first, repeat = [message for message in counter.sent if message.mti == "0220"]
    assert dict(first.elements) == dict(repeat.elements)
    assert counter.net_there() == 6_000


def test_a_pending_refund_goes_before_the_next_request_and_does_not_block_it(
    counter: Counter,
) -> None:
    sale = counter.approved_sale(10_000)
    counter.order_at_host("refund", Fault.LOST, times=2)
    ask(counter, "refund", 4_000, sale)
    assert outcomes(counter.sale(500)) == [Outcome.APPROVED]
    assert counter.sent_mtis()[-3:] == ["0220", "0220", "0200"]


def test_a_refund_whose_tries_are_spent_is_for_a_person(counter: Counter) -> None:
    sale = counter.approved_sale(10_000)
    counter.order_at_host("refund", Fault.LOST, times=9)
    ask(counter, "refund", 4_000, sale)
    counter.let_pass(2_000)
    refund = counter.newest()
    assert refund.state is State.UNRESOLVED
    assert counter.sent_mtis().count("0220") == 3
    assert counter.ledger.transactions.refunded(sale.id) == 4_000  # it may have been done
    assert outcomes(counter.sale(500)) == [Outcome.APPROVED]


def test_a_refund_that_the_acquirer_never_carried_out_may_be_made_again(counter: Counter) -> None:
    sale = counter.approved_sale(10_000)
    counter.order_at_host("refund", Fault.LOST, times=3)
    ask(counter, "refund", 10_000, sale)
    counter.let_pass(2_000)
    refund = counter.newest()
    assert only_refusal(ask(counter, "refund", 1, sale)[-1:]) == "more_than_left"
    assert counter.money.close_case(refund.id, "00", "1")
    assert counter.ledger.transactions.refunded(sale.id) == 0
    assert outcomes(ask(counter, "refund", 10_000, sale))[-1:] == [Outcome.APPROVED]
    assert counter.net_there() == 0


def test_a_refund_that_may_have_been_carried_out_counts_for_good(counter: Counter) -> None:
    sale = counter.approved_sale(10_000)
    counter.order_at_host("refund", Fault.LOST, times=9)
    ask(counter, "refund", 10_000, sale)
    counter.let_pass(2_000)
    assert counter.money.close_case(counter.newest().id, "00", "3")
    assert only_refusal(ask(counter, "refund", 1, sale)[-1:]) == "more_than_left"


def test_a_refund_that_was_pending_at_a_power_cut_is_for_a_person(counter: Counter) -> None:
    sale = counter.approved_sale(10_000)
    counter.order_at_host("refund", Fault.LOST)
    ask(counter, "refund", 4_000, sale)
    counter.power_cut()
    counter.power_on()
    counter.let_pass(500)
    assert counter.newest().state is State.UNRESOLVED
    assert counter.sent_mtis().count("0220") == 1


def test_94_to_a_repeat_is_for_a_person_unless_the_acquirers_profile_says_done(
    counter: Counter,
) -> None:
    sale = counter.approved_sale(10_000)
    counter.order_at_host("refund", Fault.LOST)
    counter.order_at_host("refund", "94")
    ask(counter, "refund", 4_000, sale)
    counter.let_pass(10)
    assert counter.newest().state is State.UNRESOLVED


def test_a_repeat_that_is_not_read_is_no_answer(counter: Counter) -> None:
    sale = counter.approved_sale(10_000)
    counter.order_at_host("refund", Fault.LOST)
    counter.order_at_host("refund", "A0")
    ask(counter, "refund", 4_000, sale)
    counter.let_pass(60)
    assert counter.newest().state is State.APPROVED
    assert counter.sent_mtis()[-4:] == ["0220", "0220", "0800", "0220"]
    assert counter.net_there() == 6_000


# --- completion notice: a notice that is rebuilt --------------------------------------------------


def test_a_completion_notice_is_rebuilt_without_the_card_after_a_power_cut(
    counter: Counter,
) -> None:
    hold = approved(counter, "pre_authorisation")
    counter.order_at_host("completion_notice", Fault.LOST, times=2)
    assert outcomes(ask(counter, "completion_notice", 10_000, hold)) == [Outcome.PENDING]
    counter.power_cut()
    counter.power_on()
    counter.let_pass(100)
    assert counter.newest().state is State.APPROVED
    rebuilt = counter.sent[-1]
    assert rebuilt.elements[22] == "012"
    assert rebuilt.elements[2].reveal() == "6225000000000048"
    assert not {35, 53} & rebuilt.elements.keys()
    assert state_of(counter, hold) is State.COMPLETED
    assert counter.net_there() == 10_000


def test_a_completion_notice_goes_on_after_its_tries(counter: Counter) -> None:
    hold = approved(counter, "pre_authorisation")
    counter.order_at_host("completion_notice", Fault.LOST, times=6)
    ask(counter, "completion_notice", 10_000, hold)
    counter.let_pass(2_000)
    assert counter.newest().state is State.APPROVED


def test_a_notice_that_is_refused_77_for_ever_keeps_nobody_from_selling(counter: Counter) -> None:
    hold = approved(counter, "pre_authorisation")
    counter.order_at_host("completion_notice", Fault.LOST)
    ask(counter, "completion_notice", 10_000, hold)
    counter.order_at_host("completion_notice", "77", times=50)
    assert outcomes(counter.sale(500))[-1] == Outcome.APPROVED
    assert counter.sent_mtis()[-4:] == ["0220", "0220", "0800", "0200"]
    keys = counter.money.pin_key
    counter.let_pass(1_000)
    assert outcomes(counter.sale(600)) == [Outcome.APPROVED]
    assert counter.money.pin_key is keys  # a PIN that was entered before it is still good
    counter.acquirer._orders.clear()
    counter.let_pass(400)
    notice = counter.ledger.transactions.last("completion_notice")
    assert notice is not None
    assert notice.state is State.APPROVED


# --- the pre-authorisation family -----------------------------------------------------------------


def test_a_completions_void_gives_the_pre_authorisation_back(counter: Counter) -> None:
    hold = approved(counter, "pre_authorisation")
    assert outcomes(ask(counter, "completion", 10_000, hold)) == [Outcome.APPROVED]
    completion = counter.newest()
    assert state_of(counter, hold) is State.COMPLETED
    assert outcomes(counter.void(completion.id)) == [Outcome.APPROVED]
    assert state_of(counter, completion) is State.VOIDED
    assert state_of(counter, hold) is State.APPROVED
    assert outcomes(ask(counter, "completion", 9_000, hold)) == [Outcome.APPROVED]
    assert counter.net_there() == 9_000


def test_an_original_of_another_terminal_is_named_by_the_clerk(counter: Counter) -> None:
    hold = approved(counter, "pre_authorisation")
    typed = Reference(date=hold.host_date, authorisation_code=hold.authorisation_code)
    request: Request = request_of("completion", 10_000, CARD, reference=typed)
    assert outcomes(counter.do(lambda: counter.money.request(request))) == [Outcome.APPROVED]
    assert counter.sent[-1].elements[61] == "000000" + "000000" + hold.host_date


# --- a person decides -----------------------------------------------------------------------------


def test_a_supervisor_gives_up_a_reversal_only_when_its_tries_are_spent(counter: Counter) -> None:
    counter.order_at_host("sale", Fault.NO_ANSWER)
    counter.order_at_host("reversal", Fault.LOST, times=99)
    counter.sale(12_345)
    pending = counter.newest()
    assert not counter.money.give_up(pending.id, "00", "3")
    counter.world.let_pass(
        2_000, until=lambda: counter.newest().reversal_tries >= 3 and not counter.money.busy
    )
    assert counter.money.give_up(pending.id, "00", "3")
    assert not counter.money.give_up(pending.id, "00", "3")
    sent = len(counter.sent)
    counter.let_pass(2_000)
    assert len(counter.sent) == sent  # no 0400 is sent for it any more
    assert counter.newest().state is State.UNRESOLVED
    assert ("00", "given_up") in [e[1:3] for e in counter.ledger.audit.entries()]
    assert counter.money.close_case(pending.id, "00", "1")
    assert not counter.money.close_case(pending.id, "00", "2")  # one verdict a case
    assert counter.newest().state is State.UNRESOLVED
    assert outcomes(counter.sale(100)) == [Outcome.APPROVED]


def test_a_supervisor_takes_over_a_notice_that_no_host_takes(counter: Counter) -> None:
    hold = approved(counter, "pre_authorisation")
    counter.order_at_host("completion_notice", Fault.LOST)
    ask(counter, "completion_notice", 10_000, hold)
    notice = counter.newest()
    assert not counter.money.give_up(notice.id, "00", "3")
    # To the host the first copy that arrives is a new request, of a batch that it has left.
    counter.acquirer.change_batch("T0000001", "000077")
    counter.sign_in()
    counter.let_pass(2_000)
    assert counter.newest().state is State.PENDING
    counter.world.let_pass(400, until=lambda: not counter.money.busy)
    assert counter.money.give_up(notice.id, "00", "3")
    assert counter.newest().state is State.UNRESOLVED
    sent = len(counter.sent)
    counter.let_pass(2_000)
    assert len(counter.sent) == sent
    assert outcomes(counter.sale(100)) == [Outcome.APPROVED]


def test_a_restored_ledger_opens_again_when_a_supervisor_has_confirmed_it(counter: Counter) -> None:
    with counter.ledger.commit("test"):
        counter.ledger.settings.put("restored", True)
    counter.power_cut()
    counter.power_on()
    counter.let_pass(5)
    assert only_refusal(counter.sale(100)) == "restored"
    counter.money.confirm_restored("00")
    assert outcomes(counter.sale(100)) == [Outcome.APPROVED]
