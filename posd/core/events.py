"""What can happen: everything the core is ever told, as frozen values.

Events come from the edges (keys, cards, host, printer, timers) and from the money core, which reports to
the dialogue in the same way. A result carries the id of what it answers; a stale one is dropped and counted.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from posd.core.ports import PasswordVerifier
from protocol import PinBlock, Track


class Key(StrEnum):
    """The keys of the keypad, as the dialogue names them (a digit is its own character)."""

    D0 = "0"
    D1 = "1"
    D2 = "2"
    D3 = "3"
    D4 = "4"
    D5 = "5"
    D6 = "6"
    D7 = "7"
    D8 = "8"
    D9 = "9"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    CLEAR = "clear"
    UP = "up"
    DOWN = "down"
    FUNCTION = "function"


class PoweredUp(Struct, frozen=True):
    """The first event of a process: recovery has been done, the edges are running."""


class KeyPressed(Struct, frozen=True):
    """A key outside a PIN or password prompt (inside one, digits and 确认 never reach the core)."""

    key: Key


class CardSwiped(Struct, frozen=True):
    """A swipe whose track 2 passed every check of the reader."""

    track2: Track
    track3: Track | None = None


class CardUnreadable(Struct, frozen=True):
    """A swipe that cannot be used; reason is one of the card reader's reasons, never card data."""

    reason: str


class SecretTyped(Struct, frozen=True):
    """So many characters stand in the open PIN or password prompt.

    too_few: 确认 was pressed, and they are not enough.
    """

    entry: int
    length: int
    too_few: bool = False


class PinEntered(Struct, frozen=True):
    """The PIN prompt was confirmed; None is a confirmation with no PIN."""

    entry: int
    pin_block: PinBlock | None


class PasswordChecked(Struct, frozen=True):
    """The password prompt was confirmed and what was typed was compared, off the event loop."""

    entry: int
    matches: bool


class PasswordRepeat(Struct, frozen=True):
    """The new password can be one; it is to be typed once more."""

    entry: int


class PasswordChosen(Struct, frozen=True):
    """What is to be stored of a new password; None with a problem: differs, factory, failed."""

    entry: int
    verifier: PasswordVerifier | None
    problem: str = ""


class TimerFired(Struct, frozen=True):
    serial: int


class HostConnected(Struct, frozen=True):
    """The connection of this exchange is established; nothing has been sent on it."""

    exchange: int


class HostReceived(Struct, frozen=True):
    """One whole frame (LEN included) arrived on the connection of this exchange."""

    exchange: int
    frame: bytes


class HostFailed(Struct, frozen=True):
    """The connection of this exchange could not be made, or ended; reason is for the log.

    untrusted: somebody was there and could not prove to be the acquirer.
    """

    exchange: int
    reason: str
    untrusted: bool = False


class PrintEnded(Struct, frozen=True):
    """A print job ended. perhaps_complete: the paper may hold the whole slip although it failed."""

    job: int
    printed: bool
    reason: str = ""
    perhaps_complete: bool = False


class PrinterChanged(Struct, frozen=True):
    """What the printer says of itself; trouble is "" or paper_out, cover_open, offline, absent..."""

    trouble: str
    paper_low: bool = False


class DeviceChanged(Struct, frozen=True):
    """A device (keypad, display, printer, card_reader) is there or is gone."""

    role: str
    present: bool


class Outcome(StrEnum):
    """How an intent stands when the money core reports it (money M4)."""

    NOT_SENT = "not_sent"
    APPROVED = "approved"
    DECLINED = "declined"
    REVERSED = "reversed"
    REVERSAL_PENDING = "reversal_pending"
    UNRESOLVED = "unresolved"
    NO_ANSWER = "no_answer"  # a balance inquiry
    PENDING = "pending"  # a notice that is repeated: neither done nor declined


class Phase(StrEnum):
    """What the host line is doing, for the waiting screens."""

    SIGNING_IN = "signing_in"
    CONNECTING = "connecting"
    WAITING = "waiting"
    REVERSING = "reversing"
    REPEATING = "repeating"  # a pending notice goes out again


class MoneyProgress(Struct, frozen=True):
    """The exchange entered a phase; transaction is None when no intent is concerned."""

    phase: Phase
    transaction: int | None
    seconds: float


class TransactionEnded(Struct, frozen=True):
    """The request that the dialogue made stands so. The ledger holds everything else.

    REVERSAL_PENDING may be followed by REVERSED or UNRESOLVED for the same transaction later, PENDING
    by APPROVED, DECLINED or UNRESOLVED; either may be said more than once.
    """

    transaction: int
    outcome: Outcome


class RequestRefused(Struct, frozen=True):
    """Nothing was stored or sent: reason is a Refusal's value (posd.money.money)."""

    reason: str
    code: str = ""


class SignInEnded(Struct, frozen=True):
    """Sign-in or sign-off ended. code is element 39 where the host answered, reason a word for the texts."""

    signed_in: bool
    reason: str = ""
    code: str = ""


class SettlementStep(StrEnum):
    """What a settlement is doing, for the waiting screen."""

    TOTALS = "totals"  # the totals go to the host
    UPLOAD = "upload"  # message number of so many
    END = "end"  # the message that ends the upload


class SettlementProgress(Struct, frozen=True):
    """A settlement's next message. number, of: which upload of how many; seconds: until it is given up."""

    step: SettlementStep
    number: int
    of: int
    seconds: float


class SettlementEnded(Struct, frozen=True):
    """It came to its end (settled), or is left where it stands: nothing of it is lost.

    reason: "" or not_connected, no_answer, refused, sign_in_failed. code: element 39 of a refusal, or
    the result of element 48 that was none. settlement is None when none has begun.
    """

    settled: bool
    settlement: int | None
    reason: str = ""
    code: str = ""


class SettlementDue(Struct, frozen=True):
    """The time of day for settling has come, and something is stored. Said again until it is done."""


Event = (
    PoweredUp
    | KeyPressed
    | CardSwiped
    | CardUnreadable
    | SecretTyped
    | PinEntered
    | PasswordChecked
    | PasswordRepeat
    | PasswordChosen
    | TimerFired
    | HostConnected
    | HostReceived
    | HostFailed
    | PrintEnded
    | PrinterChanged
    | DeviceChanged
    | MoneyProgress
    | TransactionEnded
    | RequestRefused
    | SignInEnded
    | SettlementProgress
    | SettlementEnded
    | SettlementDue
)
