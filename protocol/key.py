"""A key: a value that cannot print itself and can be wiped, as far as Python allows."""

from __future__ import annotations

import hmac
from typing import NoReturn

from protocol.cipher import Cipher, encrypt
from protocol.errors import KeyLengthWrong


class Key:
    """A DES, 3DES or SM4 key of 8, 16 or 24 bytes that prints itself masked.

    `wipe` overwrites this object's own copy. Python may hold others: the bytes that it was made
    of, what `reveal` handed out, and the key schedule inside the cipher library live until they
    are collected, and memory that was freed is not overwritten.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        if len(value) not in (8, 16, 24):
            raise KeyLengthWrong(f"a key has 8, 16 or 24 bytes, this one {len(value)}")
        self._value = bytearray(value)

    def reveal(self) -> bytes:
        """The key in clear, for the cipher only. Raises KeyLengthWrong once it is wiped."""
        if not self._value:
            raise KeyLengthWrong("this key was wiped")
        return bytes(self._value)

    def check_value(self, length: int = 4, cipher: Cipher = Cipher.TDES) -> bytes:
        """The first `length` bytes of a block of zeros encrypted under the key."""
        return encrypt(self.reveal(), bytes(cipher.block_size), cipher)[:length]

    def wipe(self) -> None:
        """Overwrite the key with zeros and make it unusable."""
        self._value[:] = bytes(len(self._value))
        self._value.clear()

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Key):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a key is no dictionary key

    def __repr__(self) -> str:
        return f"Key({len(self._value)} bytes)"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Key cannot be pickled or copied")
