"""Refund, balance inquiry, the pre-authorisation family, script results."""

import pytest

from posd.acquirer import Order
from posd.acquirer.outcomes import named


@pytest.fixture
def sold(terminal):
    """A sale of 100.00 and its answer."""
    sale = terminal.sale(10000)
    return sale, terminal.ask(sale)


# Refund


def test_parts_of_a_sale_are_refunded_until_it_is_used_up(terminal, sold):
    codes = [terminal.ask(terminal.refund(*sold, amount)).get(39) for amount in (4000, 6000, 1)]
    assert codes == ["00", "00", "61"]
    assert terminal.net() == 0


def test_a_refund_above_the_sale_is_declined_61(terminal, sold):
    assert terminal.ask(terminal.refund(*sold, 10001)).get(39) == "61"
    assert terminal.net() == 10000


def test_a_repeated_refund_is_done_once_and_answered_alike(terminal, sold, clock):
    refund = terminal.refund(*sold, 4000)
    first = terminal.ask(refund)
    clock.pass_by(seconds=60)
    assert terminal.ask(refund).elements == first.elements
    assert terminal.net() == 6000
    assert terminal.rows("SELECT repeats IS NULL FROM requests WHERE kind = 'refund'") == [
        (1,),
        (0,),
    ]


def test_a_refund_that_was_declined_is_declined_again_when_repeated(terminal, sold):
    refund = terminal.refund(*sold, 10001)
    assert [terminal.ask(refund).get(39) for _ in range(2)] == ["61", "61"]


def test_a_refund_is_repeated_after_the_batch_number_changed(terminal, sold):
    refund = terminal.refund(*sold, 4000)
    terminal.acquirer.order(Order("refund", named("no-answer")))
    assert terminal.deliveries(refund) == ()
    terminal.acquirer.change_batch(terminal.terminal, "000777")
    terminal.sign_in()
    assert terminal.ask(refund).get(39) == "00"
    assert terminal.net() == 6000


def test_a_refund_answered_at_the_second_try_by_amount(terminal, sold):
    refund = terminal.refund(*sold, 67)
    assert terminal.deliveries(refund) == ()
    assert terminal.ask(refund).get(39) == "00"
    assert terminal.net() == 10000 - 67


@pytest.mark.parametrize("changes", [{37: "000000000000"}, {61: "0000000000000531"}])
def test_a_refund_that_does_not_fit_its_original_is_declined_25(terminal, sold, changes):
    refund = terminal.refund(*sold, 4000).with_elements(changes)
    assert terminal.ask(refund).get(39) == "25"


def test_a_refund_to_another_card_is_declined_25(terminal, sold):
    assert terminal.ask(terminal.refund(*sold, 4000, card="second")).get(39) == "25"


def test_a_voided_sale_is_not_refunded_and_a_refunded_one_not_voided(terminal, sold):
    other = terminal.sale(5000)
    answer = terminal.ask(other)
    terminal.ask(terminal.void(*sold))
    assert terminal.ask(terminal.refund(*sold, 4000)).get(39) == "12"
    terminal.ask(terminal.refund(other, answer, 1000))
    assert terminal.ask(terminal.void(other, answer)).get(39) == "12"


# Balance inquiry


def test_a_balance_inquiry_tells_what_is_left_and_moves_nothing(terminal, sold):
    inquiry = terminal.request("balance_inquiry", {4: None, **terminal.with_card("good")})
    answer = terminal.ask(inquiry)
    assert (answer.mti, answer.get(39), answer.get(4)) == ("0210", "00", None)
    assert answer.get(54) == "1002156C009999990000"
    assert answer.get(64) is not None
    assert terminal.states() == [("sale", "approved")]


def test_a_balance_inquiry_needs_the_pin(terminal):
    inquiry = terminal.request("balance_inquiry", terminal.with_card("good", pin=None))
    assert terminal.ask(inquiry).get(39) == "55"


# Pre-authorisation, its void, completion, its notice, its void


class Hotel:
    """Words the requests of the pre-authorisation family."""

    def __init__(self, terminal):
        self.terminal = terminal

    def authorise(self, amount):
        terminal = self.terminal
        elements = {4: f"{amount:012d}", **terminal.with_card("good")}
        request = terminal.request("pre_authorisation", elements)
        return request, terminal.ask(request)

    def later(self, name, request, answer, amount, **changes):
        """Any of the requests that refer to an earlier one."""
        elements = {
            4: f"{amount:012d}",
            38: answer.get(38),
            61: request.get(60)[2:8] + request.get(11) + answer.get(13),
            **self.terminal.with_card("good", None),
        }
        if name == "completion_void":
            elements[37] = answer.get(37)
        return self.terminal.request(name, {**elements, **changes})


@pytest.fixture
def hotel(terminal):
    return Hotel(terminal)


def test_a_pre_authorisation_moves_no_money(terminal, hotel):
    _, answer = hotel.authorise(10000)
    assert (answer.mti, answer.get(39), answer.get(25)) == ("0110", "00", "06")
    assert len(answer.get(38)) == 6
    assert terminal.net() == 0


@pytest.mark.parametrize(("name", "mti"), [("completion", "0210"), ("completion_notice", "0230")])
def test_a_completion_takes_the_money_once(terminal, hotel, name, mti):
    authorised = hotel.authorise(10000)
    answer = terminal.ask(hotel.later(name, *authorised, 9000))
    assert (answer.mti, answer.get(39)) == (mti, "00")
    assert terminal.net() == 9000
    assert terminal.states()[0] == ("pre_authorisation", "completed")
    assert terminal.ask(hotel.later(name, *authorised, 9000)).get(39) == "12"


def test_a_completion_may_go_up_to_115_percent(terminal, hotel):
    first, second = hotel.authorise(10000), hotel.authorise(10000)
    assert terminal.ask(hotel.later("completion", *first, 11500)).get(39) == "00"
    assert terminal.ask(hotel.later("completion", *second, 11501)).get(39) == "61"


def test_a_repeated_completion_notice_is_done_once(terminal, hotel):
    notice = hotel.later("completion_notice", *hotel.authorise(10000), 9000)
    assert [terminal.ask(notice).get(39) for _ in range(3)] == ["00"] * 3
    assert terminal.net() == 9000


def test_a_voided_pre_authorisation_cannot_be_completed(terminal, hotel):
    authorised = hotel.authorise(10000)
    void = hotel.later("pre_authorisation_void", *authorised, 10000)
    assert terminal.ask(void).get(39) == "00"
    assert terminal.ask(hotel.later("completion", *authorised, 9000)).get(39) == "12"
    assert terminal.net() == 0


def test_a_pre_authorisation_void_of_another_amount_is_declined_64(terminal, hotel):
    void = hotel.later("pre_authorisation_void", *hotel.authorise(10000), 9999)
    assert terminal.ask(void).get(39) == "64"


def test_an_authorisation_code_of_another_day_is_not_found(terminal, hotel):
    request, answer = hotel.authorise(10000)
    wrong_day = answer.with_elements({13: "0531"})
    assert terminal.ask(hotel.later("completion", request, wrong_day, 9000)).get(39) == "25"


def test_a_completion_void_makes_the_pre_authorisation_good_again(terminal, hotel):
    authorised = hotel.authorise(10000)
    completion = hotel.later("completion", *authorised, 9000)
    void = hotel.later("completion_void", completion, terminal.ask(completion), 9000)
    assert terminal.ask(void).get(39) == "00"
    assert terminal.net() == 0
    assert terminal.states() == [
        ("pre_authorisation", "approved"),
        ("completion", "voided"),
        ("completion_void", "approved"),
    ]
    assert terminal.ask(hotel.later("completion", *authorised, 8000)).get(39) == "00"
    assert terminal.net() == 8000


def test_each_of_the_family_can_be_reversed_back_to_where_it_was(terminal, hotel):
    authorised = hotel.authorise(10000)
    completion = hotel.later("completion", *authorised, 9000)
    answer = terminal.ask(completion)
    void = hotel.later("completion_void", completion, answer, 9000)
    terminal.ask(void)
    before_the_void = [("pre_authorisation", "completed"), ("completion", "approved")]
    assert terminal.ask(terminal.reversal(void)).get(39) == "00"
    assert terminal.states()[:2] == before_the_void
    assert terminal.net() == 9000
    assert terminal.ask(terminal.reversal(completion)).get(39) == "00"
    assert terminal.states()[0] == ("pre_authorisation", "approved")
    assert terminal.net() == 0
    void = hotel.later("pre_authorisation_void", *authorised, 10000)
    terminal.ask(void)
    assert terminal.ask(terminal.reversal(void)).get(39) == "00"
    assert terminal.states()[0] == ("pre_authorisation", "approved")
    assert terminal.ask(terminal.reversal(authorised[0])).get(39) == "00"
    assert terminal.states()[0] == ("pre_authorisation", "reversed")


def test_a_script_result_is_taken_and_its_repeat_answered_alike(terminal, clock):
    sale = terminal.sale(500)
    terminal.ask(sale)
    kept = {n: sale.elements[n] for n in (3, 4, 22, 25, 41, 42, 49)}
    result = terminal.sale(500).with_elements(
        {35: None, 26: None, 52: None, 53: None}
        | kept
        | {55: bytes.fromhex("9F3303E0F8C8"), 60: f"00{terminal.batch}951600"}
        | {61: terminal.batch + sale.get(11)}
    )
    from protocol import Message

    notice = Message("0620", result.elements)
    first = terminal.ask(notice)
    clock.pass_by(seconds=60)
    assert (first.mti, first.get(39)) == ("0630", "00")
    assert terminal.ask(notice).elements == first.elements
