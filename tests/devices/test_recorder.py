from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from devices.recorder import BYTES_EACH_WAY, ENTRIES_EACH_WAY, FlightRecorder, mask_all


class Clock:
    """A clock that stands where it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_record_reads_as_times_directions_hex_and_text() -> None:
    clock = Clock()
    recorder = FlightRecorder(clock)
    recorder.note("opened")
    clock.now = 1.5
    recorder.record("in", b"1\r")
    clock.now = 2.25
    recorder.record("out", b"\x1b[H")
    assert recorder.dump().splitlines() == [
        "      0.000000 # opened",
        "      1.500000 < 31 0d |1.|",
        "      2.250000 > 1b 5b 48 |.[H|",
    ]


@given(st.lists(st.integers(1, 30_000), max_size=12))
def test_each_way_keeps_no_more_than_64_kib_and_drops_the_oldest(sizes: list[int]) -> None:
    recorder = FlightRecorder(Clock())
    for number, size in enumerate(sizes):
        recorder.record("in", bytes((number,)) * size)
    kept = [entry.data for entry in recorder.entries()]
    assert sum(map(len, kept)) <= BYTES_EACH_WAY
    assert kept == [bytes((number,)) * size for number, size in enumerate(sizes)][-len(kept) :]
    if sizes:
        assert kept


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.binary(max_size=40_000)),
            st.tuples(st.just("add"), st.binary(max_size=3)),
            st.tuples(st.just("mask"), st.integers(0, 4)),
        ),
        max_size=40,
    )
)
def test_what_is_kept_is_what_a_plain_list_would_keep(steps: list[tuple[str, Any]]) -> None:
    clock = Clock()
    recorder = FlightRecorder(clock)
    kept: list[tuple[float, bytes]] = []
    for what, value in steps:
        clock.now += 1
        if what == "mask":
            recorder.mask_since("in", seconds=value)
            kept = [
                (at, b"*" * len(data) if at >= clock.now - value else data) for at, data in kept
            ]
            continue
        recorder.record("in", value)
        kept.append((clock.now, value))
        while sum(len(data) for _, data in kept) > BYTES_EACH_WAY:
            del kept[0]
    assert [(entry.at, entry.data) for entry in recorder.entries()] == kept


def test_a_flood_in_one_direction_leaves_the_other_alone() -> None:
    recorder = FlightRecorder(Clock())
    recorder.record("out", b"asked")
    for _ in range(ENTRIES_EACH_WAY + 10):
        recorder.record("in", b"x")
    assert [entry.data for entry in recorder.entries() if entry.direction == "out"] == [b"asked"]
    assert len(recorder.entries()) == ENTRIES_EACH_WAY + 1


def test_a_mask_is_applied_before_anything_is_kept() -> None:
    recorder = FlightRecorder(Clock())
    recorder.record("in", b"1234", mask_all)
    assert [entry.data for entry in recorder.entries()] == [b"****"]


def test_what_came_just_before_can_be_masked_too() -> None:
    clock = Clock()
    recorder = FlightRecorder(clock)
    recorder.record("in", b"9")
    clock.now = 8.0
    recorder.record("in", b"12")
    clock.now = 10.0
    recorder.mask_since("in", seconds=5.0)
    assert [entry.data for entry in recorder.entries()] == [b"9", b"**"]
