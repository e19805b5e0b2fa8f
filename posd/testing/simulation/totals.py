"""What many days come to: transactions, outcomes, faults by kind, ledger states at the cuts, rates."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from posd.terminal.flows import FLOWS
from posd.testing.simulation.verdict import DayReport

_STEPS: Final = {f"{flow.name}.{step.name}" for flow in FLOWS for step in flow.steps}


class Totals:
    """Sums over seeds. failed: the seeds that broke a rule, with the first one."""

    def __init__(self) -> None:
        self.seeds = 0
        self.transactions = 0
        self.messages = 0
        self.lives = 0
        self.unresolved = 0
        self.hours = 0.0
        self.effort = 0.0
        self.kinds: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.settlements: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.cuts: Counter[str] = Counter()
        self.failed: dict[int, str] = {}

    def add(self, day: DayReport) -> None:
        """One more seed."""
        self.seeds += 1
        self.transactions += day.checked.transactions
        self.messages += day.checked.messages
        self.lives += day.lives
        self.unresolved += len(day.checked.unresolved)
        self.hours += day.seconds / 3600
        self.effort += day.effort
        self.kinds += day.kinds
        self.states += Counter(dict(day.checked.states))
        self.settlements += day.settlements
        self.steps += day.steps
        self.faults += day.faults
        self.cuts += day.cuts
        if day.violations:
            self.failed[day.seed] = str(day.violations[0])

    def plain(self, seconds: float, jobs: int) -> dict[str, Any]:
        """For JSON. seconds: of real time, in which so many processes worked."""
        return {
            "seeds": self.seeds,
            "violations": len(self.failed),
            "failed": {str(seed): what for seed, what in sorted(self.failed.items())},
            "transactions": self.transactions,
            "messages": self.messages,
            "lives": self.lives,
            "virtual_hours": round(self.hours, 1),
            "faults": self.faults.total(),
            "unresolved": self.unresolved,
            "seconds": round(seconds, 1),
            "jobs": jobs,
            "seeds_per_second": round(self.seeds / seconds, 2),
            "transactions_per_second": round(self.transactions / seconds, 1),
            "transactions_per_processor_second": round(self.transactions / self.effort, 1),
            "kinds": _sorted(self.kinds),
            "outcomes": _sorted(self.states),
            "settlements": _sorted(self.settlements),
            "steps": _sorted(self.steps),
            "steps_never_reached": sorted(_STEPS - set(self.steps)),
            "faults_by_kind": _sorted(self.faults),
            "ledger_at_cuts": _sorted(self.cuts),
        }

    def text(self, seconds: float, jobs: int) -> str:
        """For people."""
        plain = self.plain(seconds, jobs)
        lines = [
            f"{self.seeds} seeds, {self.transactions} transactions, {self.messages} messages,"
            f" {self.lives} lives, {self.hours:.0f} virtual hours in {seconds:.1f} s with {jobs} jobs",
            f"{plain['seeds_per_second']} seeds/s, {plain['transactions_per_second']} transactions/s,"
            f" {plain['transactions_per_processor_second']} in a second of one processor",
            f"{self.faults.total()} faults, {len(self.failed)} seeds that broke a rule,"
            f" {self.unresolved} cases for a person",
            f"{len(_STEPS & set(self.steps))} of {len(_STEPS)} steps of the dialogue; never:"
            f" {', '.join(plain['steps_never_reached']) or 'none'}",
        ]
        for title in ("kinds", "outcomes", "settlements", "faults_by_kind", "ledger_at_cuts"):
            lines.append(f"{title.replace('_', ' ')}:")
            lines += [f"  {count:9} {name}" for name, count in plain[title].items()]
        return "\n".join(lines)


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
