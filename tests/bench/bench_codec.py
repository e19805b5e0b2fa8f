"""How fast are encode and decode, against pyiso8583 with an equal specification?

Run it: `python tests/bench/bench_codec.py`; with --check it exits with 1 when one of the four
figures is below 3 times. Whole frames on our side, with values that mask themselves; the peer gets
the message without TPDU and header. Rounds of both alternate, and medians are compared, because
other work on the machine slows both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import iso8583

from protocol import decode, encode

VECTORS = Path(__file__).parent.parent / "vectors"
MESSAGES = {
    "sale request": "sale request, magstripe + PIN",
    "sale answer": "sale response, approved",
}
ENVELOPE = 13  # bytes of LEN, TPDU and header
WANTED = 3.0


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="exit with 1 below 3 times")
    arguments.add_argument("--rounds", type=int, default=101)
    arguments.add_argument("--calls", type=int, default=300, help="calls a round")
    options = arguments.parse_args()
    worked = json.loads((VECTORS / "worked.json").read_text("utf-8"))["messages"]
    peer = json.loads((VECTORS / "pyiso8583.json").read_text("utf-8"))
    slow = []
    print(f"{'':22} {'ours':>9} {'pyiso8583':>10} {'ratio':>6}")
    for title, name in MESSAGES.items():
        frame = bytes.fromhex(worked[name]["hex"])
        for action, ours, theirs in contest(frame, peer):
            mine, other = alternate(ours, theirs, options.rounds, options.calls)
            ratio = other / mine
            print(f"{action} {title:15} {mine:6.2f} us {other:7.2f} us {ratio:6.2f}")
            if ratio < WANTED:
                slow.append(f"{action} {title}")
    if options.check and slow:
        print(f"below {WANTED} times: {', '.join(slow)}", file=sys.stderr)
        return 1
    return 0


Call = Callable[[], object]


def contest(frame: bytes, peer: dict[str, dict[str, object]]) -> list[tuple[str, Call, Call]]:
    """The two pairs of calls for one message; both sides are shown to agree on it first."""
    message, body = decode(frame), frame[ENVELOPE:]
    fields, _ = iso8583.decode(body, peer)
    assert encode(message) == frame
    assert bytes(iso8583.encode(fields, peer)[0]) == body
    return [
        ("decode", lambda: decode(frame), lambda: iso8583.decode(body, peer)),
        ("encode", lambda: encode(message), lambda: iso8583.encode(fields, peer)),
    ]


def alternate(ours: Call, theirs: Call, rounds: int, calls: int) -> tuple[float, float]:
    """Median microseconds a call of both, rounds interleaved."""
    mine, other = [], []
    for _ in range(rounds):
        mine.append(timed(ours, calls))
        other.append(timed(theirs, calls))
    return statistics.median(mine), statistics.median(other)


def timed(call: Call, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls * 1e6


if __name__ == "__main__":
    sys.exit(main())
