"""Settlement and batch upload: totals, results, the end of the batch."""

import pytest


def totals(debit=0, debits=0, credit=0, returns=0, result="0"):
    return f"{debit:012d}{debits:03d}{credit:012d}{returns:03d}{result}"


def settlement(terminal, domestic, foreign=None):
    return terminal.management(
        "settlement", "201", e48=domestic + (foreign or totals()), e49="156", e63="01 "
    )


def upload(terminal, items, network_code="201"):
    return terminal.management("batch_upload", network_code, e48=items)


def item(stan, amount, card_class="00", number="6225000000000014"):
    return f"{card_class}{stan}{number.rjust(20, '0')}{amount:012d}"


@pytest.fixture
def day(terminal):
    """A sale that is voided, a sale with a refund, a foreign sale, a declined and a reversed one."""
    voided, kept, foreign = terminal.sale(12345), terminal.sale(9000), terminal.sale(700, "visa")
    terminal.ask(terminal.void(voided, terminal.ask(voided)))
    terminal.ask(terminal.refund(kept, terminal.ask(kept), 5000))
    terminal.ask(foreign)
    terminal.ask(terminal.sale(100, card="poor"))
    undone = terminal.sale(800)
    terminal.ask(undone)
    terminal.ask(terminal.reversal(undone))
    return terminal


DOMESTIC = {"debit": 21345, "debits": 2, "credit": 17345, "returns": 2}
FOREIGN = {"debit": 700, "debits": 1}


def test_equal_totals_are_answered_balanced_and_a_voided_sale_counts_twice(day):
    answer = day.ask(settlement(day, totals(**DOMESTIC), totals(**FOREIGN)))
    assert (answer.mti, answer.get(39), answer.get(63)) == ("0510", "00", "01 ")
    assert answer.get(48) == totals(**DOMESTIC, result="1") + totals(**FOREIGN, result="1")


def test_other_totals_are_answered_not_balanced_with_the_hosts_own(day):
    answer = day.ask(settlement(day, totals(debit=1, debits=1), totals(**FOREIGN)))
    assert answer.get(48) == totals(**DOMESTIC, result="2") + totals(**FOREIGN, result="1")


def test_a_host_may_be_sent_the_domestic_totals_alone(terminal):
    request = settlement(terminal, totals()).with_elements({48: totals()})
    assert terminal.ask(request).get(48) == totals(result="1")


def test_a_repeated_settlement_gets_the_first_answer(day, clock):
    request = settlement(day, totals(**DOMESTIC), totals(**FOREIGN))
    first = day.ask(request)
    clock.pass_by(seconds=60)
    assert day.ask(request).elements == first.elements


def test_the_end_message_closes_the_batch_and_the_next_number_follows(day):
    day.ask(settlement(day, totals(**DOMESTIC), totals(**FOREIGN)))
    end = upload(day, "0000", "207")
    answer = day.ask(end)
    assert (answer.mti, answer.get(39)) == ("0330", "00")
    assert day.rows("SELECT count(*) FROM transactions WHERE settlement IS NULL") == [(0,)]
    day.batch = "000002"
    assert day.ask(day.sale(100)).get(39) == "00"
    assert day.sign_in().get(60) == "00000002003"
    assert day.ask(settlement(day, totals(debit=100, debits=1))).get(48)[30] == "1"


def test_repeats_of_the_batch_just_closed_are_answered_as_before(day):
    request = settlement(day, totals(**DOMESTIC), totals(**FOREIGN))
    end = upload(day, "0000", "207")
    answers = [day.ask(request), day.ask(end)]
    day.ask(day.management("sign_off", "002"))
    assert [day.ask(request).elements, day.ask(end).elements] == [a.elements for a in answers]
    assert day.rows("SELECT batch FROM terminals") == [("000002",)]


def test_the_batch_after_999999_is_000001(terminal):
    terminal.acquirer.change_batch(terminal.terminal, "999999")
    terminal.sign_in()
    terminal.ask(settlement(terminal, totals()))
    terminal.ask(upload(terminal, "0000", "207"))
    assert terminal.sign_in().get(60) == "00000001003"


def test_uploaded_items_are_noted_and_compared_with_the_ledger(day):
    (first,) = day.rows("SELECT stan, amount FROM transactions WHERE id = 1")
    day.ask(settlement(day, totals()))
    items = "02" + item(*first) + item("999999", 1)
    assert day.ask(upload(day, items)).get(39) == "00"
    assert day.ask(upload(day, "0002", "202")).get(39) == "00"
    noted = day.rows("SELECT stan, amount, known FROM uploads ORDER BY id")
    assert noted == [(*first, 1), ("999999", 1, 0)]


def test_an_item_from_before_a_change_of_the_batch_number_is_known(terminal):
    sale = terminal.sale(5000)
    terminal.ask(sale)
    terminal.acquirer.change_batch(terminal.terminal, "000777")
    terminal.sign_in()
    terminal.ask(settlement(terminal, totals()))
    terminal.ask(upload(terminal, "01" + item(sale.get(11), 5000)))
    assert terminal.rows("SELECT known FROM uploads") == [(1,)]


def test_a_refund_is_uploaded_with_its_own_elements(day):
    (refund,) = day.rows("SELECT stan, amount FROM transactions WHERE kind = 'refund'")
    day.ask(settlement(day, totals()))
    elements = {3: "200000", 4: f"{refund[1]:012d}", 11: refund[0], 22: "022", 25: "00"}
    request = upload(day, "0000").with_elements(
        {**elements, 48: None, 49: "156", 60: f"25{day.batch}000600", 61: "0" * 12 + "0601"}
    )
    assert day.ask(request).get(39) == "00"
    assert day.rows("SELECT stan, amount, known FROM uploads") == [(*refund, 1)]


def test_an_upload_without_a_settlement_is_declined_25(terminal):
    assert terminal.ask(upload(terminal, "0000", "207")).get(39) == "25"


def test_a_settled_sale_can_be_refunded_but_not_voided(terminal):
    sale = terminal.sale(5000)
    answer = terminal.ask(sale)
    terminal.ask(settlement(terminal, totals(debit=5000, debits=1)))
    terminal.ask(upload(terminal, "0000", "207"))
    terminal.batch = "000002"
    assert terminal.ask(terminal.void(sale, answer)).get(39) == "25"
    assert terminal.ask(terminal.refund(sale, answer, 5000)).get(39) == "00"
    assert terminal.net() == 0


def test_a_reversal_of_a_settled_sale_is_declined_25(terminal):
    sale = terminal.sale(5000)
    terminal.ask(sale)
    terminal.ask(settlement(terminal, totals(debit=5000, debits=1)))
    terminal.ask(upload(terminal, "0000", "207"))
    assert terminal.ask(terminal.reversal(sale)).get(39) == "25"
    assert terminal.net() == 5000


def test_every_transaction_stays_with_the_settlement_that_settled_it(terminal):
    for batch in ("000001", "000002"):
        terminal.batch = batch
        terminal.ask(terminal.sale(5000))
        terminal.ask(settlement(terminal, totals(debit=5000, debits=1)))
        terminal.ask(upload(terminal, "0000", "207"))
    assert terminal.rows("SELECT settlement FROM transactions ORDER BY id") == [(1,), (2,)]
    assert terminal.rows("SELECT batch, state FROM settlements ORDER BY id") == [
        ("000001", "closed"),
        ("000002", "closed"),
    ]


def test_a_sale_between_the_totals_and_the_end_belongs_to_the_next_batch(terminal):
    terminal.ask(settlement(terminal, totals()))
    terminal.ask(terminal.sale(5000))
    terminal.ask(upload(terminal, "0000", "207"))
    assert terminal.rows("SELECT settlement FROM transactions") == [(None,)]


def test_a_settlement_before_the_sign_in_is_answered_77(unsigned):
    assert unsigned.ask(settlement(unsigned, totals())).get(39) == "77"


def test_a_settlement_with_half_totals_is_answered_30(terminal):
    request = settlement(terminal, totals()).with_elements({48: "0" * 40})
    assert terminal.ask(request).get(39) == "30"
