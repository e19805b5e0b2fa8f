"""A dialect: the element table and an acquirer's options, as one frozen value.

Differences between acquirers are options here, never a fork of the code. The defaults are those
of the reference (dialect: sections 1 to 7).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, NoReturn, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from protocol.cipher import Cipher
from protocol.elements import LL, LLL, TABLE, Element
from protocol.errors import ElementNotInTable, UnknownElement
from protocol.formats import PinBlockOctets, TrackDigits

Reader: TypeAlias = Callable[[Any, Any, str], Any]
Writer: TypeAlias = Callable[[Any, Any, Any, str], Any]

# Messages of one terminal have some dozens of bitmaps; a stream of mutated frames has thousands.
_PLANS = 128


class Dialect(Struct, frozen=True, dict=True):  # dict: where the cached properties lie
    """Options of an acquirer. Hashable; every field has the reference's default.

    has_tpdu, has_header: whether frames carry them. request_tpdu: 10 hex digits; request_header:
    12 digits. frame_cap: the largest LEN, in bytes. mac_algorithm: a row of `mac.ALGORITHMS`.
    working_key_layout: a row of `keys.LAYOUTS` or `keys.TAGGED_LAYOUTS`. pin_length: element 26.
    security_method: second digit of element 53 (0 single DES, 6 double-length 3DES, 3 or 4 SM4;
    with SM4 a PIN block has 16 bytes). track_encryption: tracks go encrypted under the TDK.
    terminal_capability, partial_approval: 60.4 and 60.6. foreign_totals: element 48 of a
    settlement has totals of foreign cards too. reversal_reference, reversal_expiry,
    reversal_original: an 0400 carries 37, 14 after a swipe, the request's own 61.
    elements: rows that replace or extend those of the table.

    Raises ValueError for a malformed address or element number.
    """

    has_tpdu: bool = True
    has_header: bool = True
    request_tpdu: str = "6000060000"
    request_header: str = "603100310001"
    frame_cap: int = 4096
    mac_algorithm: str = "ecb"
    working_key_layout: str = "default"
    pin_length: int = 12
    security_method: str = "6"
    track_encryption: bool = False
    terminal_capability: str = "2"
    partial_approval: str = "0"
    foreign_totals: bool = True
    reversal_reference: bool = False
    reversal_expiry: bool = False
    reversal_original: bool = False
    elements: tuple[Element, ...] = ()

    def __post_init__(self) -> None:
        if len(self.request_tpdu) != 10 or self.request_tpdu.strip("0123456789ABCDEFabcdef"):
            raise ValueError("request_tpdu: 10 hex digits")
        if len(self.request_header) != 12 or self.request_header.strip("0123456789"):
            raise ValueError("request_header: 12 digits")
        if not all(2 <= row.number <= 64 for row in self.elements):
            raise ValueError("elements: numbers from 2 to 64")

    @cached_property
    def table(self) -> Mapping[int, Element]:
        """The element table with this acquirer's rows."""
        rows = dict(TABLE)
        if self.track_encryption:
            rows[35] = replace(rows[35], format=TrackDigits(LL, 37, encrypted=True))
            rows[36] = replace(rows[36], format=TrackDigits(LLL, 104, encrypted=True))
        if self.cipher is Cipher.SM4:
            rows[52] = replace(rows[52], format=PinBlockOctets(16))
        rows.update((row.number, row) for row in self.elements)
        return MappingProxyType(rows)

    @property
    def cipher(self) -> Cipher:
        """The block cipher of the keys, as the second digit of element 53 says."""
        return Cipher.SM4 if self.security_method in ("3", "4") else Cipher.TDES

    def header(self, *, chip: bool = False, test: bool = False) -> str | None:
        """The header of a request, or None when the dialect has none.

        chip: the card was inserted or tapped (category 61). test: the acquirer is a test acquirer
        (terminal status 1).
        """
        if not self.has_header:
            return None
        header = self.request_header
        category = "61" if chip else header[:2]
        status = "1" if test else header[4]
        return category + header[2:4] + status + header[5:]

    # A plan is the list of what to call for one bitmap, or for one set of elements. The caches
    # belong to this value and die with it; they are no part of its equality.

    @cached_property
    def reading_plan(self) -> Callable[[bytes], tuple[tuple[int, str, Reader], ...]]:
        """bitmap (8 bytes) -> number, path and reader of each element, in order.

        An element that the table does not know has a reader that raises UnknownElement, so that
        what stands before it is decoded all the same.
        """
        return lru_cache(_PLANS)(self._plan_reading)

    @cached_property
    def writing_plan(
        self,
    ) -> Callable[[tuple[int, ...]], tuple[bytes, tuple[tuple[int, str, Writer], ...]]]:
        """Element numbers in any order -> bitmap; number, path and writer of each, in order.

        Raises ElementNotInTable.
        """
        return lru_cache(_PLANS)(self._plan_writing)

    def _plan_reading(self, bitmap: bytes) -> tuple[tuple[int, str, Reader], ...]:
        bits = int.from_bytes(bitmap, "big")
        numbers = [number for number in range(2, 65) if bits >> (64 - number) & 1]
        return tuple((number, str(number), self._reader(number)) for number in numbers)

    def _reader(self, number: int) -> Reader:
        row = self.table.get(number)
        return _refuse_unknown if row is None else row.format._parse

    def _plan_writing(
        self, numbers: tuple[int, ...]
    ) -> tuple[bytes, tuple[tuple[int, str, Writer], ...]]:
        bits = 0
        plan = []
        for number in sorted(numbers):
            row = self.table.get(number)
            if row is None:
                raise ElementNotInTable(str(number), "an element of the table")
            bits |= 1 << (64 - number)
            plan.append((number, str(number), row.format._build))
        return bits.to_bytes(8, "big"), tuple(plan)


def _refuse_unknown(stream: Any, context: Any, path: str) -> NoReturn:  # noqa: ARG001  (a Reader)
    raise UnknownElement(path, "an element of the table", offset=stream.tell())


DEFAULT = Dialect()
"""The reference dialect without any acquirer's variation."""
