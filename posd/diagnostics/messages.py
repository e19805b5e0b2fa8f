"""What is said on the diagnostic socket: one frozen type a message, each a CBOR map.

The same in CDDL, for programs in other languages: `diagnostics.cddl`; a test holds both together. No type
has a place for a key, a PIN or a whole card number. Times are ISO 8601, local, to the second; amounts are
in fen. Imports nothing of the daemon: `posctl` starts with it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

VERSION: Final = 1
"""Of this language: raised when a client of before would misunderstand an answer."""

Count = Annotated[int, Meta(ge=1, le=100)]
Number = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Role = Literal["keypad", "display", "printer", "card_reader"]
Part = Literal["printer", "card_reader", "display", "keypad", "host"]
Level = Literal["debug", "info", "warning", "error"]
Voucher = Annotated[str, Meta(pattern=r"^[0-9]{1,6}\Z")]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]


# --- what a client asks ---------------------------------------------------------------------------


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """`id` comes back in every answer to it; which one is the client's business."""

    id: Number


class StatusRequest(Request, frozen=True, kw_only=True, tag="status"):
    """How it stands, all at once. Answered by Status."""


class WhyRequest(Request, frozen=True, kw_only=True, tag="why"):
    """What keeps it from selling now. Answered by Why."""


class DevicesRequest(Request, frozen=True, kw_only=True, tag="devices"):
    """Answered by Devices."""


class ScreenRequest(Request, frozen=True, kw_only=True, tag="screen"):
    """What the clerk sees. Answered by Screen."""


class JournalRequest(Request, frozen=True, kw_only=True, tag="journal"):
    """The newest transactions, newest first; before: older than this one. Answered by Journal."""

    count: Count = 20
    before: Number | None = None


class ShowRequest(Request, frozen=True, kw_only=True, tag="show"):
    """The story of the newest transaction with this voucher number. Answered by Story."""

    voucher: Voucher
    language: Literal["zh_CN", "en"] = "en"


class WatchRequest(Request, frozen=True, kw_only=True, tag="watch"):
    """Every event from now on: a Happened each, until the connection ends."""


class TraceRequest(Request, frozen=True, kw_only=True, tag="trace"):
    """Every message to and from the host, masked: a Traced each, until the connection or the trace ends."""


class TraceOffRequest(Request, frozen=True, kw_only=True, tag="trace_off"):
    """End everybody's trace. Answered by Done."""


class FlightRequest(Request, frozen=True, kw_only=True, tag="flight"):
    """What one line's flight recorder kept: a Passed each, then Done."""

    role: Role


class MetricsRequest(Request, frozen=True, kw_only=True, tag="metrics"):
    """Answered by Metrics."""


class EventsRequest(Request, frozen=True, kw_only=True, tag="events"):
    """The outbox from this number on: a Recorded each, then Done; with follow those that come too."""

    start: Number = 0
    follow: bool = False


class OrdersRequest(Request, frozen=True, kw_only=True, tag="orders"):
    """Orders by the day on which they were made: a Line of CSV each, a heading first, then Done.

    since, until: both days are part of it; left out it is today.
    """

    since: Day | None = None
    until: Day | None = None


class ConfigurationRequest(Request, frozen=True, kw_only=True, tag="configuration"):
    """The settings in force: a Section each, then Versions."""


class TestRequest(Request, frozen=True, kw_only=True, tag="test"):
    """Try a part: an act. A Step each, then Done or Failed. seconds: to wait for a key or a card."""

    __test__ = False  # pytest takes any class named Test... for a suite

    part: Part
    seconds: Annotated[int, Meta(ge=1, le=60)] = 15


class EchoRequest(Request, frozen=True, kw_only=True, tag="echo"):
    """The acquirer's echo message, there and back: an act. Answered by Done or Failed."""


class LogLevelRequest(Request, frozen=True, kw_only=True, tag="loglevel"):
    """Log from this level on, until the next start: an act. Answered by Done."""

    level: Level


class BackupRequest(Request, frozen=True, kw_only=True, tag="backup"):
    """A copy of the ledger as soon as nobody uses the terminal: an act. Answered by Done or Failed."""


AnyRequest = (
    StatusRequest
    | WhyRequest
    | DevicesRequest
    | ScreenRequest
    | JournalRequest
    | ShowRequest
    | WatchRequest
    | TraceRequest
    | TraceOffRequest
    | FlightRequest
    | MetricsRequest
    | EventsRequest
    | OrdersRequest
    | ConfigurationRequest
    | TestRequest
    | EchoRequest
    | LogLevelRequest
    | BackupRequest
)


# --- values in answers ----------------------------------------------------------------------------


class Value(Struct, frozen=True, kw_only=True):
    """A part of an answer. Fields that a client does not know are left alone."""


class Reason(Value, frozen=True, kw_only=True):
    """One thing that is wrong. What the code means and what to do: `posd.texts.explanations`.

    detail: what was found, a few words. because: what led to it, the first cause first.
    """

    code: str
    detail: str = ""
    because: tuple[Reason, ...] = ()


class Trouble(Value, frozen=True, kw_only=True):
    """Something that went wrong, when last, how often in a row, and whether it still does."""

    at: str
    code: str
    detail: str = ""
    count: int = 1
    over: bool = False


class DeviceState(Value, frozen=True, kw_only=True):
    """reason: why it is absent; state: what a printer says of itself; found: how often it was found."""

    role: Role
    configured: bool
    present: bool
    port: str = ""
    reason: str = ""
    state: str = ""
    found: int = 0


class Link(Value, frozen=True, kw_only=True):
    """The line to the acquirer, and how the last exchange on it ended."""

    address: str
    port: int
    protection: Literal["tls", "plaintext", "loopback"]
    busy: bool
    trouble: bool
    last_result: str = ""  # usable, unusable, no_answer, not_connected
    last_reason: str = ""
    last_code: str = ""  # element 39
    last_at: str = ""


class Case(Value, frozen=True, kw_only=True):
    """A transaction in doubt: state is open, reversing, pending or unresolved."""

    voucher: str
    kind: str
    state: str
    amount: int
    card: str  # first 6, last 4
    since: str
    tries: int
    last_code: str = ""


class Clock(Value, frozen=True, kw_only=True):
    """ahead: seconds that the machine's clock is ahead of the acquirer's, when that is known."""

    machine: str
    business: str
    ahead: int | None = None


class Entry(Value, frozen=True, kw_only=True):
    """A transaction in a list. transaction: its id, also in the log."""

    transaction: int
    voucher: str
    kind: str
    state: str
    amount: int
    card: str
    at: str
    operator: str
    code: str = ""


# --- what the daemon says -------------------------------------------------------------------------


class Hello(Struct, frozen=True, kw_only=True, tag_field="answer", tag="hello"):
    """The first item on every connection, unasked. may: what this peer may ask for."""

    speaks: int
    version: str
    may: tuple[str, ...] = ()


class Closed(Struct, frozen=True, kw_only=True, tag_field="answer", tag="closed"):
    """The last item before the daemon closes: why, as a word and as a sentence."""

    reason: Literal["refused", "too_many", "not_understood", "too_slow", "idle", "ending"]
    text: str


class Answer(Struct, frozen=True, kw_only=True, tag_field="answer"):
    """Belongs to the request with this id."""

    id: int


class Failed(Answer, frozen=True, kw_only=True, tag="failed"):
    """The end of an answer that could not be given: a word for programs, a sentence, and what to do."""

    reason: Literal[
        "not_understood",
        "not_permitted",
        "not_found",
        "busy",
        "absent",
        "failed",
        "halted",
        "too_often",
    ]
    text: str
    hint: str = ""


class Done(Answer, frozen=True, kw_only=True, tag="done"):
    """The end of an answer that has parts, or of an act that succeeded."""

    text: str = ""


class Status(Answer, frozen=True, kw_only=True, tag="status"):
    """One screen. sells: may a clerk sell now? reasons: why not, or what will keep it from it."""

    version: str
    terminal: str
    merchant: str
    merchant_name: str
    test_host: bool
    started: str
    sells: bool
    reasons: tuple[Reason, ...]
    signed_in: bool
    operator: str
    batch: str
    unsettled: int
    batch_limit: int
    waiting_slips: int
    link: Link
    devices: tuple[DeviceState, ...]
    cases: tuple[Case, ...]
    clock: Clock
    free_bytes: int
    needed_bytes: int
    faults: int
    troubles: tuple[Trouble, ...]


class Why(Answer, frozen=True, kw_only=True, tag="why"):
    """reasons: what stops a sale, first cause first. warnings: what does not stop it, and is not right."""

    sells: bool
    reasons: tuple[Reason, ...]
    warnings: tuple[Reason, ...]


class Devices(Answer, frozen=True, kw_only=True, tag="devices"):
    devices: tuple[DeviceState, ...]


class Screen(Answer, frozen=True, kw_only=True, tag="screen"):
    """What was shown last; shown: is there a display that shows it? reverse: a row, or None."""

    rows: tuple[str, ...]
    columns: int
    lines: int
    reverse: int | None
    shown: bool
    dialogue: str  # where the dialogue is, flow.step


class Journal(Answer, frozen=True, kw_only=True, tag="journal"):
    entries: tuple[Entry, ...]


class Story(Answer, frozen=True, kw_only=True, tag="story"):
    """lines: as the clerk reads them. steps: what the ledger wrote, with times; details as a line of text.

    summary: how it stands, the first of the lines. words: each step's, in the language that was asked for.
    """

    entry: Entry
    lines: tuple[str, ...]
    steps: tuple[tuple[str, str, str], ...]
    summary: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


class Happened(Answer, frozen=True, kw_only=True, tag="event"):
    """One event of the terminal: its name and what may be told of it."""

    at: str
    name: str
    details: dict[str, str | int | bool]


class Traced(Answer, frozen=True, kw_only=True, tag="message"):
    """A message to (out) or from (in) the host, one element a line, masked."""

    at: str
    direction: Literal["in", "out"]
    lines: tuple[str, ...]


class Passed(Answer, frozen=True, kw_only=True, tag="passed"):
    """What a line carried, masked where it was kept. ago: seconds before now."""

    ago: float
    direction: Literal["in", "out", "note"]
    data: bytes


class Metrics(Answer, frozen=True, kw_only=True, tag="metrics"):
    """Prometheus text format 0.0.4."""

    text: str


class Recorded(Answer, frozen=True, kw_only=True, tag="recorded"):
    """One entry of the outbox."""

    number: int
    at: str
    name: str
    details: dict[str, str | int | bool]


class Line(Answer, frozen=True, kw_only=True, tag="line"):
    """A line of CSV (RFC 4180), without its end. Amounts in fen."""

    text: str


class Section(Answer, frozen=True, kw_only=True, tag="section"):
    """A section's settings as text; files by their names only. toml: as they stand in a configuration."""

    name: str
    settings: dict[str, str]
    toml: dict[str, str] = {}


class Versions(Answer, frozen=True, kw_only=True, tag="versions"):
    """versions: of what and which. checks: the check values of keys. file: of the configuration, if known."""

    versions: dict[str, str]
    checks: dict[str, str]
    file: str = ""


class Step(Answer, frozen=True, kw_only=True, tag="step"):
    """How far a test has come."""

    text: str


AnyAnswer = (
    Hello
    | Closed
    | Failed
    | Done
    | Status
    | Why
    | Devices
    | Screen
    | Journal
    | Story
    | Happened
    | Traced
    | Passed
    | Metrics
    | Recorded
    | Line
    | Section
    | Versions
    | Step
)
