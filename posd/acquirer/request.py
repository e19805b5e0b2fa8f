"""A message as the acquirer sees it: which transaction it is, and its identity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from posd.acquirer.kinds import KINDS
from posd.acquirer.ledger import Identity
from protocol import Message, Pan, Track
from protocol.transactions import BY_NAME

UNKNOWN = "unknown"
REVERSAL = "reversal"

# Beyond the identity. Card data is left out: it must not be stored, the masked number stands in.
_CONTENTS = (25, 37, 38, 49, 60, 61)


@dataclass(frozen=True)
class Request:
    """One request. amount: fen, 0 when it carries none.

    kind: name of its transaction, or UNKNOWN. of: for a reversal, the kind of what it reverses.
    batch: 60.2. network_code: 60.3. Parts that the message does not carry are "".
    """

    message: Message
    kind: str
    of: str
    terminal: str
    merchant: str
    batch: str
    stan: str
    processing_code: str
    amount: int
    network_code: str

    @property
    def mti(self) -> str:
        return self.message.mti

    @property
    def financial(self) -> bool:
        """Is it a new financial request: neither a reversal nor management?"""
        return self.kind in KINDS

    @property
    def is_void(self) -> bool:
        """Does it void something, or reverse what does?"""
        kind = KINDS.get(self.of if self.kind == REVERSAL else self.kind)
        return kind is not None and kind.is_void

    @property
    def pan(self) -> Pan | None:
        """The card number, from element 2 or from track 2."""
        number: Pan | None = self.message.get(2)
        track: Track | None = self.message.get(35)
        return track.pan if number is None and track is not None else number

    @property
    def expiry(self) -> str:
        """YYMM, from element 14 or from track 2; "" when there is none."""
        track = self.message.get(35)
        return str(self.message.get(14) or ("" if track is None else track.expiry))

    @property
    def identity(self) -> Identity:
        """What makes another request a repeat of this one."""
        return Identity(
            self.terminal,
            self.mti,
            self.batch,
            self.stan or None,
            self.processing_code or None,
            self.amount if self.message.get(4) is not None else None,
        )

    @property
    def contents(self) -> str:
        """What must be equal too for two requests with one STAN to be the same one."""
        kept = {number: str(self.message.get(number, "")) for number in _CONTENTS}
        kept[2] = "" if (pan := self.pan) is None else pan.masked
        return json.dumps(kept, sort_keys=True)


def read_request(message: Message) -> Request:
    """Classify a message by MTI, 3, 25, 60.1 and 60.3; never raises."""
    private = str(message.get(60, ""))
    amount = str(message.get(4, ""))
    return Request(
        message,
        kind=_kind(message),
        of=_financial(message, _ANY_MTI) if message.mti == BY_NAME[REVERSAL].request_mti else "",
        terminal=str(message.get(41, "")),
        merchant=str(message.get(42, "")),
        batch=private[2:8],
        stan=str(message.get(11, "")),
        processing_code=str(message.get(3, "")),
        amount=int(amount) if amount else 0,
        network_code=private[8:11],
    )


_ANY_MTI = ""
_BY_CODES: Mapping[tuple[str, str, str, str], str] = {
    (mti, row.processing_code or "", row.condition_code or "", row.kind or ""): name
    for name, row in BY_NAME.items()
    if name in KINDS
    for mti in (row.request_mti, _ANY_MTI)
}
_BY_MTI: Mapping[str, str] = {
    BY_NAME[name].request_mti: name
    for name in ("sign_in", "settlement", "batch_upload", "script_result", REVERSAL)
}
_BY_NETWORK_CODE: Mapping[tuple[str, str], str] = {
    (BY_NAME[name].request_mti, code): name for name, code in (("sign_off", "002"), ("echo", "301"))
}


def _kind(message: Message) -> str:
    network_code = str(message.get(60, ""))[8:11]
    return (
        _BY_MTI.get(message.mti)
        or _BY_NETWORK_CODE.get((message.mti, network_code))
        or _financial(message, message.mti)
    )


def _financial(message: Message, mti: str) -> str:
    codes = (str(message.get(3, "")), str(message.get(25, "")), str(message.get(60, ""))[:2])
    return _BY_CODES.get((mti, *codes), UNKNOWN)
