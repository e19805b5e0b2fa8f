"""Training mode: an acquirer, a ledger, keys and a terminal number of its own. Nothing of it is real.

What a training shares with the live terminal is devices, language and the shop's habits. Its host is an
acquirer in this process, reached without any network; its ledger lies in a directory that is made
anew at each beginning and removed at the end; its keys are invented and never written down. A
card that is swiped becomes an invented one before anything else sees it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any, Final

from msgspec import structs

from devices.slip import Slip
from posd.acquirer.acquirer import Acquirer
from posd.acquirer.answers import Delivery
from posd.acquirer.cards import BY_NAME, CARDS
from posd.acquirer.ledger import AcquirerLedger
from posd.acquirer.line import BuiltInLine, Later
from posd.acquirer.outcomes import Order, named
from posd.acquirer.situation import Options, TerminalRecord
from posd.core.events import CardSwiped, Event, PrintEnded
from posd.core.ports import Clock, Printer, Randomness
from posd.keys import DEVICE_KEY_LENGTH, Keys
from posd.receipts import as_training
from posd.settings import (
    BackupSettings,
    Configuration,
    DialectSettings,
    HostSettings,
    KeyFileSettings,
    Section,
    make_dialect,
)
from protocol import Key

TERMINAL_ID: Final = "TRAINING"
MERCHANT_ID: Final = "TRAINING0000000"
_MASTER_KEY_LENGTH: Final = 16
_LATE_SECONDS: Final = 1.0  # after the time-out
_OWN_CARDS: Final = {card.pan for card in CARDS}
_INVENTED_CARD: Final = BY_NAME["nopin"]


class TrainingConfiguration(Configuration, frozen=True, kw_only=True):
    """A terminal that does not exist. Made here only; no file can say it."""

    @property
    def is_training(self) -> bool:
        return True


def training_configuration(live: Configuration) -> TrainingConfiguration:
    """The live configuration with nothing in it that leads to anything real."""
    seconds = min(live.host.answer_seconds, live.training.answer_seconds)
    own: dict[str, Section] = {
        "terminal": structs.replace(
            live.terminal,
            terminal_id=TERMINAL_ID,
            merchant_id=MERCHANT_ID,
            state_directory=live.terminal.training_directory,
            test_host=True,
            operator="01",
        ),
        "host": HostSettings(
            address="127.0.0.1",
            port=1,  # never connected: the acquirer is in this process
            answer_seconds=seconds,
            reversal_answer_seconds=seconds,
        ),
        "dialect": DialectSettings(partial_approval=live.dialect.partial_approval),
        "backup": BackupSettings(),
        # Nothing begins by itself: what comes out of the printer was asked for.
        "settlement": structs.replace(live.settlement, at=None),
        "orders": structs.replace(live.orders, report_time=""),
        "keys": KeyFileSettings(),
    }
    shared: dict[str, Any] = {name: getattr(live, name) for name in live.__struct_fields__}
    return TrainingConfiguration(**(shared | own))


class Training:
    """One training from its beginning to its end, over as many lives as its drills cut short.

    Raises OSError when its directory cannot be made.
    """

    def __init__(
        self, live: Configuration, clock: Clock, random_bytes: Randomness, password_cost: int
    ) -> None:
        forget_training(live)
        self.directory = live.terminal.training_directory
        self.directory.mkdir(mode=0o700)
        self.configuration = training_configuration(live)
        master = Key(random_bytes(_MASTER_KEY_LENGTH))
        self.keys = Keys(random_bytes(DEVICE_KEY_LENGTH), master, password_cost)
        seconds = self.configuration.host.answer_seconds
        self._is_over = False
        self._ledger = AcquirerLedger(":memory:")
        self.acquirer = Acquirer(
            self._ledger,
            [TerminalRecord(TERMINAL_ID, MERCHANT_ID, master)],
            clock=clock.now,
            random_bytes=random_bytes,
            dialect=make_dialect(self.configuration),
            options=Options(slow=seconds / 2, late=seconds + _LATE_SECONDS),
        )

    def life(self, printer: Printer, report: Callable[[Event], None], later: Later) -> TrainingLife:
        """What the next life of the terminal is connected to."""
        return TrainingLife(self.acquirer, self._receive, printer, report, later)

    def close(self) -> None:
        """The acquirer is gone, as with its process; what lies on the disk stays."""
        self._is_over = True
        self._ledger.close()

    def end(self) -> None:
        """Nothing of it is left."""
        self.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _receive(self, frame: bytes) -> tuple[Delivery, ...]:
        """The acquirer's, but for what was still on its way when the training ended."""
        return () if self._is_over else self.acquirer.receive(frame)


def forget_training(live: Configuration) -> None:
    """Remove what a training left that did not come to its end."""
    shutil.rmtree(live.terminal.training_directory, ignore_errors=True)


class TrainingLife:
    """The ports of one life in training: host, printer (this object), and what drills may do."""

    def __init__(
        self,
        acquirer: Acquirer,
        receive: Callable[[bytes], tuple[Delivery, ...]],
        printer: Printer,
        report: Callable[[Event], None],
        later: Later,
    ) -> None:
        self._acquirer = acquirer
        self._printer = printer
        self._report = report
        self._later = later
        self._paper_ends = False
        self.host = BuiltInLine(receive, report, later)

    # --- the printer ------------------------------------------------------------------------------

    def print(self, job: int, slip: Slip) -> None:
        """The `Printer` port: every slip says at top and bottom that it is none."""
        if not self._paper_ends:
            self._printer.print(job, as_training(slip))
            return
        self._paper_ends = False
        ended = PrintEnded(job, printed=False, reason="paper_out")
        self._later(0.0, lambda: self._report(ended))

    # --- the drills -------------------------------------------------------------------------------

    def lose_answer(self) -> None:
        """The host does the next sale, and its answer never arrives."""
        self._acquirer.order(Order("sale", named("no-answer")))

    def end_paper(self) -> None:
        """The next slip finds no paper."""
        self._paper_ends = True

    # --- what comes in ----------------------------------------------------------------------------

    @staticmethod
    def translated(event: Event) -> Event:
        """A person's card becomes an invented one; the acquirer's own cards stay what they are."""
        if isinstance(event, CardSwiped) and event.track2.pan not in _OWN_CARDS:
            return CardSwiped(_INVENTED_CARD.track2)
        return event
