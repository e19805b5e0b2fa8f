"""Sign-in, sign-off, echo, and who is refused."""

from posd.acquirer import Options, TerminalRecord
from protocol import Dialect


def test_a_sign_in_brings_keys_whose_check_values_fit_and_the_batch_number(unsigned):
    answer = unsigned.sign_in()
    assert answer.mti == "0810"
    assert answer.get(39) == "00"
    assert answer.get(60) == "00000001003"
    assert len(answer.get(62)) == 40
    assert len(unsigned.keys.pin) == len(unsigned.keys.mac) == 16


def test_a_sign_in_answer_carries_the_host_date_and_time(unsigned):
    answer = unsigned.sign_in()
    assert (answer.get(12), answer.get(13)) == ("093015", "0601")


def test_the_tpdu_comes_back_with_its_addresses_swapped(unsigned):
    answer = unsigned.sign_in()
    assert answer.tpdu == "6000000006"
    assert answer.header == "603100310001"


def test_every_sign_in_brings_other_keys(unsigned):
    unsigned.sign_in()
    before = unsigned.keys
    unsigned.sign_in()
    assert unsigned.keys.pin != before.pin
    assert unsigned.keys.mac != before.mac


def test_an_eight_byte_mac_key_is_given_by_option(make_acquirer, terminal_at):
    terminal = terminal_at(make_acquirer(options=Options(mac_key_length=8)))
    assert len(terminal.keys.mac) == 8
    assert terminal.ask(terminal.sale(100)).get(39) == "00"


def test_a_track_key_is_given_when_asked_for(unsigned):
    answer = unsigned.sign_in("004")
    assert len(answer.get(62)) == 60
    assert unsigned.keys.track is not None


def test_keys_that_this_host_does_not_give_are_declined(unsigned):
    assert unsigned.sign_in("005").get(39) == "40"
    assert unsigned.keys is None


def test_other_key_layouts_and_mac_algorithms_are_options_of_the_dialect(
    make_acquirer, terminal_at
):
    for options in (
        {"working_key_layout": "tagged-25"},
        {"working_key_layout": "three-of-19"},
        {"mac_algorithm": "x9.19"},
        {"mac_algorithm": "xor-3des"},
        {"has_header": False},
        {"has_tpdu": False},
    ):
        dialect = Dialect(**options)
        terminal = terminal_at(make_acquirer(dialect=dialect), dialect=dialect)
        assert terminal.ask(terminal.sale(100)).get(39) == "00", options


def test_an_encrypted_track_is_read_under_the_track_key(make_acquirer, terminal_at):
    from protocol.track import encrypt_track

    dialect = Dialect(track_encryption=True)
    terminal = terminal_at(make_acquirer(dialect=dialect), dialect=dialect)
    sale = terminal.sale(100)
    enciphered = encrypt_track(sale.get(35), terminal.keys.track)
    assert terminal.ask(sale.with_elements({35: enciphered})).get(39) == "00"


def test_an_unknown_terminal_is_answered_97(unsigned):
    unsigned.terminal = "99999999"
    assert unsigned.sign_in().get(39) == "97"


def test_an_unknown_merchant_is_answered_03(unsigned):
    unsigned.merchant = "898000000000002"
    assert unsigned.sign_in().get(39) == "03"


def test_a_sale_before_any_sign_in_is_answered_77(unsigned):
    sale = unsigned.sale(100, pin=None)
    assert unsigned.ask(sale).get(39) == "77"


def test_after_a_sign_off_the_terminal_must_sign_in_again(terminal):
    answer = terminal.ask(terminal.management("sign_off", "002"))
    assert (answer.mti, answer.get(39)) == ("0830", "00")
    sale = terminal.sale(100)
    assert terminal.ask(sale).get(39) == "77"
    terminal.sign_in()
    assert terminal.ask(terminal.sale(100)).get(39) == "00"


def test_a_sale_answered_77_may_use_its_stan_again_after_the_sign_in(unsigned):
    refused = unsigned.sale(100, pin=None)
    unsigned.ask(refused)
    unsigned.sign_in()
    sale = unsigned.sale(100).with_elements({11: refused.get(11)})
    assert unsigned.ask(sale).get(39) == "00"


def test_an_echo_has_no_stan_and_needs_no_sign_in(unsigned):
    answer = unsigned.ask(unsigned.management("echo", "301", e11=None))
    assert (answer.mti, answer.get(39), answer.get(11)) == ("0830", "00", None)


def test_a_sign_in_without_an_operator_is_answered_30(unsigned):
    assert unsigned.ask(unsigned.management("sign_in", "003")).get(39) == "30"


def test_keys_and_batch_survive_a_restart_of_the_acquirer(make_acquirer, terminal_at, tmp_path):
    terminal = terminal_at(make_acquirer(tmp_path / "acquirer.db"))
    terminal.acquirer.ledger.close()
    terminal.acquirer = make_acquirer(tmp_path / "acquirer.db")
    assert terminal.ask(terminal.sale(100)).get(39) == "00"


def test_another_batch_number_is_given_at_the_next_sign_in(terminal):
    terminal.acquirer.change_batch(terminal.terminal, "000777")
    assert terminal.sign_in().get(60) == "00000777003"
    assert terminal.ask(terminal.sale(100)).get(39) == "00"


def test_no_key_can_be_read_from_a_terminal_record(terminal):
    record = terminal.acquirer.house.terminals[terminal.terminal]
    assert isinstance(record, TerminalRecord)
    assert record.master.reveal().hex() not in repr(record).lower()
    assert "0123456789" not in repr(terminal.acquirer.house)
