"""The shipped process under fire, for a few seconds; the long run is `python -m posd.testing.torture`."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import pytest

from posd.acquirer.outcomes import Order, Outcome
from posd.testing.checks.wire import Captured, read_traffic
from posd.testing.installation import Installation
from posd.testing.under_fire import proxy as proxies
from posd.testing.under_fire.capture import Capture
from posd.testing.under_fire.host import FireHost
from posd.testing.under_fire.ledger_at_kill import DAMAGED, NO_LEDGER, state_at_kill
from posd.testing.under_fire.proxy import Mishap, Proxy
from posd.testing.under_fire.storage import PlainDirectory
from posd.testing.under_fire.story import Story

REQUEST = bytes.fromhex("000e") + bytes(11) + bytes.fromhex("0800") + b"x"
ANSWER = bytes.fromhex("000e") + bytes(11) + bytes.fromhex("0810") + b"y"


def torture(directory: Path, *options: str) -> dict[str, object]:
    """What a short run reports, after it has agreed with itself."""
    command = [sys.executable, "-m", "posd.testing.torture", "--json", *options]
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [*command, "--directory", str(directory)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert done.returncode == 0, done.stderr[-6000:]
    report = json.loads(done.stdout)
    assert isinstance(report, dict)
    return report


def test_a_few_kills_and_many_faults_leave_both_ledgers_in_agreement(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    report = torture(directory, "--minutes", "0.1", "--rests", "1", "--seed", "11")
    assert report["disagreements"] == 0
    assert report["checks"] == 1
    assert int(str(report["starts"])) >= int(str(report["kills"])) + 1
    assert int(str(report["messages_checked"])) > 0
    assert int(str(report["transactions"])) > 0
    assert not list(directory.iterdir())


@pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("POSD_CI"), reason="a file system needs root"
)
def test_power_cuts_of_a_real_file_system_leave_both_ledgers_in_agreement(tmp_path: Path) -> None:
    options = ("--power", "--no-disk", "--minutes", "0.09", "--rests", "1", "--seed", "12")
    report = torture(tmp_path / "run", *options)
    assert report["strike"] == "power cut"
    assert report["disagreements"] == 0


# --- the proxy and what it captures ---------------------------------------------------------------


class AlwaysThis(Random):
    """Chance that always chooses one mishap, in the middle of whatever there is."""

    def __init__(self, mishap: Mishap) -> None:
        super().__init__(1)
        self._mishap = mishap

    def random(self) -> float:
        return 0.15  # a mishap, and no copy

    def choice(self, _all: object) -> object:  # type: ignore[override]
        return self._mishap

    def randint(self, first: int, last: int) -> int:
        return (first + last) // 2

    def uniform(self, first: float, _last: float) -> float:
        return first + 0.05


def through_proxy(
    tmp_path: Path, mishap: Mishap | None, ask: Callable[[int], Awaitable[bytes]]
) -> tuple[bytes, list[bytes], list[Captured]]:
    """What the terminal got, what arrived at the host, and what was captured."""
    arrived: list[bytes] = []
    capture, story = Capture(), Story(tmp_path / "story")

    serving: set[asyncio.Task[None]] = set()

    async def host(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            place = len(arrived)
            arrived.append(b"")
            while data := await reader.read(4096):  # a request may come in pieces
                arrived[place] += data
                if arrived[place] == REQUEST:
                    writer.write(ANSWER)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def play() -> bytes:
        server = await asyncio.start_server(host, "127.0.0.1", 0)
        port = int(server.sockets[0].getsockname()[1])
        chance = Random(1) if mishap is None else AlwaysThis(mishap)
        proxy = Proxy(capture, story, chance, lambda: port)
        proxy.calm = mishap is None
        got = await ask(await proxy.open())
        await proxy.shut()
        await proxy.drained()
        server.close()
        await server.wait_closed()
        await asyncio.gather(*serving)
        await asyncio.sleep(0.01)  # closed transports say good-bye in a later turn
        return got

    with closing(story):
        return asyncio.run(play()), arrived, capture.lines()


async def ask_once(port: int) -> bytes:
    """A terminal that waits a moment for its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    got = b""
    try:
        async with asyncio.timeout(0.3):
            while data := await reader.read(4096):
                got += data
                if got == ANSWER:
                    break
    except (TimeoutError, ConnectionResetError):
        pass
    writer.close()
    return got


def test_a_calm_proxy_passes_on_and_captures_both_directions(tmp_path: Path) -> None:
    got, arrived, captured = through_proxy(tmp_path, None, ask_once)
    assert got == ANSWER
    assert arrived == [REQUEST]
    words = [(one.word, one.data) for one in captured]
    assert words == [("open", b""), ("out", REQUEST), ("in", ANSWER), ("close", b"")]


@pytest.mark.parametrize(
    ("mishap", "got", "arrived"),
    [
        (Mishap.ENDS_AT_ONCE, b"", []),
        (Mishap.REQUEST_LOST, b"", []),
        (Mishap.REQUEST_CUT, b"", [REQUEST[:8]]),
        (Mishap.REQUEST_CUT_HANGS, b"", [REQUEST[:8]]),
        (Mishap.ENDS_AFTER_REQUEST, b"", [REQUEST]),
        (Mishap.ANSWER_LOST, b"", [REQUEST]),
        (Mishap.ANSWER_CUT, ANSWER[:8], [REQUEST]),
        (Mishap.ANSWER_CUT_HANGS, ANSWER[:8], [REQUEST]),
        (Mishap.ANSWER_TWICE, ANSWER + ANSWER, [REQUEST]),
        (Mishap.ANSWER_IN_PIECES, ANSWER, [REQUEST]),
        (Mishap.ANSWER_LATE, ANSWER, [REQUEST]),
        (Mishap.REQUEST_LATE, ANSWER, [REQUEST]),
    ],
)
def test_a_mishap_is_what_its_name_says(
    tmp_path: Path, mishap: Mishap, got: bytes, arrived: list[bytes]
) -> None:
    seen, came, captured = through_proxy(tmp_path, mishap, ask_once)
    # A reset may overtake what was sent before it.
    assert seen == got or (mishap is Mishap.ANSWER_CUT and seen == b"")
    assert came == arrived
    assert b"".join(one.data for one in captured if one.word == "out") == REQUEST


def test_a_late_request_arrives_although_the_terminal_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AlwaysThis, "uniform", lambda *_: 0.2)

    async def ask_and_go(port: int) -> bytes:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.sleep(0.3)
        return b""

    _, arrived, _ = through_proxy(tmp_path, Mishap.REQUEST_LATE, ask_and_go)
    assert arrived == [REQUEST]


def test_a_copy_of_a_request_arrives_on_a_connection_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxies, "_SHARE_OF_COPIES", 1.0)
    monkeypatch.setattr(proxies, "_SHARE_OF_MISHAPS", 0.0)
    _, arrived, captured = through_proxy(tmp_path, Mishap.ENDS_AT_ONCE, ask_once)
    assert arrived == [REQUEST, REQUEST]
    assert sum(one.word == "out" for one in captured) == 1


def test_connections_are_captured_as_the_terminal_saw_them_one_after_the_other() -> None:
    capture = Capture()
    capture.start()
    first = capture.open()
    first.asked(b"one")
    second = capture.open()
    second.asked(b"two")
    first.answered(b"late")  # the terminal had closed it before it opened the second
    words = [(one.word, one.data) for one in capture.lines()]
    assert words == [
        ("start", b""),
        *[("open", b""), ("out", b"one"), ("in", b"late"), ("close", b"")],
        *[("open", b""), ("out", b"two"), ("close", b"")],
    ]
    times = [one.time for one in capture.lines()]
    assert times == sorted(times)
    assert read_traffic(capture.lines()).lives == 1


# --- host, disk, ledger ---------------------------------------------------------------------------


def test_the_host_crashes_after_its_commit_and_comes_back_with_its_ledger(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    crashes: list[bool] = []

    async def play() -> tuple[int, int]:
        host = FireHost(installation, lambda: crashes.append(True))
        port = await host.start()
        host.order(Order("any", Outcome()))
        host.crash_at_next_commit()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        frame = bytes(11) + bytes.fromhex("0800") + bytes(8)
        writer.write(len(frame).to_bytes(2, "big") + frame)
        assert await reader.read() == b""
        writer.close()
        await host.stop()
        assert not host.up
        again = await host.start()
        await host.stop()
        return port, again

    port, again = asyncio.run(play())
    assert crashes == [True]
    assert again == port
    with closing(sqlite3.connect(installation.acquirer_ledger)) as connection:
        assert connection.execute("SELECT count(*) FROM requests").fetchone() == (1,)


def test_without_root_a_full_disk_is_a_limit_of_the_process(tmp_path: Path) -> None:
    write = "import sys; sys.stdin.read(1); open('more', 'wb', 0).write(bytes(5000))"
    process = subprocess.Popen([sys.executable, "-c", write], stdin=subprocess.PIPE, cwd=tmp_path)
    storage = PlainDirectory(tmp_path)
    storage.fill(process.pid, 1000)
    process.communicate(b"x")
    assert process.returncode == 0
    assert (tmp_path / "more").stat().st_size == 1000


def test_without_root_a_read_only_disk_is_a_matter_of_permissions(tmp_path: Path) -> None:
    state = tmp_path / "state"
    storage = PlainDirectory(state)
    storage.open()
    (state / "ledger.db").touch()
    storage.read_only(on=True)
    assert state.stat().st_mode & 0o222 == 0
    assert (state / "ledger.db").stat().st_mode & 0o222 == 0
    storage.close()
    assert state.stat().st_mode & 0o777 == 0o700


def test_the_state_at_a_kill_is_read_from_a_copy(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    assert state_at_kill(ledger) == NO_LEDGER
    ledger.write_bytes(b"no database" * 100)
    assert state_at_kill(ledger).startswith(DAMAGED)
    ledger.unlink()
    with closing(sqlite3.connect(ledger)) as connection:
        connection.executescript(
            """CREATE TABLE transactions (id INTEGER PRIMARY KEY, kind, state, acknowledged,
                 reversal_tries, host_had_none);
               CREATE TABLE print_jobs (transaction_id, done_at);
               CREATE TABLE orders (id INTEGER PRIMARY KEY, state);
               CREATE TABLE audit (id);"""
        )
        states = [state_at_kill(ledger)]
        for statement in (
            "INSERT INTO orders (state) VALUES ('unpaid')",
            "INSERT INTO transactions VALUES (1, 'sale', 'open', 0, 0, 0)",
            "UPDATE transactions SET state = 'reversing'",
            "UPDATE transactions SET reversal_tries = 1",
            "UPDATE transactions SET host_had_none = 1",
            "UPDATE transactions SET state = 'reversed'",
            "INSERT INTO print_jobs VALUES (1, NULL)",
        ):
            connection.execute(statement)
            connection.commit()
            states.append(state_at_kill(ledger))
    assert states == [
        "idle",
        "idle, the newest order is unpaid",
        "open sale",
        "reversing sale, not tried yet",
        "reversing sale, tried",
        "reversing sale, host had none once",
        "reversed, not seen yet",
        "reversed, slips waiting, not seen yet",
    ]
