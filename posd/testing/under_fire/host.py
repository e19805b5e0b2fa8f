"""The test acquirer as a process that stops, starts again and crashes between commit and answer."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

from posd.acquirer.acquirer import Acquirer
from posd.acquirer.ledger import AcquirerLedger
from posd.acquirer.outcomes import Order
from posd.acquirer.server import AcquirerServer
from posd.testing.installation import Installation


class HostCrash(Exception):
    """Injected: the acquirer ends after its commit and before its answer."""


class _ForgetfulAcquirer(Acquirer):
    def order_only(self, order: Order) -> None:
        """This order, and none of those that nobody has met."""
        self._orders.clear()
        self.order(order)


class FireHost:
    """The acquirer of an installation; its ledger file is all that outlives a stop.

    crashed: called within the event loop when an injected crash has happened; stop and start it.
    """

    def __init__(self, installation: Installation, crashed: Callable[[], None]) -> None:
        self._installation = installation
        self._crashed = crashed
        self._crash_armed = False
        self._port = 0
        self._acquirer: _ForgetfulAcquirer | None = None
        self._server: AcquirerServer | None = None

    def port(self) -> int:
        return self._port

    @property
    def up(self) -> bool:
        return self._server is not None

    async def start(self) -> int:
        """From its ledger as it is on disk; the port stays the same. Does nothing when it runs."""
        if self._server is None:
            self._crash_armed = False
            self._acquirer = _ForgetfulAcquirer(
                AcquirerLedger(self._installation.acquirer_ledger),
                [self._installation.terminal_record],
                clock=_now,
                random_bytes=secrets.token_bytes,
                options=self._installation.acquirer_options(),
                after_commit=self._after_commit,
            )
            server = AcquirerServer(self._acquirer)
            self._port = await server.start(port=self._port)
            self._server = server
        return self._port

    async def stop(self) -> None:
        """Raises what went wrong inside it, an injected crash apart."""
        server, self._server = self._server, None
        acquirer, self._acquirer = self._acquirer, None
        if server is None or acquirer is None:
            return
        try:
            await server.close()
        except HostCrash:
            pass
        finally:
            acquirer.ledger.close()

    def order(self, order: Order) -> None:
        """What happens to coming requests, until the next order or its stop."""
        if self._acquirer is not None:
            self._acquirer.order_only(order)

    def crash_at_next_commit(self) -> None:
        self._crash_armed = True

    def _after_commit(self, _request: int) -> None:
        if self._crash_armed:
            self._crash_armed = False
            self._crashed()
            raise HostCrash


def _now() -> datetime:
    return datetime.now()  # noqa: TID251 - the acquirer of a real daemon runs on the machine's clock
