"""What the terminal really puts on the wire, read by programs that know nothing of ours."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import iso8583
import pytest

from tests.posd.terminal.rig import Clerk

PEER: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "pyiso8583.json").read_text("utf-8")
)
OURS_BEFORE_THE_MESSAGE = 2 + 5 + 6  # LEN, TPDU, header
PORT = 5000
RAW_IP = 101  # the link type of a capture without link headers


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[bytes]]:
    """Bare messages of a morning: sign-in, a sale with PIN, its void, a lost sale, its reversal."""
    with Clerk(tmp_path_factory.mktemp("wire")) as clerk:
        clerk.sign_in()
        clerk.press("12345 确认")
        clerk.swipe("good")
        clerk.press("123456 确认")
        clerk.take_slips()
        clerk.go_to_void()
        clerk.press("确认 确认")
        clerk.swipe("good")
        clerk.take_slips()
        clerk.host_does("no-answer", "sale")
        clerk.pay("500")
        clerk.wait_for("已冲正")
        bare = [frame[OURS_BEFORE_THE_MESSAGE:] for frame in clerk.stage.witness.frames]
        yield [
            message for message in bare if message[1] & 0x10 == 0
        ]  # answers have an odd third digit


def test_the_morning_has_the_messages_that_the_tests_are_about(requests: list[bytes]) -> None:
    assert [message[:2].hex() for message in requests] == ["0800", "0200", "0200", "0200", "0400"]


def test_an_independent_decoder_reads_every_element(requests: list[bytes]) -> None:
    decoded = [iso8583.decode(message, PEER)[0] for message in requests]
    sign_in, sale, void, lost, reversal = decoded
    assert (sign_in["t"], sign_in["41"], sign_in["60"], sign_in["63"]) == (
        "0800", "T0000001", "00000001003", "01 ",
    )  # fmt: skip
    assert (sale["3"], sale["4"], sale["22"], sale["25"], sale["26"]) == (
        "000000", "000000012345", "021", "00", "12",
    )  # fmt: skip
    assert sale["35"].startswith("6225000000000014D4912")
    assert (void["3"], void["4"], void["61"]) == (
        "200000", "000000012345", "000001" + sale["11"],
    )  # fmt: skip
    assert "52" not in void
    assert (reversal["11"], reversal["39"], reversal["60"]) == (lost["11"], "98", lost["60"])
    assert not {"2", "26", "35", "37", "52", "53"} & reversal.keys()


def capture(messages: list[bytes]) -> bytes:
    """The messages as a packet capture: each in one TCP segment behind its length."""
    packets = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP)]
    sequence = 1
    for message in messages:
        payload = struct.pack(">H", len(message)) + message
        segment = struct.pack(">HHIIBBHHH", 40000, PORT, sequence, 1, 5 << 4, 0x18, 65535, 0, 0)
        sequence += len(payload)
        length = 20 + len(segment) + len(payload)
        loopback = bytes([127, 0, 0, 1])
        packet = struct.pack(">BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 6, 0, loopback, loopback)
        packets.append(struct.pack("<IIII", 0, 0, length, length) + packet + segment + payload)
    return b"".join(packets)


def test_tsharks_dissector_agrees_where_it_knows_the_dialect(
    requests: list[bytes], tmp_path: Path
) -> None:
    """It counts bytes, not digits, in 35 and misreads 22 and 60; what it can read is compared."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("needs tshark, from the Debian package of that name")
    file = tmp_path / "requests.pcap"
    file.write_bytes(capture(requests))
    always, without_track = ("3", "4", "11", "25"), ("3", "4", "11", "25", "41", "42", "49")
    fields = ["iso8583.mti", *(f"iso8583.bit{number}" for number in without_track)]
    answer = subprocess.run(
        [
            *(tshark, "-r", str(file), "-d", f"tcp.port=={PORT},iso8583", "-T", "json"),
            *("-o", "iso8583.len_endian:Big endian"),
            *("-o", "iso8583.charset:Digits represented in nibbles"),
            *("-o", "iso8583.binencode:Bin data not encoded"),
            *(part for field in fields for part in ("-e", field)),
        ],
        capture_output=True,
        check=True,
        timeout=60,
    )
    read = [packet["_source"]["layers"] for packet in json.loads(answer.stdout)]
    assert len(read) == len(requests)
    compared = 0
    for message, layers in zip(requests, read, strict=True):
        ours = iso8583.decode(message, PEER)[0]
        assert layers["iso8583.mti"] == [ours["t"]]
        for number in always if "35" in ours else without_track:
            if number in ours:
                assert layers[f"iso8583.bit{number}"] == [ours[number]], (ours["t"], number)
                compared += 1
    assert compared >= 4 * 3 + 3 + 7
