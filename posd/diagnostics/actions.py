"""What a technician may do to the terminal: each act is audited with the user's number before it begins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import structlog

from devices.picture import Picture
from posd import log, receipts
from posd.core.events import CardSwiped, CardUnreadable, Event, KeyPressed, PrintEnded
from posd.diagnostics import messages as m
from posd.diagnostics.answers import Parts, Terminal
from posd.diagnostics.client import Client
from posd.diagnostics.observations import DEVICE_CODES
from posd.diagnostics.probe import ProbeFailed, probe
from posd.ledger.backup import Backups
from posd.money.line import LastExchange

_log = structlog.get_logger()

_PICTURE_SECONDS: Final = 5.0
_PRINT_SECONDS: Final = 40.0
_BACKUP_SECONDS: Final = 60.0
_BACKUP_LOOK_SECONDS: Final = 0.2
_ACTS_IN_A_ROW: Final = 5.0  # each is a commit: so many at once, then
_ACTS_A_SECOND: Final = 0.5
_ON_THE_LINE: Final = "an exchange is on the line to the acquirer"
_TO_IDLE: Final = (
    "取消 at the terminal leads to idle, one screen after the other; posctl screen shows it"
)

Say = Callable[[m.Answer], None]


class Actions:
    """Acts for clients. What takes time answers when it is done, or when its time is over."""

    def __init__(
        self,
        terminal: Terminal,
        back_up_soon: Callable[[], None],
        looked: Callable[[], None],
        first_job: int,
    ) -> None:
        """looked: to be called when the core may have halted. first_job: print jobs are numbered below it."""
        self._terminal = terminal
        self._back_up_soon = back_up_soon
        self._looked = looked
        self._loop = asyncio.get_running_loop()
        self._jobs = first_job
        self._printing: dict[int, Callable[[PrintEnded], None]] = {}
        self._waiting: dict[Client, Callable[[Event], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._allowance = _ACTS_IN_A_ROW
        self._counted_at = self._loop.time()

    def audit(
        self, client: Client, request: m.Request, details: Mapping[str, object]
    ) -> m.Failed | None:
        """Write the act down before it happens; None when that is done, else why nothing may happen."""
        if not self._may_act_again():
            return m.Failed(
                id=request.id,
                reason="too_often",
                text="too many acts in a row",
                hint="wait a few seconds",
            )
        what = f"diagnostics.{request.__struct_config__.tag}"
        if self._terminal.core.audit(
            str(client.peer), what, {"pid": client.peer.process, **details}
        ):
            _log.info(what, uid=client.peer.user, pid=client.peer.process, **details)
            return None
        self._looked()
        return m.Failed(
            id=request.id,
            reason="halted",
            text="it could not be written down, and so it was not done: the ledger failed",
            hint="posctl explain E901",
        )

    def act(self, client: Client, request: m.Request) -> Parts:
        """Begin it; the client is told how it went."""
        # First what stands in the way: that spends nothing of what may be done in a row.
        refused = self._in_the_way(request) or self.audit(client, request, _details(request))
        if refused is not None:
            return iter((refused,))
        identity = request.id
        match request:
            case m.LogLevelRequest():
                return iter((self._set_level(identity, request.level),))
            case m.BackupRequest():
                self._start(self._back_up(identity, client.tell), client, identity)
                return iter(())
            case m.EchoRequest():
                return self._echo(identity, client.tell)
            case m.TestRequest():
                return self._test(request, client)
        raise AssertionError(f"{type(request).__name__} is answered elsewhere")

    def happened(self, event: Event) -> None:
        """Every event comes here: tests of keypad and reader wait for theirs."""
        for waiting in list(self._waiting.values()):
            waiting(event)

    def print_ended(self, event: PrintEnded) -> None:
        """A job of ours; the core knows nothing of it."""
        told = self._printing.pop(event.job, None)
        if told is not None:
            told(event)

    def forget(self, client: Client) -> None:
        """It is gone: nobody waits for what it asked for."""
        self._waiting.pop(client, None)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- acts ------------------------------------------------------------------------------------

    def _set_level(self, identity: int, level: m.Level) -> m.Done:
        log.configure(msgspec.structs.replace(self._terminal.configuration.log, level=level))
        return m.Done(id=identity, text=f"logging from level {level} on, until the next start")

    async def _back_up(self, identity: int, say: Say) -> None:
        backups = Backups.of(self._terminal.configuration)
        before = {copy.path for copy in backups.newest_first()}
        if not self._terminal.core.idle:
            text = f"somebody is using the terminal: {self._standing()}; the copy waits for that"
            say(m.Step(id=identity, text=f"{text}, at most {_BACKUP_SECONDS:.0f} s; Ctrl-C ends"))
        self._back_up_soon()
        until = self._loop.time() + _BACKUP_SECONDS
        while self._loop.time() < until:
            new = [copy for copy in backups.newest_first() if copy.path not in before]
            if new:
                size = new[0].path.stat().st_size
                say(m.Done(id=identity, text=f"{new[0].path} ({size} bytes)"))
                return
            await asyncio.sleep(_BACKUP_LOOK_SECONDS)
        say(
            m.Failed(
                id=identity,
                reason="failed",
                text=f"no copy was made within {_BACKUP_SECONDS:.0f} s",
                hint="it waits while somebody uses the terminal; else the log says why (alert.backup)",
            )
        )

    def _echo(self, identity: int, say: Say) -> Parts:
        began = self._loop.time()

        def told(last: LastExchange) -> None:
            took = (self._loop.time() - began) * 1000
            if last.result == "usable":
                say(
                    m.Done(
                        id=identity, text=f"the acquirer answers {last.code} after {took:.0f} ms"
                    )
                )
            else:
                words = f"{last.result}: {last.reason}".replace("_", " ")
                hint = "posctl test host tells which part of the connection fails"
                say(m.Failed(id=identity, reason="failed", text=words, hint=hint))

        if not self._terminal.core.money.echo(told):
            return iter((_busy(identity, _ON_THE_LINE),))
        return iter(())

    def _test(self, request: m.TestRequest, client: Client) -> Parts:
        match request.part:
            case "host":
                self._start(self._probe(request.id, client.tell), client, request.id)
            case "printer":
                self._print(request.id, client.tell)
            case "display":
                return self._show(request.id)
            case "keypad" | "card_reader":
                return self._wait(request, client)
        return iter(())

    async def _probe(self, identity: int, say: Say) -> None:
        try:
            async for line in probe(self._terminal.configuration.host):
                say(m.Step(id=identity, text=line))
        except ProbeFailed as error:
            say(m.Failed(id=identity, reason="failed", text=str(error), hint=error.hint))
        else:
            say(m.Done(id=identity, text="the acquirer can be reached"))

    def _print(self, identity: int, say: Say) -> None:
        self._jobs -= 1
        job = self._jobs

        def ended(event: PrintEnded) -> None:
            late.cancel()
            if event.printed:
                say(m.Done(id=identity, text="a test slip was printed: look at it"))
                return
            words = event.reason.replace("_", " ") or "no reason given"
            say(m.Failed(id=identity, reason="failed", text=f"it did not print: {words}"))

        def too_late() -> None:
            if self._printing.pop(job, None) is not None:
                text = f"the printer did not end within {_PRINT_SECONDS:.0f} s"
                say(m.Failed(id=identity, reason="failed", text=text))

        late = self._loop.call_later(_PRINT_SECONDS, too_late)
        self._printing[job] = ended
        at = self._terminal.core.ledger.now()
        self._terminal.devices.print(job, receipts.test_page(self._terminal.configuration, at))

    def _show(self, identity: int) -> Parts:
        shown = self._terminal.observations.picture
        if shown is None:
            yield m.Failed(id=identity, reason="absent", text="nothing is shown yet")
            return
        self._terminal.devices.show(_test_picture(shown.columns, shown.lines))
        self._loop.call_later(_PICTURE_SECONDS, self._show_again)
        text = f"a test picture is shown for {_PICTURE_SECONDS:.0f} s: look at it"
        yield m.Done(id=identity, text=text)

    def _show_again(self) -> None:
        """What the clerk should see, which may be newer than the test."""
        if self._terminal.observations.picture is not None:
            self._terminal.devices.show(self._terminal.observations.picture)

    def _wait(self, request: m.TestRequest, client: Client) -> Parts:
        """Look on; the dialogue takes the key or the card as always."""
        role, say = request.part, client.tell

        def ended(answer: m.Answer) -> None:
            if self._waiting.pop(client, None) is not None:
                late.cancel()
                say(answer)

        def happened(event: Event) -> None:
            text = _heard(role, event)
            if text:
                ended(m.Done(id=request.id, text=text))

        nothing = m.Failed(
            id=request.id,
            reason="failed",
            text=f"nothing came within {request.seconds} s",
            hint=f"posctl flight {role} shows what the line carried",
        )
        late = self._loop.call_later(request.seconds, lambda: ended(nothing))
        self._waiting[client] = happened
        wanted = "press 取消" if role == "keypad" else "swipe a card, then press 取消"
        yield m.Step(id=request.id, text=f"{wanted} within {request.seconds} s")

    # -- the rest --------------------------------------------------------------------------------

    def _in_the_way(self, request: m.Request) -> m.Failed | None:
        """Who uses what this act needs: the screen, the printer, the line to the acquirer."""
        core = self._terminal.core
        part = request.part if isinstance(request, m.TestRequest) else ""
        # An echo too: a sale that met it on the line would be refused.
        alone = isinstance(request, m.EchoRequest) or part in ("printer", "display")
        if core.halted is not None:
            return None  # no act can be written down then, and that is what is said
        if part in DEVICE_CODES and (gone := self._absent(request.id, part)):
            return gone
        if alone and not core.dialogue.is_idle:
            text = f"somebody is using the terminal: {self._standing()}"
            return _busy(request.id, text, _TO_IDLE)
        if core.money.busy and (alone or part == "host"):
            return _busy(request.id, _ON_THE_LINE)
        return None

    def _absent(self, identity: int, role: str) -> m.Failed | None:
        """A device that is not there: why, and where the remedy stands."""
        line, words = self._terminal.devices.line(role), role.replace("_", " ")
        if line is None:
            text, hint = f"no {words} is configured", f"[devices.{role}] in posd.toml"
        elif role in self._terminal.core.dialogue.devices_missing:
            text = f"the {words} is absent: {line.reason}"
            hint = f"posctl explain {DEVICE_CODES[role]}"
        else:
            return None
        return m.Failed(id=identity, reason="absent", text=text, hint=hint)

    def _standing(self) -> str:
        """Which screen stands: its first row, and where the dialogue is."""
        picture = self._terminal.observations.picture
        rows = () if picture is None else picture.rows
        first = next((row.strip() for row in rows if row.strip()), "")
        where = self._terminal.core.dialogue.state
        return f"{first} ({where}) stands on its screen" if first else f"it is at {where}"

    def _may_act_again(self) -> bool:
        now = self._loop.time()
        grown = self._allowance + (now - self._counted_at) * _ACTS_A_SECOND
        self._allowance, self._counted_at = min(_ACTS_IN_A_ROW, grown), now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _start(self, work: object, client: Client, identity: int) -> None:
        async def guarded() -> None:
            try:
                await work  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - an act that fails is told, and ends nothing
                _log.error("diagnostics.failed", exc_info=error)
                text = f"{type(error).__name__}: the log has its place"
                client.tell(m.Failed(id=identity, reason="failed", text=text))

        task = self._loop.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _heard(role: str, event: Event) -> str:
    match event:
        case KeyPressed() if role == "keypad":
            return f"the keypad sent {event.key.value}"
        case CardSwiped() if role == "card_reader":
            return f"track 2 was read: card {event.track2.pan.masked}"
        case CardUnreadable() if role == "card_reader":
            return f"a swipe came that cannot be used: {event.reason}"
    return ""


def _details(request: m.Request) -> dict[str, object]:
    plain = msgspec.to_builtins(request)
    return {name: value for name, value in plain.items() if name not in ("do", "id")}


def _busy(identity: int, text: str, hint: str = "try again in a moment") -> m.Failed:
    return m.Failed(id=identity, reason="busy", text=text, hint=hint)


def _test_picture(columns: int, lines: int) -> Picture:
    """Every column and row, a Chinese row, and one in reverse."""
    rows = [("0123456789" * columns)[:columns] for _ in range(lines)]
    rows[0] = ("显示屏测试" * columns)[: columns // 2]
    return Picture(tuple(rows), columns, lines, reverse=lines - 1)
