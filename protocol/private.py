"""Elements 53, 60 and 61: what a request says about its PIN, itself and an earlier transaction."""

from __future__ import annotations

from msgspec import Struct

from protocol.dialect import Dialect
from protocol.layout import Characters, Layout, MayEnd


class Element60(Struct, frozen=True):
    """Element 60, part by part (dialect: section 4). None: the content ends before that part."""

    kind: str
    batch: str | None = None
    network_code: str | None = None
    terminal_capability: str | None = None
    chip_condition: str | None = None
    partial_approval: str | None = None
    account_type: str | None = None


ELEMENT_60 = Layout(
    "60",
    Element60,
    (
        ("kind", Characters(2)),
        ("batch", MayEnd(Characters(6))),
        ("network_code", MayEnd(Characters(3))),
        ("terminal_capability", MayEnd(Characters(1))),
        ("chip_condition", MayEnd(Characters(1))),
        ("partial_approval", MayEnd(Characters(1))),
        ("account_type", MayEnd(Characters(3))),
    ),
)


class Element61(Struct, frozen=True):
    """Element 61, part by part: the original transaction. None: the content ends before it."""

    batch: str
    stan: str | None = None
    date: str | None = None
    authorisation_mode: str | None = None
    institution: str | None = None


ELEMENT_61 = Layout(
    "61",
    Element61,
    (
        ("batch", Characters(6)),
        ("stan", MayEnd(Characters(6))),
        ("date", MayEnd(Characters(4))),
        ("authorisation_mode", MayEnd(Characters(2))),
        ("institution", MayEnd(Characters(11))),
    ),
)


class Element53(Struct, frozen=True):
    """Element 53, part by part (dialect: section 3).

    pin_form: 0 no PIN, 1 a PIN without card number, 2 with it. method: 0 single DES, 6
    double-length 3DES, 3 or 4 SM4. tracks: 1 when tracks are encrypted.
    """

    pin_form: str
    method: str
    tracks: str = "0"
    reserved: str = "0000000000000"


ELEMENT_53 = Layout(
    "53",
    Element53,
    (
        ("pin_form", Characters(1)),
        ("method", Characters(1)),
        ("tracks", Characters(1)),
        ("reserved", Characters(13)),
    ),
)


def security_information(dialect: Dialect, *, pin: bool) -> str:
    """Element 53 of a request, which goes with a PIN or a track."""
    tracks = "1" if dialect.track_encryption else "0"
    return ELEMENT_53.text_of(Element53("2" if pin else "0", dialect.security_method, tracks))


def parse_60(content: str) -> Element60:
    """The parts of element 60. Raises DecodeError."""
    return ELEMENT_60.parts_of(content)


def element_60(
    kind: str,
    batch: str,
    network_code: str = "000",
    terminal_capability: str | None = None,
    chip_condition: str | None = None,
    partial_approval: str | None = None,
    account_type: str | None = None,
) -> str:
    """Element 60 from its parts; those that are None are left out at the end.

    Raises EncodeError when a part is malformed or follows one that is left out.
    """
    return ELEMENT_60.text_of(
        Element60(
            kind,
            batch,
            network_code,
            terminal_capability,
            chip_condition,
            partial_approval,
            account_type,
        )
    )


def parse_61(content: str) -> Element61:
    """The parts of element 61. Raises DecodeError."""
    return ELEMENT_61.parts_of(content)


def original_transaction(batch: str, stan: str, date: str | None = None) -> str:
    """Element 61: batch and STAN of the original, and its date MMDD where it is wanted.

    A refund has zeros for batch and STAN. Raises EncodeError.
    """
    return ELEMENT_61.text_of(Element61(batch, stan, date))
