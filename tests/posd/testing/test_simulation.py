"""The simulator: the same run again for the same seed, no rule broken, and not too kind."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from posd.core.core import Core
from posd.core.events import HostFailed, HostReceived, KeyPressed
from posd.core.events import Key as PadKey
from posd.ledger.batches import Batches, UploadKind, UploadRecord
from posd.ledger.counters import Counters
from posd.ledger.database import Database
from posd.ledger.errors import LedgerError
from posd.ledger.ledger import Ledger
from posd.ledger.records import State, TransactionRecord
from posd.money import money as money_module
from posd.money import recovery, reversals
from posd.money import totals as batch_totals
from posd.money.line import HostLine, NotConnected, Sending
from posd.money.money import Money
from posd.money.reversals import Reversals
from posd.terminal.dialogue import Dialogue
from posd.testing.simulation.chance import Chance
from posd.testing.simulation.command import main, simulate
from posd.testing.simulation.day import FEWEST_FAULTS, MOST_TRANSACTIONS
from posd.testing.simulation.totals import Totals
from protocol import Message
from protocol.elements import Value
from protocol.matching import Foreign
from protocol.reversal import reversal_elements

QUICK = range(24)
MOST_SEEDS = 60  # in which a mutant must be found

_DIGESTS = """
import sys
from posd.testing.simulation.command import simulate
print(*(simulate(int(seed)).digest for seed in sys.argv[1:]))
"""


def digests(hash_seed: str, *seeds: int) -> list[str]:
    """The digests of these seeds in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _DIGESTS, *map(str, seeds)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()


@pytest.fixture(scope="module")
def totals() -> Totals:
    """Some dozens of seeds."""
    found = Totals()
    for seed in QUICK:
        found.add(simulate(seed))
    return found


def test_no_rule_is_broken_in_some_dozens_of_seeds(totals: Totals) -> None:
    assert totals.failed == {}
    assert totals.seeds == len(QUICK)


def test_the_days_are_full_of_business_and_of_faults(totals: Totals) -> None:
    plain = totals.plain(1.0, 1)
    assert totals.transactions > 10 * totals.seeds
    assert plain["faults"] >= FEWEST_FAULTS * totals.seeds
    assert {"sale", "sale_void", "refund", "pre_authorisation", "completion"} <= set(plain["kinds"])
    assert {"approved", "declined", "reversed", "not_sent", "voided"} <= set(plain["outcomes"])
    assert {"sale open", "sale reversing"} <= set(plain["ledger_at_cuts"])
    assert totals.lives > 2 * totals.seeds
    assert len(plain["faults_by_kind"]) > 40
    assert "balanced" in plain["settlements"]
    assert any(ended.startswith("not balanced, uploaded: ") for ended in plain["settlements"])


@pytest.mark.parametrize("seed", [0, 7])
def test_a_seed_has_at_most_forty_transactions_and_at_least_ten_faults(seed: int) -> None:
    day = simulate(seed)
    assert day.checked.transactions <= MOST_TRANSACTIONS
    assert day.faults.total() >= FEWEST_FAULTS


def test_a_seed_gives_the_same_day_in_every_process() -> None:
    seeds = (3, 4, 5)
    first = digests("1", *seeds)
    assert first == digests("4711", *seeds)
    assert first == [simulate(seed).digest for seed in seeds]
    assert len(set(first)) == len(seeds)


def test_the_streams_of_chance_do_not_depend_on_each_other() -> None:
    first, second = Chance(1, "clerk"), Chance(1, "trouble")
    drawn = [first.whole(0, 10**9) for _ in range(3)]
    second.whole(0, 10**9)
    again = Chance(1, "clerk")
    assert [again.whole(0, 10**9) for _ in range(3)] == drawn


# --- it is not too kind: faults that terminal programs have, put in on purpose -------------------------


Mutant = Callable[[pytest.MonkeyPatch], None]


def cancel_ends_the_wait(patch: pytest.MonkeyPatch) -> None:
    right = Dialogue._key

    def key(self: Dialogue, event: KeyPressed) -> None:
        waiting = self.ledger.transactions.in_states(State.OPEN)
        if event.key is PadKey.CANCEL and waiting:
            self.money._line.abandon()
            self.money._agenda.clear()
            with self.ledger.commit("cancelled"):
                self.ledger.transactions.move(waiting[0].id, [State.OPEN], State.DECLINED)
        right(self, event)

    patch.setattr(Dialogue, "_key", key)


def a_failed_send_is_not_sent(patch: pytest.MonkeyPatch) -> None:
    def failed(self: HostLine, event: HostFailed) -> None:
        if self._current(event.exchange) is not None:
            self._end(NotConnected(event.reason))

    patch.setattr(HostLine, "failed", failed)


def an_open_intent_is_forgotten_at_power_up(patch: pytest.MonkeyPatch) -> None:
    def decide(ledger: Ledger, record: TransactionRecord, reason: str, because: str) -> None:
        ledger.transactions.move(record.id, [State.OPEN], State.NOT_SENT)

    patch.setattr(recovery, "_decide", decide)


def reversals_are_deleted_unsent_at_power_up(patch: pytest.MonkeyPatch) -> None:
    def recover(ledger: Ledger, jump: int) -> None:
        recovery.recover(ledger, jump)
        pending = ledger.transactions.in_states(State.REVERSING)
        with ledger.commit("cleared"):
            for record in pending:
                ledger.transactions.move(record.id, [State.REVERSING], State.REVERSED)

    patch.setattr(money_module, "recover", recover)


def any_answer_ends_a_reversal(patch: pytest.MonkeyPatch) -> None:
    def answered(self: Reversals, identity: int, answer: Message) -> None:
        record = self._desk.ledger.transactions.get(identity)
        self._close(record, State.REVERSED, answer, str(answer.elements[39]))

    patch.setattr(Reversals, "_answered", answered)


def a_reversal_is_cleared_when_its_tries_are_spent(patch: pytest.MonkeyPatch) -> None:
    def tell(self: Reversals, record: TransactionRecord) -> None:
        if record.reversal_tries >= self._money.reversal_tries:
            with self._desk.ledger.commit("cleared"):
                self._desk.ledger.transactions.move(record.id, [State.REVERSING], State.REVERSED)

    patch.setattr(Reversals, "_tell_once", tell)


def a_foreign_frame_ends_the_wait(patch: pytest.MonkeyPatch) -> None:
    right = HostLine.received

    def received(self: HostLine, event: HostReceived) -> None:
        exchange = self._current(event.exchange)
        if exchange is not None and exchange.sending is not None:
            verdict = exchange.sending.judge(event.frame)
            if isinstance(verdict, Foreign):
                self._end(NotConnected(verdict.reason))
                return
        right(self, event)

    patch.setattr(HostLine, "received", received)


def the_counter_is_stored_after_use(patch: pytest.MonkeyPatch) -> None:
    right = Counters.next_stan

    def next_stan(self: Counters) -> str:
        stan = right(self)
        self._put("stan", int(stan) - 1)
        return stan

    patch.setattr(Counters, "next_stan", next_stan)


def a_reversal_takes_the_batch_of_today(patch: pytest.MonkeyPatch) -> None:
    sending = Reversals._sending

    def today(self: Reversals, identity: int) -> Sending:
        batch = self._desk.ledger.counters.batch_number

        def with_batch(*arguments: Any, **options: Any) -> dict[int, Value]:
            built = reversal_elements(*arguments, **options)
            return {**built, 60: f"{str(built[60])[:2]}{batch}{str(built[60])[8:]}"}

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(reversals, "reversal_elements", with_batch)
            return sending(self, identity)

    patch.setattr(Reversals, "_sending", today)


def a_failed_commit_counts_as_not_stored(patch: pytest.MonkeyPatch) -> None:
    def halt(self: Core, error: LedgerError) -> None:
        self.money._line.abandon()
        self.money._agenda.clear()

    patch.setattr(Core, "_halt", halt)


def a_pending_reversal_blocks_nothing(patch: pytest.MonkeyPatch) -> None:
    right = Money.refusal

    def refusal(self: Money) -> Any:
        found = right(self)
        return None if found == "reversal_pending" else found

    patch.setattr(Money, "refusal", refusal)


def a_voided_sale_leaves_the_totals(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(batch_totals, "STANDING", frozenset({State.APPROVED, State.COMPLETED}))


def a_batch_closes_without_its_end(patch: pytest.MonkeyPatch) -> None:
    right = Batches.uploads

    def uploads(self: Batches, settlement: int) -> list[UploadRecord]:
        return [one for one in right(self, settlement) if one.kind is not UploadKind.END]

    patch.setattr(Batches, "uploads", uploads)


def a_closed_batch_keeps_card_numbers(patch: pytest.MonkeyPatch) -> None:
    right = Database.write

    def write(self: Database, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        erases = "account_number = NULL" in statement
        return right(self, f"{statement} AND 0" if erases else statement, values)

    patch.setattr(Database, "write", write)


MUTANTS: Mapping[str, Mutant] = {
    mutant.__name__: mutant
    for mutant in (
        cancel_ends_the_wait,
        a_failed_send_is_not_sent,
        an_open_intent_is_forgotten_at_power_up,
        reversals_are_deleted_unsent_at_power_up,
        any_answer_ends_a_reversal,
        a_reversal_is_cleared_when_its_tries_are_spent,
        a_foreign_frame_ends_the_wait,
        the_counter_is_stored_after_use,
        a_reversal_takes_the_batch_of_today,
        a_failed_commit_counts_as_not_stored,
        a_pending_reversal_blocks_nothing,
        a_voided_sale_leaves_the_totals,
        a_batch_closes_without_its_end,
        a_closed_batch_keeps_card_numbers,
    )
}


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_is_found_within_few_seeds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    assert any(simulate(seed).violations for seed in range(MOST_SEEDS)), name


# --- the command ------------------------------------------------------------------------------------


def test_totals_come_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "0:2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["seeds"], told["violations"], told["failed"]) == (2, 0, {})
    assert told["transactions"] == sum(told["kinds"].values()) == sum(told["outcomes"].values())


def test_processes_share_the_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "0:3", "--jobs", "2"]) == 0
    assert capsys.readouterr().out.startswith("3 seeds, ")


def test_a_broken_rule_is_told_with_seed_history_and_how_to_see_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a_failed_send_is_not_sent(monkeypatch)
    assert main(["--seeds", f"0:{MOST_SEEDS}"]) == 1
    told = capsys.readouterr().err
    assert " broke M9: it counts as not sent, but it was" in told
    assert "fault: " in told
    assert "events, at most the last 120 of them:" in told
    seed = told.split("--seed ")[1].split()[0]
    assert main(["--seed", seed]) == 1
    assert f"seed {seed} broke M9" in capsys.readouterr().out
    assert main(["--seeds", f"{seed}:{int(seed) + 2}", "--keep-going", "--json"]) == 1
    assert seed in json.loads(capsys.readouterr().out)["failed"]


def test_a_trace_tells_every_step_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    digest = simulate(6).digest
    assert main(["--seed", "6", "--trace"]) == 0
    told = capsys.readouterr().out
    assert "power on, life 1" in told
    assert "host: sale answered" in told
    assert "intent.stored" in told, "the core's own log"
    assert told.rstrip().endswith(f"digest {digest}")


@pytest.mark.parametrize("wrong", [[], ["--seeds", "4"], ["--seeds", "0:1", "--seed", "1"]])
def test_wrong_usage_is_told(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
    assert "--seed" in capsys.readouterr().err
