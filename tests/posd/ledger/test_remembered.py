"""What is asked after every event is read once, until something is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from posd.ledger.database import Database
from posd.ledger.errors import LedgerFailed


class Counted:
    """A question, and how often it was put to the file."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.times = 0

    def ask(self) -> int:
        self.times += 1
        row = self.database.one("SELECT coalesce(max(value), 0) FROM counters")
        assert row is not None
        return int(row[0])

    def remembered(self, question: object = "highest") -> int:
        return self.database.remembered(question, self.ask)


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(path)
    yield database
    database.close()


def put(database: Database, value: int) -> None:
    with database.commit("counter"):
        database.write("INSERT OR REPLACE INTO counters VALUES ('stan', ?)", (value,))


def test_it_is_read_once_while_nothing_is_written(database: Database) -> None:
    counted = Counted(database)
    assert [counted.remembered() for _ in range(3)] == [0, 0, 0]
    assert counted.times == 1


def test_what_is_written_is_in_the_next_answer(database: Database) -> None:
    counted = Counted(database)
    for value in (7, 8):
        put(database, value)
        assert counted.remembered() == value


def test_a_commit_sees_what_it_has_written_itself(database: Database) -> None:
    counted = Counted(database)
    counted.remembered()
    with database.commit("counter"):
        database.write("INSERT INTO counters VALUES ('stan', 7)")
        assert counted.remembered() == 7


def test_what_was_rolled_back_is_never_remembered(database: Database) -> None:
    counted = Counted(database)

    def write_look_and_fail() -> None:
        with database.commit("counter"):
            database.write("INSERT INTO counters VALUES ('stan', 7)")
            counted.remembered()
            raise ValueError("the caller's own")

    with pytest.raises(ValueError, match="the caller's own"):
        write_look_and_fail()
    assert counted.remembered() == 0


def test_another_question_has_another_answer(database: Database) -> None:
    counted = Counted(database)
    counted.remembered("one")
    counted.remembered("other")
    assert counted.times == 2


def test_the_memory_does_not_grow_with_the_questions(database: Database) -> None:
    counted = Counted(database)
    for question in range(1000):
        counted.remembered(question)
    assert len(database._remembered) <= 64


def test_after_an_error_nothing_is_answered_from_memory(database: Database) -> None:
    counted = Counted(database)
    counted.remembered()
    with pytest.raises(LedgerFailed):
        database.one("SELECT no_such_column FROM counters")
    with pytest.raises(LedgerFailed):
        counted.remembered()
