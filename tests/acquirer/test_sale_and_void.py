"""Sale, its void, and their checks."""

import pytest

from posd.acquirer.cards import BY_NAME as CARDS
from protocol import Pan, PinBlock, Track


def test_an_approved_sale_carries_what_real_answers_carry(terminal):
    sale = terminal.sale(12345)
    answer = terminal.ask(sale)
    assert answer.mti == "0210"
    echoed = {number: answer.get(number) for number in (3, 4, 11, 25, 41, 42, 49, 60)}
    assert echoed == {number: sale.get(number) for number in echoed}
    assert answer.get(2) == CARDS["good"].pan
    assert answer.get(14) == "4912"
    assert answer.get(15) == "0601"
    assert answer.get(32) == "48021000"
    assert answer.get(37).startswith("093015")
    assert len(answer.get(38)) == 6
    assert answer.get(39) == "00"
    assert answer.get(44) == "03080000   48020000   "
    assert answer.get(63) == "CUP"
    assert len(answer.get(64)) == 8
    assert terminal.net() == 12345


def test_a_declined_sale_carries_the_code_no_mac_and_the_issuers_text(terminal):
    answer = terminal.ask(terminal.sale(100, card="poor"))
    assert answer.get(39) == "51"
    assert answer.get(64) is None
    assert answer.get(38) is None
    assert answer.get(63) == "CUP余额不足"
    assert terminal.states() == [("sale", "declined")]
    assert terminal.net() == 0


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("second", "00"),
        ("nopin", "00"),
        ("long", "00"),
        ("visa", "00"),
        ("expired", "54"),
        ("poor", "51"),
        ("lost", "41"),
        ("stolen", "43"),
    ],
)
def test_each_test_card_gets_its_answer(terminal, card, code):
    assert terminal.ask(terminal.sale(100, card=card)).get(39) == code


def test_every_test_card_passes_a_card_readers_checks():
    for card in CARDS.values():
        assert card.pan.luhn_valid
        assert len(card.track2.reveal()) <= 37
        assert card.track2.pan == card.pan
        assert card.track2.expiry == card.expiry
        assert card.name.isascii()
        assert card.name.isidentifier()


def test_a_foreign_card_is_named_by_its_organisation(terminal):
    answer = terminal.ask(terminal.sale(100, card="visa"))
    assert answer.get(63) == "VIS"
    assert terminal.rows("SELECT foreign_card FROM transactions") == [(1,)]


def test_a_number_that_is_not_in_the_table_is_declined_14(terminal):
    unknown = terminal.sale(100).with_elements({35: Track("6225000000000097=4912101000")})
    answer = terminal.ask(unknown)
    assert answer.get(39) == "14"
    assert answer.get(2) is None


def test_an_expiry_that_is_not_the_cards_is_declined_54(terminal):
    number = CARDS["good"].pan.reveal()
    sale = terminal.sale(100).with_elements({35: Track(f"{number}=4911101000")})
    assert terminal.ask(sale).get(39) == "54"


def test_a_card_expires_at_the_end_of_its_month(terminal, clock):
    clock.pass_by(days=365 * 24)  # 2050
    terminal.sign_in()
    assert terminal.ask(terminal.sale(100)).get(39) == "54"


def test_funds_are_used_up_by_sales_and_come_back_with_a_void(make_acquirer, terminal_at):
    from dataclasses import replace

    card = replace(CARDS["good"], funds=1000)
    terminal = terminal_at(make_acquirer(cards=[card]))
    sale = terminal.sale(600)
    answer = terminal.ask(sale)
    assert terminal.ask(terminal.sale(600)).get(39) == "51"
    assert terminal.ask(terminal.void(sale, answer)).get(39) == "00"
    assert terminal.ask(terminal.sale(600)).get(39) == "00"


def test_a_sale_of_nothing_is_declined_13(terminal):
    assert terminal.ask(terminal.sale(0)).get(39) == "13"


# Keys and PINs


def test_a_wrong_mac_is_answered_a0_and_nothing_is_entered(terminal):
    frame = bytearray(terminal.frame(terminal.sale(100)))
    frame[-1] ^= 1
    (delivery,) = terminal.acquirer.receive(bytes(frame))
    assert b"A0" in delivery.data
    assert terminal.states() == []


def test_any_flipped_bit_of_a_sale_is_never_approved(terminal):
    frame = terminal.frame(terminal.sale(12345))
    for position in range(16, len(frame)):
        flipped = bytearray(frame)
        flipped[position] ^= 0x01
        terminal.acquirer.receive(bytes(flipped))
    assert terminal.net() == 0


def test_a_sale_without_a_mac_is_answered_a0(terminal):
    answer = terminal.ask(terminal.sale(100).with_elements({64: None}))
    assert answer.get(39) == "A0"


def test_a_mac_under_the_keys_before_the_last_sign_in_is_answered_a0(terminal):
    keys = terminal.keys
    terminal.sign_in()
    terminal.keys = keys
    assert terminal.ask(terminal.sale(100)).get(39) == "A0"


def test_a_pin_block_that_is_no_pin_block_is_answered_99(terminal):
    sale = terminal.sale(100).with_elements({52: PinBlock(b"nonsense")})
    assert terminal.ask(sale).get(39) == "99"


def test_a_wrong_pin_is_declined_55_and_the_third_in_a_row_75(terminal):
    codes = [terminal.ask(terminal.sale(100, pin="000000")).get(39) for _ in range(3)]
    assert codes == ["55", "55", "75"]
    assert terminal.ask(terminal.sale(100)).get(39) == "75"


def test_a_right_pin_forgives_the_wrong_ones_before_it(terminal):
    pins = ["000000", "000000", "right", "000000", "000000"]
    codes = [terminal.ask(terminal.sale(100, pin=pin)).get(39) for pin in pins]
    assert codes == ["55", "55", "00", "55", "55"]


def test_a_blocked_card_is_free_again_the_next_day(terminal, clock):
    for _ in range(3):
        terminal.ask(terminal.sale(100, pin="000000"))
    clock.pass_by(days=1)
    assert terminal.ask(terminal.sale(100)).get(39) == "00"


def test_wrong_pins_of_one_card_do_not_count_for_another(terminal):
    for _ in range(3):
        terminal.ask(terminal.sale(100, pin="000000"))
    assert terminal.ask(terminal.sale(100, card="second")).get(39) == "00"


def test_a_sale_without_a_pin_is_declined_55_for_a_card_that_has_one(terminal):
    assert terminal.ask(terminal.sale(100, pin=None)).get(39) == "55"
    assert terminal.ask(terminal.sale(100, card="nopin", pin=None)).get(39) == "00"


# Identity


def test_a_sale_with_another_batch_number_is_answered_77(terminal):
    terminal.batch = "000009"
    assert terminal.ask(terminal.sale(100)).get(39) == "77"
    assert terminal.states() == []


def test_a_stan_used_again_for_something_else_is_answered_94(terminal):
    first = terminal.sale(100)
    terminal.ask(first)
    second = terminal.sale(200).with_elements({11: first.get(11)})
    assert terminal.ask(second).get(39) == "94"
    assert terminal.net() == 100


def test_a_sale_delivered_twice_is_entered_once_and_answered_alike(terminal, clock):
    sale = terminal.sale(100)
    first = terminal.ask(sale)
    clock.pass_by(seconds=5)
    assert terminal.ask(sale).elements == first.elements
    assert terminal.states() == [("sale", "approved")]


def test_a_sale_delivered_again_after_its_reversal_is_declined_94(terminal):
    sale = terminal.sale(100)
    terminal.ask(sale)
    terminal.ask(terminal.reversal(sale))
    assert terminal.ask(sale).get(39) == "94"
    assert terminal.net() == 0


def test_a_request_that_lacks_an_element_is_answered_30(terminal):
    assert terminal.ask(terminal.sale(100).with_elements({22: None})).get(39) == "30"
    assert terminal.ask(terminal.sale(100).with_elements({11: "000000"})).get(39) == "30"


def test_codes_that_are_no_transaction_are_answered_12(terminal):
    assert terminal.ask(terminal.sale(100).with_elements({3: "990000"})).get(39) == "12"


def test_an_answer_that_comes_as_a_request_gets_no_answer(terminal):
    from protocol import Message

    assert terminal.deliveries(Message("0210", terminal.sale(100).elements)) == ()


def test_bytes_that_cannot_be_decoded_get_no_answer_and_are_counted(terminal):
    assert terminal.acquirer.receive(b"\x00\x03abc") == ()
    assert terminal.rows("SELECT count(*) FROM requests WHERE kind = 'undecodable'") == [(1,)]


# Void


def test_a_void_takes_the_sale_back(terminal):
    sale = terminal.sale(12345)
    answer = terminal.ask(sale)
    voided = terminal.ask(terminal.void(sale, answer))
    assert (voided.get(39), voided.get(4)) == ("00", "000000012345")
    assert voided.get(37) != answer.get(37)
    assert terminal.states() == [("sale", "voided"), ("sale_void", "approved")]
    assert terminal.net() == 0


def test_a_void_without_the_card_names_it_by_number_and_expiry(terminal):
    sale = terminal.sale(12345)
    answer = terminal.ask(sale)
    no_card = {22: "012", 2: Pan("6225000000000014"), 14: "4912", 35: None, 53: None}
    void = terminal.void(sale, answer).with_elements(no_card)
    assert terminal.ask(void).get(39) == "00"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({37: "000000000000"}, "25"),
        ({38: "ZZZZZZ"}, "25"),
        ({61: "000001999999"}, "25"),
        ({61: "000009000002"}, "25"),
        ({4: "000000012344"}, "64"),
    ],
)
def test_a_void_that_does_not_fit_its_original_is_declined(terminal, changes, code):
    sale = terminal.sale(12345)
    void = terminal.void(sale, terminal.ask(sale)).with_elements(changes)
    assert terminal.ask(void).get(39) == code
    assert terminal.net() == 12345


def test_a_void_with_another_card_is_declined_25(terminal):
    sale = terminal.sale(12345)
    void = terminal.void(sale, terminal.ask(sale), card="second")
    assert terminal.ask(void).get(39) == "25"


def test_a_second_void_is_declined_12(terminal):
    sale = terminal.sale(12345)
    answer = terminal.ask(sale)
    terminal.ask(terminal.void(sale, answer))
    assert terminal.ask(terminal.void(sale, answer)).get(39) == "12"
    assert terminal.net() == 0


def test_a_void_of_a_declined_or_reversed_sale_is_declined_25(terminal):
    declined, undone = terminal.sale(100, card="poor"), terminal.sale(100)
    refusal, approval = terminal.ask(declined), terminal.ask(undone)
    terminal.ask(terminal.reversal(undone))
    for sale, answer, card in ((declined, refusal, "poor"), (undone, approval, "good")):
        assert terminal.ask(terminal.void(sale, answer, card=card)).get(39) != "00"
    assert terminal.net() == 0


def test_a_partial_approval_is_voided_with_the_approved_amount(terminal):
    from posd.acquirer import Order, Outcome

    terminal.acquirer.order(Order("sale", Outcome(partial=5000)))
    sale = terminal.sale(12345)
    answer = terminal.ask(sale)
    assert (answer.get(39), answer.get(4)) == ("10", "000000005000")
    assert terminal.net() == 5000
    assert terminal.ask(terminal.void(sale, answer)).get(39) == "00"
    assert terminal.net() == 0


def test_a_sale_stays_voidable_after_the_batch_number_changed(terminal):
    sale = terminal.sale(12345)
    answer = terminal.ask(sale)
    void = terminal.void(sale, answer)
    terminal.acquirer.change_batch(terminal.terminal, "000777")
    terminal.sign_in()
    void = terminal.void(sale, answer)
    assert void.get(60)[2:8] == "000777"
    assert terminal.ask(void).get(39) == "00"
