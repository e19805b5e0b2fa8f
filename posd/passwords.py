"""Passwords at rest: scrypt over HMAC(device key, password), so that a stolen ledger alone gives no clue."""

from __future__ import annotations

import hashlib
import hmac

VERIFIER_LENGTH = 32
_BLOCK_SIZE = 8  # scrypt r
_PARALLEL = 1  # scrypt p


def make_verifier(device_key: bytes, password: str, salt: bytes, cost: int) -> bytes:
    """The 32 bytes that are stored. cost is scrypt's N, a power of two."""
    keyed = hmac.digest(device_key, password.encode(), hashlib.sha256)
    return hashlib.scrypt(
        keyed, salt=salt, n=cost, r=_BLOCK_SIZE, p=_PARALLEL, maxmem=256 * cost * _BLOCK_SIZE + 1_000_000,
        dklen=VERIFIER_LENGTH,
    )  # fmt: skip


def matches(device_key: bytes, password: str, salt: bytes, verifier: bytes, cost: int) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(make_verifier(device_key, password, salt, cost), verifier)
