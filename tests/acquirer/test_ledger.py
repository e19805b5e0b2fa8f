"""The ledger as others see it: plain SQL, no secrets, the same from the same seed."""

import hashlib
import random
import re
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posd.acquirer import CARDS, AcquirerLedger
from posd.acquirer.ledger import LedgerVersionError

README = Path(__file__).parents[2] / "posd" / "acquirer" / "README.md"


def a_day(terminal):
    """One of everything that moves money, and some that does not."""
    voided, kept = terminal.sale(12345), terminal.sale(9000, card="long")
    terminal.ask(terminal.void(voided, terminal.ask(voided)))
    terminal.ask(terminal.refund(kept, terminal.ask(kept), 2000, card="long"))
    for card in CARDS:
        terminal.deliveries(terminal.sale(700, card=card.name))
        terminal.deliveries(terminal.sale(700, card=card.name, pin="000000"))
    for amount in range(0, 400, 7):
        sale = terminal.sale(amount)
        terminal.deliveries(sale)
        for _ in range(3):  # some reversals are lost at the first try
            terminal.deliveries(terminal.reversal(sale))


def test_net_money_by_the_sql_of_the_readme_is_the_books(terminal):
    a_day(terminal)
    (sql,) = re.findall("```sql\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert terminal.rows(sql) == [("12345678", terminal.net())]
    assert terminal.rows("SELECT * FROM net_money") == [("12345678", terminal.net())]
    # 90.00 less 20.00, and 7.00 for each card that pays with the right PIN or without one.
    approved = terminal.rows(
        "SELECT count(*) FROM transactions WHERE amount = 700 AND state = 'approved'"
    )
    assert terminal.net() == 7000 + 700 * approved[0][0]
    assert approved[0][0] == 6


def test_another_process_can_read_the_file_while_the_acquirer_works(
    make_acquirer, terminal_at, tmp_path
):
    path = tmp_path / "acquirer.db"
    terminal = terminal_at(make_acquirer(path))
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        for amount in (1000, 2000):
            terminal.ask(terminal.sale(amount))
            (net,) = reader.execute("SELECT net FROM net_money").fetchone()
            assert net == terminal.net()


def test_no_card_number_pin_block_or_key_is_in_the_file(make_acquirer, terminal_at, tmp_path):
    path = tmp_path / "acquirer.db"
    terminal = terminal_at(make_acquirer(path))
    a_day(terminal)
    keys = (terminal.keys.pin.reveal(), terminal.keys.mac.reveal())
    terminal.acquirer.ledger.close()
    stored = path.read_bytes()
    assert b"622500******0014" in stored
    for card in CARDS:
        assert card.pan.reveal().encode() not in stored
        assert bytes.fromhex(card.pan.reveal()[: len(card.pan) // 2 * 2]) not in stored
    for key in keys:
        assert key not in stored
        assert key.hex().encode() not in stored.lower()


def test_a_ledger_of_another_version_is_refused(tmp_path):
    path = tmp_path / "acquirer.db"
    AcquirerLedger(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerVersionError, match="99"):
        AcquirerLedger(path)


def test_a_ledger_can_be_closed_twice_and_used_in_a_with(tmp_path):
    with AcquirerLedger(tmp_path / "acquirer.db") as ledger:
        ledger.close()


def test_a_commit_that_fails_in_the_middle_leaves_nothing(terminal):
    requests = terminal.rows("SELECT count(*) FROM requests")
    ledger = terminal.acquirer.ledger

    def fail_in_the_middle():
        with ledger.commit():
            ledger.sign_off(terminal.terminal)
            ledger.remember_reversal(terminal.terminal, "000001", "000009", "now")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle()
    assert terminal.rows("SELECT count(*) FROM requests") == requests
    assert not ledger.reversal_remembered(terminal.terminal, "000001", "000009")
    assert terminal.ask(terminal.sale(500)).get(39) == "00"


def test_the_same_seed_gives_the_same_bytes_and_the_same_ledger(make_acquirer, terminal_at):
    def digest():
        terminal = terminal_at(make_acquirer(random_bytes=random.Random(3).randbytes))
        told = hashlib.sha256()
        receive = terminal.acquirer.receive

        def listen(frame):
            deliveries = receive(frame)
            for delivery in deliveries:
                told.update(delivery.data)
            return deliveries

        terminal.acquirer.receive = listen
        a_day(terminal)
        dump = "\n".join(terminal.acquirer.ledger.connection.iterdump())
        return told.hexdigest(), hashlib.sha256(dump.encode()).hexdigest()

    assert digest() == digest()


def test_no_bytes_make_the_acquirer_raise_or_move_money(terminal):
    sale = terminal.frame(terminal.sale(12345))
    sign_in = terminal.frame(terminal.management("sign_in", "003", e63="01 "))
    settlement = terminal.frame(
        terminal.management("settlement", "201", e48="0" * 62, e49="156", e63="01 ")
    )

    @settings(max_examples=400, deadline=None)
    @given(
        st.sampled_from([sale, sign_in, settlement]),
        st.lists(st.tuples(st.integers(13, 80), st.integers(1, 255)), min_size=1, max_size=4),
        st.integers(0, 3),
    )
    def mutate(frame, changes, cut):
        mutated = bytearray(frame)
        for position, change in changes:
            mutated[position % len(mutated)] ^= change
        body = bytes(mutated[2 : len(mutated) - cut])
        if body != frame[2:]:
            terminal.acquirer.receive(len(body).to_bytes(2, "big") + body)
        assert terminal.net() == 0

    mutate()


@pytest.mark.parametrize("year", [2026, 2049])
def test_times_are_the_clocks_that_was_handed_in(make_acquirer, terminal_at, clock, year):
    clock.now = datetime(year, 12, 31, 23, 59, 59)
    terminal = terminal_at(make_acquirer())
    answer = terminal.ask(terminal.sale(500))
    assert (answer.get(12), answer.get(13)) == ("235959", "1231")
    stored = terminal.rows("SELECT received_at FROM requests ORDER BY id DESC LIMIT 1")
    assert stored == [(f"{year}-12-31T23:59:59",)]
