"""The counters: STAN (voucher numbers) and the batch number for new requests."""

from __future__ import annotations

from posd.ledger.database import Database
from posd.ledger.records import IN_DOUBT

LAST_STAN = 999_999
LAST_BATCH_NUMBER = 999_999


class Counters:
    """Numbers that are committed before they are used (money M2)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_stan(self) -> str:
        """The next free number, 000001..999999, counted inside the present commit.

        Skips every number that the open batch or a case in doubt still uses, as transaction or order; and
        those of batches before it that were closed without the acquirer, whose own batch still holds them:
        a reversal of the new transaction would there find the old one.
        """
        value = self._value("stan")
        for _ in range(LAST_STAN):
            value = value % LAST_STAN + 1
            stan = f"{value:06d}"
            if not self._in_use(stan):
                self._put("stan", value)
                return stan
        raise AssertionError("a batch holds every voucher number")

    def jump_stan(self, distance: int) -> None:
        """Move the counter ahead, with its wrap (money M2, M16)."""
        self._put("stan", (self._value("stan") + distance - 1) % LAST_STAN + 1)

    def _in_use(self, stan: str) -> bool:
        doubt = ", ".join(f"'{state}'" for state in sorted(IN_DOUBT))
        row = self._database.one(
            f"""SELECT EXISTS (SELECT 1 FROM transactions t WHERE t.stan = ?1 AND (
                    t.state IN ({doubt}) OR NOT EXISTS (SELECT 1 FROM settlements s
                        WHERE s.batch >= t.batch AND s.state = 'closed' AND s.closed_by = '')))
                OR EXISTS (SELECT 1 FROM orders o WHERE o.number = ?1 AND (
                    o.state = 'unpaid' OR o.batch = (SELECT max(id) FROM batches)))""",  # noqa: S608 - constants
            (stan,),
        )
        assert row is not None
        return bool(row[0])

    @property
    def batch_number(self) -> str:
        """60.2 of new requests: what the last sign-in said, 000001 before the first."""
        return f"{self._value('batch_number', 1):06d}"

    def adopt_batch_number(self, number: str) -> None:
        """The host's batch number, 6 digits, for requests from now on."""
        self._put("batch_number", int(number))

    @property
    def open_batch(self) -> int:
        """The ledger's own batch: an identity that only settlement closes."""
        row = self._database.one("SELECT max(id) FROM batches")
        assert row is not None
        return int(row[0])

    @property
    def generation(self) -> int:
        return self._value("generation")

    def set_generation(self, value: int) -> None:
        self._put("generation", value)

    def _value(self, name: str, before_first: int = 0) -> int:
        row = self._database.one("SELECT value FROM counters WHERE name = ?", (name,))
        return before_first if row is None else int(row["value"])

    def _put(self, name: str, value: int) -> None:
        self._database.write(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (name, value),
        )
