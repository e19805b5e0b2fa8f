"""Block encryption in ECB, the only mode that the dialect builds on (dialect: cryptography).

Nothing here computes a cipher: DES, 3DES and SM4 come from `cryptography`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher as _Cipher
from cryptography.hazmat.primitives.ciphers import CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB

from protocol.errors import KeyLengthWrong


class Cipher(Enum):
    """Which block cipher the keys of an acquirer are for; the value is the block size in bytes."""

    TDES = 8  # single DES too: an 8-byte key three times over
    SM4 = 16

    @property
    def block_size(self) -> int:
        return self.value


def encrypt(key: bytes, data: bytes, cipher: Cipher = Cipher.TDES) -> bytes:
    """Encrypt whole blocks. key: 8, 16 or 24 bytes for DES, 16 for SM4. Raises KeyLengthWrong."""
    return _run(_cipher(key, cipher).encryptor(), data, cipher)


def encryptor(key: bytes, cipher: Cipher = Cipher.TDES) -> Callable[[bytes], bytes]:
    """`encrypt` for data that comes block by block: the key is set up once. Raises KeyLengthWrong."""
    return _cipher(key, cipher).encryptor().update


def decrypt(key: bytes, data: bytes, cipher: Cipher = Cipher.TDES) -> bytes:
    """Decrypt whole blocks; keys as for `encrypt`. Raises KeyLengthWrong."""
    return _run(_cipher(key, cipher).decryptor(), data, cipher)


def xor(left: bytes, right: bytes) -> bytes:
    """Two strings of equal length, byte by byte."""
    size = len(left)
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(size, "big")


def _run(context: CipherContext, data: bytes, cipher: Cipher) -> bytes:
    if len(data) % cipher.block_size:
        rule = f"whole blocks of {cipher.block_size} bytes are encrypted"
        raise KeyLengthWrong(f"{rule}, not {len(data)} bytes")
    return context.update(data) + context.finalize()


def _cipher(key: bytes, cipher: Cipher) -> _Cipher[ECB]:
    if cipher is Cipher.SM4:
        if len(key) != 16:
            raise KeyLengthWrong(f"an SM4 key has 16 bytes, this one {len(key)}")
        return _Cipher(SM4(key), ECB())  # noqa: S305  (the dialect's own mode)
    if len(key) not in (8, 16, 24):
        raise KeyLengthWrong(f"a DES key has 8, 16 or 24 bytes, this one {len(key)}")
    # Always 24 bytes: the library is giving up the shorter spellings of the same key.
    return _Cipher(TripleDES((key * 3)[:24]), ECB())  # noqa: S305  (the dialect's own mode)
