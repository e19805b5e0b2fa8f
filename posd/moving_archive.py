"""The archive in which a terminal's ledger travels: one file, sealed under a passphrase, with an id.

    archive   = "posd archive 1\\n"  length (2 bytes, big endian)  header  chunk...
    header    = CBOR map: id (16 hex digits), salt, cost (scrypt's N), nonce (7 bytes)
    chunk     = AES-256-GCM of 64 KiB (the last one: of what is left), the header as associated data
    contents  = length (4 bytes)  CBOR map (`Contents`)  the ledger's file

The chunks are the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar: "Online Authenticated-Encryption
and its Nonce-Reuse Misuse-Resistance"; age and Tink use it too): a chunk's nonce is the header's, its number,
and whether it is the last, so that none can be left out, put elsewhere, or be the end without being it. The
key is scrypt of the passphrase (RFC 7914, r = 8, p = 1), new for every archive by its salt.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import cbor2
import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from msgspec import Struct

MAGIC: Final = b"posd archive 1\n"
SCRYPT_COST: Final = 2**15  # 32 MiB and a tenth of a second: as much as the smallest terminal has
_COSTS: Final = range(2**14, 2**17 + 1)
SHORTEST_PASSPHRASE: Final = 12
_CHUNK: Final = 64 * 1024
_TAG: Final = 16
_SALT: Final = 16
_NONCE: Final = 7
_KEY: Final = 32
_HEADER_LIMIT: Final = 512
_CONTENTS_LIMIT: Final = 4096
_CHUNKS_AT_MOST: Final = 2**20  # 64 GiB


class ArchiveError(Exception):
    """What is wrong with an archive or its passphrase; never holds what is in it."""


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be read without the passphrase."""

    id: str
    salt: bytes
    cost: int
    nonce: bytes


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the ledger in the archive is.

    key: the card numbers in it are sealed under this one, not under a device's.
    at: milliseconds, when its terminal was retired. size and digest (sha-256): of the ledger's file.
    """

    archive: str
    terminal_id: str
    merchant_id: str
    schema: int
    at: int
    key: bytes
    size: int
    digest: bytes

    def __repr__(self) -> str:
        return f"Contents(archive={self.archive!r}, terminal_id={self.terminal_id!r})"


class _Sealing(Struct, frozen=True):
    cipher: AESGCM
    header: bytes
    nonce: bytes

    def nonce_of(self, number: int, *, last: bool) -> bytes:
        return self.nonce + struct.pack(">IB", number, last)


def digest_of(file: Path) -> bytes:
    """Raises OSError."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def write_archive(
    file: Path,
    contents: Contents,
    ledger: Path,
    passphrase: str,
    random_bytes: Callable[[int], bytes],
) -> None:
    """Write it to the disk, whole or not at all. Raises OSError, ArchiveError."""
    check_passphrase(passphrase)
    header = Header(contents.archive, random_bytes(_SALT), SCRYPT_COST, random_bytes(_NONCE))
    raw = cbor2.dumps(msgspec.structs.asdict(header))
    sealing = _sealing(header, raw, passphrase)
    inside = cbor2.dumps(msgspec.structs.asdict(contents))
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out, ledger.open("rb") as stream:
            out.write(MAGIC + struct.pack(">H", len(raw)) + raw)
            pieces = _pieces(struct.pack(">I", len(inside)) + inside, stream)
            for number, (piece, last) in enumerate(pieces):
                nonce = sealing.nonce_of(number, last=last)
                out.write(sealing.cipher.encrypt(nonce, piece, sealing.header))
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def read_header(file: Path) -> Header:
    """Raises OSError, ArchiveError."""
    with file.open("rb") as stream:
        return _read_header(stream)[0]


def read_archive(file: Path, passphrase: str, ledger: BinaryIO | None) -> Contents:
    """Check all of it; write the ledger's file into the stream. Raises OSError, ArchiveError.

    Until this has returned nothing in the stream may be used.
    """
    with file.open("rb") as stream:
        header, raw = _read_header(stream)
        chunks = _opened(stream, _sealing(header, raw, passphrase))
        begin = bytearray()
        for chunk in chunks:
            begin += chunk
            if len(begin) >= 4 and len(begin) >= 4 + _length(begin):
                break
        contents, rest = _contents(bytes(begin), header)
        digest, size = hashlib.sha256(), 0
        for chunk in _and_then(rest, chunks):
            digest.update(chunk)
            size += len(chunk)
            if ledger is not None:
                ledger.write(chunk)
    if (size, digest.digest()) != (contents.size, contents.digest):
        raise ArchiveError(f"{file}: the ledger in it is not the one that was put in")
    return contents


def check_passphrase(passphrase: str) -> None:
    """Raises ArchiveError, never with it."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise ArchiveError(f"expected a passphrase of at least {SHORTEST_PASSPHRASE} characters")


# --- inside ---------------------------------------------------------------------------------------


def _sealing(header: Header, raw: bytes, passphrase: str) -> _Sealing:
    key = Scrypt(salt=header.salt, length=_KEY, n=header.cost, r=8, p=1).derive(passphrase.encode())
    return _Sealing(AESGCM(key), raw, header.nonce)


def _pieces(begin: bytes, stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Pieces of one chunk each, and whether it is the last; the last one may be empty."""
    waiting = begin
    while True:
        while len(waiting) <= _CHUNK and (more := stream.read(_CHUNK)):
            waiting += more
        piece, waiting = waiting[:_CHUNK], waiting[_CHUNK:]
        yield piece, not waiting
        if not waiting:
            return


def _read_header(stream: BinaryIO) -> tuple[Header, bytes]:
    name = getattr(stream, "name", "archive")
    if stream.read(len(MAGIC)) != MAGIC:
        raise ArchiveError(f"{name}: this is no archive of a terminal, or a newer kind of one")
    try:
        (length,) = struct.unpack(">H", stream.read(2))
        raw = stream.read(min(length, _HEADER_LIMIT))
        header = msgspec.convert(cbor2.loads(raw), Header)
    except (struct.error, cbor2.CBORError, msgspec.ValidationError, ValueError, TypeError):
        raise ArchiveError(f"{name}: its header cannot be read") from None
    right = (
        header.cost in _COSTS
        and header.cost.bit_count() == 1
        and (len(header.salt), len(header.nonce)) == (_SALT, _NONCE)
    )
    if not right:
        raise ArchiveError(f"{name}: its header cannot be read")
    return header, raw


def _opened(stream: BinaryIO, sealing: _Sealing) -> Iterator[bytes]:
    """The chunks in clear, each checked. Raises ArchiveError."""
    chunk = stream.read(_CHUNK + _TAG)
    for number in range(_CHUNKS_AT_MOST):
        following = stream.read(_CHUNK + _TAG)
        nonce = sealing.nonce_of(number, last=not following)
        try:
            yield sealing.cipher.decrypt(nonce, chunk, sealing.header)
        except InvalidTag:
            if number == 0:
                raise ArchiveError("another passphrase, or the archive is damaged") from None
            raise ArchiveError("the archive is damaged, or not all of it is there") from None
        if not following:
            return
        chunk = following


def _length(begin: bytes | bytearray) -> int:
    (length,) = struct.unpack_from(">I", begin)
    if length > _CONTENTS_LIMIT:
        raise ArchiveError("the archive is of another kind")
    return int(length)


def _contents(begin: bytes, header: Header) -> tuple[Contents, bytes]:
    try:
        end = 4 + _length(begin)
        contents = msgspec.convert(cbor2.loads(begin[4:end]), Contents)
    except (struct.error, cbor2.CBORError, msgspec.ValidationError, ValueError, TypeError):
        raise ArchiveError("the archive is of another kind") from None
    if contents.archive != header.id:
        raise ArchiveError("the archive's header belongs to another one")
    return contents, begin[end:]


def _and_then(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
