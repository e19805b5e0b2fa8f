"""What a whole run says of itself: for people, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from posd.testing.under_fire.round import Outcome


@dataclass
class Tally:
    """The sums over all rounds. disagreement: of the round that ended it, "" for none."""

    seed: int
    storage: str
    strike: str
    minutes: float = 0.0
    rounds: int = 0
    checks: int = 0
    starts: int = 0
    kills: int = 0
    before_ready: int = 0
    keys: int = 0
    messages: int = 0
    unresolved: int = 0
    ledger_states: Counter[str] = field(default_factory=Counter)
    line_stages: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    exits: Counter[str] = field(default_factory=Counter)
    transactions: Counter[str] = field(default_factory=Counter)
    ready_after: list[float] = field(default_factory=list)
    disagreement: str = ""

    def add(self, outcome: Outcome) -> None:
        """One round more."""
        self.rounds += 1
        self.checks += outcome.checks
        self.starts += outcome.kills.starts
        self.kills += outcome.kills.kills
        self.before_ready += outcome.kills.before_ready
        self.keys += outcome.keys
        self.messages += outcome.messages
        self.unresolved += outcome.unresolved
        self.ledger_states += outcome.kills.ledger_states
        self.line_stages += outcome.kills.line_stages
        self.faults += outcome.faults
        self.exits += outcome.kills.exits
        self.transactions += outcome.transactions
        self.ready_after += outcome.kills.ready_after
        self.disagreement = self.disagreement or outcome.disagreement

    def as_json(self) -> str:
        ready = sorted(self.ready_after)
        values: dict[str, Any] = {
            "seed": self.seed,
            "minutes": round(self.minutes, 1),
            "state_directory": self.storage,
            "strike": self.strike,
            "rounds": self.rounds,
            "checks": self.checks,
            "disagreements": int(bool(self.disagreement)),
            "unresolved": self.unresolved,
            "starts": self.starts,
            "kills": self.kills,
            "kills_before_ready": self.before_ready,
            "kills_by_ledger_state": _sorted(self.ledger_states),
            "kills_by_line_stage": _sorted(self.line_stages),
            "ends_by_itself_with_the_disk_in_trouble": _sorted(self.exits),
            "ready_seconds": {
                "median": round(median(ready), 3) if ready else None,
                "p95": round(ready[int(len(ready) * 0.95)], 3) if ready else None,
                "longest": round(ready[-1], 3) if ready else None,
            },
            "faults": sum(self.faults.values()),
            "faults_by_kind": _sorted(self.faults),
            "transactions": sum(self.transactions.values()),
            "transactions_by_outcome": _sorted(self.transactions),
            "messages_checked": self.messages,
            "keys_pressed": self.keys,
            "disagreement": self.disagreement,
        }
        return json.dumps(values, ensure_ascii=False, indent=2)

    def __str__(self) -> str:
        verdict = "DISAGREEMENT" if self.disagreement else "no disagreement"
        lines = [
            f"{verdict}: {self.minutes:.1f} min, {self.rounds} rounds, {self.checks} checks,"
            f" {self.kills} {self.strike}s ({self.before_ready} before ready),"
            f" {self.starts} starts, {sum(self.faults.values())} faults,"
            f" {sum(self.transactions.values())} transactions, {self.messages} messages"
        ]
        tables = {
            f"{self.strike}s by the state of the ledger": self.ledger_states,
            f"{self.strike}s by what was on the line": self.line_stages,
            "ends by itself, with the disk in trouble": self.exits,
            "faults": self.faults,
            "transactions": self.transactions,
        }
        for name, counts in tables.items():
            if counts:
                lines.append(f"{name}:")
                lines += [f"{number:8} {what}" for what, number in _sorted(counts).items()]
        return "\n".join(lines)


def _sorted(counts: Counter[str]) -> Mapping[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
