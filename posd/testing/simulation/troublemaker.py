"""What goes wrong: each seed has its own taste for it, so that rare things come in crowds somewhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from posd.acquirer.outcomes import Fault, Order, Outcome
from posd.core.events import Key
from posd.testing.simulation.chance import Chance
from posd.testing.simulation.cuts import LABELS, Where
from posd.testing.simulation.network import Mishap, Trouble

if TYPE_CHECKING:
    from posd.testing.simulation.levers import Levers

_REQUESTS: Final = (
    "any", "any", "sale", "sale", "sale_void", "refund", "pre_authorisation", "completion",
    "completion_notice", "completion_void", "pre_authorisation_void", "balance_inquiry", "sign_in",
    "settlement", "batch_upload",
)  # fmt: skip
_DECLINES: Final = ("05", "51", "55", "68", "91", "94", "96", "98", "ZZ")
"""Never 77, 99, A0 or 03, which leave a request undecided: a second copy of it may be approved, which no
host does that means them."""
_TO_REVERSALS: Final = ("96", "05", "68", "77", "99", "A0", "94", "64")
"""What a host may say to an 0400 without having done anything. Never 25 or 12: those it says truly."""
_MTIS: Final = ("", "", "0200", "0200", "0400", "0400", "0220", "0800", "0100", "0500", "0320")
_FAULTS_OF_SIGN_IN: Final = (Fault.WRONG_KEYS, Fault.NO_ANSWER, Fault.CUT, Fault.GARBAGE)
_FAULTS_OF_SETTLEMENT: Final = (
    Fault.LOST, Fault.NO_ANSWER, Fault.CLOSED, Fault.CUT, Fault.LATE, Fault.TWICE, Fault.GARBAGE,
    Fault.FOREIGN_FIRST, Fault.SIGN_IN_ASKED,
)  # fmt: skip


class Troublemaker:
    """Makes one trouble at a time; the day counts what comes true."""

    def __init__(self, chance: Chance, day: Levers) -> None:
        self._chance = chance
        self._day = day
        taste = [(weight, kind) for weight, kind in _KINDS if chance.happens(0.75)]
        self._kinds = [(weight * chance.between(0.2, 2.0), kind) for weight, kind in taste] or [
            *_KINDS
        ]

    def make(self) -> None:
        self._chance.weighted(self._kinds)(self)

    # --- the host -----------------------------------------------------------------------------------

    def _host_fault(self) -> None:
        chance = self._chance
        kind = chance.one(_REQUESTS)
        fault = chance.one(_FAULTS_OF_SIGN_IN if kind == "sign_in" else tuple(Fault))
        self._order(kind, Outcome(fault=fault, cut_at=self._cut_at()))

    def _reversal_fault(self) -> None:
        """A doubtful request, and a reversal that has it hard too."""
        chance = self._chance
        self._order(chance.one(("sale", "any", "sale_void")), Outcome(fault=Fault.NO_ANSWER))
        times = chance.one((1, 1, 2, 3, 4))
        if chance.happens(0.3):
            self._order("reversal", Outcome(code=chance.one(_TO_REVERSALS)), times)
        else:
            fault = chance.one(tuple(Fault))
            self._order("reversal", Outcome(fault=fault, cut_at=self._cut_at()), times)

    def _notice_fault(self) -> None:
        """A notice that is not answered, once or for good."""
        chance = self._chance
        fault = chance.one((Fault.NO_ANSWER, Fault.LOST, Fault.CUT, Fault.WRONG_MAC, Fault.NO_MAC))
        kind = chance.one(("refund", "refund", "completion_notice"))
        self._order(kind, Outcome(fault=fault), chance.one((1, 1, 2, 3, 4)))

    def _settlement_fault(self) -> None:
        """A settlement that stops on its way, once or until somebody asks again."""
        chance = self._chance
        kind = chance.one(("settlement", "batch_upload"))
        if chance.happens(0.3):
            outcome = Outcome(code=chance.one(_DECLINES))
        else:
            outcome = Outcome(fault=chance.one(_FAULTS_OF_SETTLEMENT), cut_at=self._cut_at())
        self._order(kind, outcome, chance.one((1, 1, 2, 3, 4)))

    def _decline(self) -> None:
        self._order(self._chance.one(_REQUESTS), Outcome(code=self._chance.one(_DECLINES)))

    def _partial(self) -> None:
        self._order("sale", Outcome(partial=self._chance.whole(1, 500)))

    def _order(self, kind: str, outcome: Outcome, times: int = 1) -> None:
        self._day.order(Order(kind, outcome, times))

    def _cut_at(self) -> int | None:
        return self._chance.one((None, 0, 1, 2, 15, 40, 80))

    def _host_forgets(self) -> None:
        """77 to everything until the next sign-in."""
        self._day.forget_session()

    def _acquirer_crash(self) -> None:
        self._day.crash_acquirer_at_next_request()

    def _other_batch(self) -> None:
        """At the next sign-in the terminal hears of another batch number, which was never in use."""
        self._day.change_batch(f"{self._chance.whole(2, 999_990):06d}")

    # --- the way ------------------------------------------------------------------------------------

    def _mishap(self) -> None:
        chance = self._chance
        trouble = Trouble(
            chance.one(tuple(Mishap)),
            chance.one(_MTIS),
            chance.between(0.0, 0.99),
            chance.weighted(((5, chance.between(0.1, 30.0)), (5, chance.between(30.0, 600.0)))),
        )
        self._day.expect(trouble)

    def _link_down(self) -> None:
        seconds = self._chance.weighted(
            ((5, self._chance.between(0.1, 20.0)), (3, self._chance.between(20.0, 900.0)))
        )
        self._day.link_down(seconds)

    def _connection_reset(self) -> None:
        self._day.reset_connection_in(self._chance.between(0.01, 3.0))

    # --- power --------------------------------------------------------------------------------------

    def _cut_inside(self) -> None:
        chance = self._chance
        where = chance.one((*Where, Where.WAITING, Where.COMMIT_LOST, Where.COMMIT_KEPT))
        label = chance.one(LABELS) if where.name.startswith("COMMIT") else ""
        if chance.happens(0.4):
            label = ""
        passes = chance.whole(1, 3) if label or where is Where.WAITING else chance.whole(1, 12)
        soon = chance.between(0.0, 0.2)
        self._day.arm(where, label, passes, chance.one((soon, chance.between(0.2, 70.0))))

    def _cut_between(self) -> None:
        self._day.cut_power_in(self._chance.between(0.0, 10.0))

    def _cut_twice(self) -> None:
        """And again while it recovers."""
        self._day.cut_power_in(self._chance.between(0.0, 70.0))
        where = self._chance.one((Where.COMMIT_LOST, Where.COMMIT_KEPT))
        self._day.cut_in_recovery(where, self._chance.whole(1, 3))

    def _restart(self) -> None:
        self._day.restart()

    # --- around -------------------------------------------------------------------------------------

    def _paper_out(self) -> None:
        self._day.paper_out(self._chance.whole(0, 60), self._chance.between(1.0, 300.0))

    def _unplugged(self) -> None:
        self._day.unplug_printer(self._chance.between(1.0, 300.0))

    def _clock_step(self) -> None:
        chance = self._chance
        by = chance.weighted(
            (
                (3, timedelta(seconds=chance.between(-7200, 7200))),
                (2, timedelta(days=chance.whole(-3, 3))),
                (1, timedelta(days=chance.whole(-800, 800))),
            )
        )
        self._day.step_clock(by)

    def _midnight(self) -> None:
        self._day.jump_to_midnight(self._chance.between(-90.0, 5.0))

    def _midnight_in_doubt(self) -> None:
        """A request is lost, and before its reversal is over it is another day."""
        chance = self._chance
        self._order(chance.one(("sale", "any", "sale_void")), Outcome(fault=Fault.LOST))
        self._day.jump_to_midnight_in(chance.between(5.0, 180.0))

    def _counter_comes_round(self) -> None:
        self._day.counter_comes_round(self._chance.whole(1, 60))

    def _any_keys(self) -> None:
        """Somebody leans on the keypad."""
        for _ in range(self._chance.whole(2, 12)):
            self._day.press(self._chance.one(tuple(Key)))


_KINDS: Final[tuple[tuple[float, Callable[[Troublemaker], None]], ...]] = (
    (10, Troublemaker._host_fault),
    (12, Troublemaker._reversal_fault),
    (5, Troublemaker._notice_fault),
    (4, Troublemaker._settlement_fault),
    (6, Troublemaker._decline),
    (4, Troublemaker._partial),
    (2, Troublemaker._host_forgets),
    (4, Troublemaker._acquirer_crash),
    (5, Troublemaker._other_batch),
    (16, Troublemaker._mishap),
    (4, Troublemaker._link_down),
    (3, Troublemaker._connection_reset),
    (24, Troublemaker._cut_inside),
    (5, Troublemaker._cut_between),
    (3, Troublemaker._cut_twice),
    (1, Troublemaker._restart),
    (3, Troublemaker._paper_out),
    (2, Troublemaker._unplugged),
    (2, Troublemaker._clock_step),
    (1, Troublemaker._midnight),
    (2, Troublemaker._midnight_in_doubt),
    (1, Troublemaker._counter_comes_round),
    (2, Troublemaker._any_keys),
)
