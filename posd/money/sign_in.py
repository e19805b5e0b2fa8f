"""Sign-in and sign-off: what opens and closes the business day with the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from posd.core.events import MoneyProgress, Phase, SignInEnded
from posd.money.desk import Desk
from posd.money.line import NoAnswer, NotConnected, Result, Sending
from posd.money.requests import own_element_60
from protocol import ProtocolError
from protocol.elements import Value
from protocol.keys import working_keys
from protocol.matching import Unusable
from protocol.response_codes import asks_sign_in
from protocol.transactions import ECHO, SIGN_IN, SIGN_OFF, Transaction

log = structlog.get_logger()

APPROVED = "00"
_ECHO_SECONDS: Final = 10.0  # nobody's money waits for it, and a clerk may


class SignIn:
    """Each call is one job of the agenda: it ends with done(), whatever happened."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.last: SignInEnded | None = None
        """How the newest sign-in ended, also one that nobody asked for."""

    def sign_in(self, operator: str, done: Callable[[SignInEnded], None]) -> None:
        """Ask for working keys; they are loaded only when every check value holds."""
        desk = self._desk

        def ended(result: Result) -> None:
            self.last = self._signed_in(result, operator)
            done(self.last)

        desk.report(MoneyProgress(Phase.SIGNING_IN, None, desk.configuration.host.answer_seconds))
        desk.line.exchange(
            lambda: self._request(SIGN_IN, {63: f"{operator} "}),
            desk.configuration.host.answer_seconds,
            ended,
        )

    def sign_off(self, done: Callable[[SignInEnded], None]) -> None:
        desk = self._desk

        def ended(result: Result) -> None:
            done(self._signed_off(result))

        desk.report(MoneyProgress(Phase.SIGNING_IN, None, desk.configuration.host.answer_seconds))
        desk.line.exchange(
            lambda: self._request(SIGN_OFF, {}), desk.configuration.host.answer_seconds, ended
        )

    def echo(self, done: Callable[[], None]) -> None:
        """Ask the host to answer, and nothing else. How it went: the line's last exchange."""
        desk = self._desk
        terminal = desk.configuration.terminal
        elements: dict[int, Value] = {
            41: terminal.terminal_id,
            42: terminal.merchant_id,
            60: own_element_60(ECHO, desk.ledger.counters.batch_number, desk.dialect),
        }

        def ended(result: Result) -> None:
            self._listen(result)
            done()

        desk.line.exchange(
            lambda: desk.sending(ECHO.request_mti, elements, with_mac=False),
            min(desk.configuration.host.answer_seconds, _ECHO_SECONDS),
            ended,
        )

    def _listen(self, result: Result) -> None:
        """What any answer may ask for, in its header or its code: a sign-in before the next request."""
        if isinstance(result, NotConnected | NoAnswer | Unusable):
            return
        desk, answer = self._desk, result.message
        with desk.ledger.commit("heard"):
            desk.session.heard(answer)
            if asks_sign_in(str(answer.elements[39])):
                desk.session.demand_sign_in()

    def _request(self, row: Transaction, more: dict[int, Value]) -> Sending:
        desk = self._desk
        with desk.ledger.commit("stan"):
            stan = desk.ledger.counters.next_stan()
        terminal = desk.configuration.terminal
        elements: dict[int, Value] = {
            11: stan,
            41: terminal.terminal_id,
            42: terminal.merchant_id,
            60: own_element_60(row, desk.ledger.counters.batch_number, desk.dialect),
            **more,
        }
        return desk.sending(row.request_mti, elements, with_mac=False)

    def _signed_in(self, result: Result, operator: str) -> SignInEnded:
        desk = self._desk
        failure = _failure(result)
        if failure is not None:
            return failure
        assert not isinstance(result, NotConnected | NoAnswer | Unusable)
        answer = result.message
        code = str(answer.elements[39])
        if code != APPROVED:
            log.warning("sign_in.refused", code=code)
            return SignInEnded(signed_in=False, reason="refused", code=code)
        received = answer.get(62)
        if not isinstance(received, bytes) or not isinstance(answer.get(60), str):
            log.error("sign_in.incomplete_answer")
            return SignInEnded(signed_in=False, reason="no_keys")
        try:
            keys = working_keys(received, desk.ledger.keys.master, desk.dialect)
        except ProtocolError as error:
            log.error("sign_in.keys_refused", error=type(error).__name__)
            return SignInEnded(signed_in=False, reason="bad_keys")
        with desk.ledger.commit("sign_in"):
            desk.session.signed_in_with(answer, received, keys, operator)
        log.info("sign_in.done", operator=operator, batch=desk.ledger.counters.batch_number)
        return SignInEnded(signed_in=True)

    def _signed_off(self, result: Result) -> SignInEnded:
        failure = _failure(result)
        if failure is not None:
            return SignInEnded(self._desk.session.signed_in, failure.reason, failure.code)
        assert not isinstance(result, NotConnected | NoAnswer | Unusable)
        code = str(result.message.elements[39])
        if code != APPROVED:
            self._listen(result)
            return SignInEnded(self._desk.session.signed_in, "refused", code)
        with self._desk.ledger.commit("sign_off"):
            self._desk.session.signed_off()
        log.info("sign_off.done")
        return SignInEnded(signed_in=False, reason="signed_off")


def _failure(result: Result) -> SignInEnded | None:
    """What to say when there is no usable answer; None when there is one."""
    if isinstance(result, NotConnected):
        reason = "untrusted" if result.untrusted else "not_connected"
        return SignInEnded(signed_in=False, reason=reason)
    if isinstance(result, NoAnswer):
        return SignInEnded(signed_in=False, reason="no_answer")
    if isinstance(result, Unusable):
        log.warning("sign_in.unusable_answer", reason=result.reason)
        return SignInEnded(signed_in=False, reason="unusable")
    return None
