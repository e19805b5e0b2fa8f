"""Moving house: whatever is interrupted, nothing is lost and never do two terminals trade with one ledger."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from posd import moving_archive
from posd.edges import system_random
from posd.keys import Keys
from posd.ledger.inspection import inspect
from posd.ledger.ledger import Ledger
from posd.ledger.records import State
from posd.ledger.retirement import retirement_of
from posd.money.recovery import recover
from posd.moving import ARRIVED, MovedIn, MovedOut, MoveRefused, move_in, move_out, remembered
from posd.moving_archive import ArchiveError, read_archive
from protocol import Key
from tests.posd.ledger.rig import SeededBytes, TurnedClock, intent

PASSPHRASE = "correct horse battery"
WHO = ("T0000001", "M00000000000001")
CARD = "6225000000000014"


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving_archive, "SCRYPT_COST", 2**14)


class House:
    """A terminal without its daemon: a ledger under a device key of its own."""

    def __init__(self, directory: Path, device: bytes) -> None:
        directory.mkdir()
        self.path = directory / "ledger.db"
        self.keys = Keys(device, Key(bytes(16)), 2)
        self.clock = TurnedClock()

    def open(self, observe: Callable[[str], None] = lambda _point: None) -> Ledger:
        return Ledger.open(self.path, self.keys, self.clock, SeededBytes(), observe)

    def trade(self, *states: State) -> None:
        with closing(self.open()) as ledger:
            for state in states:
                with ledger.commit("intent"):
                    identity = ledger.transactions.add(intent(ledger.counters.next_stan()))
                if state is not State.OPEN:
                    with ledger.commit("outcome"):
                        ledger.transactions.move(identity, [State.OPEN], state, answer={39: "00"})

    def password(self, number: str, role: str, digits: str) -> None:
        with closing(self.open()) as ledger, ledger.commit("password"):
            verifier = self.keys.verifier(digits, SeededBytes())
            ledger.operators.set_password(number, role, verifier)

    def story(self) -> list[tuple[Any, ...]]:
        """Every transaction with its card, and every step's name."""
        with closing(self.open()) as ledger:
            found: list[tuple[Any, ...]] = []
            for record in ledger.transactions.in_batch(ledger.counters.open_batch):
                number, expiry = ledger.transactions.card(record.id)
                steps = [step.what for step in ledger.transactions.steps(record.id)]
                found.append(
                    (
                        record.id,
                        record.stan,
                        record.amount,
                        record.state,
                        number.reveal(),
                        expiry,
                        steps,
                    )
                )
            return found


@pytest.fixture
def old(tmp_path: Path) -> House:
    house = House(tmp_path / "old", b"\x01" * 32)
    house.password("07", "cashier", "4711")
    house.trade(State.APPROVED, State.DECLINED)
    return house


@pytest.fixture
def new(tmp_path: Path) -> House:
    house = House(tmp_path / "new", b"\x02" * 32)
    house.password("00", "supervisor", "135790")
    return house


def out(house: House, archive: Path, *, force: bool = True, **more: Any) -> MovedOut:
    return move_out(house.open(), WHO, archive, PASSPHRASE, system_random, force=force, **more)


def into(house: House, archive: Path, who: tuple[str, str] = WHO, **more: Any) -> MovedIn:
    house.clock.turn(1)  # every ledger that is put away has a name of its own
    now = house.clock.now()
    return move_in(house.open(), who, archive, PASSPHRASE, now, system_random, **more)


def retired(house: House) -> bool:
    with closing(house.open()) as ledger:
        return retirement_of(ledger) is not None


# --- what arrives ---------------------------------------------------------------------------------


def test_everything_arrives_and_its_cards_open_under_the_other_device_key(
    old: House, new: House, tmp_path: Path
) -> None:
    before = old.story()
    out(old, tmp_path / "archive")
    into(new, tmp_path / "archive")
    assert new.story() == before
    assert before[0][4] == CARD
    assert inspect(new.path).broken == ()


def test_no_card_number_is_readable_on_the_way(old: House, tmp_path: Path) -> None:
    out(old, tmp_path / "archive")
    assert CARD.encode() not in (tmp_path / "archive").read_bytes()
    assert old.keys.device not in (tmp_path / "archive").read_bytes()
    assert sorted(path.name for path in old.path.parent.iterdir()) == [
        "ledger.db", "ledger.db.generation", "ledger.db.reserve", "ledger.db.retired",
    ]  # fmt: skip


def test_what_arrives_is_a_restore(old: House, new: House, tmp_path: Path) -> None:
    old.trade(State.REVERSING, State.PENDING)
    moved = out(old, tmp_path / "archive")
    assert len(moved.given_up) == 2
    assert into(new, tmp_path / "archive").unresolved == 2
    with closing(new.open()) as ledger:
        stan = ledger.counters.next_stan
        assert ledger.settings.get("restored") is True
        assert recover(ledger, 10_000)
        assert not ledger.transactions.in_states(State.OPEN, State.REVERSING, State.PENDING)
        with ledger.commit("stan"):
            assert int(stan()) > 10_000


def test_the_new_terminal_s_passwords_stay_and_other_cashiers_are_named(
    old: House, new: House, tmp_path: Path
) -> None:
    with closing(new.open()) as ledger:
        supervisor = ledger.operators.verifier("00")
    out(old, tmp_path / "archive")
    assert into(new, tmp_path / "archive").without_password == ("07",)
    with closing(new.open()) as ledger:
        assert ledger.operators.verifier("00") == supervisor
        assert ledger.operators.get("07") is None


def test_the_archive_says_in_the_audits_where_it_went_and_came_from(
    old: House, new: House, tmp_path: Path
) -> None:
    archive = out(old, tmp_path / "archive").archive
    into(new, tmp_path / "archive")
    for house, what in ((old, "terminal_moved"), (new, "terminal_arrived")):
        with closing(house.open()) as ledger:
            (details,) = [more for _, _, name, more in ledger.audit.entries() if name == what]
            assert details["archive"] == archive


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "why"),
    [
        ([State.REVERSING], "not decided"),
        ([State.PENDING], "not decided"),
        ([State.APPROVED], "is open with 1 transactions"),
    ],
)
def test_nothing_leaves_that_is_not_decided_or_settled(
    tmp_path: Path, states: list[State], why: str
) -> None:
    house = House(tmp_path / "house", b"\x03" * 32)
    house.trade(*states)
    with pytest.raises(MoveRefused, match=why):
        out(house, tmp_path / "archive", force=False)
    assert not retired(house)
    assert not (tmp_path / "archive").exists()


def test_a_terminal_with_nothing_open_leaves_unforced(tmp_path: Path) -> None:
    house = House(tmp_path / "house", b"\x03" * 32)
    house.trade(State.DECLINED)
    out(house, tmp_path / "archive", force=False)
    assert retired(house)


def test_an_archive_arrives_once(old: House, new: House, tmp_path: Path) -> None:
    out(old, tmp_path / "archive")
    into(new, tmp_path / "archive")
    with pytest.raises(MoveRefused, match="has arrived here before"):
        into(new, tmp_path / "archive")
    # nor when somebody has made the terminal new again
    for file in new.path.parent.glob("ledger.db*"):
        if file != remembered(new.path):
            file.unlink()
    with pytest.raises(MoveRefused, match="has arrived here before"):
        into(new, tmp_path / "archive")


def test_it_does_not_come_back_to_where_it_left(old: House, tmp_path: Path) -> None:
    out(old, tmp_path / "archive")
    with pytest.raises(MoveRefused, match="moved away"):
        into(old, tmp_path / "archive")
    assert retired(old)


def test_a_terminal_that_has_traded_takes_nothing(old: House, tmp_path: Path) -> None:
    other = House(tmp_path / "other", b"\x04" * 32)
    other.trade(State.DECLINED)
    out(old, tmp_path / "archive")
    story = other.story()
    with pytest.raises(MoveRefused, match="of its own"):
        into(other, tmp_path / "archive")
    assert other.story() == story


def test_another_terminal_s_archive_is_refused(old: House, new: House, tmp_path: Path) -> None:
    out(old, tmp_path / "archive")
    with pytest.raises(MoveRefused, match="is of terminal T0000001"):
        into(new, tmp_path / "archive", who=("T0000002", WHO[1]))
    assert new.story() == []


def test_a_damaged_archive_changes_nothing(old: House, new: House, tmp_path: Path) -> None:
    out(old, tmp_path / "archive")
    raw = bytearray((tmp_path / "archive").read_bytes())
    raw[-1000] ^= 1
    (tmp_path / "archive").write_bytes(raw)
    with pytest.raises(ArchiveError):
        into(new, tmp_path / "archive")
    assert new.story() == []
    assert not list(new.path.parent.glob("*.arriving*"))


def test_an_archive_is_never_overwritten(old: House, tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("somebody's")
    with pytest.raises(MoveRefused, match="such a file"):
        out(old, tmp_path / "archive")
    assert (tmp_path / "archive").read_text() == "somebody's"
    assert not retired(old)


# --- killed at every step -------------------------------------------------------------------------


class Killer:
    """Ends the process at the n-th thing that reaches the disk, before it does."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self, _what: str = "") -> None:
        self.left -= 1
        if self.left < 0:
            os._exit(9)

    def watch(self) -> None:
        """Every sync, every change of a name, in this process from now on."""
        for name in ("fsync", "replace", "rename", "link", "unlink"):
            real = getattr(os, name)

            def stepping(*words: Any, _real: Any = real, **more: Any) -> Any:
                self.step()
                return _real(*words, **more)

            setattr(os, name, stepping)


def survives(act: Callable[[Killer], None], at: int) -> bool:
    """Run this in a process that is killed at its at-th step; False: it had fewer."""
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(BaseException):
            killer = Killer(at)
            killer.watch()
            act(killer)
            code = 0
        os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), "it failed by itself"
    return code == 9


def whole_archive(path: Path) -> bool:
    try:
        read_archive(path, PASSPHRASE, io.BytesIO())
    except (ArchiveError, OSError):
        return False
    return True


def test_killed_anywhere_on_the_way_out_nothing_is_lost_and_no_archive_of_a_live_terminal_exists(
    old: House, tmp_path: Path
) -> None:
    old.trade(State.REVERSING)
    archive = tmp_path / "archive"
    kept = tmp_path / "kept"
    shutil.copytree(old.path.parent, kept)
    before = [row[:3] + row[4:6] for row in old.story()]
    point, retired_first = 0, 0
    while True:
        shutil.rmtree(old.path.parent)
        shutil.copytree(kept, old.path.parent)
        for file in tmp_path.glob("archive*"):
            file.unlink()

        def leave(killer: Killer) -> None:
            move_out(
                old.open(killer.step), WHO, archive, PASSPHRASE, system_random,
                force=True, observe=killer.step,
            )  # fmt: skip

        killed = survives(leave, point)
        gone = retired(old)
        exists = any(map(whole_archive, tmp_path.glob("archive*")))
        assert gone or not exists, f"step {point}: an archive of a terminal that trades"
        retired_first += gone and not exists
        if not archive.exists():
            out(old, archive)  # the second try
        assert retired(old)
        other = House(tmp_path / f"new-{point}", b"\x02" * 32)
        into(other, archive)
        assert [row[:3] + row[4:6] for row in other.story()] == before
        if not killed:
            break
        point += 1
    assert point > 15
    assert retired_first > 3


def test_killed_anywhere_on_the_way_in_it_arrives_once_and_whole(
    old: House, new: House, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    before = old.story()
    identity = out(old, archive).archive
    kept = tmp_path / "kept"
    shutil.copytree(new.path.parent, kept)
    point, there = 0, 0
    while True:
        shutil.rmtree(new.path.parent)
        shutil.copytree(kept, new.path.parent)

        def arrive(killer: Killer) -> None:
            now = new.clock.now()
            move_in(
                new.open(killer.step), WHO, archive, PASSPHRASE, now, system_random,
                observe=killer.step,
            )  # fmt: skip

        killed = survives(arrive, point)
        with closing(new.open()) as ledger:
            arrived = ledger.settings.get(ARRIVED) == identity
        there += killed and arrived
        if arrived:
            with pytest.raises(MoveRefused, match="has arrived here before"):
                into(new, archive)
        else:
            assert new.story() == []
            into(new, archive)
        assert new.story() == before
        assert remembered(new.path).read_text().split() == [identity]
        with closing(new.open()) as ledger:
            assert ledger.settings.get("restored") is True
            assert retirement_of(ledger) is None
        if not killed:
            break
        point += 1
    assert point > 15
    assert there > 1
