from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posd.ledger.counters import LAST_STAN
from posd.ledger.ledger import Ledger
from posd.ledger.records import State
from tests.posd.ledger.rig import intent


def next_stan(ledger: Ledger) -> str:
    with ledger.commit("stan"):
        return ledger.counters.next_stan()


def close_batch(ledger: Ledger, by: str) -> None:
    """With the acquirer, or by an administrator's hand."""
    with ledger.commit("settled"):
        settlement = ledger.batches.begin("000007", "01", {}, {}, ledger.now())
        ledger.batches.answered(settlement, "00", "", [], ledger.now())
    with ledger.commit("closed"):
        ledger.batches.close(settlement, ledger.now(), by)


def jump_to(ledger: Ledger, value: int) -> None:
    with ledger.commit("set"):
        ledger.counters._put("stan", value)


def test_numbers_begin_at_one_and_follow_each_other(ledger: Ledger) -> None:
    assert [next_stan(ledger) for _ in range(3)] == ["000001", "000002", "000003"]


def test_after_the_last_number_comes_the_first_and_never_zero(ledger: Ledger) -> None:
    jump_to(ledger, LAST_STAN - 1)
    assert [next_stan(ledger), next_stan(ledger)] == ["999999", "000001"]


def test_a_number_of_the_open_batch_is_skipped(ledger: Ledger) -> None:
    with ledger.commit("intent"):
        ledger.transactions.add(intent("000002"))
        ledger.orders.create("000003", 100, ledger.now())
    assert [next_stan(ledger), next_stan(ledger)] == ["000001", "000004"]


def test_a_number_of_a_batch_that_the_acquirer_never_closed_is_skipped(ledger: Ledger) -> None:
    """Its own batch still holds that number: a reversal of the new sale would there find the old one."""
    with ledger.commit("intent"):
        transaction = ledger.transactions.add(intent("000002"))
        ledger.transactions.move(transaction, [State.OPEN], State.APPROVED)
    close_batch(ledger, by="99")
    assert [next_stan(ledger), next_stan(ledger)] == ["000001", "000003"]
    jump_to(ledger, 0)
    close_batch(ledger, by="")
    assert [next_stan(ledger), next_stan(ledger)] == ["000001", "000002"]


def test_a_rollback_gives_the_number_back(ledger: Ledger) -> None:
    try:
        with ledger.commit("intent"):
            ledger.counters.next_stan()
            raise KeyError
    except KeyError:
        pass
    assert next_stan(ledger) == "000001"


@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    max_examples=50,
)
@given(start=st.integers(0, LAST_STAN), distance=st.integers(1, 900_000))
def test_a_jump_stays_within_the_numbers(ledger: Ledger, start: int, distance: int) -> None:
    jump_to(ledger, start)
    with ledger.commit("jump"):
        ledger.counters.jump_stan(distance)
    value = ledger.counters._value("stan")
    assert 1 <= value <= LAST_STAN
    assert (value - start - distance) % LAST_STAN == 0
