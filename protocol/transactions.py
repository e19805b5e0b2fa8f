"""The transactions of the dialect, one row each, and the rules that a request must keep.

Source: dialect, section 5. Adding a transaction is adding a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from msgspec import Struct

from protocol import chip_tags
from protocol.elements import Value
from protocol.errors import DecodeError, InvalidRequest
from protocol.message import Message


class Doubt(Enum):
    """What follows when nobody knows whether the host carried a request out."""

    REVERSAL = "reversal"  # an 0400 undoes it
    NOTICE = "notice"  # it is repeated until it is answered
    NOTHING = "nothing"  # it moved no money


class Original(Enum):
    """What element 61 of a request says about an earlier transaction."""

    NONE = "none"
    STAN = "batch and STAN"
    DATED = "batch, STAN and date"
    DATE = "zeros and the date"


class Transaction(Struct, frozen=True):
    """One row. None as a code means "as the original's", or that the element is not sent.

    kind: 60.1. network_codes: the 60.3 that it may have, the usual one first.
    required, optional: elements of the request, 64 left out; `mac` says whether 64 is added.
    financial: an amount of the cardholder's is moved, held or looked at.
    """

    name: str
    title_zh: str
    title_en: str
    request_mti: str
    answer_mti: str
    processing_code: str | None
    condition_code: str | None
    kind: str | None
    network_codes: tuple[str, ...]
    mac: bool
    doubt: Doubt
    required: frozenset[int]
    optional: frozenset[int] = frozenset()
    original: Original = Original.NONE
    financial: bool = False
    takes_partial_approval: bool = False

    @property
    def network_code(self) -> str | None:
        """The usual 60.3, or None when it is the original's."""
        return self.network_codes[0] if self.network_codes else None


_FINANCIAL = frozenset({3, 4, 11, 22, 25, 41, 42, 49, 60})
_CARD = frozenset({2, 14, 23, 26, 35, 36, 52, 53, 55})
_MANAGEMENT = frozenset({41, 42, 60})
_NO_NETWORK = ("000",)

# The columns of a row: name, titles, MTIs, element 3, element 25, 60.1,
# 60.3, MAC, doubt, required and optional elements; then what only some rows have.

BALANCE_INQUIRY = Transaction(
    "balance_inquiry", "余额查询", "BALANCE INQUIRY", "0200", "0210", "310000", "00", "01",
    _NO_NETWORK, True, Doubt.NOTHING, _FINANCIAL - {4}, _CARD, financial=True,
)  # fmt: skip
SALE = Transaction(
    "sale", "消费", "SALE", "0200", "0210", "000000", "00", "22",
    _NO_NETWORK, True, Doubt.REVERSAL, _FINANCIAL, _CARD,
    financial=True, takes_partial_approval=True,
)  # fmt: skip
SALE_VOID = Transaction(
    "sale_void", "消费撤销", "VOID", "0200", "0210", "200000", "00", "23",
    _NO_NETWORK, True, Doubt.REVERSAL, _FINANCIAL | {37, 61}, _CARD | {38},
    Original.STAN, financial=True,
)  # fmt: skip
REFUND = Transaction(
    "refund", "退货", "REFUND", "0220", "0230", "200000", "00", "25",
    _NO_NETWORK, True, Doubt.NOTICE, _FINANCIAL | {37, 61, 63}, _CARD,
    Original.DATE, financial=True,
)  # fmt: skip
PRE_AUTHORISATION = Transaction(
    "pre_authorisation", "预授权", "PRE-AUTHORISATION", "0100", "0110", "030000", "06", "10",
    _NO_NETWORK, True, Doubt.REVERSAL, _FINANCIAL, _CARD, financial=True,
)  # fmt: skip
PRE_AUTHORISATION_VOID = Transaction(
    "pre_authorisation_void", "预授权撤销", "PRE-AUTHORISATION VOID", "0100", "0110",
    "200000", "06", "11",
    _NO_NETWORK, True, Doubt.REVERSAL, _FINANCIAL | {38, 61}, _CARD,
    Original.DATED, financial=True,
)  # fmt: skip
COMPLETION = Transaction(
    "completion", "预授权完成(请求)", "COMPLETION", "0200", "0210", "000000", "06", "20",
    _NO_NETWORK, True, Doubt.REVERSAL, _FINANCIAL | {38, 61}, _CARD,
    Original.DATED, financial=True,
)  # fmt: skip
COMPLETION_NOTICE = Transaction(
    "completion_notice", "预授权完成(通知)", "COMPLETION NOTICE", "0220", "0230",
    "000000", "06", "24",
    _NO_NETWORK, True, Doubt.NOTICE, _FINANCIAL | {38, 61}, _CARD,
    Original.DATED, financial=True,
)  # fmt: skip
COMPLETION_VOID = Transaction(
    "completion_void", "预授权完成撤销", "COMPLETION VOID", "0200", "0210", "200000", "06", "21",
    _NO_NETWORK, True, Doubt.REVERSAL, _FINANCIAL | {37, 38, 61}, _CARD,
    Original.DATED, financial=True,
)  # fmt: skip
REVERSAL = Transaction(
    "reversal", "冲正", "REVERSAL", "0400", "0410", None, None, None,
    (), True, Doubt.NOTHING, _FINANCIAL | {39}, frozenset({2, 14, 23, 37, 38, 55, 61}),
)  # fmt: skip
SCRIPT_RESULT = Transaction(
    "script_result", "脚本结果通知", "SCRIPT RESULT", "0620", "0630", None, None, "00",
    ("951",), True, Doubt.NOTICE, _FINANCIAL | {55, 61}, frozenset({2, 14, 23, 32, 37, 38}),
)  # fmt: skip
SIGN_IN = Transaction(
    "sign_in", "签到", "SIGN-IN", "0800", "0810", None, None, "00",
    ("003", "001", "004", "005", "006"), False, Doubt.NOTHING,
    _MANAGEMENT | {11, 63}, frozenset({62}),
)  # fmt: skip
SIGN_OFF = Transaction(
    "sign_off", "签退", "SIGN-OFF", "0820", "0830", None, None, "00",
    ("002",), False, Doubt.NOTHING, _MANAGEMENT | {11},
)  # fmt: skip
ECHO = Transaction(
    "echo", "回响测试", "ECHO", "0820", "0830", None, None, "00",
    ("301",), False, Doubt.NOTHING, _MANAGEMENT,
)  # fmt: skip
SETTLEMENT = Transaction(
    "settlement", "批结算", "SETTLEMENT", "0500", "0510", None, None, "00",
    ("201",), False, Doubt.NOTHING, _MANAGEMENT | {11, 48, 49, 63},
)  # fmt: skip
# A batch upload carries either a list (48), or the elements of a notice or of a chip detail.
BATCH_UPLOAD = Transaction(
    "batch_upload", "批上送", "BATCH UPLOAD", "0320", "0330", None, None, None,
    (), False, Doubt.NOTHING, _MANAGEMENT | {11},
    frozenset({2, 3, 4, 14, 22, 23, 25, 37, 38, 48, 49, 55, 61, 62, 63}),
)  # fmt: skip

ALL: tuple[Transaction, ...] = (
    BALANCE_INQUIRY,
    SALE,
    SALE_VOID,
    REFUND,
    PRE_AUTHORISATION,
    PRE_AUTHORISATION_VOID,
    COMPLETION,
    COMPLETION_NOTICE,
    COMPLETION_VOID,
    REVERSAL,
    SCRIPT_RESULT,
    SIGN_IN,
    SIGN_OFF,
    ECHO,
    SETTLEMENT,
    BATCH_UPLOAD,
)
BY_NAME: Mapping[str, Transaction] = MappingProxyType({row.name: row for row in ALL})


class EntryMode(Struct, frozen=True):
    """What the first two digits of element 22 mean, and what they ask of a financial request."""

    meaning: str
    required: frozenset[int]
    forbidden: frozenset[int]


_SWIPED = frozenset({35}), frozenset({2, 14, 23, 55})
_CHIP = frozenset({2, 55}), frozenset[int]()
ENTRY_MODES: Mapping[str, EntryMode] = MappingProxyType(
    {
        "01": EntryMode("no card presented", frozenset({2}), frozenset({23, 35, 36, 55})),
        "02": EntryMode("magnetic stripe", *_SWIPED),
        "05": EntryMode("chip", *_CHIP),
        "07": EntryMode("contactless", *_CHIP),
        "80": EntryMode("magnetic stripe after a chip fault", *_SWIPED),
        "90": EntryMode("magnetic stripe after a chip fault", *_SWIPED),
    }
)


def swiped(entry_mode: str) -> bool:
    """Was the card swiped, by element 22?"""
    return 35 in ENTRY_MODES[entry_mode[:2]].required if entry_mode[:2] in ENTRY_MODES else False


def identify(message: Message) -> Transaction | None:
    """The row that a request or an answer belongs to, or None when no row, or several, fit it."""
    fitting = [row for row in ALL if _fits(row, message)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(row: Transaction, message: Message) -> bool:
    element_60 = message.get(60, "")
    asked = (
        (row.processing_code, message.get(3)),
        (row.condition_code, message.get(25)),
        (row.kind, element_60[:2] or None),
    )
    if message.mti not in (row.request_mti, row.answer_mti):
        return False
    if any(code and found and code != found for code, found in asked):
        return False
    return not row.network_codes or element_60[8:11] in ("", *row.network_codes)


def validate(transaction: Transaction, elements: Mapping[int, Value]) -> None:
    """Check the elements of a request against its row, before it is sealed and sent.

    Raises InvalidRequest at the first rule that is broken: an element that must be there, may not
    be there, or has another code than the row's. 64 may be there or not: sealing sets it.
    """
    name = transaction.name
    allowed = transaction.required | transaction.optional | {64}
    for number in sorted(transaction.required - elements.keys()):
        raise InvalidRequest(name, number, "is missing")
    for number in sorted(elements.keys() - allowed):
        raise InvalidRequest(name, number, "does not belong here")
    if elements.get(11) == "000000":
        raise InvalidRequest(name, 11, "is never 000000")
    _check_codes(transaction, elements)
    if transaction.financial:
        _check_entry(name, elements)


def _check_codes(transaction: Transaction, elements: Mapping[int, Value]) -> None:
    element_60 = str(elements[60])
    rules = (
        (3, transaction.processing_code, elements.get(3)),
        (25, transaction.condition_code, elements.get(25)),
        (60, transaction.kind, element_60[:2]),
    )
    for number, code, found in rules:
        if code is not None and found != code:
            raise InvalidRequest(transaction.name, number, f"begins with {code}")
    if transaction.network_codes and element_60[8:11] not in transaction.network_codes:
        codes = ", ".join(transaction.network_codes)
        raise InvalidRequest(transaction.name, 60, f"has network code {codes}")


def _check_entry(name: str, elements: Mapping[int, Value]) -> None:
    entry_mode = str(elements[22])
    row = ENTRY_MODES.get(entry_mode[:2])
    if row is None:
        raise InvalidRequest(name, 22, "is no known entry mode")
    for number in sorted(row.required - elements.keys()):
        raise InvalidRequest(name, number, f"is missing: entry mode is {row.meaning}")
    for number in sorted(row.forbidden & elements.keys()):
        raise InvalidRequest(name, number, f"does not belong here: entry mode is {row.meaning}")
    chip_data = elements.get(55)
    if isinstance(chip_data, bytes) and 55 in row.required:
        _check_chip_data(name, chip_data)
    has_pin, has_track = 52 in elements, bool({35, 36} & elements.keys())
    if has_pin != (entry_mode[2:] == "1"):
        raise InvalidRequest(name, 22, "says with its last digit whether there is a PIN")
    if has_pin != (26 in elements):
        raise InvalidRequest(name, 26, "goes with a PIN, and only with one")
    if (has_pin or has_track) != (53 in elements):
        raise InvalidRequest(name, 53, "goes with a PIN or a track, and only with one")


def _check_chip_data(name: str, chip_data: bytes) -> None:
    try:
        lacking = chip_tags.missing(chip_data, chip_tags.REQUEST_REQUIRED)
    except DecodeError:
        lacking = ["that can be parsed"]
    if lacking:
        raise InvalidRequest(name, 55, f"lacks the tags {', '.join(lacking)}")
