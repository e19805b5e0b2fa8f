"""Drills: a fault is played in training, and the clerk is told on the way what to do about it.

A drill is data: what it asks of the training's host or printer, and which pages stand before which step.
The steps are those of every day, and so is the money core behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from posd.core.events import MoneyProgress, Phase

if TYPE_CHECKING:
    from posd.core.ports import Drills
    from posd.ledger.ledger import Ledger

IDLE: Final = "idle.ready"
_SETTING: Final = "drill"


class Drill(Struct, frozen=True):
    """name: of its texts. begin: arms the fault. met: the steps that show that it has been met.

    pages: the names of help texts by the step before which they stand. over: what should have been
    done. cuts_power: the power goes while the host is waited for.
    """

    name: str
    begin: Callable[[Drills], None]
    met: frozenset[str]
    pages: Mapping[str, str]
    over: str
    cuts_power: bool = False


def _nothing(_drills: Drills) -> None:
    """The power is cut by whoever runs the terminal."""


DRILLS: Final[Mapping[str, Drill]] = MappingProxyType(
    {
        "no_answer": Drill(
            "no_answer",
            lambda drills: drills.lose_answer(),
            frozenset({"sale.reversed", "sale.pending"}),
            {
                IDLE: "help.drill_begin",
                "sale.card": "help.drill_card",
                "sale.waiting": "help.drill_no_answer_waiting",
                "sale.reversed": "help.drill_no_answer_reversed",
                "sale.pending": "help.drill_no_answer_pending",
            },
            "help.drill_no_answer_over",
        ),
        "paper_out": Drill(
            "paper_out",
            lambda drills: drills.end_paper(),
            frozenset({"slip.trouble"}),
            {
                IDLE: "help.drill_begin",
                "sale.card": "help.drill_card",
                "slip.trouble": "help.drill_paper_out_trouble",
            },
            "help.drill_paper_out_over",
        ),
        "power_cut": Drill(
            "power_cut",
            _nothing,
            frozenset({"last.shown"}),
            {
                IDLE: "help.drill_begin",
                "sale.card": "help.drill_card",
                "last.shown": "help.drill_power_cut_last",
            },
            "help.drill_power_cut_over",
            cuts_power=True,
        ),
    }
)


class DrillInProgress(Struct):
    """One drill while it lasts; its name is in the training's ledger, so that it survives its power cut."""

    drill: Drill
    was_met: bool = False
    _shown: set[str] = field(default_factory=set)
    _was_cut: bool = False

    @classmethod
    def found(cls, ledger: Ledger) -> DrillInProgress | None:
        """The one that the last life began, if its power was cut by it."""
        name = ledger.settings.get(_SETTING, "")
        return cls(DRILLS[name], _was_cut=True) if name in DRILLS else None

    @classmethod
    def begin(cls, name: str, ledger: Ledger, drills: Drills) -> DrillInProgress:
        drill = DRILLS[name]
        with ledger.commit("drill"):
            ledger.settings.put(_SETTING, name)
        drill.begin(drills)
        return cls(drill)

    def end(self, ledger: Ledger) -> None:
        with ledger.commit("drill"):
            ledger.settings.put(_SETTING, "")

    def page(self, state: str) -> str:
        """The name of the pages that stand before this step; "" when there are none, or no more."""
        if state in self.drill.met and self._was_cut == self.drill.cuts_power:
            self.was_met = True
        name = self.drill.pages.get(state, "")
        if name in self._shown or (state == IDLE and (self.was_met or self._was_cut)):
            return ""
        if state != IDLE:  # how to begin is told until it was done
            self._shown.add(name)
        return name

    def cuts_power_at(self, event: MoneyProgress) -> bool:
        """Has the request gone, and no answer come?"""
        return (
            self.drill.cuts_power
            and not self._was_cut
            and event.phase is Phase.WAITING
            and event.transaction is not None
        )
