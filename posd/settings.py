"""What can be configured: a frozen value for each section of the file, with limits and defaults.

`posd.config.load` fills these from a file and checks what one section cannot see alone. The
descriptions are what an error message says was expected. Paths are absolute once loaded. Amounts
are in fen.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, structs

from protocol.dialect import Dialect

Seconds = Annotated[float, Meta(gt=0, le=86_400, description="a number of seconds, above 0")]
HexDigest = Annotated[
    str,
    Meta(pattern=r"^[0-9A-Fa-f]{64}\Z", description="64 hex digits (sha-256 of the certificate)"),
]
Port = Annotated[
    str,
    Meta(
        pattern=r"^(socket://[^\s/]+:[0-9]{1,5}|(?!.*://)[^\x00-\x1f]+)\Z",
        description="a device path, evdev:path or socket://host:port",
    ),
]
Printable = r"^[^\x00-\x1f\x7f]"


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: every key is known, nothing can be changed afterwards."""


class TerminalSettings(Section, frozen=True, kw_only=True):
    """Who this terminal is and how it treats its clerk.

    state_directory holds the ledger and its lock.
    """

    terminal_id: Annotated[
        str, Meta(pattern=r"^[0-9A-Za-z]{8}\Z", description="8 letters or digits")
    ]
    merchant_id: Annotated[
        str, Meta(pattern=r"^[0-9A-Za-z]{15}\Z", description="15 letters or digits")
    ]
    merchant_name: Annotated[
        str, Meta(pattern=Printable + r"{1,40}\Z", description="1 to 40 printable characters")
    ]
    state_directory: Path
    hotline: Annotated[
        str, Meta(pattern=Printable + r"{0,40}\Z", description="at most 40 printable characters")
    ] = ""
    operator: Annotated[str, Meta(pattern=r"^[0-9]{2}\Z", description="2 digits")] = "01"
    language: Literal["zh_CN", "en"] = "zh_CN"
    software_pin: bool = False  # for development and test systems: shown on the idle screen
    pin_may_be_empty: bool = True
    amount_limit: Annotated[int, Meta(ge=1, le=999_999_999_999)] = 10_000_000
    duplicate_minutes: Annotated[int, Meta(ge=0, le=1440)] = 10  # 0: not asked
    test_host: bool = False  # terminal status digit 1 in the header, and 测试 on the idle screen

    @property
    def training_directory(self) -> Path:
        """Where the ledger of a training lies, while there is one."""
        return self.state_directory / "training"


class HostSettings(Section, frozen=True, kw_only=True):
    """The acquirer's address and how its certificate is checked.

    TLS is the rule: its certificate is checked against `ca_file` and the host name, or is exactly
    the one of `certificate_pin`, or both. Plain TCP needs `plaintext`; loopback is exempt.
    """

    address: Annotated[
        str, Meta(pattern=r"^[^\s\x00-\x1f/]{1,253}\Z", description="a host name or an IP address")
    ]
    port: Annotated[int, Meta(ge=1, le=65_535)]
    plaintext: bool = False
    ca_file: Path | None = None
    certificate_pin: HexDigest | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None  # None: it is in the client_certificate file
    server_name: Annotated[str, Meta(pattern=r"^\S{1,253}\Z", description="a host name")] | None = (
        None
    )
    connect_seconds: Seconds = 10
    answer_seconds: Seconds = 60
    reversal_answer_seconds: Seconds = 60
    keep_open: bool = False

    @property
    def loopback(self) -> bool:
        """Does the address stay on this machine? Names other than localhost are not looked up."""
        if self.address.lower() == "localhost":
            return True
        try:
            return ip_address(self.address).is_loopback
        except ValueError:
            return False

    @property
    def tls(self) -> bool:
        """Is the connection encrypted? On a loopback address only when a CA or a pin is given."""
        if self.plaintext:
            return False
        return not self.loopback or bool(self.ca_file or self.certificate_pin)


class DialectSettings(Section, frozen=True, kw_only=True):
    """The acquirer's options on the wire; each is the option of `protocol.Dialect` of that name."""

    has_tpdu: bool = True
    has_header: bool = True
    request_tpdu: Annotated[
        str, Meta(pattern=r"^[0-9A-Fa-f]{10}\Z", description="10 hex digits")
    ] = "6000060000"
    request_header: Annotated[str, Meta(pattern=r"^[0-9]{12}\Z", description="12 digits")] = (
        "603100310001"
    )
    frame_cap: Annotated[int, Meta(ge=64, le=65_535)] = 4096
    mac_algorithm: Literal["ecb", "x9.9", "x9.19", "xor-3des", "sm4-ecb"] = "ecb"
    working_key_layout: Literal["default", "tagged-25", "three-of-19"] = "default"
    pin_length: Annotated[int, Meta(ge=4, le=12)] = 12
    security_method: Literal["0", "3", "4", "6"] = "6"
    track_encryption: bool = False
    terminal_capability: Literal["2", "5", "6"] = "2"
    partial_approval: Literal["0", "1"] = "0"
    foreign_totals: bool = True
    reversal_reference: bool = False
    reversal_expiry: bool = False
    reversal_original: bool = False


class MoneySettings(Section, frozen=True, kw_only=True):
    """Reversals and their repetition, and when the ledger is too full."""

    reversal_tries: Annotated[int, Meta(ge=1, le=100)] = 3
    notice_tries: Annotated[int, Meta(ge=1, le=100)] = 3
    duplicate_notice_is_done: bool = False  # 94 to a repeat: an earlier copy was carried out
    backoff_first_seconds: Seconds = 5
    backoff_longest_seconds: Seconds = 300
    none_found_wait_seconds: Seconds = 60
    approved_reversal_needs_mac: bool = True
    stan_jump_after_restore: Annotated[int, Meta(ge=1, le=900_000)] = 10_000
    free_space_bytes: Annotated[int, Meta(ge=1)] = 16 * 1024 * 1024
    batch_warning: Annotated[int, Meta(ge=1, le=999)] = 500
    batch_limit: Annotated[int, Meta(ge=1, le=999)] = 510


class BackupSettings(Section, frozen=True, kw_only=True):
    """Copies of the ledger. directory: where they lie; None is `backups` in the state directory."""

    directory: Path | None = None
    # Each copy is checked whole, and that is the daily check of the ledger too.
    interval_hours: Annotated[int, Meta(ge=1, le=24)] = 24
    copies: Annotated[int, Meta(ge=1, le=1000)] = 7
    days: Annotated[int, Meta(ge=1, le=366)] = 30  # then every copy goes: it holds card data


class VoidSettings(Section, frozen=True, kw_only=True):
    """What a void asks for again."""

    ask_card: bool = True
    ask_pin: bool = False
    ask_reason: bool = False


class RefundSettings(Section, frozen=True, kw_only=True):
    """Refunds: the most that one may be about, and whether the clerk is asked for the goods."""

    amount_limit: Annotated[int, Meta(ge=1, le=999_999_999_999)] = 10_000_000
    ask_goods: bool = True


class PreAuthorisationSettings(Section, frozen=True, kw_only=True):
    """Completions: how much of a known pre-authorisation they may be about; with card, with PIN."""

    completion_percent: Annotated[int, Meta(ge=1, le=200)] = 115
    completion_card: bool = True  # false: number and expiry of a known one come from the ledger
    completion_pin: bool = False


class SettlementSettings(Section, frozen=True, kw_only=True):
    """When and how a batch is settled, and how long it is kept afterwards."""

    at: (
        Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z", description="HH:MM")]
        | None
    ) = None  # begun by itself at this time, when something is stored
    sign_off: bool = False  # sign off after it
    detail_list: bool = False  # printed with every settlement, unasked
    tries: Annotated[int, Meta(ge=1, le=100)] = 3
    end_message: bool = True  # the upload's end is told to the host
    keep_months: Annotated[int, Meta(ge=1, le=600)] = 24  # closed batches and the audit


class OrderSettings(Section, frozen=True, kw_only=True):
    """Orders that nobody pays, what is reported of them, and how long others may read what happened."""

    # of running time, while unpaid and not held; 0: never
    expire_minutes: Annotated[int, Meta(ge=0, le=43_200)] = 0
    report_at_settlement: bool = False
    report_time: Annotated[
        str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?\Z", description="HH:MM, or empty")
    ] = ""
    events_days: Annotated[int, Meta(ge=1, le=3650)] = 90  # of the outbox


class TimeoutSettings(Section, frozen=True, kw_only=True):
    """How long the dialogue waits for the clerk."""

    prompt_seconds: Seconds = 60
    pin_seconds: Seconds = 30
    result_seconds: Seconds = 20
    tear_seconds: Seconds = 20


STABLE_NAMES: Final = ("/dev/serial/", "/dev/posd/")
"""Where udev names a device by what it is or by its role: the name comes and goes with the plug."""


class SerialSettings(Section, frozen=True, kw_only=True):
    """One serial line: a stable device name, or socket://host:port of a plain TCP serial server.

    required: no start while the port is not there, since that is most often a wrong name. Left out, a
    device under a stable name may be unplugged at the start: the terminal trades on what is left.
    """

    port: Port
    required: bool | None = None
    speed: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400] = 9600
    parity: Literal["none", "even", "odd"] = "none"
    flow_control: Literal["none", "rts_cts", "xon_xoff"] = "none"

    @property
    def may_be_unplugged(self) -> bool:
        """May the terminal start while the port is not there?"""
        if self.required is None:
            return self.port.startswith(STABLE_NAMES)
        return not self.required


class KeypadSettings(SerialSettings, frozen=True, kw_only=True):
    """A keypad that sends one byte a key, or a Linux input device (evdev:path)."""


class DisplaySettings(SerialSettings, frozen=True, kw_only=True):
    """A VT100 text display."""

    columns: Annotated[int, Meta(ge=16, le=132)] = 16
    lines: Annotated[int, Meta(ge=4, le=50)] = 4
    encoding: Literal["utf-8", "gb18030"] = "utf-8"


class PrinterSettings(SerialSettings, frozen=True, kw_only=True):
    """An ESC/POS slip printer: 32 columns are 58 mm paper, 48 are 80 mm."""

    columns: Literal[32, 48] = 32


class CardReaderSettings(SerialSettings, frozen=True, kw_only=True):
    """A magnetic stripe reader: bare sentinels and line end, or STX ... ETX and a check byte.

    with_lrc: the reader sends each track's own LRC character too.
    """

    framing: Literal["sentinels", "stx"] = "sentinels"
    with_lrc: bool = False


class DeviceSettings(Section, frozen=True, kw_only=True):
    """The devices that hang on this terminal; one that is left out is absent."""

    keypad: KeypadSettings | None = None
    display: DisplaySettings | None = None
    printer: PrinterSettings | None = None
    card_reader: CardReaderSettings | None = None


class PrintingSettings(Section, frozen=True, kw_only=True):
    """What a shop does while no slip can be printed.

    trade: sales go on, their slips are kept and offered when the printer prints again. refuse: nothing
    new is begun; what was begun ends, and its slips are kept.
    """

    without_printer: Literal["trade", "refuse"] = "trade"


class OperatorsSettings(Section, frozen=True, kw_only=True):
    """Who signs on. never: one press, as the operator of the setting. password: number and password."""

    sign_on: Literal["never", "password"] = "never"


class TrainingSettings(Section, frozen=True, kw_only=True):
    """Training mode. offered: in the menu. answer_seconds: how long its host may take, at most."""

    offered: bool = True
    answer_seconds: Seconds = 15


class KeyFileSettings(Section, frozen=True, kw_only=True):
    """Hex text files with the device key (32 bytes) and the terminal master key (16 or 24 bytes).

    Left out, they are the systemd credentials `device-key` and `master-key`.
    """

    device_key_file: Path | None = None
    master_key_file: Path | None = None


class LogSettings(Section, frozen=True, kw_only=True):
    """auto is console on a terminal, the journal's own fields under systemd, and JSON lines elsewhere."""

    format: Literal["auto", "json", "journal", "console"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class DiagnosticsSettings(Section, frozen=True, kw_only=True):
    """The technicians' socket (`posctl`), where systemd has not opened one.

    group: its members may look, and do a few things; root may do all. clients: connected at one time.
    """

    socket: Path = Path("/run/posd/diag.sock")
    group: Annotated[
        str, Meta(pattern=r"^[a-z_][a-z0-9_-]{0,30}\Z", description="the name of a group")
    ] = "posd-tech"
    clients: Annotated[int, Meta(ge=1, le=32)] = 8


class MetricsSettings(Section, frozen=True, kw_only=True):
    """A file for the node-exporter's textfile collector; none: `posctl metrics` only."""

    textfile: Path | None = None
    textfile_seconds: Annotated[float, Meta(ge=5, le=86_400, description="5 to 86400 seconds")] = 60


class Configuration(Section, frozen=True, kw_only=True, dict=True):
    """Everything that one posd process is told from outside."""

    terminal: TerminalSettings
    host: HostSettings
    dialect: DialectSettings = DialectSettings()
    money: MoneySettings = MoneySettings()
    backup: BackupSettings = BackupSettings()
    void: VoidSettings = VoidSettings()
    orders: OrderSettings = OrderSettings()
    refund: RefundSettings = RefundSettings()
    pre_authorisation: PreAuthorisationSettings = PreAuthorisationSettings()
    settlement: SettlementSettings = SettlementSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    devices: DeviceSettings = DeviceSettings()
    printing: PrintingSettings = PrintingSettings()
    operators: OperatorsSettings = OperatorsSettings()
    training: TrainingSettings = TrainingSettings()
    keys: KeyFileSettings = KeyFileSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    diagnostics: DiagnosticsSettings = DiagnosticsSettings()

    @property
    def file(self) -> Path | None:
        """Where `posd.config.load` has read it. No setting: a file cannot say it, and nothing compares it."""
        found: Path | None = self.__dict__.get("_file")
        return found

    @property
    def is_training(self) -> bool:
        """Is nothing of this real? Never what a file says: see posd.training."""
        return False


_TERMINAL_STATUS = 4  # position of the status digit in the header (dialect: frame)


def make_dialect(configuration: Configuration) -> Dialect:
    """The dialect that these settings describe; the header's status digit says test or normal."""
    options = structs.asdict(configuration.dialect)
    if configuration.terminal.test_host:
        header = configuration.dialect.request_header
        options["request_header"] = f"{header[:_TERMINAL_STATUS]}1{header[_TERMINAL_STATUS + 1 :]}"
    return Dialect(**options)
