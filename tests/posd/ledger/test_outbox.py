from __future__ import annotations

import re
from pathlib import Path

import pytest

from posd.keys import Keys
from posd.ledger.ledger import Ledger
from posd.ledger.outbox import EVENTS
from posd.ledger.records import State
from posd.money.recovery import recover
from tests.posd.ledger.rig import SeededBytes, TurnedClock, intent

README = Path(__file__).parents[3] / "posd" / "ledger" / "README.md"
DAY = 24 * 60 * 60


def names(ledger: Ledger) -> list[str]:
    return [event.name for event in ledger.outbox.read()]


def generations(ledger: Ledger, count: int) -> None:
    """So many events of no consequence."""
    with ledger.commit("events"):
        for number in range(count):
            ledger.outbox.append("ledger.restored", {"generation": number})


def test_an_event_is_committed_with_its_change_or_not_at_all(ledger: Ledger) -> None:
    def fail_after_the_change() -> None:
        with ledger.commit("order"):
            ledger.orders.create("000001", 100, ledger.now())
            raise KeyError

    with pytest.raises(KeyError):
        fail_after_the_change()
    assert names(ledger) == []
    with ledger.commit("order"):
        ledger.orders.create("000001", 100, ledger.now())
    assert names(ledger) == ["order.created"]


def test_each_outcome_is_an_event_without_card_data(ledger: Ledger) -> None:
    with ledger.commit("sale"):
        order = ledger.orders.create("000001", 12345, ledger.now(), "01")
        sale = ledger.transactions.add(intent("000002", order=order))
    with ledger.commit("outcome"):
        ledger.transactions.move(
            sale, [State.OPEN], State.APPROVED, approved_amount=12345, response_code="00"
        )
        assert ledger.orders.receive(order, 12345, ledger.now(), "01") == 0
    created, approved, paid = ledger.outbox.read()
    assert [created.name, approved.name, paid.name] == [
        "order.created", "transaction.approved", "order.paid",
    ]  # fmt: skip
    assert approved.body["stan"] == "000002"
    assert approved.body["order"] == "000001"
    assert approved.body["masked_card"] == "622500******0014"
    assert paid.body["state"] == "paid"
    everything = repr(ledger.outbox.read())
    assert "6225000000000014" not in everything
    assert "4912" not in everything


def test_a_move_that_does_not_happen_is_no_event(ledger: Ledger) -> None:
    with ledger.commit("sale"):
        sale = ledger.transactions.add(intent("000002"))
        assert not ledger.transactions.move(sale, [State.REVERSING], State.REVERSED)
    assert names(ledger) == []


def test_events_are_read_in_order_from_any_number_on(ledger: Ledger) -> None:
    generations(ledger, 7)
    first = ledger.outbox.read(1, 3)
    rest = ledger.outbox.read(first[-1].number + 1, 100)
    assert [event.body["generation"] for event in (*first, *rest)] == list(range(7))
    assert ledger.outbox.read(rest[-1].number + 1) == []
    assert ledger.outbox.newest() == rest[-1].number


def test_a_name_or_a_field_that_is_not_announced_is_refused(ledger: Ledger) -> None:
    with pytest.raises(KeyError), ledger.commit("event"):
        ledger.outbox.append("order.eaten", {})
    with pytest.raises(AssertionError, match="generation"), ledger.commit("event"):
        ledger.outbox.append("ledger.restored", {})
    with pytest.raises(AssertionError, match="card"), ledger.commit("event"):
        ledger.outbox.append("ledger.restored", {"generation": 1, "card": "x"})


def test_only_what_is_old_is_pruned_and_no_number_is_given_twice(
    ledger: Ledger, path: Path, keys: Keys, clock: TurnedClock
) -> None:
    generations(ledger, 5)
    clock.turn(DAY)
    generations(ledger, 1)
    border = ledger.now() - 1
    assert ledger.outbox.is_to_be_pruned(border)
    with ledger.commit("prune"):
        assert ledger.outbox.prune(border) == 5
    assert not ledger.outbox.is_to_be_pruned(border)
    assert (ledger.outbox.oldest(), ledger.outbox.newest()) == (6, 6)
    with ledger.commit("prune"):
        assert ledger.outbox.prune(ledger.now() + 1) == 1
    assert (ledger.outbox.oldest(), ledger.outbox.newest()) == (7, 6)
    ledger.close()
    again = Ledger.open(path, keys, clock, SeededBytes())
    generations(again, 1)
    assert [event.number for event in again.outbox.read()] == [7]
    again.close()


def test_a_commit_prunes_a_thousand_at_most(ledger: Ledger, clock: TurnedClock) -> None:
    generations(ledger, 1001)
    clock.turn(1)
    with ledger.commit("prune"):
        assert ledger.outbox.prune(ledger.now()) == 1000
    assert len(ledger.outbox.read()) == 1


def test_after_a_restore_numbers_jump_also_in_an_empty_outbox(ledger: Ledger) -> None:
    with ledger.commit("jump"):
        ledger.outbox.jump()
    generations(ledger, 1)
    (event,) = ledger.outbox.read()
    assert event.number == 1_000_001
    with ledger.commit("jump"):
        ledger.outbox.jump(10)
    generations(ledger, 1)
    assert ledger.outbox.newest() == 1_000_012


def test_an_event_is_never_changed(ledger: Ledger) -> None:
    generations(ledger, 1)
    with pytest.raises(Exception, match="SQLITE_CONSTRAINT"), ledger.commit("change"):
        ledger._database.write("UPDATE outbox SET name = 'x'")


def test_the_readme_names_every_event_with_its_fields() -> None:
    told: dict[str, tuple[str, ...]] = {}
    for line in README.read_text("utf-8").splitlines():
        if match := re.match(r"\| `(\w+\.\w+)` \|([^|]*)\|", line):
            same = re.fullmatch(r" as `([\w.]+)` ", match[2])
            fields = tuple(re.findall(r"`(\w+)`", match[2]))
            told[match[1]] = told[same[1]] if same else fields
    assert {name: told.get(name) for name in EVENTS} == dict(EVENTS)


def test_a_ledger_that_was_put_back_says_so_with_a_number_that_was_never_given(
    ledger: Ledger,
) -> None:
    generations(ledger, 3)
    with ledger.commit("restored"):
        ledger.settings.put("restored", True)
    assert recover(ledger, stan_jump_after_restore=10)
    (event,) = ledger.outbox.read(4)
    assert event.name == "ledger.restored"
    assert event.number > 1_000_000
    assert not recover(ledger, stan_jump_after_restore=10)
