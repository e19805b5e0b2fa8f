"""Scenarios by the thousand: which there are, and what came of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import TracebackType

from posd.ledger.records import State
from posd.testing.matrix import faults
from posd.testing.matrix.faults import LOST, NO_ANSWER, UNDISTURBED, Plan
from posd.testing.matrix.points import (
    How,
    Stop,
    is_acquirer,
    is_commit,
    is_hand_over,
    ways,
)
from posd.testing.matrix.shop import Business, Scenario, Shop
from posd.testing.matrix.verdict import states_of, stops_were_reached, violations
from protocol.transactions import Doubt

_HOURS = 1.0  # after what was prepared
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - only where it is; a directory of our own below it


@dataclass(frozen=True, slots=True)
class Found:
    """A scenario that broke a rule."""

    scenario: str
    stopped_at: tuple[str, ...]
    violations: tuple[str, ...]

    def __str__(self) -> str:
        at = "".join(f"\n    stopped at: {name}" for name in self.stopped_at)
        return f"{self.scenario}{at}" + "".join(f"\n    {line}" for line in self.violations)


@dataclass
class Figures:
    """What a part of the matrix came to. points: different ones that the world was stopped at."""

    name: str
    points: int = 0
    combinations: int = 0
    lives: int = 0
    found: list[Found] = field(default_factory=list)


class Campaign:
    """Runs scenarios in a directory of its own, each from the state that its business prepared once."""

    def __init__(self) -> None:
        where = _IN_MEMORY if _IN_MEMORY.is_dir() else None
        self._directory = tempfile.TemporaryDirectory(prefix="posd-matrix-", dir=where)
        self._root = Path(self._directory.name)
        self._prepared: dict[str, Path] = {}
        self._recorded: dict[tuple[str, str], Shop] = {}

    def __enter__(self) -> Campaign:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._directory.cleanup()

    # -- parts of the matrix ---------------------------------------------------------------------

    def crash_points(self, businesses: Iterable[Business]) -> Figures:
        """Every point of every business, in every way that the world can stop there."""
        figures = Figures("crash points")
        for business in businesses:
            names = self.points_of(business)
            figures.points += len(names)
            for number, name in enumerate(names):
                for how in ways(name):
                    self.run(Scenario(business, stops=(Stop(number, how),)), figures)
        return figures

    def double_crashes(
        self, businesses: Iterable[Business], plans: Sequence[Plan] = (UNDISTURBED,)
    ) -> Figures:
        """Stopped at a commit or a hand-over, and stopped again at every commit of the recovery."""
        figures = Figures("double crashes")
        for business in businesses:
            for plan in plans:
                names = self.points_of(business, plan)
                for number, name in enumerate(names):
                    if is_commit(name) or name.startswith("send "):
                        self._again_and_again(business, plan, Stop(number, How.KILLED), figures)
        return figures

    def network(self, businesses: Iterable[Business], plans: Sequence[Plan]) -> Figures:
        """Every fault, without a stop."""
        figures = Figures("network faults")
        for business in businesses:
            for plan in plans:
                self.run(Scenario(business, plan), figures)
        return figures

    def crossed(
        self, businesses: Iterable[Business], plans: Sequence[Plan], *, everywhere: bool
    ) -> Figures:
        """Every fault, stopped at every point after the first connection was asked for.

        everywhere: at all of them and in all ways; else killed where something is committed or handed
        over, and where the acquirer has committed.
        """
        figures = Figures("network faults crossed with crash points")
        for business in businesses:
            for plan in plans:
                names = self.points_of(business, plan)
                begin = names.index("connect") if "connect" in names else len(names)
                for number, name in enumerate(names):
                    if number <= begin or not (everywhere or _matters(name)):
                        continue
                    figures.points += 1
                    for how in ways(name) if everywhere else (How.KILLED,):
                        stops = (Stop(number, how),)
                        self.run(Scenario(business, plan, stops), figures)
        return figures

    def _again_and_again(
        self, business: Business, plan: Plan, first: Stop, figures: Figures
    ) -> None:
        once = self.play(Scenario(business, plan, (first,)))
        if len(once.lives) < 2:
            return
        for number, name in enumerate(once.lives[1].enumerated):
            if is_commit(name):
                figures.points += 1
                stops = (first, Stop(number, How.KILLED))
                self.run(Scenario(business, plan, stops), figures)

    # -- one scenario ----------------------------------------------------------------------------

    def points_of(self, business: Business, plan: Plan = UNDISTURBED) -> list[str]:
        """The points of the first life when nothing is stopped, in their order."""
        key = business.name, plan.name
        if key not in self._recorded:
            self._recorded[key] = self.play(Scenario(business, plan))
        return self._recorded[key].lives[0].enumerated

    def lengths(self, business: Business, plan: Plan = UNDISTURBED) -> tuple[list[int], list[int]]:
        """Bytes of each request that was handed over, and of each answer."""
        self.points_of(business, plan)
        wire = self._recorded[business.name, plan.name].wire
        return wire.requests, wire.answers

    def run(self, scenario: Scenario, figures: Figures) -> None:
        """One scenario, judged; what it broke is among the figures afterwards."""
        shop = self.play(scenario, figures=figures)
        figures.combinations += 1
        figures.lives += len(shop.lives)

    def play(
        self,
        scenario: Scenario,
        tell: Callable[[State], None] = lambda _state: None,
        *,
        figures: Figures | None = None,
    ) -> Shop:
        """One scenario. tell is called with the state of each transaction that it made, oldest first."""
        directory = self._root / "scenario"
        shutil.copytree(self._template(scenario.business), directory)
        try:
            shop = Shop(directory, scenario, _HOURS)
            shop.run()
            wrong = violations(shop)
            for state in states_of(shop):
                tell(state)
        finally:
            shutil.rmtree(directory)
        if not stops_were_reached(shop):
            wrong.append("a stop was never reached: the same scenario did not run the same way")
        if wrong and figures is not None:
            at = tuple(
                shop.lives[life].names[stop.number]
                for life, stop in enumerate(scenario.stops)
                if stop is not None and life < len(shop.lives)
            )
            figures.found.append(Found(str(scenario), at, tuple(wrong)))
        return shop

    def _template(self, business: Business) -> Path:
        if business.name not in self._prepared:
            directory = self._root / f"prepared {business.name}"
            directory.mkdir()
            Shop(directory, Scenario(business)).prepare()
            self._prepared[business.name] = directory
        return self._prepared[business.name]


def _matters(name: str) -> bool:
    return is_commit(name) or is_hand_over(name) or is_acquirer(name)


def plans_for(doubt: Doubt | None) -> Iterator[Plan]:
    """Every fault of faults.py for what a kind does in doubt; None: sign-in and sign-off."""
    if doubt is None:
        yield from faults.of_sign_ins()
        return
    yield from faults.of_requests()
    if doubt is Doubt.NOTHING:
        return
    yield from chain(
        faults.of_reversals(NO_ANSWER),
        faults.of_reversals(LOST),
        faults.of_changes(),
        faults.of_none_found(),
        faults.of_many_tries(),
    )
