"""The socket of a real daemon: who comes in, what is refused and why, and that nobody else waits for it."""

from __future__ import annotations

import os
import resource
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cbor2
import pytest

from posd.diagnostics.posctl.connection import Connection, Trouble
from posd.diagnostics.socket_path import connect
from posd.diagnostics.stream import LONGEST_REQUEST
from tests.posd.diagnostics.rig import ROOT, Shop, posctl, shop

GROUP = "games"  # every Debian has it, and nobody needs it
NUMBER = 60


@pytest.fixture(scope="module")
def terminal() -> Iterator[Shop]:
    # Not pytest's directory: each run of it shuts that one for everybody else, also while we need it.
    with tempfile.TemporaryDirectory(prefix="posd-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # another user must reach the socket
        with shop(directory, diagnostics__group=GROUP, diagnostics__clients=3) as opened:
            opened.open()
            yield opened


class Raw:
    """A connection without manners."""

    def __init__(self, path: Path) -> None:
        self.socket = connect(path, 60)
        self._file = self.socket.makefile("rb")

    def send(self, *items: Any) -> None:
        self.socket.sendall(b"".join(map(cbor2.dumps, items)))

    def item(self) -> dict[str, Any]:
        found: dict[str, Any] = cbor2.load(self._file)
        return found

    def ended(self) -> bool:
        return self._file.read() == b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()


def greeted(path: Path) -> Raw:
    """A connection that was let in: those of the test before may not be quite gone."""
    while True:
        connection = Raw(path)
        if connection.item()["answer"] == "hello":
            return connection
        connection.close()
        time.sleep(0.01)


@pytest.fixture
def raw(terminal: Shop) -> Iterator[Raw]:
    with closing(greeted(terminal.socket)) as connection:
        yield connection


# --- what is said ---------------------------------------------------------------------------------


def test_the_terminal_speaks_first_and_says_what_the_peer_may_ask_for(terminal: Shop) -> None:
    with closing(Raw(terminal.socket)) as connection:
        hello = connection.item()
    assert hello["speaks"] == 1
    assert {"status", "why", "loglevel"} <= set(hello["may"])


def test_answers_carry_the_id_of_their_request_in_order(raw: Raw) -> None:
    raw.send(*({"do": "screen", "id": number} for number in range(20)))
    assert [raw.item()["id"] for _ in range(20)] == list(range(20))


def test_a_request_may_come_byte_by_byte(raw: Raw) -> None:
    for byte in cbor2.dumps({"do": "why", "id": 3}):
        raw.socket.sendall(bytes([byte]))
        time.sleep(0.001)
    assert raw.item()["answer"] == "why"


def test_what_is_no_request_is_told_so_and_the_connection_goes_on(raw: Raw) -> None:
    raw.send(
        {"do": "sell", "id": 5}, [1, 2], 7, None, {"id": 1}, {"do": "show", "id": 2, "voucher": "x"}
    )
    raw.send({"do": "status", "id": 1, "more": 1}, {"do": "screen", "id": 9})
    answers = [raw.item() for _ in range(8)]
    assert [answer.get("reason") for answer in answers] == ["not_understood"] * 7 + [None]
    assert [answer["id"] for answer in answers] == [5, 0, 0, 0, 1, 2, 1, 9]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff", "a stated length"),
        (b"\xc1\x00", "a tag"),
        (b"\x9a\xff\xff\xff\xff", f"at most {LONGEST_REQUEST} bytes"),
        (b"\x81" * 9, "at most 8 levels"),
        (b"\x62\xc3\x28", "expected CBOR"),
    ],
)
def test_what_is_no_sequence_of_items_ends_the_connection_with_a_reason(
    raw: Raw, data: bytes, why: str
) -> None:
    raw.socket.sendall(data)
    last = raw.item()
    assert (last["answer"], last["reason"]) == ("closed", "not_understood")
    assert why in last["text"]
    assert raw.ended()


def test_a_client_that_closes_its_half_gets_its_answers_first(raw: Raw) -> None:
    raw.send(*({"do": "configuration", "id": 1} for _ in range(5)))
    raw.socket.shutdown(socket.SHUT_WR)
    answers = []
    while len(answers) < 5:
        if (item := raw.item())["answer"] == "versions":
            answers.append(item)
    assert raw.ended()


# --- who may --------------------------------------------------------------------------------------


def as_user(
    user: int, groups: list[int], path: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    """posctl run by somebody else, after a first run as root: Python's own files may be out of reach."""
    code = (
        "import os, sys; sys.path.insert(0, sys.argv.pop(1)); words = sys.argv[1:]; "
        "from posd.diagnostics.posctl import main; "
        "assert main([*words[:2], 'screen']) == 0; "
        f"os.setgroups({groups}); os.setgid(65534); os.setuid({user}); sys.exit(main(words))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(ROOT), "--socket", str(path), *words],
        capture_output=True, text=True, timeout=60, check=False, cwd="/",
        env={"PYTHONUTF8": "1", "LANG": "C"},
    )  # fmt: skip


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def test_the_socket_is_for_its_owner_and_its_group(terminal: Shop) -> None:
    found = terminal.socket.stat()
    assert stat.S_IMODE(found.st_mode) == 0o660
    if os.geteuid() == 0:
        assert found.st_gid == NUMBER


@as_root
def test_a_technician_of_a_supplementary_group_may_look_and_not_change_the_log(
    terminal: Shop,
) -> None:
    path = terminal.socket
    looked = as_user(12345, [NUMBER], path, "screen")
    assert looked.returncode == 0, looked.stderr
    refused = as_user(12345, [NUMBER], path, "loglevel", "debug")
    assert refused.returncode == 4
    assert "administrator" in refused.stderr
    assert "use sudo" in refused.stderr


@as_root
def test_anybody_else_does_not_come_in(terminal: Shop) -> None:
    refused = as_user(12345, [], terminal.socket, "status")
    assert refused.returncode == 4
    assert "posd-tech" in refused.stderr  # the kernel refuses: the daemon's own group is not known


@as_root
def test_who_gets_past_the_files_mode_is_refused_by_the_terminal_with_a_sentence(
    terminal: Shop,
) -> None:
    terminal.socket.chmod(0o666)
    try:
        refused = as_user(12345, [], terminal.socket, "status")
    finally:
        terminal.socket.chmod(0o660)
    assert refused.returncode == 4
    assert "user 12345 may not ask this terminal" in refused.stderr
    assert f"added to the group {GROUP}" in refused.stderr


# --- limits ---------------------------------------------------------------------------------------


def test_one_client_too_many_is_told_so_and_the_others_go_on(terminal: Shop) -> None:
    kept = [greeted(terminal.socket) for _ in range(3)]
    try:
        with closing(Raw(terminal.socket)) as fourth:
            assert fourth.item()["reason"] == "too_many"
            assert fourth.ended()
        kept[0].send({"do": "screen", "id": 1})
        assert kept[0].item()["answer"] == "screen"
    finally:
        for each in kept:
            each.close()


def test_who_watches_and_does_not_read_is_dropped_with_a_reason(terminal: Shop) -> None:
    with closing(greeted(terminal.socket)) as deaf:
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.send(*({"do": "configuration", "id": 1} for _ in range(150)), {"do": "watch", "id": 2})
        others = [greeted(terminal.socket) for _ in range(2)]
        # Nothing is read for longer than the terminal waits, and then there is room for a third.
        others.append(greeted(terminal.socket))
        items = []
        while not items or items[-1]["answer"] != "closed":
            items.append(deaf.item())
        assert items[-1]["reason"] == "too_slow"
        assert deaf.ended()
        for other in others:
            other.close()
    assert terminal.stage.let_pass(60, lambda: '"reason": "too_slow"' in terminal.log())


def test_an_item_that_is_begun_and_not_ended_is_dropped(raw: Raw) -> None:
    raw.socket.sendall(b"\xa2\x62")
    last = raw.item()
    assert last["reason"] == "not_understood"
    assert "not ended within 10 s" in last["text"]


def test_many_acts_in_a_row_are_slowed_down(terminal: Shop) -> None:
    with terminal.connection() as connection, pytest.raises(Trouble, match="too many acts"):
        act_often(connection)


def act_often(connection: Connection) -> None:
    for _ in range(1000):  # a slow machine is allowed more of them
        list(connection.ask("loglevel", level="info"))


def test_a_clerk_goes_on_while_everybody_asks_for_everything(terminal: Shop) -> None:
    with closing(greeted(terminal.socket)) as first, closing(greeted(terminal.socket)) as second:
        for each in (first, second):
            each.send(*({"do": "status", "id": 1} for _ in range(40)), {"do": "watch", "id": 2})
        terminal.do("press 取消", "expect screen 请刷卡或输入金额", "press 7", "expect screen 0.07")
        terminal.do("press 取消", "expect screen 请刷卡或输入金额")


# --- acts are written down ------------------------------------------------------------------------


def test_an_act_is_in_the_audit_with_the_users_number(tmp_path: Path) -> None:
    with shop(tmp_path) as opened:
        opened.open()
        assert opened.posctl("echo").code == 0
        assert opened.posctl("loglevel", "warning").code == 0
        ledger, _ = opened.stage.copy_ledgers()
        import sqlite3

        with closing(sqlite3.connect(ledger)) as database:
            rows = database.execute("SELECT who, what, details FROM audit ORDER BY id").fetchall()
        found = {what: (who, cbor2.loads(details)) for who, what, details in rows}
        who, details = found["diagnostics.loglevel"]
        assert who == f"uid:{os.geteuid()}"
        assert details["level"] == "warning"
        assert "diagnostics.echo" in found


# --- coming and going -----------------------------------------------------------------------------


def test_what_a_killed_daemon_left_does_not_keep_the_next_one_out(tmp_path: Path) -> None:
    with shop(tmp_path) as opened:
        opened.do("start", "expect screen 未签到", "power cut")
        assert opened.socket.exists()
        assert opened.posctl("why").code == 3
        opened.do("power on", "expect screen 未签到")
        assert opened.posctl("why").code == 6


def test_a_terminal_that_ends_tells_those_who_are_connected(tmp_path: Path) -> None:
    with shop(tmp_path) as opened:
        opened.do("start", "expect screen 未签到")
        with closing(Raw(opened.socket)) as connection:
            assert connection.item()["answer"] == "hello"
            process = opened.stage.process
            assert process is not None
            process.terminate()
            assert connection.item()["reason"] == "ending"
            assert process.wait(60) == 0
        assert not opened.socket.exists()
        opened.stage.process = None


def test_a_socket_that_cannot_be_opened_is_a_line_in_the_log_and_nothing_else(
    tmp_path: Path,
) -> None:
    with shop(tmp_path, diagnostics__socket="nowhere/diag.sock") as opened:
        opened.open()
        assert '"event": "diagnostics.unavailable"' in opened.log()


def test_a_long_path_can_be_served_and_reached(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 60) / ("e" * 60)
    directory.mkdir(parents=True)
    with shop(directory) as opened:
        opened.do("start", "expect screen 未签到")
        assert len(str(opened.socket)) > 120
        assert opened.posctl("screen").code == 0


def test_a_socket_of_systemd_is_taken_over_and_left_to_it(tmp_path: Path) -> None:
    """As sd_listen_fds(3) hands it over: descriptor 3, named diag; another one beside it is closed."""
    path = tmp_path / "d.sock"
    listening, other = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    with listening, other, shop(tmp_path) as opened:
        opened.stage.installation.load()
        listening.bind(str(path))
        listening.listen(4)
        code = (
            "import os, sys; os.dup2(int(sys.argv[1]), 13); os.dup2(int(sys.argv[2]), 14); "
            "os.dup2(13, 3); os.dup2(14, 4); os.environ.update(LISTEN_PID=str(os.getpid()), "
            "LISTEN_FDS='2', LISTEN_FDNAMES='other:diag'); "
            "os.execv(sys.executable, [sys.executable, '-m', 'posd', 'run', '--config', sys.argv[3]])"
        )
        numbers = [other.fileno(), listening.fileno()]
        with subprocess.Popen(
            [sys.executable, "-c", code, *map(str, numbers), str(tmp_path / "posd.toml")],
            pass_fds=numbers, cwd=ROOT, stdout=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            with Connection(path, 60) as connection:
                assert list(connection.ask("screen"))
            assert not opened.socket.exists()
            process.terminate()
            assert process.wait(60) == 0
        assert path.exists()


def test_no_terminal_no_socket_and_no_permission_are_sentences_with_hints(tmp_path: Path) -> None:
    said = posctl("--socket", str(tmp_path / "none"), "status")
    assert said.code == 3
    assert said.err.splitlines()[1].startswith("   -> ")
    listening = socket.socket(socket.AF_UNIX)
    with listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen(1)
        code = (
            "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); "
            "c, _ = s.accept(); c.sendall(b'\\xa1\\x61x\\x01'); c.recv(99)"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, str(listening.fileno())], pass_fds=[listening.fileno()]
        ):
            said = posctl("--socket", str(tmp_path / "s"), "status")
    assert said.code == 5
    assert "use the posctl that was installed with it" in said.err


def test_without_descriptors_the_terminal_works_and_lets_technicians_in_again_later(
    tmp_path: Path,
) -> None:
    with shop(tmp_path) as opened:
        opened.open()
        process = opened.stage.process
        assert process is not None
        limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        waiting = refused_for_want_of_descriptors(opened, process.pid, limits[1])
        with closing(waiting):
            spent = cpu_seconds(process.pid)
            time.sleep(1.0)
            assert cpu_seconds(process.pid) - spent < 0.5  # it does not ask again and again
            opened.do("press 7", "expect screen 0.07", "press 取消")
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
            assert waiting.recv(1)


def refused_for_want_of_descriptors(opened: Shop, process: int, highest: int) -> socket.socket:
    """A connection for which the terminal finds no descriptor; one of its own may have become free."""
    refused = '"event": "diagnostics.not_accepted"'
    while True:
        used = {int(name.name) for name in Path(f"/proc/{process}/fd").iterdir()}
        first_free = min(set(range(len(used) + 1)) - used)
        resource.prlimit(process, resource.RLIMIT_NOFILE, (first_free, highest))
        waiting = connect(opened.socket, 60)
        if opened.stage.let_pass(2, lambda: refused in opened.log()):
            return waiting
        waiting.close()


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_an_echo_never_meets_a_sale_on_the_line(tmp_path: Path) -> None:
    with shop(tmp_path) as opened:
        opened.open()
        opened.do("press 100", "expect screen 1.00")
        refused = opened.posctl("echo")
        assert refused.code == 1
        assert "somebody is using the terminal" in refused.err
        first = next(row.strip() for row in opened.stage.witness.screen if row.strip())
        assert f": {first} (" in refused.err
        assert "取消 at the terminal leads to idle" in refused.err
        for _ in range(6):  # more than may be done in a row: what is refused is not done
            for words in (("echo",), ("test", "printer"), ("test", "display")):
                assert "somebody is using the terminal" in opened.posctl(*words).err
        opened.do("press 取消", "expect screen 请刷卡或输入金额")
        assert opened.posctl("echo").code == 0
