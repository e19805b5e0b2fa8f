"""The working keys that a sign-in brings (dialect: element 62, cryptography)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from protocol.cipher import Cipher, decrypt, encrypt
from protocol.dialect import DEFAULT, Dialect
from protocol.errors import KeyCheckFailed, KeyLayoutUnknown
from protocol.key import Key
from protocol.mac import check_key_length

__all__ = [
    "LAYOUTS",
    "TAGGED_LAYOUTS",
    "Key",
    "Slot",
    "WorkingKeys",
    "slots",
    "working_keys",
    "wrap_working_keys",
]


class WorkingKeys(Struct, frozen=True):
    """The keys of one sign-in: for PIN blocks, for MACs, for tracks where those are enciphered."""

    pin: Key
    mac: Key
    track: Key | None = None

    def wipe(self) -> None:
        """Wipe each of them, as far as `Key.wipe` goes."""
        for key in (self.pin, self.mac, self.track):
            if key is not None:
                key.wipe()


class Slot(Struct, frozen=True):
    """One key in a layout: whose it is, and the bytes of the key and of its check value.

    kind: PIK, MAK, TDK or TMK. tag: the byte before the key in tagged layouts. may_be_short: a
    key whose second half is eight zero bytes is one of 8 bytes.
    """

    kind: str
    key_size: int
    check_size: int
    tag: bytes = b""
    may_be_short: bool = False

    @property
    def size(self) -> int:
        return len(self.tag) + self.key_size + self.check_size


def _row(key_size: int, check_size: int, *kinds: str) -> tuple[Slot, ...]:
    return tuple(Slot(kind, key_size, check_size) for kind in kinds)


_PIK, _TDK = _row(16, 4, "PIK", "TDK")
_MAK = Slot("MAK", 16, 4, may_be_short=True)


# A layout is the list of its possible forms; the length of element 62 chooses one.
LAYOUTS: Mapping[str, tuple[tuple[Slot, ...], ...]] = MappingProxyType(
    {
        "default": (
            _row(8, 4, "PIK", "MAK"),  # 24 bytes
            (_PIK, _MAK),  # 40
            (_PIK, _MAK, _TDK),  # 60
            _row(24, 4, "PIK", "MAK", "TDK"),  # 84
        ),
        "three-of-19": (_row(16, 3, "PIK", "MAK", "TDK"),),  # 57
    }
)

# Records of 25 bytes in any order, each with the kind of its key in front.
TAGGED_LAYOUTS: Mapping[str, tuple[Slot, ...]] = MappingProxyType(
    {
        "tagged-25": (
            Slot("TMK", 16, 8, b"\x00"),
            Slot("MAK", 16, 8, b"\x01"),
            Slot("PIK", 16, 8, b"\x02"),
            Slot("TDK", 16, 8, b"\x03"),
        )
    }
)


def working_keys(element_62: bytes, master: Key, dialect: Dialect = DEFAULT) -> WorkingKeys:
    """The working keys that stand under the master key in element 62 of a sign-in answer.

    Every check value is verified, and the MAC key's length compared with what the MAC algorithm
    needs, before any key is returned. A TMK record is verified and not returned.
    Raises KeyLayoutUnknown, KeyCheckFailed, KeyLengthWrong.
    """
    keys: dict[str, Key] = {}
    position = 0
    for slot in slots(element_62, dialect):
        end = position + slot.size
        field = element_62[position + len(slot.tag) : end]
        keys[slot.kind] = _verified(slot, field, master, dialect.cipher)
        position = end
    if "PIK" not in keys or "MAK" not in keys:
        raise KeyLayoutUnknown("a PIN key and a MAC key are needed", "62")
    check_key_length(len(keys["MAK"]), dialect.mac_algorithm)
    return WorkingKeys(keys["PIK"], keys["MAK"], keys.get("TDK"))


def wrap_working_keys(keys: WorkingKeys, master: Key, dialect: Dialect = DEFAULT) -> bytes:
    """Element 62 that carries these keys to a terminal: the acquirer's side of `working_keys`.

    An 8-byte MAC key beside longer ones is filled up with eight zero bytes.
    Raises KeyLayoutUnknown when the dialect's layout has no place for them.
    """
    values = {"PIK": keys.pin, "MAK": keys.mac}
    if keys.track is not None:
        values["TDK"] = keys.track
    for form in _forms(dialect):
        if {slot.kind for slot in form} == set(values) and form[0].key_size == len(keys.pin):
            return b"".join(_wrapped(slot, values[slot.kind], master, dialect) for slot in form)
    raise KeyLayoutUnknown(f"layout {dialect.working_key_layout} does not carry these keys", "62")


def _forms(dialect: Dialect) -> tuple[tuple[Slot, ...], ...]:
    name = dialect.working_key_layout
    if name in LAYOUTS:
        return LAYOUTS[name]
    if name in TAGGED_LAYOUTS:
        by_kind = {slot.kind: slot for slot in TAGGED_LAYOUTS[name]}
        two = (by_kind["PIK"], by_kind["MAK"])
        return (two, (*two, by_kind["TDK"]))
    raise KeyLayoutUnknown(f"no working key layout is called {name}")


def slots(element_62: bytes, dialect: Dialect = DEFAULT) -> tuple[Slot, ...]:
    """The slots that these keys fill, in order. Raises KeyLayoutUnknown."""
    if dialect.working_key_layout in TAGGED_LAYOUTS:
        return _tagged_slots(element_62, TAGGED_LAYOUTS[dialect.working_key_layout])
    forms = _forms(dialect)
    for form in forms:
        if sum(slot.size for slot in form) == len(element_62):
            return form
    sizes = ", ".join(str(sum(slot.size for slot in form)) for form in forms)
    raise KeyLayoutUnknown(f"expected {sizes} bytes of keys, found {len(element_62)}", "62")


def _tagged_slots(element_62: bytes, rows: tuple[Slot, ...]) -> tuple[Slot, ...]:
    by_tag = {slot.tag: slot for slot in rows}
    size = rows[0].size
    tags = [element_62[position : position + 1] for position in range(0, len(element_62), size)]
    if not tags or len(element_62) % size or len(set(tags)) != len(tags):
        rule = f"one record of {size} bytes for each key"
        raise KeyLayoutUnknown(f"expected {rule}, found {len(element_62)} bytes", "62")
    if not by_tag.keys() >= set(tags):
        raise KeyLayoutUnknown("a record is of an unknown kind of key", "62")
    return tuple(by_tag[tag] for tag in tags)


def _verified(slot: Slot, field: bytes, master: Key, cipher: Cipher) -> Key:
    path = f"62.{slot.kind}"
    wrapped, check = field[: slot.key_size], field[slot.key_size :]
    if not any(wrapped):
        raise KeyCheckFailed("the key is all zeros", path)
    if slot.may_be_short and cipher is Cipher.TDES and not any(wrapped[8:]):
        wrapped = wrapped[:8]
    key = Key(decrypt(master.reveal(), wrapped, cipher))
    if not any(key.reveal()):
        raise KeyCheckFailed("the key is all zeros", path)
    if not hmac.compare_digest(key.check_value(slot.check_size, cipher), check):
        raise KeyCheckFailed("the check value does not fit the key", path)
    return key


def _wrapped(slot: Slot, key: Key, master: Key, dialect: Dialect) -> bytes:
    if len(key) != slot.key_size and not (slot.may_be_short and len(key) == 8):
        rule = f"expected {slot.key_size} bytes, found {len(key)}"
        raise KeyLayoutUnknown(rule, f"62.{slot.kind}")
    wrapped = encrypt(master.reveal(), key.reveal(), dialect.cipher).ljust(slot.key_size, b"\0")
    return slot.tag + wrapped + key.check_value(slot.check_size, dialect.cipher)
