"""A day at the real daemon, and then a search: what is secret is nowhere but on the wire.

Searched are every file that the day leaves behind (the ledger with its write-ahead log after a
kill, the log at its most talkative, the acquirer's ledger), what the clerk saw, the paper, and
the flight recorders of the lines.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from posd import daemon
from posd.acquirer.cards import BY_NAME, CARDS
from posd.edges import SystemClock
from posd.keys import Keys
from posd.ledger.ledger import Ledger
from posd.preflight import load_keys
from posd.testing.player import Player
from posd.testing.real import RealStage
from posd.testing.script import parse
from protocol import DEFAULT, Key, Message, decode
from protocol.keys import working_keys

DAY = """\
set host.answer_seconds = 3
set log.level = "debug"
start
expect screen 未签到
press 确认
expect screen 请刷卡或输入金额

# a wrong PIN, then another card
press 12345 确认
expect screen 请刷卡
swipe garbled
swipe half
swipe second
expect screen 请持卡人输密码
press 918273 确认
expect screen 55
press 确认
expect screen 请刷卡
swipe long
expect screen 请持卡人输密码
press 1122 清除 22 清除 33 确认
expect screen 交易成功
remember sale from paper 凭证号 *
expect screen 请撕纸
press 确认
expect paper 持卡人存根
expect screen 请刷卡或输入金额

# its void, with a wrong password first
press 确认
expect screen 撤销
press 1
expect screen 主管密码
press 777888 确认
expect screen 密码错
press 123456 确认
expect screen 请输原凭证号
press {sale} 确认
expect screen 123.45
press 确认
expect screen 请刷卡
swipe long
expect screen 交易成功
expect screen 请撕纸
press 确认
expect paper 消费撤销/VOID | 持卡人存根
expect screen 请刷卡或输入金额

# no answer, wrong MAC, a card in the wrong place, a PIN that is given up
host does no-answer to next sale
press 6600 确认
expect screen 请刷卡
swipe visa
expect screen 请持卡人输密码
press 246802 确认
expect screen 未扣款
press 取消
expect screen 请刷卡或输入金额
host does wrong-mac to next sale
press 6700 确认
expect screen 请刷卡
swipe second
expect screen 请持卡人输密码
press 654321 确认
expect screen 未扣款
press 取消
expect screen 请刷卡或输入金额
press 确认
expect screen 撤销
swipe lost
press 取消
press 6800 确认
expect screen 请刷卡
swipe stolen
expect screen 请持卡人输密码
press 918273 取消
"""
KILLED = """\
expect screen 操作员密码
press 取消
expect screen 请刷卡或输入金额
host does no-answer to next sale
press 6900 确认
expect screen 请刷卡
swipe second
expect screen 请持卡人输密码
press 654321 确认
expect host 0200 4=000000006900
power cut while waiting
power on
expect screen 69.00 | 已冲正
power cut
"""
TYPED = ("918273", "112233", "777888", "123456", "246802", "654321")
_TIMESTAMP = re.compile(rb"\d{4}-\d\d-\d\dT[0-9:.]+")


def bcd(digits: str) -> bytes:
    """Packed as on the wire, `=` as nibble D; the last nibble of an odd number is left out."""
    nibbles = digits.replace("=", "d")
    return bytes.fromhex(nibbles[: len(nibbles) // 2 * 2])


def number_forms(digits: str) -> list[bytes]:
    """A card number or track as text, as hex, packed, and packed one nibble later.

    A run of zeros is in every file: a form of fewer than three different bytes says nothing.
    """
    packed, shifted = bcd(digits), bcd(digits[1:])
    forms = [
        *(digits.encode(), digits.encode("utf-16-le"), packed, shifted),
        *(packed.hex().encode(), packed.hex().upper().encode(), digits.encode().hex().encode()),
    ]
    return [form for form in forms if len(set(form)) >= 3]


def binary_forms(secret: bytes) -> list[bytes]:
    return [secret, secret.hex().encode(), secret.hex().upper().encode()]


def pin_forms(pin: str) -> list[bytes]:
    """The clear PIN field of a PIN block."""
    return binary_forms(bytes.fromhex(f"0{len(pin)}{pin}".ljust(16, "f")))


def secrets_of(stage: RealStage) -> dict[str, list[bytes]]:
    """What the day used that may be nowhere, by name: number, track, PIN block and key."""
    secrets: dict[str, list[bytes]] = {}
    for card in CARDS:
        secrets[f"number of {card.name}"] = number_forms(card.pan.reveal())
        secrets[f"track of {card.name}"] = number_forms(card.track2.reveal())
    for pin in TYPED:
        secrets[f"PIN field of {pin}"] = pin_forms(pin)
    for number, block in enumerate(pin_blocks(stage)):
        secrets[f"PIN block {number}"] = binary_forms(block)
    master = bytes.fromhex(key_file(stage, "master"))
    secrets["device key"] = binary_forms(bytes.fromhex(key_file(stage, "device")))
    secrets["master key"] = binary_forms(master)
    for message in messages(stage):
        if message.mti == "0810" and message.get(62):
            keys = working_keys(message.elements[62], Key(master), DEFAULT)
            secrets.setdefault("PIN key", []).extend(binary_forms(keys.pin.reveal()))
            secrets.setdefault("MAC key", []).extend(binary_forms(keys.mac.reveal()))
    return secrets


def messages(stage: RealStage) -> Iterator[Message]:
    for frame in stage.witness.frames:
        if len(frame) > 2:
            yield decode(frame)


def pin_blocks(stage: RealStage) -> list[bytes]:
    return [
        message.elements[52].reveal() for message in messages(stage) if message.get(52) is not None
    ]


def key_file(stage: RealStage, name: str) -> str:
    return (stage.installation.directory / f"{name}.key").read_text("ascii")


def found_in(data: bytes, secrets: dict[str, list[bytes]]) -> list[str]:
    """The names of the secrets that stand in these bytes; typed digits as numbers of their own."""
    plain = _TIMESTAMP.sub(b"", data)
    names = [name for name, forms in secrets.items() if any(form in data for form in forms)]
    typed = (digits for digits in TYPED if _as_a_number(digits).search(plain))
    return [*names, *(f"typed {digits}" for digits in typed)]


def _as_a_number(digits: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![0-9])" + digits.encode() + rb"(?![0-9])")


def searched(stage: RealStage) -> dict[str, bytes]:
    """Every file that the day left, but for the two key files; the screens; the paper."""
    directory = stage.installation.directory
    found = {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.suffix != ".key"
    }
    found["screens"] = repr(stage.witness.screens).encode()
    found["paper"] = repr(stage.witness.slips).encode()
    found["received"] = repr(stage.witness.received).encode()
    return found


def test_a_day_leaves_no_secret_on_disk_in_logs_on_paper_or_on_the_screen(tmp_path: Path) -> None:
    with closing(RealStage(tmp_path)) as stage:
        assert Player(parse(DAY + KILLED, "day.clerk"), stage).play().agree
        everywhere = searched(stage)
        secrets = secrets_of(stage)
    assert len(pin_blocks(stage)) == 5
    assert len(everywhere["state/ledger.db-wal"]) > 0
    assert everywhere["posd.log"].count(b"\n") > 50
    leaks = {where: found_in(data, secrets) for where, data in everywhere.items()}
    assert {where: names for where, names in leaks.items() if names} == {}


@pytest.mark.parametrize("typed", TYPED)
def test_the_search_finds_what_was_typed(typed: str) -> None:
    assert found_in(b'{"digits": "' + typed.encode() + b'"}', {}) == [f"typed {typed}"]


def test_the_search_finds_every_form_of_every_secret(tmp_path: Path) -> None:
    with closing(RealStage(tmp_path)) as stage:
        short = DAY.split("# its void")[0]
        Player(parse(short, "morning.clerk"), stage).play()
        secrets = secrets_of(stage)
    assert {"PIN block 0", "PIN key", "MAC key", "master key", "track of good"} <= set(secrets)
    for name, forms in secrets.items():
        for form in forms:
            assert name in found_in(b"before" + form + b"after", secrets)


class ResidentStage(RealStage):
    """The daemon's own objects within this process, so that their memory can be looked at."""

    terminal: daemon._Terminal | None = None

    def power_on(self) -> None:
        self._acquirer()
        configuration = self.installation.load()
        keys = load_keys(configuration)
        self._loop.call(lambda: self._start(configuration, keys))
        self.let_pass(10, lambda: any(self.witness.screen))

    def _start(self, configuration, keys: Keys) -> None:  # type: ignore[no-untyped-def]
        clock = SystemClock()
        self.ledger = Ledger.open(
            self.installation.state_directory / "ledger.db", keys, clock, lambda n: bytes(n)
        )
        self.terminal = daemon._Terminal(configuration, self.ledger, keys, clock, None)
        self.running = asyncio.create_task(self.terminal.run(self, 0.0))  # type: ignore[arg-type]
        self.process = _Running()  # type: ignore[assignment]

    def tell(self, *, end, back_up) -> None:  # type: ignore[no-untyped-def]
        """What the terminal calls to learn of its end, in the place of the process's signals."""
        self.finish = end

    def _stop(self) -> None:
        async def end() -> None:
            self.finish()
            await self.running

        self._loop.run(end())
        self._loop.call(lambda: self.ledger.close())

    def recorders(self) -> dict[str, bytes]:
        """What each line remembers: as a technician sees it, and its bytes put together."""
        assert self.terminal is not None
        found = {}
        for role, device in self.terminal._devices._by_role().items():
            assert device is not None
            recorder = device.recorder
            found[f"{role} dump"] = recorder.dump().encode()
            for direction in ("in", "out"):
                found[f"{role} {direction}"] = b"".join(
                    entry.data for entry in recorder.entries() if entry.direction == direction
                )
        return found


class _Running:
    """Stands where a process would: it has not ended."""

    def poll(self) -> None:
        return None


@pytest.fixture
def silent() -> Iterator[None]:
    """The daemon configures its log by itself; here there is nobody to read it."""
    structlog.configure(processors=[_drop])
    yield
    structlog.reset_defaults()


def _drop(*_: object) -> dict[str, object]:
    raise structlog.DropEvent


@pytest.mark.usefixtures("silent")
def test_flight_recorders_keep_no_secret_but_keep_the_rest(tmp_path: Path) -> None:
    with closing(ResidentStage(tmp_path)) as stage:
        script = parse(DAY + "expect screen 操作员密码\npress 取消\n", "day.clerk")
        assert Player(script, stage).play().agree
        everywhere = stage.recorders()
        secrets = secrets_of(stage)
    leaks = {where: found_in(data, secrets) for where, data in everywhere.items()}
    assert {where: names for where, names in leaks.items() if names} == {}
    # A minute of a clerk's work is all within seconds of some prompt: every key is masked.
    assert everywhere["keypad in"].count(b"*") > 60
    assert everywhere["card_reader in"].count(b"*") > 6 * 30
    assert "交易成功".encode() in everywhere["display out"]
    assert "消费/SALE".encode("gb18030") in everywhere["printer out"]
    assert BY_NAME["long"].pan.masked.encode() in everywhere["printer out"]
