"""What a sign-in gives and how long it lasts: working keys, the operator, the business day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from posd.core.ports import Clock
from posd.keys import Keys, SealBroken
from posd.ledger.ledger import Ledger, milliseconds, moment
from protocol import Dialect, Message, ProtocolError
from protocol.keys import WorkingKeys, working_keys

log = structlog.get_logger()

_SEALED_AS = "settings/working_keys"
_DAY = 86_400_000  # ms
_SIGN_IN_REQUESTED = "3"  # processing requirement (dialect: frame)
_REQUIREMENT = 5  # its place in the header


class Session:
    """The terminal's standing with the host. Writes only inside a commit of the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        keys: Keys,
        dialect: Dialect,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        first_operator: str,
    ) -> None:
        self._ledger = ledger
        self._keys = keys
        self._dialect = dialect
        self._clock = clock
        self._random_bytes = random_bytes
        self._day = (-1, "")  # since 1970, and as it is written
        self.operator: str = ledger.settings.get("operator", first_operator)
        self.working: WorkingKeys | None = self._stored_keys()
        self._signed_in_on: str = ledger.settings.get("signed_in_on", "")
        self._demanded: bool = ledger.settings.get("sign_in_demanded", False)

    @property
    def signed_in(self) -> bool:
        """May a financial request be sent? Not at a new day, and not after the host asked for a sign-in."""
        return self.has_session and not self._demanded and self._signed_in_on == self.business_day

    @property
    def has_session(self) -> bool:
        """Keys are there and the clerk has not signed off; a sign-in may be due all the same."""
        return self.working is not None and self._signed_in_on != ""

    @property
    def must_sign_in_before_repeating(self) -> bool:
        """Without keys, or when the host no longer takes the ones we hold, even a reversal needs new ones."""
        return self.working is None or self._demanded

    @property
    def business_day(self) -> str:
        """YYYY-MM-DD by the business clock."""
        number, name = self._day
        today = self._ledger.now() // _DAY
        if today != number:
            name = moment(today * _DAY).date().isoformat()
            self._day = today, name
        return name

    @property
    def host_date(self) -> str:
        """MMDD that the host books under, as far as today's answers told; else the business day's."""
        seen = self._ledger.settings.get("host_date")
        today = self.business_day
        if seen is not None and seen[0] == today:
            return str(seen[1])
        return today[5:7] + today[8:10]

    def signed_in_with(
        self, answer: Message, received: bytes, keys: WorkingKeys, operator: str
    ) -> None:
        """Store what a sign-in brought: keys as received, batch number, clock, day, operator."""
        settings = self._ledger.settings
        business_time = self._host_time(answer)
        if business_time is not None:
            self._ledger.set_business_time(business_time)
        batch_number = str(answer.elements[60])[2:8]
        known = self._ledger.counters.batch_number
        if self._ledger.batches.unfinished() is not None:
            self._ledger.batches.keep_batch_number(batch_number)
        elif batch_number != known:
            if self._ledger.transactions.unsettled_count():
                self._ledger.audit.add(
                    self._ledger.now(), "host", "batch_number_changed_with_open_batch",
                    {"from": known, "to": batch_number},
                )  # fmt: skip
                log.warning("sign_in.batch_number_changed", known=known, now=batch_number)
            self._ledger.counters.adopt_batch_number(batch_number)
        sealed = self._keys.seal(received, _SEALED_AS, self._random_bytes)
        settings.put("working_keys", sealed)
        settings.put("operator", operator)
        settings.put("sign_in_demanded", False)
        settings.put("signed_in_on", self.business_day)
        if self.working is not None:
            self.working.wipe()
        self.working, self.operator, self._demanded = keys, operator, False
        self._signed_in_on = self.business_day

    def signed_off(self) -> None:
        """No new business until the next sign-in; the keys stay, a reversal may still need them."""
        self._ledger.settings.put("signed_in_on", "")
        self._signed_in_on = ""

    def demand_sign_in(self) -> None:
        """The host asked for it: response 77, 99, A0, a wrong MAC, or the header."""
        if not self._demanded:
            self._ledger.settings.put("sign_in_demanded", True)
            self._demanded = True

    def heard(self, answer: Message) -> None:
        """Look at what every answer may carry: the host's date, and what it wants done next."""
        date = answer.get(15) or answer.get(13)
        if isinstance(date, str):
            seen = [self.business_day, date]
            if self._ledger.settings.get("host_date") != seen:
                self._ledger.settings.put("host_date", seen)
        if answer.header is not None and answer.header[_REQUIREMENT] == _SIGN_IN_REQUESTED:
            self.demand_sign_in()

    def _stored_keys(self) -> WorkingKeys | None:
        sealed = self._ledger.settings.get("working_keys")
        if sealed is None:
            return None
        try:
            received = self._keys.open(sealed, _SEALED_AS)
            return working_keys(received, self._keys.master, self._dialect)
        except (SealBroken, ProtocolError) as error:
            log.error("keys.stored_working_keys_unusable", error=type(error).__name__)
            return None

    def _host_time(self, answer: Message) -> int | None:
        """Elements 12 and 13 with the year that brings them nearest to the machine's clock."""
        time, date = answer.get(12), answer.get(13)
        if not isinstance(time, str) or not isinstance(date, str):
            return None
        now = self._clock.now()
        candidates = []
        for year in (now.year - 1, now.year, now.year + 1):
            try:
                candidates.append(datetime.fromisoformat(f"{year}{date}T{time}"))
            except ValueError:
                continue  # a 29 February that this year has not, or no time at all
        if not candidates:
            log.warning("sign_in.host_time_unreadable")
            return None

        def distance(candidate: datetime) -> timedelta:
            return abs(candidate - now)

        return milliseconds(min(candidates, key=distance))
