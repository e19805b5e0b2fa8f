"""Reversals: what was sent without a usable answer is undone, until the host says so (money M5)."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from posd import receipts
from posd.core.events import MoneyProgress, Outcome, Phase, TransactionEnded
from posd.ledger.records import State, TransactionRecord
from posd.money.desk import Desk
from posd.money.line import Result, Sending
from posd.money.repetition import BackOff, one_after_the_other
from protocol import Message
from protocol.elements import Value
from protocol.matching import Usable
from protocol.response_codes import asks_sign_in
from protocol.reversal import reversal_elements
from protocol.transactions import BY_NAME, REVERSAL, swiped

log = structlog.get_logger()

HOST_HAD_NONE = frozenset({"25", "12"})  # "nothing to reverse": not yet "reversed"
APPROVED = "00"


class Reversals:
    """Tries the pending reversals one after the other, oldest first, and again with back-off."""

    def __init__(self, desk: Desk, background: Callable[[], None]) -> None:
        """background() is called by a timer: put run() on the agenda, when the line is free."""
        self._desk = desk
        self._background = background
        self._money = desk.configuration.money
        self._back_off = BackOff(desk.timers, self._money, background)
        self._not_before: set[int] = set()  # the host had none; once more after a while

    def pending(self) -> list[TransactionRecord]:
        """Oldest first. Empty: the terminal is open again."""
        return self._desk.ledger.transactions.in_states(State.REVERSING)

    def power_up(self) -> None:
        """What the last life left unsaid and unwaited.

        The restart may have come in the last try. After a first "nothing to reverse" the whole wait
        begins anew, as nobody knows how long the terminal was off.
        """
        for record in self.pending():
            self._tell_once(record)
            if record.host_had_none:
                self._once_more(record.id)

    def run(self, done: Callable[[], None]) -> None:
        """Try each pending reversal once, except those that wait for their second try; then done()."""
        self._back_off.stop()
        due = [record.id for record in self.pending() if record.id not in self._not_before]
        one_after_the_other(due, self._exchange, self._ended, lambda: self.put_off(done))

    def put_off(self, done: Callable[[], None]) -> None:
        """What is still pending is reported so and tried again after the back-off."""
        self.schedule()
        for record in self.pending():
            self._desk.report(TransactionEnded(record.id, Outcome.REVERSAL_PENDING))
        done()

    def schedule(self) -> None:
        """Set the timer for the next try, when something is to be tried."""
        if any(record.id not in self._not_before for record in self.pending()):
            self._back_off.start()

    def _exchange(self, identity: int, ended: Callable[[Result], None]) -> None:
        seconds = self._desk.configuration.host.reversal_answer_seconds
        self._desk.report(MoneyProgress(Phase.REVERSING, identity, seconds))
        self._desk.line.exchange(lambda: self._sending(identity), seconds, ended)

    def _sending(self, identity: int) -> Sending:
        """The connection stands: count the try, then build the 0400 with the keys in force."""
        desk = self._desk
        record = desk.ledger.transactions.get(identity)
        assert record.state is State.REVERSING
        tries = record.reversal_tries + 1
        with desk.ledger.commit("reversal_try"):
            desk.ledger.transactions.note(
                identity, "reversal_sent", {"try": tries, "reason": record.reversal_reason},
                reversal_tries=tries,
            )  # fmt: skip
        log.info("reversal.sent", transaction=identity, stan=record.stan, attempt=tries)
        row = BY_NAME[record.kind]
        request: dict[int, Value] = dict(record.request)
        if not swiped(record.entry_mode) or desk.dialect.reversal_expiry:
            request[2], request[14] = desk.ledger.transactions.card(identity)
        elements = reversal_elements(row, request, record.reversal_reason, desk.dialect)
        return desk.sending(REVERSAL.request_mti, elements, with_mac=True)

    def _ended(self, identity: int, result: Result) -> None:
        if isinstance(result, Usable):
            self._answered(identity, result.message)
        else:
            reason = result.reason
            log.warning("reversal.not_answered", transaction=identity, reason=reason)
        record = self._desk.ledger.transactions.get(identity)
        if record.state is State.REVERSING:
            self._tell_once(record)
        else:
            self._back_off.succeeded()

    def _answered(self, identity: int, answer: Message) -> None:
        desk = self._desk
        code = str(answer.elements[39])
        record = desk.ledger.transactions.get(identity)
        if code == APPROVED:
            self._close(record, State.REVERSED, answer, code)
        elif code in HOST_HAD_NONE and not record.host_had_none:
            with desk.ledger.commit("reversal_host_had_none"):
                desk.ledger.transactions.note(
                    identity, "host_had_none", {"code": code}, host_had_none=1, reversal_code=code
                )
                desk.session.heard(answer)
            self._once_more(identity)
        elif code in HOST_HAD_NONE:
            self._close(record, self._after_second_none(record, answer), answer, code)
        else:
            with desk.ledger.commit("reversal_refused"):
                desk.ledger.transactions.note(
                    identity, "reversal_refused", {"code": code}, reversal_code=code
                )
                desk.session.heard(answer)
                if asks_sign_in(code):
                    desk.session.demand_sign_in()
            log.warning("reversal.refused", transaction=identity, stan=record.stan, code=code)

    def _after_second_none(self, record: TransactionRecord, answer: Message) -> State:
        """Twice nothing to reverse is 'reversed' only while host and terminal stand where they stood."""
        desk = self._desk
        host_date = answer.get(15) or answer.get(13)
        same_date = host_date in (None, desk.ledger.transactions.sent_date(record.id))
        same_batch = record.batch_number == desk.ledger.counters.batch_number
        return State.REVERSED if same_date and same_batch else State.UNRESOLVED

    def _close(self, record: TransactionRecord, state: State, answer: Message, code: str) -> None:
        desk = self._desk
        with desk.ledger.commit("reversal_outcome"):
            moved = desk.ledger.transactions.move(
                record.id, [State.REVERSING], state, {"code": code},
                reversal_code=code, ended_at=desk.ledger.now(),
            )  # fmt: skip
            desk.session.heard(answer)
        self._not_before.discard(record.id)
        if not moved:
            return
        log.info("reversal.ended", transaction=record.id, stan=record.stan, state=state, code=code)
        outcome = Outcome.REVERSED if state is State.REVERSED else Outcome.UNRESOLVED
        desk.report(TransactionEnded(record.id, outcome))

    def _once_more(self, identity: int) -> None:
        """The original may still be on its way to the host: ask again, but not at once."""
        self._not_before.add(identity)

        def now() -> None:
            self._not_before.discard(identity)
            self._background()

        self._desk.timers.after(self._money.none_found_wait_seconds, now)

    def _tell_once(self, record: TransactionRecord) -> None:
        """The tries are spent: a fault slip and an alert, once, also when a restart came in the last try."""
        if record.reversal_tries < self._money.reversal_tries:
            return
        desk = self._desk
        if any(step.what == "tries_spent" for step in desk.ledger.transactions.steps(record.id)):
            return
        with desk.ledger.commit("reversal_tries_spent"):
            desk.ledger.transactions.note(
                record.id, "tries_spent", {"tries": record.reversal_tries}
            )
            slip = receipts.fault_slip(record, desk.configuration)
            desk.ledger.print_jobs.add(record.id, "fault", slip)
        log.error("alert.reversal_tries_spent", transaction=record.id, stan=record.stan)
