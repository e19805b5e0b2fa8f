"""Random and mutated CBOR against the real daemon's diagnostic socket, while a clerk presses keys.

    python -m tests.fuzz.diagnostic_socket --frames 1000000 [--seed S]

The daemon must stay alive, catch no fault of its own, stay as large as it was, and answer the clerk as fast
as without: stretches with and without the attack alternate, and the median of the ratios of their 99th
percentiles is told. Exit code 1 when one of these does not hold. The attackers are processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args

import cbor2

from posd.diagnostics import messages
from posd.diagnostics.posctl.connection import Connection, Trouble
from posd.diagnostics.socket_path import connect
from posd.diagnostics.stream import SequenceReader, StreamError
from posd.testing.soaking.memory import ALLOWED_KIB, ALLOWED_SHARE, resident, trend

ROOT: Final = Path(__file__).parents[2]
ATTACKERS: Final = 6  # of 8 that the daemon lets in
BURST: Final = 48
ATTACK_SECONDS: Final = 6.0
QUIET_SECONDS: Final = 2.0
KEY_PAUSE: Final = 0.02
RATIO_ALLOWED: Final = 1.5
PATIENCE: Final = 60.0
_WEIGHTS: Final = (1, 2, 3, 2, 2)  # noise, values, and three kinds of requests
FAULTS: Final = (
    "diagnostics.failed",
    "observer_failed",
    "core.fault",
    "callback_failed",
    "core_failed",
)
CONFIRM, CLEAR = b"1", b"\x08"


# --- the attackers --------------------------------------------------------------------------------


def requests() -> list[dict[str, Any]]:
    """A good request of every kind."""
    more = {"voucher": "12", "role": "printer", "part": "host", "level": "info"}
    found = []
    for kind in get_args(messages.AnyRequest):
        plain: dict[str, Any] = {"do": kind.__struct_config__.tag, "id": 7}
        plain |= {name: more[name] for name in kind.__struct_fields__ if name in more}
        found.append(plain)
    return found


class Frames:
    """An endless mixture, by a seed. A frame is bytes, and whether it is one whole item."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._good = requests()

    def next(self) -> tuple[bytes, bool]:
        kinds = (self._noise, self._value, self._mutated_value, self._mutated_bytes, self._request)
        frame = self._random.choices(kinds, weights=_WEIGHTS)[0]()
        reader = SequenceReader()
        reader.feed(frame)
        try:
            item = reader.next()
            return frame, item == frame and reader.next() is None
        except StreamError:
            return frame, False

    def _noise(self) -> bytes:
        return self._random.randbytes(self._random.choice((1, 3, 9, 40, 300)))

    def _request(self) -> bytes:
        return cbor2.dumps(self._random.choice(self._good))

    def _value(self) -> bytes:
        return cbor2.dumps(self._any(0))

    def _mutated_value(self) -> bytes:
        request = dict(self._random.choice(self._good))
        for _ in range(self._random.randint(1, 3)):
            key = self._random.choice([*request, "x", "count", "before", "follow", "seconds"])
            if self._random.random() < 0.3:
                request.pop(key, None)
            else:
                request[key] = self._any(2)
        return cbor2.dumps(request)

    def _mutated_bytes(self) -> bytes:
        frame = bytearray(self._request())
        for _ in range(self._random.randint(1, 4)):
            place = self._random.randrange(len(frame) or 1)
            match self._random.randrange(4):
                case 0 if frame:
                    frame[place] ^= 1 << self._random.randrange(8)
                case 1 if frame:
                    frame[place] = self._random.randrange(256)
                case 2:
                    frame[place:place] = self._random.randbytes(self._random.randint(1, 8))
                case _:
                    del frame[place : place + self._random.randint(1, 4)]
        return bytes(frame) or b"\xff"

    def _any(self, depth: int) -> Any:
        dice = self._random
        simple: list[Any] = [
            dice.randint(-(2**70), 2**70), dice.randint(-2, 300), dice.random() * 1e300, None, True,
            float("nan"), float("inf"), dice.randbytes(dice.randint(0, 60)), "x" * dice.randint(0, 90),
            "\x00\x1b[2J", "6225000000000014", "状态", "\ud7ff", dice.choice(self._good)["do"],
        ]  # fmt: skip
        if depth < 6 and dice.random() < 0.4:
            inner = [self._any(depth + 1) for _ in range(dice.randint(0, 4))]
            if dice.random() < 0.5:
                return inner
            return {str(place): value for place, value in enumerate(inner)}
        return dice.choice(simple)


class Attacker:
    """One connection after the other; counts a frame when the daemon has dealt with it."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._frames = Frames(seed)
        self._reader = SequenceReader(1 << 22)
        self.dealt_with = 0

    def run(self, count: int) -> Iterator[int]:
        """So many frames; yields how many have been dealt with, now and then."""
        while self.dealt_with < count:
            with connect(self._path, PATIENCE) as connection:
                self._reader = SequenceReader(1 << 22)
                try:
                    while self.dealt_with < count and self._burst(connection):
                        yield self.dealt_with
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it was dropped while we wrote; what was in this burst does not count
            yield self.dealt_with

    def _burst(self, connection: Any) -> bool:
        """Frames at once, and a last one whose answer says that all were dealt with."""
        sent, frames, whole = 0, bytearray(), True
        while sent < BURST and whole:
            frame, whole = self._frames.next()
            frames += frame
            sent += 1
        mark = 1_000_000 + sent
        if whole:
            frames += cbor2.dumps({"do": "screen", "id": mark})
        connection.sendall(frames)
        if not whole:
            connection.shutdown(1)  # an item that was not ended: nothing more comes
        ended = not self._until(connection, mark)
        self.dealt_with += sent
        return not ended

    def _until(self, connection: Any, mark: int) -> bool:
        """Read until this request is answered; False when the connection ended first."""
        while True:
            while (item := self._reader.next()) is not None:
                value = cbor2.loads(item)
                if value.get("id") == mark:
                    return True
            data = connection.recv(65_536)
            if not data:
                return False
            self._reader.feed(data)


def attack(path: Path, seed: int, count: int) -> int:
    os.nice(5)
    told = 0.0
    attacker = Attacker(path, seed)
    for dealt_with in attacker.run(count):
        if time.perf_counter() - told > 0.2:
            told = time.perf_counter()
            print(dealt_with, flush=True)
    print(attacker.dealt_with, flush=True)
    return 0


# --- the clerk ------------------------------------------------------------------------------------


class Terminal:
    """The daemon with a keypad and a display that are nothing but pseudo-terminals."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "diag.sock"
        self.log = directory / "log"
        self._masters = {}
        self._slaves = []
        devices = []
        for role in ("keypad", "display"):
            master, slave = os.openpty()
            self._masters[role] = master
            self._slaves.append(slave)
            devices.append(f'[devices.{role}]\nport = "{os.ttyname(slave)}"\nspeed = 115200')
        for name, length in (("device", 32), ("master", 16)):
            (directory / f"{name}.key").touch(mode=0o600)
            (directory / f"{name}.key").write_text(bytes(range(length)).hex())
        (directory / "posd.toml").write_text(
            '[terminal]\nterminal_id = "T0000001"\nmerchant_id = "M00000000000001"\n'
            'merchant_name = "fuzz"\nstate_directory = "state"\n[host]\naddress = "127.0.0.1"\n'
            'port = 1\n[keys]\ndevice_key_file = "device.key"\nmaster_key_file = "master.key"\n'
            '[diagnostics]\nsocket = "diag.sock"\n' + "\n".join(devices) + "\n"
        )
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "posd", "run", "--config", str(directory / "posd.toml")],
                stdout=log, stderr=log, cwd=ROOT,
            )  # fmt: skip
        until = time.perf_counter() + PATIENCE
        while not self.socket.exists() and time.perf_counter() < until:
            time.sleep(0.05)
        self._next = CONFIRM
        self._drain(0.5)

    def key(self) -> float:
        """Seconds from a key to the first byte of the screen that it leads to."""
        self._drain(0)
        began = time.perf_counter()
        os.write(self._masters["keypad"], self._next)
        self._next = CLEAR if self._next == CONFIRM else CONFIRM
        ready, _, _ = select.select([self._masters["display"]], [], [], PATIENCE)
        took = time.perf_counter() - began
        assert ready, "the terminal does not answer its clerk"
        self._drain(0.003)
        return took

    def _drain(self, seconds: float) -> None:
        while select.select([self._masters["display"]], [], [], seconds)[0]:
            os.read(self._masters["display"], 65_536)

    def faults(self) -> list[str]:
        """Lines of the log that must not be there."""
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            return [line for line in lines if any(f'"{fault}"' in line for fault in FAULTS)]

    def close(self) -> int:
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        for descriptor in (*self._masters.values(), *self._slaves):
            os.close(descriptor)
        return code


# --- the verdict ----------------------------------------------------------------------------------


@dataclass
class Figures:
    """What was measured."""

    frames: int = 0
    seconds: float = 0.0
    quiet: list[float] = field(default_factory=list)  # 99th percentiles, s
    attacked: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)  # KiB
    exit_code: int | None = None
    faults: list[str] = field(default_factory=list)
    answers: bool = False  # it answers a plain question at the end

    @property
    def ratio(self) -> float:
        """The median of the ratios of neighbouring stretches."""
        pairs = zip(self.attacked, self.quiet, strict=False)
        return statistics.median(attacked / quiet for attacked, quiet in pairs)

    @property
    def memory_flat(self) -> bool:
        return trend(self.memory).flat is not False

    @property
    def good(self) -> bool:
        whole = self.exit_code == 0 and not self.faults and self.answers
        return whole and self.memory_flat and self.ratio <= RATIO_ALLOWED

    def told(self) -> dict[str, object]:
        grown = trend(self.memory)
        return {
            "frames": self.frames,
            "seconds": round(self.seconds),
            "exit code": self.exit_code,
            "faults": len(self.faults),
            "answers at the end": self.answers,
            "resident early KiB": grown.early,
            "resident late KiB": grown.late,
            "resident samples": grown.samples,
            "growth allowed KiB": round(max(ALLOWED_KIB, ALLOWED_SHARE * grown.early)),
            "key to screen p99 ms, quiet": round(1000 * statistics.median(self.quiet), 2),
            "key to screen p99 ms, attacked": round(1000 * statistics.median(self.attacked), 2),
            "median of ratios": round(self.ratio, 2),
            "stretches": len(self.attacked),
        }


def run(frames: int, seed: int, directory: Path) -> Figures:
    """Attack with so many frames, as seeded."""
    figures = Figures()
    terminal = Terminal(directory)
    began = time.perf_counter()
    attackers = [
        subprocess.Popen(
            [
                sys.executable, "-m", "tests.fuzz.diagnostic_socket", "--attack", str(terminal.socket),
                "--seed", str(seed * 100 + number), "--frames", str(-(-frames // ATTACKERS)),
            ],
            cwd=ROOT, stdout=subprocess.PIPE,
        )
        for number in range(ATTACKERS)
    ]  # fmt: skip
    counts = dict.fromkeys(range(ATTACKERS), 0)
    buffers = dict.fromkeys(range(ATTACKERS), b"")

    def count() -> None:
        for number, attacker in enumerate(attackers):
            assert attacker.stdout is not None
            while select.select([attacker.stdout], [], [], 0)[0]:
                data = os.read(attacker.stdout.fileno(), 4096)
                if not data:
                    break
                *lines, buffers[number] = (buffers[number] + data).split(b"\n")
                counts[number] = int(lines[-1]) if lines else counts[number]
        figures.frames = sum(counts.values())

    try:
        while any(attacker.poll() is None for attacker in attackers):
            assert terminal.process.poll() is None, terminal.log.read_text()[-2000:]
            figures.attacked.append(_stretch(terminal, ATTACK_SECONDS))
            figures.memory.append(resident(terminal.process.pid))
            count()
            _tell(attackers, signal.SIGSTOP)
            time.sleep(0.1)
            figures.quiet.append(_stretch(terminal, QUIET_SECONDS))
            _tell(attackers, signal.SIGCONT)
        count()
        figures.answers = _answers(terminal.socket)
    finally:
        _tell(attackers, signal.SIGCONT)
        for attacker in attackers:
            attacker.kill()
            attacker.communicate()
        figures.exit_code = terminal.close()
    figures.seconds = time.perf_counter() - began
    figures.faults = terminal.faults()
    return figures


def _stretch(terminal: Terminal, seconds: float) -> float:
    """The 99th percentile of this stretch's keys."""
    until = time.perf_counter() + seconds
    took = []
    while time.perf_counter() < until:
        took.append(terminal.key())
        time.sleep(KEY_PAUSE)
    return statistics.quantiles(took, n=100)[98] if len(took) > 1 else took[0]


def _tell(attackers: list[subprocess.Popen[bytes]], number: int) -> None:
    for attacker in attackers:
        if attacker.poll() is None:
            attacker.send_signal(number)


def _answers(path: Path) -> bool:
    try:
        with Connection(path) as terminal:
            return bool(terminal.one(messages.Why, "why"))
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--attack", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack is not None:
        return attack(options.attack, options.seed, options.frames)
    with tempfile.TemporaryDirectory(prefix="posd-fuzz-") as directory:
        figures = run(options.frames, options.seed, Path(directory))
    print(json.dumps(figures.told(), indent=2))
    for line in figures.faults[:10]:
        print(line, end="", file=sys.stderr)
    return 0 if figures.good else 1


if __name__ == "__main__":
    sys.exit(main())
