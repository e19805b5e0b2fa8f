"""What the network and the acquirer do wrong, one connection after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from posd.acquirer.outcomes import Fault as HostFault
from posd.acquirer.outcomes import Outcome
from posd.testing.matrix.wire import CLEAN, Fault

_AFTER_TIME_OUT = 61.0  # s; an answer is awaited for 60
_AFTER_REVERSAL = 150.0  # s; by then a reversal has had its answer, or its time-out too


def _host(word: str, **more: object) -> Fault:
    return Fault(word, outcome=Outcome(fault=HostFault(word), **more))  # type: ignore[arg-type]


def _code(code: str) -> Fault:
    return Fault(f"declined {code}", outcome=Outcome(code=code))


NO_ANSWER = _host("no-answer")
LOST = _host("lost")

CONNECTION: tuple[Fault, ...] = (
    Fault("refused", refused=True),
    Fault("connect unanswered", silent=True),
)
WAY_THERE: tuple[Fault, ...] = (
    Fault("nothing sent, reset", arrives=0, reset=True),
    Fault("nothing sent, silence", arrives=0),
    Fault("40 bytes sent, reset", arrives=40, reset=True),
    Fault("all but one byte sent, reset", arrives=-1, reset=True),
    Fault("all sent, reset", reset=True),
    Fault("request after its time-out", delay=_AFTER_TIME_OUT),
    Fault("request after its reversal", delay=_AFTER_REVERSAL),
    Fault("request twice", again=0.01),
    Fault("request twice, late", again=_AFTER_TIME_OUT),
    Fault("request twice, after its reversal", again=_AFTER_REVERSAL),
    Fault(
        "request twice, after its reversal, no answer",
        again=_AFTER_REVERSAL,
        outcome=NO_ANSWER.outcome,
    ),
    Fault("lost, request after its reversal", arrives=0, again=_AFTER_REVERSAL),
)
WAY_BACK: tuple[Fault, ...] = (
    NO_ANSWER,
    LOST,
    _host("closed"),
    _host("late"),
    _host("slow"),
    _host("twice"),
    _host("foreign-first"),
    Fault("other STAN", outcome=Outcome(fault=HostFault.FOREIGN_FIRST), first_only=True),
    _host("garbage"),
    _host("garbage-first"),
    _host("wrong-mac"),
    _host("no-mac"),
    _host("wrong-amount"),
    _host("no-reference"),
    _host("sign-in-asked"),
    Fault("cut after 1, reset", cut=1),
    Fault("cut after 60, reset", cut=60),
    Fault("cut after 60, silence", cut=60, hangs=True),
)
DECLINES: tuple[Fault, ...] = tuple(map(_code, ("51", "77", "94", "96", "98", "99", "A0", "ZZ")))
REVERSAL_CODES: tuple[Fault, ...] = tuple(map(_code, ("96", "77", "99", "A0", "94", "ZZ")))

TO_A_REQUEST = (*CONNECTION, *WAY_THERE, *WAY_BACK, *DECLINES)
TO_A_REVERSAL = (*CONNECTION, *WAY_THERE, *WAY_BACK, *REVERSAL_CODES)
TO_A_SIGN_IN = (
    *CONNECTION,
    *WAY_THERE,
    *(fault for fault in WAY_BACK if "mac" not in fault.name),
    _host("wrong-keys"),
    _code("97"),
)
TO_A_SETTLEMENT = (
    *CONNECTION,
    *WAY_THERE,
    *(
        fault
        for fault in WAY_BACK
        if not set(fault.name.split("-")) & {"mac", "amount", "reference"}
    ),
    *map(_code, ("30", "77", "94", "96", "98", "99", "A0", "ZZ")),
)


@dataclass(frozen=True)
class Plan:
    """Faults of the first connections, in their order; what follows them is clean.

    meanwhile: (seconds after the request, what happens then): sign_in (a clerk's), new_keys (the
    acquirer forgets the old ones), new_batch (from the next sign-in on), next_day.
    none_found: the acquirer's code for a reversal without an original. another_day: the day or the
    batch changes on the way, and a reversal that finds no original becomes a case for a person.
    """

    name: str
    faults: tuple[Fault, ...] = ()
    meanwhile: tuple[tuple[float, str], ...] = ()
    none_found: str = "00"
    another_day: bool = False


UNDISTURBED = Plan("undisturbed")


def of_requests() -> Iterator[Plan]:
    """Every fault of a request."""
    for fault in TO_A_REQUEST:
        yield Plan(f"request: {fault.name}", (fault,))


def of_reversals(doubt: Fault) -> Iterator[Plan]:
    """Every fault of a reversal, or of a repetition, after a request that ended so."""
    for fault in TO_A_REVERSAL:
        yield Plan(f"request: {doubt.name}; then: {fault.name}", (doubt, fault))


def of_sign_ins() -> Iterator[Plan]:
    for fault in TO_A_SIGN_IN:
        yield Plan(f"sign-in: {fault.name}", (fault,))


def of_settlements(messages: int) -> Iterator[Plan]:
    """Every fault of each of its messages, and of the same one again; changes on its way."""
    for place in range(messages):
        before = (CLEAN,) * place
        for fault in TO_A_SETTLEMENT:
            yield Plan(f"message {place + 1}: {fault.name}", (*before, fault))
        yield Plan(f"message {place + 1}: lost four times", (*before, *[LOST] * 4))
        yield Plan(
            f"message {place + 1}: refused, then no answer", (*before, CONNECTION[0], NO_ANSWER)
        )
        doubt = (*before, NO_ANSWER)
        for what in ("new_keys", "next_day"):
            yield Plan(f"message {place + 1}: no answer; {what}", doubt, ((30.0, what),))
        batch = ((30.0, "new_batch"), (200.0, "sign_in"))
        yield Plan(f"message {place + 1}: lost; another batch", (*before, *[LOST] * 3), batch)


def of_cuts(length: int, before: Sequence[Fault] = (), *, both: bool = True) -> Iterator[Plan]:
    """The answer cut at every byte, and the connection ends; both: and also when it only hangs."""
    for cut in range(length):
        for hangs in (False, True) if both else (False,):
            way = "silence" if hangs else "reset"
            fault = Fault(f"answer cut after {cut}, {way}", cut=cut, hangs=hangs)
            yield Plan(fault.name, (*before, fault))


def of_part_sent(length: int, before: Sequence[Fault] = ()) -> Iterator[Plan]:
    """The request broken off at every byte."""
    for sent in range(length):
        fault = Fault(f"{sent} bytes sent, reset", arrives=sent, reset=True)
        yield Plan(fault.name, (*before, fault))


def of_changes() -> Iterator[Plan]:
    """Other keys, another batch number, another day: between a request and its reversal."""
    in_doubt, pending = 30.0, 122.0  # s: while the answer, or that of the reversal, is awaited
    for doubt in (NO_ANSWER, LOST):
        for code in ("00", "25", "12"):
            for what in ("sign_in", "new_keys", "new_batch", "next_day"):
                for at in (in_doubt, pending):
                    events = [(at, what)]
                    if what == "new_batch":
                        events.append((at, "sign_in"))
                    yield Plan(
                        f"{doubt.name}; {what} after {at:g} s; none found: {code}",
                        (doubt, LOST),
                        tuple(events),
                        code,
                        another_day=what in ("new_batch", "next_day") and code != "00",
                    )
    both = ((pending, "new_batch"), (pending, "next_day"), (pending, "sign_in"))
    yield Plan("no-answer; new batch, next day and sign-in", (NO_ANSWER, LOST), both)
    sign_in = ((pending, "sign_in"),)
    yield Plan(
        "no-answer; a sign-in without an answer", (NO_ANSWER, LOST, NO_ANSWER), sign_in
    )  # fmt: skip
    yield Plan(
        "no-answer; a sign-in with wrong keys",
        (NO_ANSWER, LOST, _host("wrong-keys")),
        sign_in,
    )


def of_none_found() -> Iterator[Plan]:
    """The original never came, or comes late, and the acquirer says that there is none."""
    late = Fault("request after its reversal", delay=_AFTER_REVERSAL)
    between = Fault("request between two reversals", delay=90.0)
    for code in ("25", "12"):
        for fault in (LOST, late, between):
            yield Plan(f"{fault.name}; none found: {code}", (fault,), none_found=code)
        yield Plan(
            f"lost; none found: {code}, without an answer", (LOST, NO_ANSWER), none_found=code
        )


def of_many_tries() -> Iterator[Plan]:
    """So many reversals, or repetitions, without an answer that a person is told."""
    yield Plan("five times no answer", (NO_ANSWER, *[LOST] * 5))
    yield Plan("five times lost", (LOST,) * 6)
    yield Plan(
        "refused again and again", (NO_ANSWER, *[Fault("refused", refused=True)] * 8)
    )  # fmt: skip
