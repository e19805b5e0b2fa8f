"""Notices: requests that are repeated instead of reversed until the host has answered (money M15).

A notice without a usable answer is neither done nor declined: pending. Refunds are repeated exactly as
they were, while the process lives, a few times; completion notices can be rebuilt without the card and go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from posd import receipts
from posd.core.events import MoneyProgress, Outcome, Phase, TransactionEnded
from posd.ledger.records import State, TransactionRecord
from posd.money.desk import Desk
from posd.money.kinds import KINDS
from posd.money.line import NotConnected, Result, Sending
from posd.money.outcomes import approve, decline
from posd.money.repetition import BackOff, one_after_the_other
from posd.money.requests import NO_CARD_PRESENTED, WITHOUT_PIN
from protocol import Message
from protocol.elements import Value
from protocol.matching import Usable
from protocol.response_codes import approves, asks_sign_in

log = structlog.get_logger()

ALREADY_ON_FILE = "94"  # an earlier copy of a notice arrived


class Notices:
    """The pending notices, oldest first. What was sent is kept in memory only (a track may be in it)."""

    def __init__(self, desk: Desk, background: Callable[[], None]) -> None:
        """background() is called by a timer: put run() on the agenda, when the line is free."""
        self._desk = desk
        self._money = desk.configuration.money
        self._back_off = BackOff(desk.timers, self._money, background)
        self._sent: dict[int, Mapping[int, Value]] = {}
        self._signed_in_for: dict[int, str] = {}  # the business day on which it asked for a sign-in

    def pending(self) -> list[TransactionRecord]:
        return self._desk.ledger.transactions.in_states(State.PENDING)

    def remember(self, identity: int, elements: Mapping[int, Value]) -> None:
        """As it was stored and will be sent, so that it can be repeated unchanged."""
        self._sent[identity] = elements

    def forget(self, identity: int) -> None:
        """It is not repeated any more: no track of its card stays in memory."""
        self._sent.pop(identity, None)
        self._signed_in_for.pop(identity, None)

    def in_doubt(self, identity: int, because: str) -> None:
        """The first try brought no usable answer."""
        desk = self._desk
        with desk.ledger.commit("notice_pending"):
            moved = desk.ledger.transactions.move(
                identity, [State.OPEN], State.PENDING, {"because": because}, notice_tries=1
            )
            assert moved
            record = desk.ledger.transactions.get(identity)
            slip = receipts.pending_slip(record, desk.configuration)
            desk.ledger.print_jobs.add(identity, "pending", slip)
        log.warning("notice.pending", transaction=identity, stan=record.stan, because=because)
        desk.report(TransactionEnded(identity, Outcome.PENDING))
        self.schedule()

    def run(self, done: Callable[[], None]) -> None:
        """Repeat each pending notice once, then done()."""
        self._back_off.stop()
        due = [record.id for record in self.pending()]
        one_after_the_other(due, self._exchange, self._ended, lambda: self.put_off(done))

    def put_off(self, done: Callable[[], None]) -> None:
        """Not now: no session with the host."""
        self.schedule()
        done()

    def schedule(self) -> None:
        """Set the timer for the next repetition, when something is to be repeated."""
        if self.pending():
            self._back_off.start()

    def _exchange(self, identity: int, ended: Callable[[Result], None]) -> None:
        seconds = self._desk.configuration.host.answer_seconds
        self._desk.report(MoneyProgress(Phase.REPEATING, identity, seconds))
        self._desk.line.exchange(lambda: self._sending(identity), seconds, ended)

    def _sending(self, identity: int) -> Sending:
        desk = self._desk
        record = desk.ledger.transactions.get(identity)
        tries = record.notice_tries + 1
        with desk.ledger.commit("notice_try"):
            desk.ledger.transactions.note(
                identity, "notice_repeated", {"try": tries}, notice_tries=tries
            )
        row = KINDS[record.kind].row
        return desk.sending(row.request_mti, self._elements(record), with_mac=True)

    def _elements(self, record: TransactionRecord) -> dict[int, Value]:
        """As sent; after a restart rebuilt with number and expiry instead of the card."""
        sent = self._sent.get(record.id)
        if sent is not None:
            return dict(sent)
        elements: dict[int, Value] = dict(record.request)
        elements[2], elements[14] = self._desk.ledger.transactions.card(record.id)
        elements[22] = NO_CARD_PRESENTED + WITHOUT_PIN
        for number in (26, 53):
            elements.pop(number, None)
        return elements

    def _ended(self, identity: int, result: Result) -> None:
        if isinstance(result, Usable):
            self._answered(identity, result.message)
        else:
            log.warning("notice.not_answered", transaction=identity, reason=result.reason)
        record = self._desk.ledger.transactions.get(identity)
        if record.state is not State.PENDING:
            self.forget(identity)
            self._back_off.succeeded()
        elif not isinstance(result, NotConnected) and self._spent(record):
            self.give_up(identity, "the tries are spent")

    def _answered(self, identity: int, answer: Message) -> None:
        """What the answer to a repetition says; 77, 99 and A0 only say that this copy was not read."""
        desk = self._desk
        code = str(answer.elements[39])
        record = desk.ledger.transactions.get(identity)
        if approves(code, KINDS[record.kind].row) or (
            code == ALREADY_ON_FILE and self._money.duplicate_notice_is_done
        ):
            approve(desk, identity, State.PENDING, answer)
        elif asks_sign_in(code):
            with desk.ledger.commit("notice_refused"):
                desk.ledger.transactions.note(identity, "notice_refused", {"code": code})
                # Once a day: what is refused so again after a sign-in is the notice, not the session,
                # and no pending notice may keep the terminal from its other business.
                if self._signed_in_for.get(identity) != desk.session.business_day:
                    self._signed_in_for[identity] = desk.session.business_day
                    desk.session.demand_sign_in()
        elif code == ALREADY_ON_FILE:
            self.give_up(identity, "an earlier copy is on file, and nobody knows its answer")
        else:
            decline(desk, identity, State.PENDING, answer)

    def _spent(self, record: TransactionRecord) -> bool:
        return not KINDS[record.kind].repeatable and record.notice_tries >= self._money.notice_tries

    def give_up(self, identity: int, because: str) -> None:
        """It cannot be repeated any more: a person must ask the acquirer."""
        desk = self._desk
        with desk.ledger.commit("notice_unresolved"):
            moved = desk.ledger.transactions.move(
                identity, [State.PENDING], State.UNRESOLVED, {"because": because},
                ended_at=desk.ledger.now(),
            )  # fmt: skip
        if moved:
            self.forget(identity)
            stan = desk.ledger.transactions.get(identity).stan
            log.error("alert.unresolved", transaction=identity, stan=stan, because=because)
            desk.report(TransactionEnded(identity, Outcome.UNRESOLVED))
