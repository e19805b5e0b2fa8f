"""Operators at the keys: what is written down about them, and what factory passwords mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from posd import passwords
from posd.ledger.operators import Operator
from tests.posd.terminal.rig import Clerk


def audit(clerk: Clerk) -> list[tuple[str, str, dict[str, object]]]:
    return [(who, what, dict(details)) for _, who, what, details in clerk.ledger.audit.entries()]


def is_password(clerk: Clerk, number: str, digits: str) -> bool:
    stored, keys = clerk.ledger.operators.verifier(number), clerk.ledger.keys
    return passwords.matches(keys.device, digits, stored.salt, stored.verifier, keys.password_cost)


def set_own_password(clerk: Clerk, number: str, role: str, digits: str) -> None:
    verifier = clerk.ledger.keys.verifier(digits, clerk.stage.random_bytes)
    with clerk.ledger.commit("init"):
        clerk.ledger.operators.set_password(number, role, verifier)


@pytest.fixture
def clerk(tmp_path: Path) -> Clerk:
    return Clerk(tmp_path)


def add(clerk: Clerk, number: str, digits: str, supervisor: str = "123456") -> str:
    clerk.press("取消 ▼ 9 3")
    clerk.press(f"{supervisor} 确认")
    clerk.press(f"1 {number} 确认")
    clerk.press(f"{digits} 确认")
    return clerk.press(f"{digits} 确认")


def test_who_added_reset_and_deleted_whom_is_written_down(clerk: Clerk) -> None:
    with clerk:
        assert "已增加操作员 17" in add(clerk, "17", "4711")
        clerk.press("3 17 确认 2580 确认 2580 确认")
        assert is_password(clerk, "17", "2580")
        clerk.press("2 17 确认 确认")
        assert clerk.ledger.operators.get("17") is None
        assert audit(clerk) == [
            ("00", "operator_added", {"operator": "17"}),
            ("00", "operator_password_reset", {"operator": "17"}),
            ("00", "operator_deleted", {"operator": "17"}),
        ]


def test_a_changed_password_survives_a_restart_and_is_written_down(clerk: Clerk) -> None:
    with clerk:
        clerk.press("▼ 9 4 02 确认 0000 确认 2580 确认 2580 确认")
        clerk.restart()
        assert is_password(clerk, "02", "2580")
        assert audit(clerk) == [("02", "password_changed", {"role": "cashier"})]


def test_wrong_passwords_are_written_down_with_whose_they_are(clerk: Clerk) -> None:
    with clerk:
        clerk.press("▼ 9 4 03 确认 1111 确认 2222 确认 3333 确认")
        assert "密码已锁定" in clerk.screen
        details = {"role": "cashier", "of": "03"}
        assert audit(clerk) == [
            ("01", "wrong_password", details),
            ("01", "wrong_password", details),
            ("01", "role_locked", details),
        ]


@pytest.mark.parametrize(
    ("number", "role"), [("01", "cashier"), ("00", "supervisor"), ("99", "administrator")]
)
def test_every_role_is_locked_for_longer_each_time_and_counts_running_time_only(
    clerk: Clerk, number: str, role: str
) -> None:
    with clerk:
        operators = clerk.ledger.operators
        for minutes in (5, 10, 20):
            clerk.press(f"取消 ▼ 9 4 {number} 确认")
            clerk.press("111111 确认 222222 确认 333333 确认")
            assert operators.lock(role) == minutes * 60
            clerk.wait(minutes * 60 - 1)
            assert operators.lock(role) == 1
            clerk.wait(2)
        clerk.press(f"取消 ▼ 9 4 {number} 确认")
        clerk.press("111111 确认 222222 确认 333333 确认")
        clerk.restart()
        assert clerk.ledger.operators.lock(role) > 2390, "a restart shortens nothing"


def test_a_sale_that_comes_between_keeps_its_cashier_from_being_deleted(clerk: Clerk) -> None:
    with clerk:
        clerk.press("▼ 9 3 123456 确认 2 02 确认")
        assert clerk.state == "operators.deleting"
        with clerk.ledger.commit("test"):
            clerk.ledger._database.write(
                """INSERT INTO transactions (kind, state, batch, batch_number, stan, amount, operator,
                   masked_card, entry_mode, created_at, sent_date, request, checksum)
                   VALUES ('sale', 'approved', 1, '000001', '000500', 100, '02', '', '021', 0, '0514',
                   x'A0', x'00')"""
            )
        assert "未结算" in clerk.press("确认")
        assert clerk.ledger.operators.get("02") == Operator("02", "cashier")


def test_without_factory_passwords_the_supervisor_adds_the_first_cashier(tmp_path: Path) -> None:
    with Clerk(tmp_path, operators__sign_on="password") as clerk:
        set_own_password(clerk, "00", "supervisor", "918273")
        set_own_password(clerk, "99", "administrator", "91827364")
        with clerk.ledger.commit("init"):
            clerk.ledger.operators.turn_factory_passwords_off()
        clerk.press("确认")
        assert "没有收银员" in clerk.press("确认")
        assert "不能用出厂密码" in add(clerk, "01", "0000", "918273")
        assert clerk.state == "operators.added"
        clerk.press("取消")
        assert "已增加操作员 01" in add(clerk, "01", "2580", "918273")
        clerk.press("取消 确认 确认 2580 确认")
        clerk.wait_for("签到成功")


def test_without_factory_passwords_none_can_be_chosen_for_oneself_either(clerk: Clerk) -> None:
    with clerk:
        set_own_password(clerk, "00", "supervisor", "918273")
        set_own_password(clerk, "99", "administrator", "91827364")
        with clerk.ledger.commit("init"):
            clerk.ledger.operators.turn_factory_passwords_off()
        clerk.press("▼ 9 4 00 确认 918273 确认")
        assert "不能用出厂密码" in clerk.press("123456 确认")
        assert is_password(clerk, "00", "918273")


def test_nobody_at_one_press_is_asked_for_a_number(clerk: Clerk) -> None:
    with clerk:
        clerk.sign_in()
        assert clerk.core.money.operator == "01"
        assert audit(clerk) == [("01", "signed_in", {})]
        clerk.press("确认 9 2")
        clerk.wait_for("签退成功")
        assert audit(clerk)[-1] == ("01", "signed_off", {})


def test_a_sign_on_that_the_host_refuses_leaves_the_operator_who_was_there(tmp_path: Path) -> None:
    with Clerk(tmp_path, operators__sign_on="password") as clerk:
        clerk.press("确认 确认 0000 确认")
        clerk.wait_for("签到成功")
        clerk.stage.link(up=False)
        clerk.press("确认 9 1 02 确认 0000 确认")
        clerk.wait_for("连接不上")
        assert clerk.core.money.operator == "01"
        clerk.stage.link(up=True)
        clerk.press("确认")
        clerk.wait_for("操作员02")
        assert clerk.core.money.operator == "02"
