"""What every part of the money core works with: one value, handed to each."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from posd.core.events import Event
from posd.core.timers import CoreTimers
from posd.ledger.ledger import Ledger
from posd.money.line import HostLine, Sending, Verdict
from posd.money.session import Session
from posd.settings import Configuration
from protocol import Dialect, Message, encode
from protocol.elements import Value
from protocol.mac import seal
from protocol.matching import MatchingRules, match


class Desk(Struct, frozen=True):
    """The ledger, the line to the host, the session, and the way to report."""

    configuration: Configuration
    dialect: Dialect
    ledger: Ledger
    session: Session
    line: HostLine
    timers: CoreTimers
    report: Callable[[Event], None]

    def sending(self, mti: str, elements: dict[int, Value], *, with_mac: bool) -> Sending:
        """The frame as it goes out now, and the judge of its answers.

        The MAC is made with the key in force at this moment (money M13). Raises ProtocolError.
        """
        request = Message(mti, elements)
        mac_key = None
        if with_mac:
            assert self.session.working is not None
            mac_key = self.session.working.mac
            request = seal(request, mac_key, self.dialect)
        rules = MatchingRules(
            partial_approval=self.dialect.partial_approval != "0",
            reversal_needs_mac=self.configuration.money.approved_reversal_needs_mac,
        )

        def judge(frame: bytes) -> Verdict:
            return match(request, frame, mac_key, self.dialect, rules)

        return Sending(encode(request, self.dialect), judge)
