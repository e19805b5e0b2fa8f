"""The journal's native protocol, over a real datagram socket."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posd.journal import MESSAGE_IDS, Journal, encode, fields_of, is_journal

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
import structlog
from posd import journal, log
from posd.settings import LogSettings

journal.SOCKET = sys.argv[1]
journal.Journal.__init__.__defaults__ = (sys.argv[1],)
log.configure(LogSettings())
structlog.get_logger().warning("device_absent", role="printer", reason="hung up")
"""


def decode(datagram: bytes) -> dict[str, str]:
    """What journald reads in a datagram (systemd.io/JOURNAL_NATIVE_PROTOCOL)."""
    fields: dict[str, str] = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack_from("<Q", rest)
            value, rest = rest[8 : 8 + length], rest[8 + length :]
            assert rest[:1] == b"\n"
            rest = rest[1:]
        fields[name.decode("ascii")] = value.decode("utf-8")
        datagram = rest
    return fields


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "journal"))
        listening.settimeout(60)
        yield listening


def test_every_value_is_a_field_and_the_message_is_for_people(journald: socket.socket) -> None:
    journal = Journal(journald.getsockname())
    event = {
        "event": "outcome.approved",
        "level": "info",
        "timestamp": "x",
        "amount": 700,
        "名": "a",
    }
    assert journal.send(event)
    fields = decode(journald.recv(65536))
    assert fields["MESSAGE"] == "outcome.approved amount=700 名=a"
    assert fields["PRIORITY"] == "6"
    assert fields["SYSLOG_IDENTIFIER"] == "posd"
    assert fields["POSD_EVENT"] == "outcome.approved"
    assert fields["POSD_AMOUNT"] == "700"
    journal.close()


def test_an_event_that_a_shop_acts_upon_can_be_found_by_its_id() -> None:
    fields = fields_of({"event": "alert.unresolved", "level": "error", "transaction": 3})
    assert fields["MESSAGE_ID"] == MESSAGE_IDS["alert.unresolved"]
    assert fields["PRIORITY"] == "3"
    assert "MESSAGE_ID" not in fields_of({"event": "intent.stored"})


def test_the_ids_are_uuids_and_no_two_are_equal() -> None:
    assert all(len(each) == 32 and int(each, 16) for each in MESSAGE_IDS.values())
    assert len(set(MESSAGE_IDS.values())) == len(MESSAGE_IDS)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"])),
        min_size=1,
    )
)
def test_what_is_encoded_is_read_as_it_was(fields: dict[str, str]) -> None:
    assert decode(encode(fields)) == fields


@given(st.text(), st.text(st.characters(exclude_categories=["Cs"])))
def test_no_value_can_forge_a_field(name: str, value: str) -> None:
    fields = decode(encode(fields_of({"event": "odd", name: value})))
    allowed = {"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER"}
    assert all(each in allowed or each.startswith("POSD_") for each in fields)


def test_a_journal_that_is_gone_or_full_never_holds_anybody_up(tmp_path: Path) -> None:
    nobody = Journal(str(tmp_path / "nobody"))
    assert not nobody.send({"event": "lost"})
    nobody.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        journal = Journal(str(tmp_path / "deaf"))
        assert not all(journal.send({"event": "many", "n": n}) for n in range(10_000))
        journal.close()


def test_a_stream_is_the_journal_only_when_systemd_says_so(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as stream:
        found = os.fstat(stream.fileno())
        right = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert is_journal(stream, right)
        assert not is_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"})
        assert not is_journal(stream, {"JOURNAL_STREAM": "nonsense"})
        assert not is_journal(stream, {})


def started_by_systemd(out: Path, path: str) -> None:
    """A process whose output is this file, and whose environment says that the file is the journal."""
    with out.open("w") as stream:
        found = os.fstat(stream.fileno())
        subprocess.run(
            [sys.executable, "-c", PROGRAM, path],
            stdout=stream,
            check=True,
            timeout=60,
            env={
                "PYTHONPATH": str(ROOT),
                "PATH": "/usr/bin:/bin",
                "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}",
            },
        )


def test_a_process_that_systemd_started_writes_fields(
    journald: socket.socket, tmp_path: Path
) -> None:
    started_by_systemd(tmp_path / "out", journald.getsockname())
    fields = decode(journald.recv(65536))
    assert fields["POSD_ROLE"] == "printer"
    assert fields["MESSAGE"] == "device_absent role=printer reason=hung up"
    assert fields["MESSAGE_ID"] == MESSAGE_IDS["device_absent"]
    assert (tmp_path / "out").read_text() == ""


def test_what_the_journal_does_not_take_is_a_line_of_json(tmp_path: Path) -> None:
    started_by_systemd(tmp_path / "out", str(tmp_path / "nobody"))
    (line,) = (tmp_path / "out").read_text().splitlines()
    assert json.loads(line)["event"] == "device_absent"
