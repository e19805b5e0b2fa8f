"""`posd ledger` on a real installation: what a technician sees, and what the next start finds."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest

from posd.cli import main
from posd.keys import Keys
from posd.ledger.ledger import Ledger
from posd.ledger.records import State
from posd.ledger.schema import MIGRATIONS
from posd.money.recovery import recover
from posd.state_lock import StateLock
from posd.testing.installation import Installation
from tests.posd.ledger.rig import SeededBytes, TurnedClock, intent

ROOT = Path(__file__).parents[2]
Output = pytest.CaptureFixture[str]


class Shop:
    """An installation whose daemon is stopped, with a ledger that has been used."""

    def __init__(self, directory: Path) -> None:
        self.installation = Installation(directory)
        self.installation.load()
        self.clock = TurnedClock()
        self.path = self.installation.state_directory / "ledger.db"
        self.keys = Keys.load(directory / "device.key", directory / "master.key")

    def open(self) -> Ledger:
        return Ledger.open(self.path, self.keys, self.clock, SeededBytes())

    def trade(self, *states: State) -> None:
        ledger = self.open()
        for state in states:
            with ledger.commit("intent"):
                identity = ledger.transactions.add(intent(ledger.counters.next_stan()))
            if state is not State.OPEN:
                with ledger.commit("outcome"):
                    ledger.transactions.move(identity, [State.OPEN], state, answer={39: "00"})
        ledger.close()

    def tool(self, command: str, *words: object) -> int:
        config = str(self.installation.configuration_file)
        return main(["ledger", command, "--config", config, *map(str, words)])

    def copies(self) -> list[Path]:
        return sorted((self.path.parent / "backups").iterdir())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.trade(State.APPROVED, State.OPEN, State.REVERSING, State.PENDING)
    return shop


COMMANDS = [("verify",), ("backup",), ("restore", "copy.db"), ("export",)]


@pytest.mark.parametrize("words", COMMANDS)
def test_while_the_daemon_runs_every_command_is_refused_in_one_line(
    shop: Shop, capsys: Output, words: tuple[str, ...]
) -> None:
    before = shop.path.read_bytes()
    lock = StateLock.take(shop.path.parent)
    assert shop.tool(*words) == 2
    lock.release()
    out, error = capsys.readouterr()
    assert out == ""
    assert f"found process {os.getpid()}" in error
    assert error.count("\n") == 1
    assert shop.path.read_bytes() == before


def test_keys_that_only_the_service_is_handed_are_not_asked_for(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    shop = Shop(tmp_path)
    shop.trade(State.APPROVED)
    file = shop.installation.configuration_file
    text = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in text if "key_file" not in line), "utf-8")
    assert "device_key_file" not in file.read_text("utf-8")
    assert shop.tool("verify") == 0
    assert shop.tool("backup") == 0
    assert capsys.readouterr().err == ""


def test_the_command_line_ends_with_the_exit_code(shop: Shop) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "posd", "ledger", "verify", "--config",
         str(shop.installation.configuration_file)],
        capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines() == [
        f"{shop.path}: schema {len(MIGRATIONS)}, start 1",
        "4 transactions, 3 in doubt; open batch 1",
        "whole",
    ]


def test_verify_counts_what_a_killed_daemon_left_in_the_write_ahead_log(
    shop: Shop, capsys: Output
) -> None:
    ledger = shop.open()
    with ledger.commit("intent"):
        ledger.transactions.add(intent(ledger.counters.next_stan()))
    kept = {suffix: Path(f"{shop.path}{suffix}").read_bytes() for suffix in ("", "-wal")}
    ledger.close()
    for suffix, data in kept.items():
        Path(f"{shop.path}{suffix}").write_bytes(data)
    assert shop.tool("verify") == 0
    assert "5 transactions" in capsys.readouterr().out
    assert not Path(f"{shop.path}-shm").exists()


def test_verify_names_what_does_not_fit_its_checksum(shop: Shop, capsys: Output) -> None:
    with closing(sqlite3.connect(shop.path)) as connection, connection:
        connection.execute("UPDATE transactions SET amount = 1 WHERE id = 3")
    assert shop.tool("verify") == 1
    assert "1 transactions do not fit their checksum (3)" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("verify",), ("backup",), ("export",)])
def test_a_damaged_ledger_is_exit_code_1_and_advice(
    shop: Shop, capsys: Output, words: tuple[str, ...]
) -> None:
    shop.path.write_bytes(b"this is a shopping list, not a ledger" * 200)
    assert shop.tool(*words) == 1
    out, error = capsys.readouterr()
    assert error.count("\n") == 1
    assert "posd ledger restore" in error
    assert out == ""


@pytest.mark.parametrize(
    "words", [("verify", "no.db"), ("restore", "no.db"), ("export", "--output", "/no/such/file")]
)
def test_what_cannot_be_done_is_exit_code_2_and_one_line(
    shop: Shop, capsys: Output, words: tuple[str, ...]
) -> None:
    before = shop.path.read_bytes()
    assert shop.tool(*words) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert shop.path.read_bytes() == before


def test_a_backup_is_made_verified_and_rotated(shop: Shop, capsys: Output) -> None:
    shop.installation.configure(("backup", "copies"), 2)
    for _ in range(4):
        assert shop.tool("backup") == 0
    assert len(shop.copies()) == 2
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("removed ") for line in lines) == 2
    assert shop.tool("verify", shop.copies()[-1]) == 0
    assert "restored: not yet confirmed" in capsys.readouterr().out


def test_a_backup_can_go_to_another_directory(shop: Shop, tmp_path: Path, capsys: Output) -> None:
    assert shop.tool("backup", "--to", tmp_path / "stick") == 0
    (copy,) = (tmp_path / "stick").iterdir()
    assert capsys.readouterr().out == f"{copy}\n"


def test_a_restored_ledger_is_the_past_and_the_present_one_is_kept(
    shop: Shop, capsys: Output
) -> None:
    assert shop.tool("backup") == 0
    (copy,) = shop.copies()
    shop.trade(State.APPROVED)
    assert shop.tool("restore", copy) == 0
    (kept,) = shop.path.parent.glob("ledger.db.replaced-*")
    assert str(kept) in capsys.readouterr().out
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT count(*) FROM transactions").fetchone() == (5,)

    ledger = shop.open()
    assert ledger.settings.get("restored", False)
    recover(ledger, 10_000)
    states = [ledger.transactions.get(identity).state for identity in range(1, 5)]
    assert states == [State.APPROVED, *[State.UNRESOLVED] * 3]
    with pytest.raises(KeyError):
        ledger.transactions.get(5)
    assert "ledger_put_back" in [entry[2] for entry in ledger.audit.entries()]
    ledger.close()


def test_confirming_a_restored_ledger_and_restoring_it_again_starts_anew(shop: Shop) -> None:
    assert shop.tool("backup") == 0
    (copy,) = shop.copies()
    for _ in range(2):
        assert shop.tool("restore", copy) == 0
        ledger = shop.open()
        assert not ledger.settings.get("restored_seen", False)
        recover(ledger, 10_000)
        assert ledger.settings.get("restored_seen", False)
        assert int(ledger.counters._value("stan")) == 10_004
        ledger.close()


def test_a_copy_of_an_earlier_schema_is_restored_and_then_migrated(
    shop: Shop, tmp_path: Path
) -> None:
    copy = tmp_path / "old.db"
    with closing(sqlite3.connect(copy)) as connection:
        schemas = Path(__file__).parent / "ledger" / "schemas"
        connection.executescript((schemas / "1.sql").read_text("utf-8"))
    assert shop.tool("restore", copy) == 0
    ledger = shop.open()
    recover(ledger, 10_000)
    assert ledger.transactions.get(2).state is State.UNRESOLVED
    ledger.close()
    assert any("schema1" in path.name for path in shop.copies())


def test_a_ledger_that_is_damaged_gives_way_to_a_copy_and_is_kept_as_it_is(shop: Shop) -> None:
    assert shop.tool("backup") == 0
    (copy,) = shop.copies()
    shop.path.write_bytes(b"damaged" * 1000)
    Path(f"{shop.path}-wal").write_bytes(b"log of the damaged one")
    Path(f"{shop.path}.suspect").touch()
    assert shop.tool("restore", copy) == 0
    (kept,) = shop.path.parent.glob("ledger.db.replaced-*[0-9]")
    assert kept.read_bytes() == b"damaged" * 1000
    assert Path(f"{kept}-wal").read_bytes() == b"log of the damaged one"
    ledger = shop.open()
    assert ledger.transactions.get(1).state is State.APPROVED
    ledger.check()
    ledger.close()


@pytest.mark.parametrize("command", ["verify", "restore"])
def test_a_copy_that_is_not_there_is_no_broken_disk(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert shop.tool(command, tmp_path / "none.db") == 2
    assert capsys.readouterr().err == f"{tmp_path / 'none.db'}: no such file or directory\n"


def test_a_damaged_copy_is_refused_and_the_ledger_stays(shop: Shop, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(shop.path.read_bytes()[:-4096])
    before = shop.path.read_bytes()
    assert shop.tool("restore", copy) == 1
    assert shop.path.read_bytes() == before
    assert not list(shop.path.parent.glob("*.restoring*"))


def test_a_start_between_two_steps_of_a_restore_is_a_start_of_the_past(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power fails when the generation is raised and the copy is not yet in place."""
    assert shop.tool("backup") == 0
    (copy,) = shop.copies()

    def power_cut(_file: Path, _target: Path) -> Path:
        raise KeyboardInterrupt

    real = Path.replace
    monkeypatch.setattr(
        Path,
        "replace",
        lambda file, target: (power_cut if file.name.endswith(".restoring") else real)(
            file, target
        ),
    )
    assert shop.tool("restore", copy) == 130
    monkeypatch.undo()
    ledger = shop.open()
    assert ledger.settings.get("restored", False)
    ledger.close()


def test_an_export_holds_everything_but_secrets(shop: Shop, capsys: Output) -> None:
    ledger = shop.open()
    with ledger.commit("sign in"):
        ledger.settings.put("working_keys", b"sealed")
        ledger.orders.create("000009", 500, ledger.now())
        ledger.audit.add(ledger.now(), "00", "looked", {"why": "测试"})
    ledger.close()
    assert shop.tool("export") == 0
    text = capsys.readouterr().out
    data = json.loads(text)
    assert {name: len(rows) for name, rows in data.items() if isinstance(rows, list)} == {
        "batches": 1, "orders": 1, "order_steps": 1, "order_applications": 0, "transactions": 4,
        "steps": 7, "audit": 1, "outbox": 4,
    }  # fmt: skip
    sale = data["transactions"][0]
    assert (sale["state"], sale["amount"], sale["masked_card"]) == (
        "approved", 12345, "622500******0014",
    )  # fmt: skip
    assert sale["request"]["11"] == sale["stan"]
    assert sale["answer"] == {"39": "00"}
    assert sale["created_at"].startswith("2026-06-01T09:30:00")
    assert data["audit"][0]["details"] == {"why": "测试"}
    assert data["outbox"][-1]["name"] == "order.created"
    assert data["outbox"][-1]["body"]["number"] == "000009"
    for secret in ("6225000000000014", "account_number", "expiry", "verifier", "salt", "sealed"):
        assert secret not in text


def test_a_csv_reads_back_as_the_table(shop: Shop, tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "steps.csv"
    words = ("--format", "csv", "--table", "steps", "--output", file)
    assert shop.tool("export", *words) == 0
    assert capsys.readouterr().out == ""
    rows = list(csv.DictReader(StringIO(file.read_text("utf-8"), newline="")))
    assert [row["what"] for row in rows][:2] == ["stored", "approved"]
    assert json.loads(rows[0]["details"]) == {"amount": 12345, "stan": "000001"}


def test_what_root_makes_belongs_to_the_owner_of_the_state_directory(shop: Shop) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make files of others")
    os.chown(shop.path.parent, 65534, 65534)
    assert shop.tool("backup") == 0
    (copy,) = shop.copies()
    assert shop.tool("restore", copy) == 0
    names = ("backups", "lock", "ledger.db", "ledger.db.generation")
    for path in (copy, *(shop.path.parent / name for name in names)):
        assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534), path
