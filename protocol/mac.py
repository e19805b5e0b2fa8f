"""Element 64: the message authentication code (dialect: cryptography).

The MAC covers everything from the MTI to the element before 64, with bit 64 set in the bitmap.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec import Struct

from protocol.cipher import Cipher, decrypt, encrypt, encryptor, xor
from protocol.codec import body_offset, encode_message
from protocol.dialect import DEFAULT, Dialect
from protocol.errors import AlgorithmUnknown, KeyLengthWrong
from protocol.key import Key
from protocol.message import Message

MAC_SIZE = 8
_NO_MAC = bytes(MAC_SIZE)
_BIT_64 = 0x01  # in the last byte of the bitmap


class Algorithm(Struct, frozen=True):
    """One row: how a MAC is computed, and the lengths of key that it takes."""

    compute: Callable[[bytes, bytes], bytes]
    key_lengths: tuple[int, ...]


def compute(key: Key, data: bytes, algorithm: str = "ecb") -> bytes:
    """The 8 bytes of element 64 over the data. Raises AlgorithmUnknown, KeyLengthWrong."""
    row = _algorithm(algorithm)
    check_key_length(len(key), algorithm)
    return row.compute(key.reveal(), data)


def seal(message: Message, key: Key, dialect: Dialect = DEFAULT) -> Message:
    """The message with element 64 set. Raises EncodeError, AlgorithmUnknown, KeyLengthWrong."""
    encoded = encode_message(message.with_elements({64: _NO_MAC}), dialect)
    mac = compute(key, encoded[:-MAC_SIZE], dialect.mac_algorithm)
    return message.with_elements({64: mac})


def verify_frame(frame: bytes, key: Key, dialect: Dialect = DEFAULT) -> bool:
    """Does element 64 of a frame fit the bytes as they were received? False when it has none.

    Compares in constant time. Raises AlgorithmUnknown, KeyLengthWrong.
    """
    return verify_message(frame[body_offset(dialect) :], key, dialect)


def verify_message(body: bytes, key: Key, dialect: Dialect = DEFAULT) -> bool:
    """As `verify_frame`, for MTI, bitmap and elements alone."""
    mti_and_bitmap = 10
    if len(body) < mti_and_bitmap + MAC_SIZE or not body[mti_and_bitmap - 1] & _BIT_64:
        return False
    expected = compute(key, body[:-MAC_SIZE], dialect.mac_algorithm)
    return hmac.compare_digest(expected, body[-MAC_SIZE:])


def check_key_length(length: int, algorithm: str) -> None:
    """Raises KeyLengthWrong when a MAC key of this many bytes does not fit the algorithm."""
    lengths = _algorithm(algorithm).key_lengths
    if length not in lengths:
        allowed = " or ".join(map(str, lengths))
        raise KeyLengthWrong(f"MAC {algorithm} takes a key of {allowed} bytes, not {length}")


def _algorithm(name: str) -> Algorithm:
    row = ALGORITHMS.get(name)
    if row is None:
        raise AlgorithmUnknown(f"no MAC algorithm is called {name}: {', '.join(ALGORITHMS)}")
    return row


def _blocks(data: bytes, size: int) -> list[bytes]:
    padded = data + bytes(-len(data) % size)
    return [padded[start : start + size] for start in range(0, len(padded), size)]


def _folded(data: bytes, size: int) -> bytes:
    """All blocks of the zero-padded data XORed together."""
    folded = 0
    for block in _blocks(data, size):
        folded ^= int.from_bytes(block, "big")
    return folded.to_bytes(size, "big")


def _over_hex(key: bytes, data: bytes, cipher: Cipher) -> bytes:
    """Fold, spell in hex, encrypt the first half, XOR with the second, encrypt, spell in hex."""
    size = cipher.block_size
    spelled = _folded(data, size).hex().upper().encode("ascii")
    block = encryptor(key, cipher)
    second = block(xor(block(spelled[:size]), spelled[size:]))
    return second.hex().upper().encode("ascii")[:MAC_SIZE]


def _ecb(key: bytes, data: bytes) -> bytes:
    return _over_hex(key, data, Cipher.TDES)


def _sm4_ecb(key: bytes, data: bytes) -> bytes:
    return _over_hex(key, data, Cipher.SM4)


def _x9_9(key: bytes, data: bytes) -> bytes:
    """CBC-MAC with single DES, under the first 8 bytes of the key."""
    chained, encrypted = bytes(8), encryptor(key[:8])
    for block in _blocks(data, 8):
        chained = encrypted(xor(chained, block))
    return chained


def _x9_19(key: bytes, data: bytes) -> bytes:
    """Retail MAC: X9.9 under the left half, the last block triple-encrypted."""
    return encrypt(key[:8], decrypt(key[8:16], _x9_9(key, data)))


def _xor_3des(key: bytes, data: bytes) -> bytes:
    return encrypt(key, _folded(data, 8))


ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {
        "ecb": Algorithm(_ecb, (8, 16, 24)),
        "x9.9": Algorithm(_x9_9, (8, 16, 24)),
        "x9.19": Algorithm(_x9_19, (16,)),
        "xor-3des": Algorithm(_xor_3des, (16,)),
        "sm4-ecb": Algorithm(_sm4_ecb, (16,)),
    }
)
"""Every MAC algorithm by its name in the configuration."""
