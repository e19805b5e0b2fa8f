"""What the core may ask for. No port blocks, raises or answers directly: results come back as events."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from devices.picture import Picture
from devices.slip import Slip
from protocol import Key as CipherKey
from protocol import Pan


class Display(Protocol):
    def show(self, picture: Picture) -> None:
        """Make the screen look like this; only the newest picture counts."""


class Printer(Protocol):
    def print(self, job: int, slip: Slip) -> None:
        """Print one slip; answered by exactly one PrintEnded with this job number."""


class Host(Protocol):
    """One connection an exchange (money M17). Numbers are chosen by the core and never used twice."""

    def connect(self, exchange: int) -> None:
        """Answered by HostConnected or HostFailed; HostFailed again when an open connection ends."""

    def send(self, exchange: int, frame: bytes) -> None:
        """Hand these bytes to the established connection: from here on they count as sent (M9)."""

    def close(self, exchange: int) -> None:
        """Close the connection; nothing is reported for this exchange afterwards."""


class Timers(Protocol):
    """Time-outs on the monotonic clock."""

    def start(self, serial: int, seconds: float) -> None:
        """Answered by TimerFired with this serial after so many seconds, unless stopped."""

    def stop(self, serial: int) -> None:
        """Forget it; a TimerFired already on its way is stale."""


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds; never jumps, keeps no relation to the date."""

    def now(self) -> datetime:
        """The machine's date and time, local and naive; it may be wrong and may jump."""


class Randomness(Protocol):
    def __call__(self, length: int) -> bytes:
        """So many unpredictable bytes (from a seed in the simulator)."""


class PasswordVerifier(Struct, frozen=True):
    """What is needed to check a password: scrypt over HMAC(device key, password)."""

    salt: bytes
    verifier: bytes


class SecretEntry(Protocol):
    """PIN and password prompts. Between ask and done, digits, 清除 and 确认 go to the prompt, not here.

    清除 on an empty prompt, 取消, ▲ ▼ and 功能 reach the core as KeyPressed. Digits typed before the
    prompt was opened are discarded.
    """

    def ask_pin(self, entry: int, pan: Pan, pin_key: CipherKey, may_be_empty: bool) -> None:
        """4 to 12 digits; answered by SecretTyped after each key and PinEntered at 确认."""

    def ask_password(self, entry: int, verifier: PasswordVerifier) -> None:
        """Answered by SecretTyped after each key and PasswordChecked after 确认."""

    def ask_new_password(
        self, entry: int, shortest: int, salt: bytes, refused: frozenset[str]
    ) -> None:
        """A new password, typed twice: shortest to 12 digits, none of refused.

        Answered by SecretTyped after each key, PasswordRepeat when it is to be typed again, and
        PasswordChosen, with which the prompt has ended.
        """

    def close(self, entry: int) -> None:
        """Forget what was typed; keys go to the core again."""


class Drills(Protocol):
    """What a training may do to its own host and printer. There is no such port outside training."""

    def lose_answer(self) -> None:
        """The host does the next sale, and its answer never arrives."""

    def end_paper(self) -> None:
        """The next slip finds no paper; the one after it does."""


class Ports(Struct, frozen=True):
    """Everything the core is handed by the edge that runs it."""

    display: Display
    printer: Printer
    host: Host
    timers: Timers
    clock: Clock
    random_bytes: Randomness
    secret_entry: SecretEntry
    drills: Drills | None = None  # in training only
