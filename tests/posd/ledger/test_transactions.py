from __future__ import annotations

from pathlib import Path

import pytest

from posd.keys import Keys
from posd.ledger.ledger import Ledger
from posd.ledger.pack import pack
from posd.ledger.records import State
from protocol import Pan, Track
from tests.posd.ledger.rig import SeededBytes, TurnedClock, intent


def stored(ledger: Ledger, stan: str = "000002", **changes: object) -> int:
    with ledger.commit("intent"):
        return ledger.transactions.add(intent(stan, **changes))


def moved(ledger: Ledger, identity: int, before: State, after: State, **columns: object) -> bool:
    with ledger.commit("outcome"):
        return ledger.transactions.move(identity, [before], after, **columns)


def test_an_intent_is_stored_as_it_was_given(ledger: Ledger) -> None:
    record = ledger.transactions.get(stored(ledger))
    assert (record.kind, record.state, record.stan, record.amount) == (
        "sale", State.OPEN, "000002", 12345,
    )  # fmt: skip
    assert record.masked_card == "622500******0014"
    assert record.request == {3: "000000", 4: "000000012345", 11: "000002", 55: b"\x95\x05"}


def test_the_longest_chip_data_and_private_elements_are_stored_whole(ledger: Ledger) -> None:
    long = {55: bytes(range(255)), 59: b"\x9f" * 600, 62: b"\xf2" * 999}
    record = ledger.transactions.get(stored(ledger, request=long))
    assert record.request == long
    assert ledger.transactions.is_whole(record.id)


def test_a_state_changes_only_from_the_one_that_is_named(ledger: Ledger) -> None:
    identity = stored(ledger)
    assert moved(ledger, identity, State.OPEN, State.REVERSING, reversal_reason="98")
    assert not moved(ledger, identity, State.OPEN, State.APPROVED)
    assert ledger.transactions.get(identity).state is State.REVERSING


def test_the_story_is_kept_step_by_step(ledger: Ledger, clock: TurnedClock) -> None:
    identity = stored(ledger)
    clock.turn(3)
    moved(ledger, identity, State.OPEN, State.APPROVED)
    first, second = ledger.transactions.steps(identity)
    assert (first.what, second.what) == ("stored", "approved")
    assert second.at - first.at == 3000


def test_the_card_number_is_readable_only_with_the_device_key(
    ledger: Ledger, path: Path, clock: TurnedClock, keys: Keys
) -> None:
    identity = stored(ledger)
    pan, expiry = ledger.transactions.card(identity)
    assert (pan.reveal(), expiry) == ("6225000000000014", "4912")
    for file in path.parent.iterdir():
        assert b"6225000000000014" not in file.read_bytes()


def test_a_sealed_number_moved_to_another_row_does_not_open(ledger: Ledger) -> None:
    first, second = stored(ledger, "000002"), stored(ledger, "000003")
    database = ledger._database
    with ledger.commit("forgery"):
        database.write(
            "UPDATE transactions SET account_number ="
            " (SELECT account_number FROM transactions WHERE id = ?) WHERE id = ?",
            (first, second),
        )
    assert ledger.transactions.is_whole(first)
    assert not ledger.transactions.is_whole(second)


def test_a_changed_amount_is_noticed(ledger: Ledger) -> None:
    identity = stored(ledger)
    with ledger.commit("bit rot"):
        ledger._database.write("UPDATE transactions SET amount = 1 WHERE id = ?", (identity,))
    assert not ledger.transactions.is_whole(identity)


def test_a_void_in_doubt_locks_its_original(ledger: Ledger) -> None:
    sale = stored(ledger, "000002")
    moved(ledger, sale, State.OPEN, State.APPROVED)
    assert ledger.transactions.locked_by(sale) is None
    void = stored(ledger, "000003", kind="sale_void", original=sale)
    lock = ledger.transactions.locked_by(sale)
    assert lock is not None
    assert lock.id == void
    moved(ledger, void, State.OPEN, State.REVERSING)
    assert ledger.transactions.locked_by(sale) is not None
    moved(ledger, void, State.REVERSING, State.REVERSED)
    assert ledger.transactions.locked_by(sale) is None


def test_the_same_card_and_amount_within_the_time_is_similar(
    ledger: Ledger, clock: TurnedClock
) -> None:
    sale = stored(ledger)
    moved(ledger, sale, State.OPEN, State.APPROVED)
    since = ledger.now()
    pan = Pan("6225000000000014")
    found = ledger.transactions.similar(pan, 12345, since)
    assert found is not None
    assert found.id == sale
    assert ledger.transactions.similar(pan, 12346, since) is None
    assert ledger.transactions.similar(Pan("6225000000010014"), 12345, since) is None
    assert ledger.transactions.similar(pan, 12345, since + 1) is None


def test_the_newest_with_a_voucher_number_is_found(ledger: Ledger) -> None:
    identity = stored(ledger, "000042")
    found = ledger.transactions.by_stan("000042")
    assert found is not None
    assert found.id == identity
    assert ledger.transactions.by_stan("000043") is None


def test_what_nobody_acknowledged_is_offered_newest_first(ledger: Ledger) -> None:
    stored(ledger, "000002")
    newest = stored(ledger, "000003")
    offered = ledger.transactions.last_unacknowledged()
    assert offered is not None
    assert offered.id == newest
    with ledger.commit("seen"):
        ledger.transactions.acknowledge(1, newest)
    assert ledger.transactions.last_unacknowledged() is None


@pytest.mark.parametrize(
    "secret", [Pan("6225000000000014"), Track("6225000000000014=49121010000012340000")]
)
def test_secret_values_are_never_stored(secret: object) -> None:
    with pytest.raises(TypeError, match="is never stored"):
        pack({35: secret})


def test_an_old_file_that_was_put_back_is_marked_restored(
    path: Path, keys: Keys, clock: TurnedClock
) -> None:
    Ledger.open(path, keys, clock, SeededBytes()).close()
    old = path.read_bytes()
    Ledger.open(path, keys, clock, SeededBytes()).close()
    path.write_bytes(old)
    ledger = Ledger.open(path, keys, clock, SeededBytes())
    restored = ledger.settings.get("restored", False)
    ledger.close()
    assert restored


def test_a_ledger_that_was_only_reopened_is_not_restored(
    path: Path, keys: Keys, clock: TurnedClock
) -> None:
    for _ in range(3):
        ledger = Ledger.open(path, keys, clock, SeededBytes())
        assert not ledger.settings.get("restored", False)
        ledger.close()
