"""What is answered when somebody looks: read from the core, the ledger and the devices, changed nowhere.

Every function is one slice of the loop's time and short: what is long is given in parts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Final

from msgspec import Struct

from posd.core.core import Core
from posd.core.ports import Clock
from posd.diagnostics import messages as m
from posd.diagnostics.causes import Causes
from posd.diagnostics.observations import Observations
from posd.edges import Devices
from posd.key_loading import CHECK_LENGTH, device_check_value
from posd.keys import Keys
from posd.ledger.ledger import Ledger, milliseconds, moment
from posd.ledger.records import State, TransactionRecord
from posd.ledger.search import Wanted
from posd.metrics import exposition
from posd.order_report import day_of, to_csv
from posd.redaction import redact_text
from posd.settings import Configuration
from posd.terminal.story import step_in_words, story, summary
from posd.texts import catalogue

Parts = Iterator[m.Answer]
_ROLES: Final[tuple[m.Role, ...]] = ("keypad", "display", "printer", "card_reader")
_CASES: Final = 20
_VOUCHER_DIGITS: Final = 6
_DAY: Final = 86_400_000
_MOST_DAYS: Final = 366  # of orders at once


class Terminal(Struct, frozen=True):
    """Everything that an answer or an act may look at. version: of the program."""

    configuration: Configuration
    core: Core
    devices: Devices
    keys: Keys
    clock: Clock
    observations: Observations
    version: str

    @property
    def causes(self) -> Causes:
        return Causes(self.configuration, self.core, self.observations, self.clock)


def status(terminal: Terminal, request: m.StatusRequest) -> Parts:
    """See Status."""
    core, settings, causes = terminal.core, terminal.configuration, terminal.causes
    reasons = causes.reasons()
    yield m.Status(
        id=request.id,
        version=terminal.version,
        terminal=settings.terminal.terminal_id,
        merchant=settings.terminal.merchant_id,
        merchant_name=settings.terminal.merchant_name,
        test_host=settings.terminal.test_host or settings.terminal.software_pin,
        started=_time(moment(terminal.observations.started)),
        sells=not reasons,
        reasons=(*reasons, *causes.warnings()),
        signed_in=core.money.signed_in,
        operator=core.money.operator,
        batch=core.ledger.counters.batch_number,
        unsettled=core.ledger.transactions.unsettled_count(),
        batch_limit=settings.money.batch_limit,
        waiting_slips=core.ledger.print_jobs.waiting_count(),
        link=_link(terminal),
        devices=device_states(terminal),
        cases=_cases(terminal),
        clock=_clock(terminal),
        free_bytes=core.ledger.free_space(),
        needed_bytes=settings.money.free_space_bytes,
        faults=core.faults,
        troubles=tuple(
            m.Trouble(
                at=_time(moment(seen.at)),
                code=seen.code,
                detail=seen.detail,
                count=seen.count,
                over=seen.over,
            )
            for seen in terminal.observations.troubles
        ),
    )


def why(terminal: Terminal, request: m.WhyRequest) -> Parts:
    """See Why."""
    causes = terminal.causes
    reasons = causes.reasons()
    yield m.Why(id=request.id, sells=not reasons, reasons=reasons, warnings=causes.warnings())


def devices(terminal: Terminal, request: m.DevicesRequest) -> Parts:
    """See Devices."""
    yield m.Devices(id=request.id, devices=device_states(terminal))


def screen(terminal: Terminal, request: m.ScreenRequest) -> Parts:
    """See Screen."""
    picture = terminal.observations.picture
    missing = "display" in terminal.core.dialogue.devices_missing
    yield m.Screen(
        id=request.id,
        rows=() if picture is None else picture.rows,
        columns=0 if picture is None else picture.columns,
        lines=0 if picture is None else picture.lines,
        reverse=None if picture is None else picture.reverse,
        shown=picture is not None and not missing,
        dialogue=terminal.core.dialogue.state,
    )


def journal(terminal: Terminal, request: m.JournalRequest) -> Parts:
    """See Journal."""
    at_most = None if request.before is None else request.before - 1
    records = terminal.core.ledger.search.journal(Wanted(), at_most, request.count)
    yield m.Journal(id=request.id, entries=tuple(map(_entry, records)))


def show(terminal: Terminal, request: m.ShowRequest) -> Parts:
    """See Story."""
    transactions = terminal.core.ledger.transactions
    record = _found(terminal.core.ledger, request.voucher.zfill(_VOUCHER_DIGITS))
    if record is None:
        yield m.Failed(
            id=request.id,
            reason="not_found",
            text=f"there is no transaction with voucher {request.voucher}",
            hint="posctl journal lists the newest ones",
        )
        return
    steps, refunded = transactions.steps(record.id), transactions.refunded(record.id)
    texts = catalogue(request.language)
    yield m.Story(
        id=request.id,
        entry=_entry(record),
        lines=story(record, steps, texts, refunded),
        summary=tuple(summary(record, texts, refunded)),
        words=tuple(step_in_words(step, texts) for step in steps),
        steps=tuple((_time(moment(step.at)), step.what, _words(step.details)) for step in steps),
    )


def _found(ledger: Ledger, number: str) -> TransactionRecord | None:
    """By its voucher, or by the number of the order that it was to pay: the newest attempt."""
    record = ledger.transactions.by_stan(number)
    order = ledger.orders.by_number(number)
    attempts = ledger.transactions.of_order(order.id) if record is None and order else []
    return attempts[-1] if attempts else record


def orders(terminal: Terminal, request: m.OrdersRequest) -> Parts:
    """A Line each, then Done; the ledger is asked for one day at a time."""
    ledger = terminal.core.ledger
    try:
        begin, last = _days(request, ledger.now())
    except ValueError as error:
        yield m.Failed(id=request.id, reason="failed", text=str(error))
        return
    for line in to_csv(ledger, begin, begin):
        yield m.Line(id=request.id, text=line.rstrip("\r\n"))  # the heading
    while begin <= last:
        since, begin = day_of(begin)
        for line in islice(to_csv(ledger, since, begin), 1, None):
            yield m.Line(id=request.id, text=line.rstrip("\r\n"))
    yield m.Done(id=request.id)


def _days(request: m.OrdersRequest, now: int) -> tuple[int, int]:
    """The first moments of the first day and of the last. Raises ValueError, in words."""
    try:
        at = [
            milliseconds(datetime.fromisoformat(day)) if day else None
            for day in (request.since, request.until)
        ]
    except ValueError:
        raise ValueError("there is no such day") from None
    last = day_of(now if at[1] is None else at[1])[0]
    begin = last if at[0] is None else at[0]
    if last - begin >= _MOST_DAYS * _DAY:
        raise ValueError(f"expected at most {_MOST_DAYS} days at once")
    return begin, last


def flight(terminal: Terminal, request: m.FlightRequest) -> Parts:
    """A Passed for each entry, then Done."""
    line = terminal.devices.line(request.role)
    if line is None:
        yield m.Failed(
            id=request.id,
            reason="absent",
            text=f"no {request.role} is configured",
            hint=f"[devices.{request.role}] in posd.toml",
        )
        return
    now = line.now()
    for entry in line.recorder.entries():
        yield m.Passed(
            id=request.id,
            ago=round(now - entry.at, 3),
            direction=entry.direction,
            data=entry.data,
        )
    yield m.Done(id=request.id)


def metrics(terminal: Terminal, request: m.MetricsRequest) -> Parts:
    """See Metrics."""
    text = exposition(terminal.core, terminal.devices, terminal.clock)
    yield m.Metrics(id=request.id, text=text)


def settings(terminal: Terminal, request: m.ConfigurationRequest) -> Parts:
    """A Section each, then Versions. Keys only as check values."""
    from posd.ledger.schema import MIGRATIONS

    for name in terminal.configuration.__struct_fields__:
        section = dict(_flattened(getattr(terminal.configuration, name)))
        yield m.Section(
            id=request.id,
            name=name,
            settings={key: "" if value is None else str(value) for key, value in section.items()},
            toml={key: _toml(value) for key, value in section.items() if value is not None},
        )
    yield m.Versions(
        id=request.id,
        versions={
            "posd": terminal.version,
            "diagnostics": str(m.VERSION),
            "ledger schema": str(len(MIGRATIONS)),
            "starts": str(terminal.core.ledger.counters.generation),
        },
        checks={
            "master key": terminal.keys.master.check_value(CHECK_LENGTH).hex().upper(),
            "device key": device_check_value(terminal.keys.device),
        },
        file=str(terminal.configuration.file or ""),
    )


def device_states(terminal: Terminal) -> tuple[m.DeviceState, ...]:
    """Every role, configured or not."""
    return tuple(_device(terminal, role) for role in _ROLES)


def _device(terminal: Terminal, role: m.Role) -> m.DeviceState:
    settings = getattr(terminal.configuration.devices, role)
    line = terminal.devices.line(role)
    if settings is None or line is None:
        return m.DeviceState(role=role, configured=False, present=False, reason="not configured")
    dialogue = terminal.core.dialogue
    present = role not in dialogue.devices_missing
    state = dialogue.printer_trouble if role == "printer" and present else ""
    return m.DeviceState(
        role=role,
        configured=True,
        present=present,
        port=settings.port,
        reason="" if present else line.reason,
        state=state.replace("_", " "),
        found=line.connections,
    )


def _link(terminal: Terminal) -> m.Link:
    host, money = terminal.configuration.host, terminal.core.money
    last, at = money.last_exchange, terminal.observations.exchange_at
    return m.Link(
        address=host.address,
        port=host.port,
        protection="tls" if host.tls else "plaintext" if host.plaintext else "loopback",
        busy=money.busy,
        trouble=money.link_trouble,
        last_result=last.result,
        last_reason=terminal.observations.host_failure or last.reason,
        last_code=last.code,
        last_at=_time(moment(at)) if at else "",
    )


def _cases(terminal: Terminal) -> tuple[m.Case, ...]:
    records = terminal.core.ledger.transactions.in_states(
        State.OPEN, State.REVERSING, State.PENDING, State.UNRESOLVED
    )
    return tuple(
        m.Case(
            voucher=record.stan,
            kind=record.kind,
            state=record.state,
            amount=record.amount,
            card=record.masked_card,
            since=_time(moment(record.created_at)),
            tries=record.notice_tries if record.state is State.PENDING else record.reversal_tries,
            last_code=record.reversal_code or record.response_code,
        )
        for record in records[:_CASES]
    )


def _clock(terminal: Terminal) -> m.Clock:
    return m.Clock(
        machine=_time(terminal.clock.now()),
        business=_time(moment(terminal.core.ledger.now())),
        ahead=terminal.causes.ahead(),
    )


def _entry(record: TransactionRecord) -> m.Entry:
    return m.Entry(
        transaction=record.id,
        voucher=record.stan,
        kind=record.kind,
        state=record.state,
        amount=record.amount,
        card=record.masked_card,
        at=_time(moment(record.created_at)),
        operator=record.operator,
        code=record.response_code,
    )


def _flattened(section: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    fields: tuple[str, ...] = getattr(section, "__struct_fields__", ())
    if not fields:
        yield prefix.removesuffix("."), section
        return
    for name in fields:
        yield from _flattened(getattr(section, name), f"{prefix}{name}.")


def _toml(value: object) -> str:
    """A setting's value; JSON writes these as TOML does."""
    plain = value if isinstance(value, bool | int | float | str) else str(value)
    return json.dumps(plain, ensure_ascii=False)


def _words(details: object) -> str:
    pairs = details.items() if isinstance(details, dict) else ()
    return redact_text(" ".join(f"{name}={value}" for name, value in pairs))


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


ANSWERS: Final[dict[type[m.Request], Callable[..., Parts]]] = {
    m.StatusRequest: status,
    m.WhyRequest: why,
    m.DevicesRequest: devices,
    m.ScreenRequest: screen,
    m.JournalRequest: journal,
    m.ShowRequest: show,
    m.OrdersRequest: orders,
    m.FlightRequest: flight,
    m.MetricsRequest: metrics,
    m.ConfigurationRequest: settings,
}
"""Requests that only look, each with what answers it."""
