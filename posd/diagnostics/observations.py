"""What has happened, as far as a technician asks afterwards: the last picture, the last troubles.

Told by the daemon of every event when the core has done all of it, and of every picture. Remembers little,
asks nothing of anybody, never raises into the daemon.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from devices.picture import Picture
from posd.core import ports
from posd.core.core import Core
from posd.core.events import (
    DeviceChanged,
    Event,
    HostConnected,
    HostFailed,
    Outcome,
    PrinterChanged,
    SignInEnded,
    TransactionEnded,
)
from posd.ledger.ledger import milliseconds
from posd.money.line import LastExchange
from posd.texts.errors import ErrorCode
from protocol.response_codes import asks_sign_in
from protocol.reversal import WRONG_MAC

_log = structlog.get_logger()

_TROUBLES_KEPT: Final = 20
DEVICE_CODES: Final = {
    "keypad": ErrorCode.KEYPAD,
    "display": ErrorCode.DISPLAY,
    "printer": ErrorCode.PRINTER,
    "card_reader": ErrorCode.CARD_READER,
}
_CERTIFICATE: Final = ("certificate", "TLS")  # how posd.host.connection begins such a reason
_ABSENT: Final = "absent"


class Seen(Struct, frozen=True):
    """One trouble: when last (milliseconds by the machine's clock), how often, and does it last?"""

    at: int
    code: ErrorCode
    detail: str
    count: int = 1
    over: bool = False


class Observations:
    """A bounded memory of what went wrong. `on_event` may be set by who watches."""

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock
        self._core: Core | None = None
        self._exchange = LastExchange()
        self._faults = 0
        self.started = milliseconds(clock.now())
        self.exchange_at = 0
        self.host_failure = ""
        """Why the newest connection could not be made or ended early; "" once one stands."""
        self.sign_ins_asked_for = 0
        """How many financial requests in a row were answered 77, 99 or A0."""
        self.picture: Picture | None = None
        self.device_reason: Callable[[str], str] = lambda _role: ""
        self.on_event: Callable[[Event], None] | None = None
        self._troubles: deque[Seen] = deque(maxlen=_TROUBLES_KEPT)

    @property
    def troubles(self) -> list[Seen]:
        """Newest first."""
        return sorted(self._troubles, key=lambda seen: seen.at, reverse=True)

    def look_at(self, core: Core) -> None:
        """From now on every event of this core comes here."""
        self._core = core
        core.observe = self._observe

    def show(self, picture: Picture) -> None:
        """This is what the display shows from now on."""
        self.picture = picture

    def _observe(self, event: Event) -> None:
        try:
            self._note(event)
            if self.on_event is not None:
                self.on_event(event)
        except Exception as error:  # noqa: BLE001 - who looks on never disturbs what is looked at
            _log.error("observer_failed", event_kind=type(event).__name__, exc_info=error)

    def _note(self, event: Event) -> None:
        assert self._core is not None
        match event:
            case DeviceChanged():
                code = DEVICE_CODES[event.role]
                self._set(code, self.device_reason(event.role), over=event.present)
            case PrinterChanged():
                self._printer(event.trouble)
            case HostConnected():
                self.host_failure = ""
                self._set(ErrorCode.NO_CONNECTION, over=True)
                self._set(ErrorCode.CERTIFICATE, over=True)
            case HostFailed():
                self.host_failure = event.reason
            case SignInEnded():
                self._sign_in(event)
            case TransactionEnded():
                self._transaction(event, self._core)
        self._look_at_exchange(self._core)
        if self._core.faults > self._faults:
            self._faults = self._core.faults
            self._set(ErrorCode.UNEXPECTED, type(event).__name__)

    def _printer(self, trouble: str) -> None:
        self._set(ErrorCode.PAPER_OUT, over=trouble != "paper_out")
        other = trouble not in ("", "paper_out", _ABSENT)
        self._set(ErrorCode.PRINTER_FAULT, trouble, over=not other)

    def _sign_in(self, event: SignInEnded) -> None:
        code = sign_in_code(event)
        for each in (ErrorCode.SIGN_IN_REFUSED, ErrorCode.WRONG_KEYS):
            self._set(each, event.code and f"code {event.code}", over=each is not code)

    def _look_at_exchange(self, core: Core) -> None:
        """Exchanges that nobody at the terminal asked for are told by nothing else."""
        last = core.money.last_exchange
        if last.number == self._exchange.number:
            return
        self._exchange = last
        self.exchange_at = milliseconds(self._clock.now())
        if last.result == "not_connected":
            self.host_failure = self.host_failure or last.reason
            self._set(connection_code(self.host_failure), self.host_failure)
        elif last.result == "no_answer":
            self._set(ErrorCode.NO_ANSWER, last.reason)
        elif last.result == "unusable":
            wrong_mac = last.reason == WRONG_MAC
            self._set(ErrorCode.WRONG_MAC if wrong_mac else ErrorCode.UNUSABLE_ANSWER)
        else:
            for code in (ErrorCode.NO_ANSWER, ErrorCode.WRONG_MAC, ErrorCode.UNUSABLE_ANSWER):
                self._set(code, over=True)

    def _transaction(self, event: TransactionEnded, core: Core) -> None:
        record = core.ledger.transactions.get(event.transaction)
        if event.outcome is Outcome.UNRESOLVED:
            self._set(ErrorCode.UNRESOLVED, f"voucher {record.stan}")
        elif event.outcome is Outcome.REVERSAL_PENDING:
            self._set(ErrorCode.REVERSAL_PENDING, f"voucher {record.stan}")
        elif event.outcome is Outcome.REVERSED:
            self._set(ErrorCode.REVERSAL_PENDING, over=True)
        elif event.outcome is Outcome.DECLINED and asks_sign_in(record.response_code):
            self.sign_ins_asked_for += 1
            self._set(ErrorCode.SIGN_IN_AGAIN, f"code {record.response_code}")
        elif event.outcome in (Outcome.APPROVED, Outcome.DECLINED):
            self.sign_ins_asked_for = 0
            self._set(ErrorCode.SIGN_IN_AGAIN, over=True)

    def _set(self, code: ErrorCode, detail: str = "", *, over: bool = False) -> None:
        """Note a trouble, once more when it is the same one; or that it is over, if it was there."""
        now = milliseconds(self._clock.now())
        for place, seen in enumerate(self._troubles):
            if seen.code is not code:
                continue
            if over:
                self._troubles[place] = replace(seen, over=True)
            elif seen.detail == detail:
                count = 1 if seen.over else seen.count + 1
                self._troubles[place] = replace(seen, at=now, count=count, over=False)
                return
        if not over:
            self._troubles.append(Seen(now, code, detail))


class WatchedDisplay:
    """The `Display` port, and a memory of what was shown last."""

    def __init__(self, display: ports.Display, observations: Observations) -> None:
        self._display = display
        self._observations = observations

    def show(self, picture: Picture) -> None:
        """Show it, and remember it."""
        self._observations.show(picture)
        self._display.show(picture)


def sign_in_code(event: SignInEnded) -> ErrorCode | None:
    """The error code of a sign-in's end; None for one that went well."""
    if event.signed_in or event.reason in ("", "signed_off"):
        return None
    return {
        "refused": ErrorCode.SIGN_IN_REFUSED,
        "no_keys": ErrorCode.SIGN_IN_REFUSED,
        "bad_keys": ErrorCode.WRONG_KEYS,
        "not_connected": ErrorCode.NO_CONNECTION,
        "untrusted": ErrorCode.CERTIFICATE,
        "no_answer": ErrorCode.NO_ANSWER,
    }.get(event.reason, ErrorCode.UNUSABLE_ANSWER)


def connection_code(reason: str) -> ErrorCode:
    """Why no connection could be made: the network, or who answered could not prove who it is."""
    refused = reason.startswith(_CERTIFICATE) or "certificate" in reason
    return ErrorCode.CERTIFICATE if refused else ErrorCode.NO_CONNECTION
