"""The archive: what was put in comes out, and nothing that is not whole and untouched does."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posd import moving_archive
from posd.moving_archive import (
    ArchiveError,
    Contents,
    digest_of,
    read_archive,
    read_header,
    write_archive,
)
from tests.posd.ledger.rig import SeededBytes

PASSPHRASE = "correct horse battery"
CHUNK = 64 * 1024


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving_archive, "SCRYPT_COST", 2**14)


def packed(directory: Path, data: bytes) -> Path:
    ledger = directory / "ledger.db"
    ledger.write_bytes(data)
    contents = Contents(
        "a" * 16, "T0000001", "M00000000000001", 5, 1, bytes(32), len(data), digest_of(ledger)
    )
    archive = directory / "archive"
    archive.unlink(missing_ok=True)
    write_archive(archive, contents, ledger, PASSPHRASE, SeededBytes())
    return archive


def unpacked(archive: Path, passphrase: str = PASSPHRASE) -> bytes:
    out = io.BytesIO()
    read_archive(archive, passphrase, out)
    return out.getvalue()


@pytest.mark.parametrize("size", [0, 1, 1000, CHUNK - 200, *range(CHUNK - 3, CHUNK + 3), 5 * CHUNK])
def test_a_ledger_of_any_size_comes_out_as_it_was(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    archive = packed(tmp_path, data[:size])
    assert unpacked(archive) == data[:size]
    assert read_header(archive).id == "a" * 16
    assert archive.stat().st_mode & 0o777 == 0o600


def test_every_length_of_the_last_chunk_is_an_end(tmp_path: Path) -> None:
    """Also the one at which nothing is left for another chunk."""
    for size in range(CHUNK - 400, CHUNK - 100, 7):
        assert unpacked(packed(tmp_path, bytes(size))) == bytes(size)


def test_another_passphrase_opens_nothing(tmp_path: Path) -> None:
    archive = packed(tmp_path, b"ledger")
    with pytest.raises(ArchiveError, match="another passphrase"):
        unpacked(archive, "correct horse batterx")


@given(st.data())
@settings(max_examples=40)
def test_one_changed_bit_anywhere_is_found(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        archive = packed(Path(directory), b"ledger" * 20_000)
        raw = bytearray(archive.read_bytes())
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
        archive.write_bytes(raw)
        with pytest.raises(ArchiveError):
            unpacked(archive)


@given(st.data())
@settings(max_examples=40)
def test_an_archive_that_is_cut_or_goes_on_is_found(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        archive = packed(Path(directory), b"ledger" * 40_000)
        raw = archive.read_bytes()
        cut = data.draw(st.integers(0, len(raw) - 1))
        more = data.draw(st.binary(min_size=1, max_size=50))
        for changed in (raw[:cut], raw + more):
            archive.write_bytes(changed)
            with pytest.raises(ArchiveError):
                unpacked(archive)


def test_chunks_that_changed_places_or_are_left_out_are_found(tmp_path: Path) -> None:
    archive = packed(tmp_path, bytes(5 * CHUNK))
    raw = archive.read_bytes()
    size = CHUNK + 16
    begin = len(moving_archive.MAGIC) + 2 + int.from_bytes(raw[15:17], "big")
    chunks = [raw[at : at + size] for at in range(begin, len(raw), size)]
    for wrong in (
        [chunks[1], chunks[0], *chunks[2:]],
        [chunks[0], *chunks[2:]],
        chunks[:-1],
        [*chunks, chunks[-1]],
    ):
        archive.write_bytes(raw[:begin] + b"".join(wrong))
        with pytest.raises(ArchiveError):
            unpacked(archive)


@given(st.binary(max_size=300))
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "archive"
        for raw in (data, moving_archive.MAGIC + data):
            file.write_bytes(raw)
            with pytest.raises(ArchiveError):
                unpacked(file)


def test_a_header_cannot_ask_for_more_memory_than_a_terminal_has(tmp_path: Path) -> None:
    archive = packed(tmp_path, b"ledger")
    raw = archive.read_bytes()
    archive.write_bytes(raw.replace((2**14).to_bytes(2, "big"), (2**15 + 1).to_bytes(2, "big"), 1))
    with pytest.raises(ArchiveError, match="header"):
        read_header(archive)


def test_a_short_passphrase_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"x")
    contents = Contents("a" * 16, "T", "M", 5, 1, bytes(32), 1, bytes(32))
    with pytest.raises(ArchiveError, match="at least 12"):
        write_archive(tmp_path / "a", contents, tmp_path / "ledger.db", "short", SeededBytes())
    assert not (tmp_path / "a").exists()


def test_nothing_of_a_key_is_in_what_is_printed() -> None:
    contents = Contents("a" * 16, "T", "M", 5, 1, b"secret-key-bytes" * 2, 1, bytes(32))
    assert "secret" not in repr(contents)
