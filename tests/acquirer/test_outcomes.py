"""Outcomes by amount and by order: what the terminal receives, what the ledger then says."""

from pathlib import Path

import pytest

from posd.acquirer import Fault, Options, Order, Outcome
from posd.acquirer.outcomes import (
    REQUEST_OUTCOMES,
    REVERSAL_OUTCOMES,
    VOID_OUTCOMES,
    as_markdown,
    by_amount,
    named,
)
from protocol import ProtocolError, decode
from protocol.mac import verify_frame

DONE_UNANSWERED = {67, 68, 85, 96, 97}


def read(terminal, delivery):
    """The message of a delivery and whether its MAC is right; None for what cannot be decoded."""
    try:
        message = decode(delivery.data, terminal.dialect)
    except ProtocolError:
        return None
    return message, verify_frame(delivery.data, terminal.keys.mac, terminal.dialect)


def codes(terminal, deliveries):
    return [None if (got := read(terminal, d)) is None else got[0].get(39) for d in deliveries]


# The request: 0.xx


def test_every_declining_amount_declines_and_moves_no_money(terminal):
    for digits, (outcome, _) in REQUEST_OUTCOMES.items():
        if outcome.code not in (None, "11"):
            (delivery,) = terminal.deliveries(terminal.sale(digits))
            assert codes(terminal, [delivery]) == [outcome.code]
    assert terminal.net() == 0


def test_amounts_that_the_technician_knows_by_heart(terminal):
    assert terminal.ask(terminal.sale(51)).get(39) == "51"
    assert terminal.ask(terminal.sale(5)).get(39) == "05"
    assert terminal.ask(terminal.sale(98)).get(39) == "98"
    assert terminal.ask(terminal.sale(77)).get(39) == "77"
    assert terminal.deliveries(terminal.sale(68)) == ()


@pytest.mark.parametrize("code", ["03", "05", "97"])
def test_a_declined_sale_that_is_delivered_again_stays_declined(terminal, code):
    """The terminal has told its clerk so."""
    terminal.acquirer.order(Order("sale", named(code)))
    sale = terminal.sale(100)
    assert terminal.ask(sale).get(39) == code
    assert terminal.ask(sale).get(39) == code
    assert terminal.net() == 0


def test_an_acquirer_whose_amounts_choose_nothing_approves_them_all(make_acquirer, terminal_at):
    terminal = terminal_at(make_acquirer(options=Options(amounts_choose=False)))
    for digits in (5, 51, 68):
        assert terminal.ask(terminal.sale(digits)).get(39) == "00"
    assert terminal.net() == 5 + 51 + 68


def test_a_partial_approval_has_code_10_and_the_smaller_amount(terminal):
    answer = terminal.ask(terminal.sale(10))
    assert (answer.get(39), answer.get(4)) == ("10", "000000000005")
    assert terminal.net() == 5


def test_an_approval_with_code_11_is_an_approval(terminal):
    answer = terminal.ask(terminal.sale(11))
    assert (answer.get(39), answer.get(64) is not None) == ("11", True)
    assert terminal.net() == 11


@pytest.mark.parametrize("digits", sorted(DONE_UNANSWERED))
def test_a_sale_without_an_answer_was_done_and_can_be_reversed(terminal, digits):
    sale = terminal.sale(digits)
    deliveries = terminal.deliveries(sale)
    assert [got for got in codes(terminal, deliveries) if got is not None] == []
    assert terminal.net() == digits
    assert terminal.ask(terminal.reversal(sale)).get(39) == "00"
    assert terminal.net() == 0


def test_a_lost_sale_was_never_there_and_comes_too_late_after_its_reversal(terminal):
    sale = terminal.sale(69)
    assert terminal.deliveries(sale) == ()
    assert terminal.states() == []
    assert terminal.ask(terminal.reversal(sale)).get(39) == "00"
    assert terminal.states() == []


def test_a_cut_answer_is_the_beginning_of_the_right_one_and_ends_the_connection(terminal):
    (delivery,) = terminal.deliveries(terminal.sale(96))
    assert delivery.close
    announced = int.from_bytes(delivery.data[:2], "big") + 2
    assert len(delivery.data) == announced // 2


@pytest.mark.parametrize("cut_at", [0, 1, 2, 3, 20, 100])
def test_an_ordered_cut_is_at_the_byte_that_was_asked_for(terminal, cut_at):
    terminal.acquirer.order(Order("sale", Outcome(fault=Fault.CUT, cut_at=cut_at)))
    (delivery,) = terminal.deliveries(terminal.sale(12345))
    assert (len(delivery.data), delivery.close) == (cut_at, True)


def test_a_closed_connection_brings_no_byte(terminal):
    (delivery,) = terminal.deliveries(terminal.sale(97))
    assert (delivery.data, delivery.close) == (b"", True)


def test_a_wrong_mac_is_on_an_approval_that_is_otherwise_right(terminal):
    (delivery,) = terminal.deliveries(terminal.sale(99))
    message, mac_right = read(terminal, delivery)
    assert (message.get(39), mac_right) == ("00", False)
    assert terminal.net() == 99


def test_a_decline_with_a_wrong_mac_moves_no_money(terminal):
    (delivery,) = terminal.deliveries(terminal.sale(80))
    message, mac_right = read(terminal, delivery)
    assert (message.get(39), message.get(64) is None, mac_right) == ("05", False, False)
    assert terminal.net() == 0


def test_an_approval_without_a_mac(terminal):
    answer = terminal.ask(terminal.sale(95))
    assert (answer.get(39), answer.get(64)) == ("00", None)


def test_an_approval_with_another_amount_has_a_right_mac(terminal):
    answer = terminal.ask(terminal.sale(93))
    assert answer.get(4) == "000000000094"
    assert answer.get(64) is not None
    assert terminal.net() == 93


def test_an_approval_without_a_reference_number(terminal):
    assert terminal.ask(terminal.sale(89)).get(37).strip() == ""


def test_a_header_that_asks_for_a_sign_in(terminal):
    assert terminal.ask(terminal.sale(79)).header == "603103310001"


def test_slow_and_late_answers_are_the_right_ones_with_a_delay(make_acquirer, terminal_at):
    terminal = terminal_at(make_acquirer(options=Options(slow=2.0, late=70.0)))
    for digits, after in ((78, 2.0), (86, 70.0)):
        (delivery,) = terminal.deliveries(terminal.sale(digits))
        message, mac_right = read(terminal, delivery)
        assert (delivery.after, message.get(39), mac_right) == (after, "00", True)


def test_an_answer_twice_is_the_same_answer(terminal):
    first, second = terminal.deliveries(terminal.sale(88))
    assert first == second
    assert terminal.net() == 88


def test_a_foreign_answer_has_another_stan_and_a_right_mac(terminal):
    sale = terminal.sale(87)
    foreign, own = terminal.deliveries(sale)
    (message, mac_right), (answer, _) = read(terminal, foreign), read(terminal, own)
    assert mac_right
    assert message.get(11) != sale.get(11)
    assert answer.get(11) == sale.get(11)


def test_garbage_is_a_whole_frame_that_cannot_be_decoded(terminal):
    garbage, own = terminal.deliveries(terminal.sale(84))
    assert int.from_bytes(garbage.data[:2], "big") + 2 == len(garbage.data)
    assert codes(terminal, [garbage, own]) == [None, "00"]
    (alone,) = terminal.deliveries(terminal.sale(85))
    assert codes(terminal, [alone]) == [None]


# The void: 1.xx


def test_the_sale_of_an_amount_that_hits_the_void_is_approved(terminal):
    for digits in VOID_OUTCOMES:
        assert terminal.ask(terminal.sale(100 + digits)).get(39) == "00"


def test_every_amount_1_xx_does_to_the_void_what_its_line_says(terminal):
    for digits, (outcome, _) in sorted(VOID_OUTCOMES.items()):
        before = terminal.net()
        sale = terminal.sale(100 + digits)
        void = terminal.void(sale, terminal.ask(sale))
        received = [got for got in codes(terminal, terminal.deliveries(void)) if got]
        if outcome.code not in (None, "11"):
            assert received == [outcome.code]
            assert terminal.net() - before == 100 + digits
            continue
        undone = 100 + digits if outcome.fault is Fault.LOST else 0
        assert terminal.net() - before == undone
        assert terminal.ask(terminal.reversal(void)).get(39) == "00"
        assert terminal.net() - before == 100 + digits


# The reversals: 2.xx and 3.xx


def story_until_the_reversal(terminal, series, digits):
    """The reversal that an amount hits, after its original got no answer."""
    sale = terminal.sale(series * 100 + digits)
    if series == 2:
        assert terminal.deliveries(sale) == ()
        return terminal.reversal(sale), 0
    void = terminal.void(sale, terminal.ask(sale))
    assert terminal.deliveries(void) == ()
    return terminal.reversal(void), series * 100 + digits


@pytest.mark.parametrize("series", [2, 3])
@pytest.mark.parametrize("digits", sorted(REVERSAL_OUTCOMES))
def test_the_ledger_is_right_however_the_reversal_is_answered(terminal, series, digits):
    outcome = REVERSAL_OUTCOMES[digits][1]
    reversal, net_afterwards = story_until_the_reversal(terminal, series, digits)
    for _ in range(outcome.tries or 1):
        terminal.deliveries(reversal)
    if outcome.tries is not None:
        answer = terminal.ask(reversal)
        assert (answer.get(39), answer.get(64) is None) == ("00", False)
    never_processed = outcome.tries is None and (
        outcome.code is not None or outcome.fault is Fault.LOST
    )
    if not never_processed:
        assert terminal.net() == net_afterwards


@pytest.mark.parametrize(("digits", "code"), [(12, "12"), (25, "25"), (26, "25")])
def test_nothing_to_reverse_is_said_only_when_there_is_nothing(terminal, digits, code):
    reversal, _ = story_until_the_reversal(terminal, 2, digits)
    for _ in range(2):
        answer = terminal.ask(reversal)
        assert answer.get(39) == code
        assert (answer.get(64) is None) is (digits == 26)
    assert terminal.net() == 0


def test_a_reversal_answered_96_twice_is_done_at_the_third_try(terminal):
    reversal, _ = story_until_the_reversal(terminal, 2, 96)
    received = [terminal.ask(reversal).get(39) for _ in range(4)]
    assert received == ["96", "96", "00", "00"]


def test_a_reversal_that_is_never_answered_was_done_at_the_first_try(terminal):
    reversal, _ = story_until_the_reversal(terminal, 2, 69)
    assert [terminal.deliveries(reversal) for _ in range(5)] == [()] * 5
    assert terminal.net() == 0


def test_amounts_from_4_00_on_are_ordinary():
    for amount in (400, 468, 1051, 12345, 999_999_999_999):
        for is_void in (False, True):
            for is_reversal in (False, True):
                outcome = by_amount(amount, is_void=is_void, is_reversal=is_reversal)
                assert outcome == Outcome()


# Orders


def test_an_order_hits_the_next_request_of_its_kind_only(terminal):
    terminal.acquirer.order(Order("sale_void", named("no-answer")))
    sale = terminal.sale(12345)
    answer = terminal.ask(sale)
    assert terminal.deliveries(terminal.void(sale, answer)) == ()
    assert terminal.ask(terminal.sale(12345)).get(39) == "00"


def test_an_order_is_good_for_as_many_requests_as_it_says(terminal):
    terminal.acquirer.order(Order("sale", named("51"), times=2))
    received = [terminal.ask(terminal.sale(500)).get(39) for _ in range(3)]
    assert received == ["51", "51", "00"]


def test_an_order_comes_before_the_amount(terminal):
    terminal.acquirer.order(Order("sale", named("05")))
    assert terminal.ask(terminal.sale(51)).get(39) == "05"
    assert terminal.ask(terminal.sale(51)).get(39) == "51"


def test_orders_of_one_kind_are_carried_out_in_their_order(terminal):
    for word in ("91", "92"):
        terminal.acquirer.order(Order("any", named(word)))
    received = [terminal.ask(terminal.sale(500)).get(39) for _ in range(2)]
    assert received == ["91", "92"]


def test_an_order_for_another_terminal_waits_for_it(terminal):
    terminal.acquirer.order(Order("sale", named("51"), terminal="99999999"))
    assert terminal.ask(terminal.sale(500)).get(39) == "00"


def test_an_order_for_the_reversal_of_a_void_lets_that_of_a_sale_pass(terminal):
    terminal.acquirer.order(Order("reversal", named("96"), of="sale_void"))
    sale = terminal.sale(500)
    terminal.ask(sale)
    assert terminal.ask(terminal.reversal(sale)).get(39) == "00"
    other = terminal.sale(500)
    void = terminal.void(other, terminal.ask(other))
    terminal.ask(void)
    assert terminal.ask(terminal.reversal(void)).get(39) == "96"


def test_a_sign_in_can_be_refused_lost_and_given_bad_keys(terminal):
    order, sign_in = terminal.acquirer.order, terminal.management("sign_in", "003", e63="01 ")
    order(Order("sign_in", named("91")))
    assert terminal.ask(sign_in).get(39) == "91"
    order(Order("sign_in", named("no-answer")))
    assert terminal.deliveries(sign_in) == ()
    order(Order("sign_in", named("wrong-keys")))
    with pytest.raises(ProtocolError):
        terminal.sign_in()


def test_words_of_scripts_name_outcomes():
    assert named("no-answer") == Outcome(fault=Fault.NO_ANSWER)
    assert named("A0") == Outcome(code="A0")
    assert named("partial:5000") == Outcome(partial=5000)
    for fault in Fault:
        assert named(fault.value).fault is fault


@pytest.mark.parametrize("word", ["", "noanswer", "partial:", "partial:x", "5", "no answer"])
def test_a_word_that_names_no_outcome_is_refused_with_the_words_there_are(word):
    with pytest.raises(ValueError, match="foreign-first"):
        named(word)


def test_the_ledger_names_the_outcome_that_was_ordered(terminal):
    terminal.deliveries(terminal.sale(80))
    assert terminal.rows("SELECT outcome FROM requests WHERE kind = 'sale'") == [("05 wrong-mac",)]


def test_the_readme_has_the_table_of_amounts_as_it_is():
    readme = Path(__file__).parents[2] / "posd" / "acquirer" / "README.md"
    assert as_markdown() in readme.read_text(encoding="utf-8")
