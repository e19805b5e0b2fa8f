"""Structured values as CBOR: only plain types go in, so that no secret value can be stored by accident."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cbor2

_PLAIN = frozenset({str, bytes, int, bool, type(None)})


def pack(value: object) -> bytes:
    """Canonical CBOR of dicts, lists and plain scalars. Raises TypeError, with the type, for others."""
    return cbor2.dumps(_plain(value), canonical=True)


def unpack(data: bytes) -> Any:
    """What pack() was given. Raises ValueError."""
    try:
        return cbor2.loads(data)
    except cbor2.CBORDecodeError:
        raise ValueError("a stored value cannot be read") from None


def _plain(value: object) -> object:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str) and type(value).__module__.startswith("posd."):
        return str.__str__(value)  # our own StrEnums
    raise TypeError(f"{type(value).__name__} is never stored")
