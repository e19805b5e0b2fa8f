"""Operators and their passwords; lock-outs are in test_stores.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from posd import passwords
from posd.core.ports import PasswordVerifier
from posd.keys import Keys
from posd.ledger.ledger import Ledger
from posd.ledger.operators import FactoryPasswordsInUse, Operator
from tests.posd.ledger.rig import SeededBytes, TurnedClock


def give(ledger: Ledger, number: str, role: str, password: str) -> PasswordVerifier:
    verifier = ledger.keys.verifier(password, SeededBytes())
    with ledger.commit("password"):
        ledger.operators.set_password(number, role, verifier)
    return verifier


def is_password(keys: Keys, stored: PasswordVerifier, password: str) -> bool:
    cost = keys.password_cost
    return passwords.matches(keys.device, password, stored.salt, stored.verifier, cost)


def test_a_new_ledger_knows_the_operators_of_every_manual(ledger: Ledger) -> None:
    assert ledger.operators.all() == [
        Operator("00", "supervisor"),
        *(Operator(f"0{number}", "cashier") for number in range(1, 6)),
        Operator("99", "administrator"),
    ]
    assert not ledger.operators.factory_passwords_off
    assert all(
        ledger.operators.has_factory_password(each.number) for each in ledger.operators.all()
    )


def test_a_password_is_set_for_one_operator_and_nobody_else(ledger: Ledger, keys: Keys) -> None:
    give(ledger, "02", "cashier", "4711")
    assert is_password(keys, ledger.operators.verifier("02"), "4711")
    assert is_password(keys, ledger.operators.verifier("01"), "0000")
    assert not ledger.operators.has_factory_password("02")


def test_a_new_number_is_a_new_operator_also_after_a_restart(
    path: Path, ledger: Ledger, keys: Keys, clock: TurnedClock
) -> None:
    give(ledger, "17", "cashier", "4711")
    ledger.close()
    again = Ledger.open(path, keys, clock, SeededBytes())
    assert again.operators.get("17") == Operator("17", "cashier")
    again.close()


def test_only_cashiers_can_be_removed(ledger: Ledger) -> None:
    with ledger.commit("remove"):
        assert ledger.operators.remove("05")
        assert not ledger.operators.remove("05")
        assert not ledger.operators.remove("00")
        assert not ledger.operators.remove("99")
    assert ledger.operators.get("05") is None
    with pytest.raises(KeyError):
        ledger.operators.verifier("05")


def test_turning_factory_passwords_off_removes_cashiers_who_have_one(ledger: Ledger) -> None:
    give(ledger, "00", "supervisor", "918273")
    give(ledger, "99", "administrator", "91827364")
    give(ledger, "03", "cashier", "4711")
    with ledger.commit("init"):
        assert ledger.operators.turn_factory_passwords_off() == ["01", "02", "04", "05"]
    assert [each.number for each in ledger.operators.all()] == ["00", "03", "99"]
    assert ledger.operators.factory_passwords_off


@pytest.mark.parametrize("number", ["00", "99"])
def test_nothing_is_turned_off_while_a_supervisor_has_the_manuals_password(
    ledger: Ledger, number: str
) -> None:
    other = {"00": "99", "99": "00"}[number]
    role = {"00": "supervisor", "99": "administrator"}[other]
    give(ledger, other, role, "918273645")
    with pytest.raises(FactoryPasswordsInUse, match=number), ledger.commit("init"):
        ledger.operators.turn_factory_passwords_off()
    assert len(ledger.operators.all()) == 7
    assert not ledger.operators.factory_passwords_off


def test_what_is_stored_says_nothing_without_the_device_key(ledger: Ledger, keys: Keys) -> None:
    stored = give(ledger, "02", "cashier", "4711")
    other = Keys(bytes(32), keys.master, keys.password_cost)
    assert is_password(keys, stored, "4711")
    assert not is_password(other, stored, "4711")
