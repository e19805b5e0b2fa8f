"""Why the terminal does not sell, first cause first; and what is not right although it does.

Pure reading of the core and of what was observed. The codes are those that the clerk sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from posd.core.core import Core
from posd.core.ports import Clock
from posd.diagnostics.clocks import CLOCK_MAY_DIFFER, clock_in_words
from posd.diagnostics.messages import Reason
from posd.diagnostics.observations import (
    DEVICE_CODES,
    Observations,
    connection_code,
    sign_in_code,
)
from posd.ledger.ledger import moment
from posd.ledger.records import State, TransactionRecord
from posd.money.money import Refusal
from posd.settings import Configuration
from posd.terminal.cases import is_closed
from posd.texts.errors import ErrorCode
from protocol.response_codes import asks_sign_in, look_up
from protocol.reversal import WRONG_MAC

_MOST: Final = 3  # of one kind: the clerk's list has them all
_CASES_LOOKED_AT: Final = 20
_LOCKED: Final = "lock."  # the states of that flow
_HALTED: Final = "the process ends, and the next start decides"


class Causes(Struct, frozen=True):
    """What can be said of one terminal at this moment."""

    configuration: Configuration
    core: Core
    observations: Observations
    clock: Clock

    @property
    def sells(self) -> bool:
        """May a clerk begin a sale now?"""
        return not self.reasons()

    def reasons(self) -> tuple[Reason, ...]:
        """What stops a sale. Each with what led to it, the first cause first in `because`."""
        if self.core.halted is not None:
            return (Reason(code=ErrorCode.LEDGER, detail=_HALTED),)
        mode = [Reason(code=ErrorCode.TRAINING)] if self.configuration.is_training else []
        if self.core.dialogue.state.startswith(_LOCKED):
            mode.append(
                Reason(code=ErrorCode.LOCKED, detail=f"by operator {self.core.money.operator}")
            )
        return (
            *self._absent("keypad"),  # nothing that the others ask for can be pressed without it
            *mode,
            *self._refusal(),
            *self._full_disk(),
            *self._absent("card_reader"),
        )

    def warnings(self) -> tuple[Reason, ...]:
        """What does not stop a sale: it will be noticed later, or makes sales fail one by one."""
        found = [
            *self._sales_that_fail(),
            *self._clock(),
            *self._absent("display"),  # keys and sales work without it
            *self._printer(),
            *self._cases(),
        ]
        if not any(reason.code in _LINK for each in self.reasons() for reason in _all(each)):
            found.extend(self._link())
        return tuple(found)

    def ahead(self) -> int | None:
        """Seconds that the machine's clock is ahead of the acquirer's; None before it has told its own."""
        told = self.core.ledger.host_is_ahead
        if told is not None:
            return -round(told / 1000)
        # Business time never runs back: far behind it the clock is wrong whatever the acquirer says.
        business = moment(self.core.ledger.now())
        ahead = round((self.clock.now() - business).total_seconds())
        return ahead if ahead < -CLOCK_MAY_DIFFER else None

    # -- what stops a sale -----------------------------------------------------------------------

    def _refusal(self) -> Iterator[Reason]:
        money = self.core.money
        match money.refusal():
            case Refusal.RESTORED | Refusal.MOVED | Refusal.CLOSED as refusal:
                yield Reason(code=_PLAIN[refusal])
            case Refusal.REVERSAL_PENDING:
                yield from self._reversals()
            case Refusal.NOT_SIGNED_IN:
                yield self._not_signed_in()
            case Refusal.DISK_FULL:
                yield Reason(code=ErrorCode.DISK_FULL, detail=self._room())
            case Refusal.BATCH_FULL:
                count = self.core.ledger.transactions.unsettled_count()
                yield Reason(code=ErrorCode.BATCH_FULL, detail=f"{count} transactions")
            case Refusal.SETTLEMENT_UNFINISHED:
                yield self._settlement()
            case None:
                if self.core.dialogue.refusal is not None:  # the dialogue has reasons of its own
                    yield from self._printer()
            case other:
                yield Reason(code=ErrorCode.UNEXPECTED, detail=str(other))

    def _full_disk(self) -> Iterator[Reason]:
        """Also behind another reason: money names one, and who mends that one would come back for this."""
        free = self.core.ledger.free_space()
        if free < self.configuration.money.free_space_bytes and self.core.money.refusal() not in (
            Refusal.DISK_FULL,
            Refusal.MOVED,
            Refusal.CLOSED,
        ):
            yield Reason(code=ErrorCode.DISK_FULL, detail=self._room())

    def _reversals(self) -> Iterator[Reason]:
        # One that is open waits for its answer: a sale that is being made is no trouble.
        pending = self.core.ledger.transactions.in_states(State.REVERSING)
        for record in pending[:_MOST]:
            spent = self.core.money.tries_are_spent(record)
            code = ErrorCode.TRIES_SPENT if spent else ErrorCode.REVERSAL_PENDING
            tries = f", sent {record.reversal_tries} times" if record.reversal_tries else ""
            detail = f"voucher {record.stan}, {record.amount / 100:.2f}{tries}"
            yield Reason(code=code, detail=detail, because=tuple(self._why_not_reversed(record)))

    def _why_not_reversed(self, record: TransactionRecord) -> Iterator[Reason]:
        link = tuple(self._link())
        sign_in = self._failed_sign_in()
        if link:
            yield from link
        elif sign_in is not None:
            yield sign_in
        elif record.reversal_code:
            yield _answered(record.reversal_code)
        else:
            yield from self._unusable_exchange()

    def _unusable_exchange(self) -> Iterator[Reason]:
        last = self.core.money.last_exchange
        if last.result == "no_answer":
            yield Reason(code=ErrorCode.NO_ANSWER, detail=last.reason.replace("_", " "))
        elif last.result == "unusable":
            wrong_mac = last.reason == WRONG_MAC
            yield Reason(code=ErrorCode.WRONG_MAC if wrong_mac else ErrorCode.UNUSABLE_ANSWER)

    def _settlement(self) -> Reason:
        unfinished = self.core.money.settlement_unfinished
        assert unfinished is not None
        code = unfinished.response_code
        detail = f"batch {unfinished.batch_number}, {unfinished.state}"
        if code not in ("", "00"):
            detail += f"; {_code_in_words(code)}"
        because = (*self._link(), *self._unusable_exchange())[:1]
        return Reason(code=ErrorCode.SETTLEMENT_UNFINISHED, detail=detail, because=because)

    def _not_signed_in(self) -> Reason:
        failed = self._failed_sign_in()
        if failed is None:
            return Reason(code=ErrorCode.NOT_SIGNED_IN)
        return Reason(code=ErrorCode.NOT_SIGNED_IN, because=(failed,))

    def _failed_sign_in(self) -> Reason | None:
        last = self.core.money.last_sign_in
        code = None if last is None else sign_in_code(last)
        if last is None or code is None:
            return None
        if code in _LINK:
            return next(self._link(), Reason(code=code))
        return Reason(code=code, detail=_code_in_words(last.code) if last.code else "")

    def _link(self) -> Iterator[Reason]:
        if self.core.money.link_trouble:
            reason = self.observations.host_failure or self.core.money.last_exchange.reason
            host = self.configuration.host
            detail = f"{host.address}:{host.port}: {reason.replace('_', ' ')}"
            yield Reason(code=connection_code(reason), detail=detail)

    def _absent(self, role: str) -> Iterator[Reason]:
        if role in self.core.dialogue.devices_missing:
            yield Reason(code=DEVICE_CODES[role], detail=self.observations.device_reason(role))

    # -- what does not stop it -------------------------------------------------------------------

    def _sales_that_fail(self) -> Iterator[Reason]:
        count = self.observations.sign_ins_asked_for
        if count:
            times = "once" if count == 1 else f"{count} times in a row"
            yield Reason(code=ErrorCode.SIGN_IN_AGAIN, detail=f"sales were answered so {times}")

    def _clock(self) -> Iterator[Reason]:
        ahead = self.ahead()
        if ahead is not None and abs(ahead) > CLOCK_MAY_DIFFER:
            detail = f"the machine's clock is {clock_in_words(ahead)}"
            yield Reason(code=ErrorCode.CLOCK, detail=detail)

    def _printer(self) -> Iterator[Reason]:
        dialogue = self.core.dialogue
        if "printer" in dialogue.devices_missing:
            yield from self._absent("printer")
        elif dialogue.printer_trouble == "paper_out":
            yield Reason(code=ErrorCode.PAPER_OUT)
        elif dialogue.printer_trouble:
            detail = dialogue.printer_trouble.replace("_", " ")
            yield Reason(code=ErrorCode.PRINTER_FAULT, detail=detail)

    def _cases(self) -> Iterator[Reason]:
        ledger = self.core.ledger
        newest = ledger.transactions.in_states(State.UNRESOLVED)[-_CASES_LOOKED_AT:]
        for record in [each for each in newest if not is_closed(ledger, each)][:_MOST]:
            yield Reason(code=ErrorCode.UNRESOLVED, detail=f"voucher {record.stan}")

    def _room(self) -> str:
        free, needed = self.core.ledger.free_space(), self.configuration.money.free_space_bytes
        return f"{mebibytes(free)} free, {mebibytes(needed)} needed"


_PLAIN: Final = {
    Refusal.RESTORED: ErrorCode.RESTORED,
    Refusal.MOVED: ErrorCode.MOVED,
    Refusal.CLOSED: ErrorCode.CLOSED,
}
"""Refusals that have no cause but themselves."""
_LINK: Final = (ErrorCode.NO_CONNECTION, ErrorCode.CERTIFICATE)


def mebibytes(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / (1 << 20):.1f} MiB"


def _answered(code: str) -> Reason:
    kind = ErrorCode.SIGN_IN_AGAIN if asks_sign_in(code) else ErrorCode.REVERSAL_REFUSED
    return Reason(code=kind, detail=_code_in_words(code))


def _code_in_words(code: str) -> str:
    return f"the acquirer answers {code} ({look_up(code).en})"


def _all(reason: Reason) -> Iterator[Reason]:
    yield reason
    for each in reason.because:
        yield from _all(each)
