from __future__ import annotations

from pathlib import Path

from devices.slip import Cut, Pair, Slip, Text
from posd import passwords
from posd.keys import Keys
from posd.ledger.ledger import Ledger
from tests.posd.ledger.rig import SeededBytes, TurnedClock


def fail(ledger: Ledger, role: str, times: int) -> list[bool]:
    locked = []
    for _ in range(times):
        with ledger.commit("password"):
            locked.append(ledger.operators.failed(role))
    return locked


def test_the_third_wrong_password_locks_for_five_minutes(
    ledger: Ledger, clock: TurnedClock
) -> None:
    assert fail(ledger, "supervisor", 3) == [False, False, True]
    assert ledger.operators.lock("supervisor") == 300
    assert ledger.operators.lock("cashier") == 0
    clock.turn(299)
    assert ledger.operators.lock("supervisor") == 1
    clock.turn(1)
    assert ledger.operators.lock("supervisor") == 0


def test_each_further_lock_is_twice_as_long_until_a_success(
    ledger: Ledger, clock: TurnedClock
) -> None:
    for expected in (300, 600, 1200):
        fail(ledger, "supervisor", 3)
        assert ledger.operators.lock("supervisor") == expected
        clock.turn(expected)
    with ledger.commit("password"):
        ledger.operators.succeeded("supervisor")
    fail(ledger, "supervisor", 3)
    assert ledger.operators.lock("supervisor") == 300


def test_a_lock_survives_a_restart(
    path: Path, keys: Keys, clock: TurnedClock, ledger: Ledger
) -> None:
    fail(ledger, "supervisor", 3)
    clock.turn(10)
    ledger.close()
    again = Ledger.open(path, keys, clock, SeededBytes())
    remaining = again.operators.lock("supervisor")
    again.close()
    assert remaining == 300  # time without power does not count, and nobody has noted any other


def test_what_is_left_of_a_lock_is_noted_and_survives_a_restart(
    path: Path, keys: Keys, clock: TurnedClock, ledger: Ledger
) -> None:
    fail(ledger, "supervisor", 3)
    clock.turn(99.5)
    with ledger.commit("lock_time"):
        ledger.operators.note_lock_time()
    assert ledger.operators.lock("supervisor") == 200.5  # a note takes nothing away
    ledger.close()
    again = Ledger.open(path, keys, clock, SeededBytes())
    assert again.operators.some_lock_runs()
    for left in (141, 81):
        clock.turn(60)
        with again.commit("lock_time"):
            again.operators.note_lock_time()
        assert again.operators.lock("supervisor") == left
    clock.turn(81)
    with again.commit("lock_time"):
        again.operators.note_lock_time()
    assert not again.operators.some_lock_runs()
    assert again.operators.lock("supervisor") == 0
    again.close()


def test_the_factory_passwords_are_those_of_every_manual(ledger: Ledger, keys: Keys) -> None:
    for number, password in (("01", "0000"), ("00", "123456"), ("99", "12345678")):
        stored = ledger.operators.verifier(number)
        assert password.encode() not in stored.verifier
        cost = keys.password_cost
        made = passwords.make_verifier(keys.device, password, stored.salt, cost)
        assert made == stored.verifier


def test_a_print_job_waits_until_it_is_done(ledger: Ledger) -> None:
    slip = Slip((Text("消费/SALE", align="centre", large=True), Pair("金额", "123.45"), Cut()))
    with ledger.commit("outcome"):
        job = ledger.print_jobs.add(None, "merchant", slip)
    (waiting,) = ledger.print_jobs.waiting()
    assert (waiting.id, waiting.copy, waiting.slip) == (job, "merchant", slip)
    with ledger.commit("printed"):
        ledger.print_jobs.done(job)
    assert ledger.print_jobs.waiting() == []


def test_the_audit_keeps_who_did_what_in_order(ledger: Ledger) -> None:
    with ledger.commit("audit"):
        ledger.audit.add(1, "00", "first", {"why": "a"})
        ledger.audit.add(2, "01", "second")
    assert [entry[1:3] for entry in ledger.audit.entries()] == [("00", "first"), ("01", "second")]


def test_business_time_follows_the_host_and_never_runs_back(
    ledger: Ledger, clock: TurnedClock
) -> None:
    before = ledger.now()
    ledger.set_business_time(before + 60_000)
    assert ledger.now() == before + 60_000
    ledger.set_business_time(before - 60_000)
    assert ledger.now() == before + 60_000
    clock.turn(200)
    assert ledger.now() == before - 60_000 + 200_000
