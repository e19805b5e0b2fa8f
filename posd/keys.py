"""The keys at rest: the device key seals what the ledger must not show, the master key opens working keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from posd import passwords
from posd.core.ports import PasswordVerifier
from protocol import Key

NONCE_LENGTH = 12
DEVICE_KEY_LENGTH = 32


class SealBroken(Exception):
    """A sealed value does not open: another device key, another record, or damage."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What the terminal is entrusted with. Prints nothing of it.

    password_cost is scrypt's N: lower only where a thousand clerks are simulated.
    """

    device: bytes  # 32 bytes
    master: Key  # the terminal master key (TMK)
    password_cost: int = 2**14

    def __repr__(self) -> str:
        return "Keys(...)"

    @classmethod
    def load(cls, device_key_file: Path, master_key_file: Path) -> Keys:
        """From two files of hex digits. Raises OSError, ValueError (never with the content)."""
        device = _hex(device_key_file)
        if len(device) != DEVICE_KEY_LENGTH:
            raise ValueError(
                f"{device_key_file}: {DEVICE_KEY_LENGTH} bytes expected, {len(device)} found"
            )
        master = _hex(master_key_file)
        if len(master) not in (16, 24):
            raise ValueError(f"{master_key_file}: 16 or 24 bytes expected, {len(master)} found")
        return cls(device, Key(master))

    def seal(self, plain: bytes, record: str, random_bytes: Callable[[int], bytes]) -> bytes:
        """AES-GCM under the device key, bound to this record's name: nonce and ciphertext."""
        nonce = random_bytes(NONCE_LENGTH)
        return nonce + AESGCM(self.device).encrypt(nonce, plain, record.encode())

    def open(self, sealed: bytes, record: str) -> bytes:
        """Raises SealBroken."""
        try:
            return AESGCM(self.device).decrypt(
                sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:], record.encode()
            )
        except (InvalidTag, ValueError):
            raise SealBroken(record) from None

    def verifier(self, password: str, random_bytes: Callable[[int], bytes]) -> PasswordVerifier:
        """What is stored of a password: scrypt over HMAC(device key, password)."""
        salt = random_bytes(16)
        return PasswordVerifier(
            salt, passwords.make_verifier(self.device, password, salt, self.password_cost)
        )


def _hex(path: Path) -> bytes:
    text = path.read_text("ascii", errors="replace")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"{path}: hex digits expected") from None
