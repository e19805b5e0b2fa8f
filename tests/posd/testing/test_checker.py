"""The checker agrees with what the money core really did, and names the rule that any damage breaks."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from posd.acquirer import Fault
from posd.core.events import Event, Outcome
from posd.core.ports import Host
from posd.ledger.records import TransactionRecord
from posd.testing.checker import (
    Captured,
    CaptureError,
    Report,
    check_files,
    main,
    read_capture,
    write_capture,
)
from posd.testing.checks.wire import decode
from posd.testing.simulation.capture import CapturedHost
from posd.testing.virtual_host import VirtualLink
from protocol import Message, encode
from protocol import decode as our_decode
from tests.posd.money import rig
from tests.posd.money.rig import Counter, outcomes
from tests.posd.money.test_kinds import ask, prepared


def captured_counter(
    directory: Path, monkeypatch: pytest.MonkeyPatch, captured: list[Captured]
) -> Counter:
    """A money core whose line is captured."""

    class CapturedLink(VirtualLink):
        def plug_in(self, report: Callable[[Event], None]) -> Host:  # type: ignore[override]
            return CapturedHost(super().plug_in, report, captured, self.world.monotonic)

    monkeypatch.setattr(rig, "VirtualLink", CapturedLink)
    return Counter(directory)


class Trade:
    """A morning's trade with everything in it, and the files that it left."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.captured: list[Captured] = []
        counter = self.counter = captured_counter(directory, monkeypatch, self.captured)
        counter.do(lambda: counter.money.sign_in("01"))
        self.sale = counter.approved_sale(1000)
        voided = counter.approved_sale(2000)
        assert outcomes(counter.void(voided.id)) == [Outcome.APPROVED]
        self.voided, self.void = counter.ledger.transactions.get(voided.id), counter.newest()
        assert outcomes(counter.sale(5_51, "poor")) == [Outcome.DECLINED]
        self.declined = counter.newest()
        counter.order_at_host("sale", Fault.NO_ANSWER)
        assert outcomes(counter.sale(3000)) == [Outcome.REVERSED]
        self.reversed = counter.newest()
        counter.link.up = False
        assert outcomes(counter.sale(4000)) == [Outcome.NOT_SENT]
        self.not_sent = counter.newest()
        counter.link.up = True
        refunded = prepared(counter, "refund", 6000)
        assert refunded is not None
        self.refunded = refunded
        counter.order_at_host("refund", Fault.LOST)
        assert outcomes(ask(counter, "refund", 500, refunded)) == [Outcome.PENDING]
        self.refund = counter.newest()
        counter.let_pass(600)
        authorised = prepared(counter, "completion", 7000)
        assert authorised is not None
        assert outcomes(ask(counter, "completion", 7000, authorised)) == [Outcome.APPROVED]
        self.authorised, self.completion = authorised, counter.newest()
        counter.order_at_host("sale", "94")
        assert outcomes(counter.sale(8000)) == [Outcome.DECLINED]
        self.duplicate = counter.newest()
        self.last = counter.approved_sale(9000)
        counter.close()
        self.terminal = counter.ledger_path
        self.acquirer = directory / "acquirer.db"

    def report(self) -> Report:
        return check_files(self.terminal, self.acquirer, self.captured)

    def rules(self) -> set[str]:
        return {violation.rule for violation in self.report().violations}

    def damage(self, *statements: str) -> None:
        """Change the terminal's ledger, its triggers notwithstanding."""
        _change(self.terminal, "DROP TRIGGER IF EXISTS steps_are_never_changed", *statements)

    def damage_host(self, *statements: str) -> None:
        _change(self.acquirer, *statements)

    def frames(self, mti: str, stan: str) -> list[int]:
        """Where in the capture a message with this MTI and STAN is."""
        found = []
        for place, one in enumerate(self.captured):
            read = decode(one.data) if one.data else None
            if read is not None and read[0] == mti and read[1].get(11) == stan:
                found.append(place)
        return found

    def rewrite(self, place: int, change: Callable[[Message], Message]) -> None:
        """Change one captured message."""
        one = self.captured[place]
        self.captured[place] = one._replace(data=encode(change(our_decode(one.data))))

    def repeat(self, place: int, *, after: int | None = None, times: int = 1) -> None:
        """The same bytes again, each on a connection of its own: at the end, or after a place."""
        one = self.captured[place]
        more = [Captured(one.time, "open"), one, Captured(one.time, "close")]
        where = len(self.captured) if after is None else after + 1
        self.captured[where:where] = more * times


def _change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            connection.execute(statement)


def elements(**changes: str) -> Callable[[Message], Message]:
    """A change of elements: e4="000000000001"."""
    return lambda message: message.with_elements(
        {int(name[1:]): value for name, value in changes.items()}
    )


@pytest.fixture
def trade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trade:
    return Trade(tmp_path, monkeypatch)


def test_a_morning_of_every_kind_of_outcome_keeps_every_rule(trade: Trade) -> None:
    report = trade.report()
    assert report.violations == ()
    assert report.terminal_net == report.host_net == 1000 + 6000 - 500 + 7000 + 9000
    assert dict(report.states) == {
        "approved": 6, "voided": 1, "completed": 1, "declined": 2, "reversed": 1, "not_sent": 1,
    }  # fmt: skip
    assert report.messages > 20


def story(trade: Trade, identity: int, *words: str) -> list[str]:
    """Statements that add steps to the end of a transaction's story, and its state with the last."""
    steps = [
        f"INSERT INTO steps (transaction_id, at, what, details) VALUES ({identity}, 0, '{word}', x'a0')"
        for word in words
    ]
    return [*steps, f"UPDATE transactions SET state = '{words[-1]}' WHERE id = {identity}"]


def restep(record: TransactionRecord, before: str, after: str) -> str:
    """A statement that changes a word of a transaction's story."""
    return f"UPDATE steps SET what = '{after}' WHERE what = '{before}' AND transaction_id = {record.id}"


def state(record: TransactionRecord, state: str) -> str:
    """A statement that changes a transaction's state, and not its story."""
    return f"UPDATE transactions SET state = '{state}' WHERE id = {record.id}"


Damage = Callable[[Trade], None]

LEDGER_DAMAGES: dict[str, tuple[str, Damage]] = {
    "a change was not told": (
        "outbox",
        lambda t: t.damage("DELETE FROM outbox WHERE name = 'transaction.voided'"),
    ),
    "an order's payment was not told": (
        "outbox",
        lambda t: t.damage("DELETE FROM outbox WHERE name = 'order.paid'"),
    ),
    "an intent is missing": (
        "M1",
        lambda t: t.damage(
            *(f"DELETE FROM {table} WHERE transaction_id = {t.last.id}" for table in ("steps", "print_jobs")),
            f"DELETE FROM transactions WHERE id = {t.last.id}",
        ),
    ),
    "an intent has another amount": (
        "M1", lambda t: t.damage(f"UPDATE transactions SET amount = 1 WHERE id = {t.reversed.id}"),
    ),
    "an order took the number of a transaction": (
        "M2",
        lambda t: t.damage(f"UPDATE orders SET number = '{t.sale.stan}' WHERE id = 2"),
    ),
    "the counter did not jump after 94": (
        "M2",
        lambda t: t.damage(
            f"UPDATE transactions SET stan = '{int(t.duplicate.stan) + 50:06d}' WHERE id = {t.last.id}"
        ),
    ),
    "one intent was stored while another was open": (
        "M3",
        lambda t: t.damage(
            f"""UPDATE steps SET transaction_id = {t.sale.id} + {t.voided.id} - transaction_id
                WHERE what = 'approved' AND transaction_id IN ({t.sale.id}, {t.voided.id})"""
        ),
    ),
    "an intent is still open": (
        "M4", lambda t: t.damage(state(t.last, "open")),
    ),
    "a transaction has two outcomes": (
        "M4", lambda t: t.damage(*story(t, t.declined.id, "approved")),
    ),
    "a sale stays without an answer": (
        "M4", lambda t: t.damage(*story(t, t.not_sent.id, "no_answer")),
    ),
    "an order is unpaid, and its sale stands": (
        "M4",
        lambda t: t.damage("UPDATE orders SET state = 'unpaid' WHERE state = 'paid'"),
    ),
    "a paid order has no sale": (
        "M4",
        lambda t: t.damage(f"UPDATE transactions SET order_id = NULL WHERE id = {t.sale.id}"),
    ),
    "many tries and nobody was told": (
        "M5", lambda t: t.damage(f"UPDATE transactions SET reversal_tries = 4 WHERE id = {t.reversed.id}"),
    ),
    "a reversal was never counted": (
        "M5", lambda t: t.damage(f"UPDATE transactions SET reversal_tries = 0 WHERE id = {t.reversed.id}"),
    ),
    "a reversal was given up by nobody": (
        "M5",
        lambda t: t.damage(
            restep(t.reversed, "reversed", "unresolved"),
            state(t.reversed, "unresolved"),
        ),
    ),
    "an approval has no slip": (
        "M6", lambda t: t.damage(f"DELETE FROM print_jobs WHERE transaction_id = {t.sale.id}"),
    ),
    "a decline has a slip": (
        "M6",
        lambda t: t.damage(
            f"UPDATE print_jobs SET transaction_id = {t.declined.id} WHERE transaction_id = {t.sale.id}"
        ),
    ),
    "a late approval counted": (
        "M7", lambda t: t.damage(*story(t, t.reversed.id, "approved")),
    ),
    "a void stands and its sale too": (
        "M8",
        lambda t: t.damage(
            state(t.voided, "approved"),
            f"DELETE FROM steps WHERE what = 'voided' AND transaction_id = {t.voided.id}",
        ),
    ),
    "a sale is voided by nothing": (
        "M8", lambda t: t.damage(*story(t, t.sale.id, "voided")),
    ),
    "a second void began while the first was in doubt": (
        "M8",
        lambda t: t.damage(
            f"UPDATE transactions SET original = {t.voided.id}, kind = 'sale_void' WHERE id = {t.last.id}",
            f"UPDATE steps SET id = id + 10000 WHERE what = 'approved' AND transaction_id = {t.void.id}",
        ),
    ),
    "a sale that was sent counts as not sent": (
        "M9",
        lambda t: t.damage(
            state(t.declined, "not_sent"),
            restep(t.declined, "declined", "not_sent"),
        ),
    ),
    "a card number is in clear": (
        "M10",
        lambda t: t.damage(
            f"UPDATE transactions SET masked_card = '6225000000000048' WHERE id = {t.sale.id}"
        ),
    ),
    "a reversal was sent without its state": (
        "M14",
        lambda t: t.damage(
            restep(t.reversed, "reversing", "declined"),
            f"DELETE FROM steps WHERE what = 'reversed' AND transaction_id = {t.reversed.id}",
            state(t.reversed, "declined"),
        ),
    ),
    "a reversal became an approval": (
        "M14", lambda t: t.damage(
            restep(t.reversed, "reversed", "approved"),
            state(t.reversed, "approved"),
        ),
    ),
    "a notice is still pending": (
        "M15", lambda t: t.damage(state(t.refund, "pending")),
    ),
    "more was refunded than was paid": (
        "M15", lambda t: t.damage(f"UPDATE transactions SET amount = 6001 WHERE id = {t.refund.id}"),
    ),
    "an approval is worth more than at the acquirer": (
        "net",
        lambda t: t.damage(f"UPDATE transactions SET approved_amount = 1001 WHERE id = {t.sale.id}"),
    ),
    "an approval is forgotten": (
        "net",
        lambda t: t.damage(
            state(t.sale, "declined"),
            restep(t.sale, "approved", "declined"),
        ),
    ),
}  # fmt: skip

WIRE_DAMAGES: dict[str, tuple[str, Damage]] = {
    "garbage was sent": (
        "M1", lambda t: t.captured.append(Captured(9e9, "out", b"\0\x11" + b"\xff" * 17)),
    ),
    "a request has a number that no intent has": (
        "M1", lambda t: t.rewrite(t.frames("0200", t.last.stan)[0], elements(e11="999998")),
    ),
    "a request has another amount": (
        "M1", lambda t: t.rewrite(t.frames("0200", t.last.stan)[0], elements(e4="000000000001")),
    ),
    "a sale went out twice": ("M2", lambda t: t.repeat(t.frames("0200", t.sale.stan)[0])),
    "a sign-in has no number": (
        "M2", lambda t: t.rewrite(t.frames("0800", "000001")[0], elements(e11="000000")),
    ),
    "a sign-in has the number of an order": (
        "M2",
        lambda t: t.rewrite(t.frames("0800", "000001")[0], elements(e11="000002")),
    ),
    "a sale went out while the one before it was being reversed": (
        "M3",
        lambda t: t.repeat(
            t.frames("0400", t.reversed.stan)[0], after=t.frames("0200", t.last.stan)[0]
        ),
    ),
    "the 0410 has another amount": (
        "M5", lambda t: t.rewrite(t.frames("0410", t.reversed.stan)[0], elements(e4="000000000001")),
    ),
    "the 0410 is of another batch": (
        "M5",
        lambda t: t.rewrite(t.frames("0410", t.reversed.stan)[0], elements(e60="22999999000200")),
    ),
    "the 0410 says 96": (
        "M5", lambda t: t.rewrite(t.frames("0410", t.reversed.stan)[0], elements(e39="96")),
    ),
    "the 0410 says once that there is nothing": (
        "M5", lambda t: t.rewrite(t.frames("0410", t.reversed.stan)[0], elements(e39="25")),
    ),
    "an 0400 followed the end": ("M5", lambda t: t.repeat(t.frames("0400", t.reversed.stan)[0])),
    "the 0400 has another amount": (
        "M5", lambda t: t.rewrite(t.frames("0400", t.reversed.stan)[0], elements(e4="000000000001")),
    ),
    "the 0400 carries 37": (
        "M5", lambda t: t.rewrite(t.frames("0400", t.reversed.stan)[0], elements(e37="123456789012")),
    ),
    "the 0400 has no reason": (
        "M5", lambda t: t.rewrite(t.frames("0400", t.reversed.stan)[0], elements(e39="00")),
    ),
    "the 0400 has another number": (
        "M5", lambda t: t.rewrite(t.frames("0400", t.reversed.stan)[0], elements(e11="000077")),
    ),
    "the 0400 has the batch of today": (
        "M13",
        lambda t: t.rewrite(t.frames("0400", t.reversed.stan)[0], elements(e60="22000001000601")),
    ),
    "a refund is repeated with another original": (
        "M15",
        lambda t: t.rewrite(t.frames("0220", t.refund.stan)[-1], elements(e37="123456789012")),
    ),
    "a refund is repeated by the next process": (
        "M15",
        lambda t: t.captured.insert(
            t.frames("0220", t.refund.stan)[-1] - 1, Captured(0.0, "start")
        ),
    ),
    "a refund is repeated for ever": (
        "M15", lambda t: t.repeat(t.frames("0220", t.refund.stan)[0], times=3),
    ),
    "two exchanges share a connection": (
        "M17",
        lambda t: t.captured.insert(
            t.frames("0200", t.sale.stan)[0], t.captured[t.frames("0200", t.sale.stan)[0]]
        ),
    ),
    "a request had no connection": (
        "M17", lambda t: t.captured.append(t.captured[t.frames("0400", t.reversed.stan)[0]]),
    ),
}  # fmt: skip

HOST_DAMAGES: dict[str, tuple[str, Damage]] = {
    "a reversed sale stands at the acquirer": (
        "net",
        lambda t: t.damage_host(
            f"UPDATE transactions SET state = 'approved' WHERE stan = '{t.reversed.stan}'"
        ),
    ),
    "a voided sale stands at the acquirer, its void does not": (
        "M8",
        lambda t: t.damage_host(
            f"UPDATE transactions SET state = 'approved' WHERE stan = '{t.voided.stan}'"
        ),
    ),
    "the acquirer has a sale that nobody made": (
        "net",
        lambda t: t.damage_host(
            f"UPDATE transactions SET stan = '777777' WHERE stan = '{t.sale.stan}'"
        ),
    ),
    "the acquirer booked another amount": (
        "net",
        lambda t: t.damage_host(
            f"UPDATE transactions SET amount = amount + 1 WHERE stan = '{t.sale.stan}'"
        ),
    ),
}


@pytest.mark.parametrize("name", [*LEDGER_DAMAGES, *WIRE_DAMAGES, *HOST_DAMAGES])
def test_every_damage_is_found_and_its_rule_named(trade: Trade, name: str) -> None:
    rule, damage = {**LEDGER_DAMAGES, **WIRE_DAMAGES, **HOST_DAMAGES}[name]
    damage(trade)
    assert rule in trade.rules(), str(trade.report())


def test_what_a_person_must_decide_is_listed_and_in_no_sum(trade: Trade) -> None:
    refund = trade.refund.id
    trade.damage(
        f"UPDATE transactions SET state = 'unresolved' WHERE id = {refund}",
        f"""UPDATE steps SET what = 'unresolved'
            WHERE what = 'approved' AND transaction_id = {refund}""",
        f"DELETE FROM print_jobs WHERE copy <> 'pending' AND transaction_id = {refund}",
        "DELETE FROM outbox",
    )
    report = trade.report()
    assert report.violations == ()
    assert report.unresolved == (
        f"voucher {trade.refund.stan} of batch 000001, a refund of 500: refund 500 approved",
    )
    assert report.terminal_net == report.host_net == 1000 + 6000 + 7000 + 9000


def test_a_notice_that_no_host_will_ever_take_may_stay_pending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured: list[Captured] = []
    counter = captured_counter(tmp_path, monkeypatch, captured)
    counter.do(lambda: counter.money.sign_in("01"))
    authorised = prepared(counter, "completion_notice", 7000)
    counter.order_at_host("completion_notice", Fault.LOST)
    assert outcomes(ask(counter, "completion_notice", 7000, authorised)) == [Outcome.PENDING]
    lost = check_files_of(counter, captured)
    counter.acquirer.change_batch(rig.TERMINAL, "000077")
    counter.do(lambda: counter.money.sign_in("01"))
    counter.let_pass(600)
    refused = check_files_of(counter, captured)
    counter.close()
    assert [violation.rule for violation in lost.violations] == ["M15"]
    assert (refused.violations, dict(refused.states)["pending"]) == ((), 1)


def check_files_of(counter: Counter, captured: list[Captured]) -> Report:
    """What the checker says now, between two lives of the terminal."""
    counter.power_cut()
    report = check_files(
        counter.ledger_path, counter.ledger_path.with_name("acquirer.db"), captured
    )
    counter.power_on()
    return report


def test_a_ledger_that_is_not_at_rest_may_hold_what_is_in_doubt(
    trade: Trade, capsys: pytest.CaptureFixture[str]
) -> None:
    trade.damage(
        state(trade.last, "open"),
        f"UPDATE orders SET state = 'unpaid', paid = 0 WHERE id = {trade.last.order}",
        f"DELETE FROM steps WHERE what = 'approved' AND transaction_id = {trade.last.id}",
        f"DELETE FROM print_jobs WHERE transaction_id = {trade.last.id}",
        "DELETE FROM outbox",
    )
    files = [str(trade.terminal), str(trade.acquirer)]
    assert main(files) == 1
    assert "M4: it is still open at rest" in capsys.readouterr().out
    assert main([*files, "--running"]) == 0


def test_the_command_reads_files_only_and_says_what_it_found(trade: Trade, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    write_capture(capture, trade.captured)
    command = [sys.executable, "-W", "error", "-m", "posd.testing.checker"]
    files = [str(trade.terminal), str(trade.acquirer), str(capture)]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("every rule holds: 12 transactions")
    trade.damage(f"UPDATE transactions SET approved_amount = 1 WHERE id = {trade.sale.id}")
    broken = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert broken.returncode == 1
    assert "net: sale 1000 approved at the terminal, sale 1000 approved" in broken.stdout
    gone = subprocess.run([*command, "nowhere", *files[1:]], capture_output=True, check=False)
    assert gone.returncode == 2


def test_without_a_capture_the_ledgers_alone_are_judged(trade: Trade) -> None:
    report = check_files(trade.terminal, trade.acquirer)
    assert (report.violations, report.messages) == ((), 0)


def test_a_capture_is_the_same_after_writing_and_reading(trade: Trade, tmp_path: Path) -> None:
    write_capture(tmp_path / "capture", trade.captured)
    assert read_capture(tmp_path / "capture") == trade.captured


@pytest.mark.parametrize("line", ["1.0", "1.0 sideways 00", "1.0 out 0", "x out 00", "1 in 00 00"])
def test_a_wrong_line_of_a_capture_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "capture").write_text(f"# a capture\n{line}\n")
    with pytest.raises(CaptureError, match="capture:2: "):
        read_capture(tmp_path / "capture")


def test_frames_are_put_together_within_a_connection_only(trade: Trade) -> None:
    cut: list[Captured] = []
    for one in trade.captured:
        pieces = [one.data[start : start + 7] for start in range(0, len(one.data), 7)] or [b""]
        cut += [one._replace(data=piece) for piece in pieces]
    whole = check_files(trade.terminal, trade.acquirer, trade.captured)
    assert check_files(trade.terminal, trade.acquirer, cut) == whole
    head = trade.captured[trade.frames("0200", trade.sale.stan)[0]].data[:20]
    torn = [Captured(0.0, "open"), Captured(0.0, "out", head), Captured(0.0, "close")]
    assert check_files(trade.terminal, trade.acquirer, torn + trade.captured) == whole


def test_the_checker_imports_nothing_of_the_daemon_or_its_protocol() -> None:
    program = "import sys, posd.testing.checker; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    ours = {
        name for name in done.stdout.split()
        if name.partition(".")[0] in ("posd", "protocol", "devices")
    }  # fmt: skip
    allowed = ("posd.testing.checker", "posd.testing.checks")
    assert all(name in ("posd", "posd.testing") or name.startswith(allowed) for name in ours), ours
    assert "iso8583" not in done.stdout.split(), "pyiso8583 is imported when traffic is read"


def test_without_pyiso8583_the_checker_says_what_to_install(
    trade: Trade,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "iso8583", None)
    write_capture(tmp_path / "capture", trade.captured)
    assert main([str(trade.terminal), str(trade.acquirer), str(tmp_path / "capture")]) == 2
    assert "pip install pyiso8583" in capsys.readouterr().err
