"""Who may do what: operators, their passwords as verifiers, and the lock-out of each role."""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

from posd import passwords
from posd.core.ports import Clock, PasswordVerifier
from posd.keys import Keys
from posd.ledger.database import Database
from posd.ledger.pack import pack, unpack

SUPERVISOR: Final = "00"
ADMINISTRATOR: Final = "99"
ROLES: Final = ("cashier", "supervisor", "administrator")

FACTORY_PASSWORDS: Final = {"cashier": "0000", "supervisor": "123456", "administrator": "12345678"}
"""As every manual prints them, by role."""

FACTORY_OPERATORS: Final = {
    **{f"{number:02d}": "cashier" for number in range(1, 6)},
    SUPERVISOR: "supervisor",
    ADMINISTRATOR: "administrator",
}
"""Who a new ledger knows, by number."""

WRONG_PASSWORDS_BEFORE_LOCK: Final = 3
FIRST_LOCK_SECONDS: Final = 5 * 60
LONGEST_LOCK_SECONDS: Final = 24 * 60 * 60  # doubling ends here: a locked shop must open again

_FACTORY_OFF: Final = "factory_passwords_off"


class Operator(Struct, frozen=True):
    """number: 2 digits. role: one of ROLES."""

    number: str
    role: str


class FactoryPasswordsInUse(ValueError):
    """Supervisor or administrator would be left without a password: whose it is."""


class Operators:
    """Numbers, roles and passwords; writes only inside a commit of the ledger.

    The lock-out of a role counts running time and is kept across restarts: what is left of it is in
    the file as of the last note.
    """

    def __init__(self, database: Database, clock: Clock, keys: Keys) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        # Monotonic times. A lock that is found in the file goes on now: time without power does not count.
        self._locked_until: dict[str, float] = {}
        self._started = clock.monotonic()

    # --- who there is -----------------------------------------------------------------------------

    def all(self) -> list[Operator]:
        """By number."""
        rows = self._database.all("SELECT number, role FROM operators ORDER BY number")
        return [Operator(row["number"], row["role"]) for row in rows]

    def get(self, number: str) -> Operator | None:
        """None: there is no such operator."""
        row = self._database.one("SELECT role FROM operators WHERE number = ?", (number,))
        return None if row is None else Operator(number, row["role"])

    def set_password(self, number: str, role: str, verifier: PasswordVerifier) -> None:
        """Give an operator this password and role; one who does not exist is added."""
        assert role in ROLES, role
        self._database.write(
            """INSERT INTO operators (number, role, salt, verifier) VALUES (?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET role = excluded.role, salt = excluded.salt,
               verifier = excluded.verifier""",
            (number, role, verifier.salt, verifier.verifier),
        )

    def remove(self, number: str) -> bool:
        """Delete a cashier; False for anybody else and for nobody."""
        cursor = self._database.write(
            "DELETE FROM operators WHERE number = ? AND role = 'cashier'", (number,)
        )
        return cursor.rowcount == 1

    def verifier(self, number: str) -> PasswordVerifier:
        """Raises KeyError for an operator who does not exist."""
        row = self._database.one("SELECT salt, verifier FROM operators WHERE number = ?", (number,))
        if row is None:
            raise KeyError(number)
        return PasswordVerifier(row["salt"], row["verifier"])

    def has_unsettled(self, number: str) -> bool:
        """Does a settlement, or a case in doubt, still need to know this operator?"""
        row = self._database.one(
            """SELECT EXISTS (SELECT 1 FROM transactions
                   WHERE batch = (SELECT max(id) FROM batches) AND operator = ?1
                   AND state IN ('approved', 'voided', 'completed'))
               OR EXISTS (SELECT 1 FROM transactions WHERE operator = ?1
                   AND state IN ('open', 'reversing', 'pending', 'unresolved'))""",
            (number,),
        )
        assert row is not None
        return bool(row[0])

    # --- factory values ---------------------------------------------------------------------------

    @property
    def factory_passwords_off(self) -> bool:
        """Is nobody to have the password of the manual?"""
        row = self._database.one("SELECT value FROM settings WHERE name = ?", (_FACTORY_OFF,))
        return row is not None and bool(unpack(row["value"]))

    def has_factory_password(self, number: str) -> bool:
        """Compares, which takes as long as any comparison of a password: not for a loop that serves.

        Raises KeyError for an operator who does not exist.
        """
        operator, stored = self.get(number), self.verifier(number)
        assert operator is not None
        return passwords.matches(
            self._keys.device,
            FACTORY_PASSWORDS[operator.role],
            stored.salt,
            stored.verifier,
            self._keys.password_cost,
        )

    def turn_factory_passwords_off(self) -> list[str]:
        """From now on nobody has one, and none can be chosen: cashiers who have one are deleted.

        A supervisor adds them again with passwords of their own. Returns their numbers. Raises
        FactoryPasswordsInUse, and changes nothing, while supervisor or administrator has one.
        """
        found = [each for each in self.all() if self.has_factory_password(each.number)]
        for operator in found:
            if operator.role != "cashier":
                raise FactoryPasswordsInUse(operator.number)
        for operator in found:
            self.remove(operator.number)
        self._database.write(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (_FACTORY_OFF, pack(True)),
        )
        return [operator.number for operator in found]

    # --- the lock-out -----------------------------------------------------------------------------

    def lock(self, role: str) -> float:
        """Seconds until this role's password is asked again; 0 when it is not locked."""
        row = self._database.one(
            "SELECT locked_seconds FROM password_locks WHERE role = ?", (role,)
        )
        if row is None or not row["locked_seconds"]:
            return 0.0
        until = self._locked_until.setdefault(role, self._started + row["locked_seconds"])
        return max(0.0, until - self._clock.monotonic())

    def some_lock_runs(self) -> bool:
        """Is there a lock whose end is not in the file yet?"""
        found = self._database.one("SELECT 1 FROM password_locks WHERE locked_seconds > 0 LIMIT 1")
        return found is not None

    def note_lock_time(self) -> None:
        """How long each locked role has still to wait, into the file, in whole seconds."""
        for row in self._database.all("SELECT role FROM password_locks WHERE locked_seconds > 0"):
            left = math.ceil(self.lock(row["role"]))
            self._database.write(
                "UPDATE password_locks SET locked_seconds = ? WHERE role = ?", (left, row["role"])
            )

    def failed(self, role: str) -> bool:
        """A wrong password: the third one in a row locks the role. True when it is locked now."""
        row = self._database.one("SELECT * FROM password_locks WHERE role = ?", (role,))
        failures, locks = (row["failures"], row["locks"]) if row else (0, 0)
        failures += 1
        seconds = 0
        if failures >= WRONG_PASSWORDS_BEFORE_LOCK:
            seconds = min(FIRST_LOCK_SECONDS << min(locks, 16), LONGEST_LOCK_SECONDS)
            failures, locks = 0, locks + 1
            self._locked_until[role] = self._clock.monotonic() + seconds
        self._database.write(
            """INSERT INTO password_locks VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
               failures = excluded.failures, locks = excluded.locks,
               locked_seconds = excluded.locked_seconds""",
            (role, failures, locks, seconds),
        )
        return seconds > 0

    def succeeded(self, role: str) -> None:
        """The right password: forget what was wrong before."""
        self._database.write("DELETE FROM password_locks WHERE role = ?", (role,))
