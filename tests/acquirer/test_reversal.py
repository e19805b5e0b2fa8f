"""Reversals: of what is there, of what is not, before their original, and again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posd.acquirer import Options


def test_a_reversal_undoes_the_sale_and_is_answered_00_with_a_mac(terminal):
    sale = terminal.sale(12345)
    terminal.ask(sale)
    answer = terminal.ask(terminal.reversal(sale))
    assert (answer.mti, answer.get(39)) == ("0410", "00")
    assert answer.get(64) is not None
    for number in (3, 4, 11, 25, 41, 42, 49, 60):
        assert answer.get(number) == sale.get(number)
    assert terminal.states() == [("sale", "reversed")]
    assert terminal.net() == 0


def test_a_reversed_void_makes_its_sale_good_again(terminal):
    sale = terminal.sale(12345)
    void = terminal.void(sale, terminal.ask(sale))
    terminal.ask(void)
    assert terminal.ask(terminal.reversal(void)).get(39) == "00"
    assert terminal.states() == [("sale", "approved"), ("sale_void", "reversed")]
    assert terminal.net() == 12345


def test_a_sale_whose_void_was_reversed_can_be_voided(terminal):
    sale = terminal.sale(12345)
    answer = terminal.ask(sale)
    first = terminal.void(sale, answer)
    terminal.ask(first)
    terminal.ask(terminal.reversal(first))
    assert terminal.ask(terminal.void(sale, answer)).get(39) == "00"
    assert terminal.net() == 0


def test_a_repeated_reversal_gets_the_first_answer(terminal, clock):
    sale = terminal.sale(12345)
    terminal.ask(sale)
    first = terminal.ask(terminal.reversal(sale))
    clock.pass_by(seconds=60)
    again = terminal.ask(terminal.reversal(sale, reason="A0"))
    assert again.elements == first.elements
    assert terminal.states() == [("sale", "reversed")]


def test_a_reversal_needs_no_current_batch_but_its_originals(terminal):
    sale = terminal.sale(12345)
    terminal.ask(sale)
    terminal.acquirer.change_batch(terminal.terminal, "000777")
    terminal.sign_in()
    assert terminal.ask(terminal.reversal(sale)).get(39) == "00"
    assert terminal.net() == 0


def test_a_reversal_with_a_wrong_mac_is_answered_a0_and_undoes_nothing(terminal):
    sale = terminal.sale(12345)
    terminal.ask(sale)
    keys = terminal.keys
    terminal.sign_in()
    current, terminal.keys = terminal.keys, keys
    assert terminal.ask(terminal.reversal(sale)).get(39) == "A0"
    assert terminal.net() == 12345
    terminal.keys = current
    assert terminal.ask(terminal.reversal(sale)).get(39) == "00"
    assert terminal.net() == 0


def test_a_reversal_after_a_sign_off_is_answered_77_and_then_done(terminal):
    sale = terminal.sale(12345)
    terminal.ask(sale)
    terminal.ask(terminal.management("sign_off", "002"))
    assert terminal.ask(terminal.reversal(sale)).get(39) == "77"
    terminal.sign_in()
    assert terminal.ask(terminal.reversal(sale)).get(39) == "00"


def test_a_reversal_of_another_amount_is_declined_64(terminal):
    sale = terminal.sale(12345)
    terminal.ask(sale)
    reversal = terminal.reversal(sale).with_elements({4: "000000000001"})
    assert terminal.ask(reversal).get(39) == "64"
    assert terminal.net() == 12345


def test_a_reversal_of_a_partial_approval_has_the_requested_amount(terminal):
    sale = terminal.sale(10)
    assert terminal.ask(sale).get(39) == "10"
    assert terminal.ask(terminal.reversal(sale)).get(39) == "00"
    assert terminal.net() == 0


def test_a_reversal_of_a_declined_sale_is_answered_00(terminal):
    sale = terminal.sale(100, card="poor")
    terminal.ask(sale)
    assert terminal.ask(terminal.reversal(sale)).get(39) == "00"
    assert terminal.net() == 0


def test_a_reversal_of_a_voided_sale_is_declined_12(terminal):
    sale = terminal.sale(100)
    terminal.ask(terminal.void(sale, terminal.ask(sale)))
    assert terminal.ask(terminal.reversal(sale)).get(39) == "12"
    assert terminal.net() == 0


@pytest.mark.parametrize("code", ["00", "25", "12"])
def test_a_reversal_before_its_original_is_remembered(make_acquirer, terminal_at, code):
    terminal = terminal_at(make_acquirer(options=Options(missing_original=code)))
    sale = terminal.sale(12345)
    assert terminal.ask(terminal.reversal(sale)).get(39) == code
    assert terminal.ask(sale).get(39) == "94"
    assert terminal.ask(sale).get(39) == "94"
    assert terminal.ask(terminal.reversal(sale)).get(39) == code
    assert terminal.net() == 0


def test_a_reversal_of_another_kind_of_request_hits_nothing(terminal):
    sale = terminal.sale(100)
    void = terminal.void(sale, terminal.ask(sale))
    wrong = terminal.reversal(void).with_elements({11: sale.get(11)})
    assert terminal.ask(wrong).get(39) == "00"
    assert terminal.net() == 100


def test_a_remembered_reversal_survives_a_restart(make_acquirer, terminal_at, tmp_path):
    terminal = terminal_at(make_acquirer(tmp_path / "acquirer.db"))
    sale = terminal.sale(12345)
    terminal.ask(terminal.reversal(sale))
    terminal.acquirer.ledger.close()
    terminal.acquirer = make_acquirer(tmp_path / "acquirer.db")
    assert terminal.ask(sale).get(39) == "94"


def test_a_crash_after_the_commit_leaves_the_decision_and_no_answer(terminal):
    class PowerCut(Exception):
        pass

    def cut(number: int) -> None:
        raise PowerCut

    sale = terminal.sale(12345)
    terminal.acquirer.after_commit = cut
    with pytest.raises(PowerCut):
        terminal.deliveries(sale)
    assert terminal.net() == 12345
    terminal.acquirer.after_commit = lambda number: None
    assert terminal.ask(terminal.reversal(sale)).get(39) == "00"
    assert terminal.net() == 0


STEPS = st.lists(
    st.sampled_from(["sale", "void", "reverse", "again", "reverse unknown", "sign in"]), max_size=12
)


def test_money_is_what_the_answers_say_whatever_the_order(make_acquirer, terminal_at):
    @settings(max_examples=60, deadline=None)
    @given(STEPS)
    def whole_story(steps):
        terminal = terminal_at(make_acquirer())
        expected, last, standing = 0, None, []
        for step in steps:
            if step == "sale":
                last = terminal.sale(700)
                standing.append((last, terminal.ask(last)))
                expected += 700
            elif step == "void" and standing:
                sale, answer = standing.pop()
                last = terminal.void(sale, answer)
                assert terminal.ask(last).get(39) == "00"
                expected -= 700
            elif step == "again" and last is not None:
                terminal.ask(last)
            elif step == "reverse" and last is not None:
                terminal.ask(terminal.reversal(last))
                if standing and standing[-1][0] is last:
                    standing.pop()
                    expected -= 700
                elif last.get(3) == "200000":
                    standing.append((sale, answer))
                    expected += 700
                last = None
            elif step == "reverse unknown":
                assert terminal.ask(terminal.reversal(terminal.sale(5))).get(39) == "00"
            elif step == "sign in":
                terminal.sign_in()
            assert terminal.net() == expected
        terminal.acquirer.ledger.close()

    whole_story()
