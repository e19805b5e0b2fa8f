"""A message: its MTI, its elements, and the addressing it came or goes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from protocol.elements import TABLE, Element, Value, describe


@dataclass(frozen=True, repr=False)
class Message:
    """One message of the dialect; read-only, and masked whatever prints it.

    mti: four digits. elements: element number -> digits or text as str, binary as bytes, card
    data as `Pan`, `Track` and `PinBlock`. tpdu: 10 hex digits, header: 12 digits; None means the
    dialect's own when encoding, and "the dialect has none" after decoding.
    """

    mti: str
    elements: Mapping[int, Value]
    tpdu: str | None = None
    header: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "elements", MappingProxyType(dict(self.elements)))

    @classmethod
    def adopt(
        cls, mti: str, elements: dict[int, Value], tpdu: str | None, header: str | None
    ) -> Message:
        """A message around a dict that the caller gives away: the decoder's way, without a copy."""
        message = object.__new__(cls)
        fields = message.__dict__  # around the frozen __setattr__, which would cost a third
        fields["mti"] = mti
        fields["elements"] = MappingProxyType(elements)
        fields["tpdu"] = tpdu
        fields["header"] = header
        return message

    def get(self, number: int, default: Any = None) -> Any:
        """The value of an element, or the default when the message does not carry it."""
        return self.elements.get(number, default)

    def with_elements(self, changes: Mapping[int, Value | None]) -> Message:
        """A copy with elements set, and those whose new value is None left out."""
        merged = {**self.elements, **changes}
        kept = {number: value for number, value in merged.items() if value is not None}
        return replace(self, elements=kept)

    def describe(self, table: Mapping[int, Element] = TABLE) -> str:
        """Readable and masked: the MTI, then an element a line. Safe to log and to show.

        table: a dialect's own rows; what they do not know is shown as a length.
        """
        return "\n".join([self.mti, *describe(self.elements, table)])

    def __repr__(self) -> str:
        numbers = " ".join(map(str, sorted(self.elements)))
        return f"<Message {self.mti} with {numbers or 'no elements'}>"

    __str__ = __repr__
