"""The scan for card numbers: whatever surrounds one, its middle digits are not in what is written."""

from __future__ import annotations

import json
import time

from hypothesis import given
from hypothesis import strategies as st

from posd.log import redact
from posd.redaction import redact_text
from protocol.card import Pan

BEFORE_OR_AFTER = st.text(st.characters(exclude_categories=["Nd"]), max_size=20)
SEPARATORS = st.sampled_from(["", " ", "-", "  ", " -", "\t", "\u00a0", "\u2013", "_", "\u202f"])


@st.composite
def card_numbers(draw: st.DrawFn) -> str:
    """12 to 19 digits with a right check digit."""
    head = draw(st.text("0123456789", min_size=11, max_size=18))
    return next(head + digit for digit in "0123456789" if Pan(head + digit).luhn_valid)


def digits_of(text: str) -> str:
    return "".join(str(int(each)) for each in text if each.isdecimal())


@given(card_numbers(), BEFORE_OR_AFTER, BEFORE_OR_AFTER)
def test_a_card_number_within_any_text_is_masked(number: str, before: str, after: str) -> None:
    masked = redact_text(f"{before}{number}{after}")
    assert number not in digits_of(masked)
    assert "*" in masked


@given(card_numbers(), st.data())
def test_a_card_number_in_groups_is_masked(number: str, data: st.DataObject) -> None:
    text = "".join(digit + data.draw(SEPARATORS) for digit in number)
    assert number not in digits_of(redact_text(f"card {text} declined"))


@given(card_numbers(), st.integers(0xFF10, 0xFF10))
def test_a_card_number_in_digits_of_another_script_is_masked(number: str, zero: int) -> None:
    other = number.translate({ord("0") + digit: chr(zero + digit) for digit in range(10)})
    assert number not in digits_of(redact_text(other))


@given(card_numbers(), st.text("0123456789", max_size=30), st.text("0123456789", min_size=8))
def test_a_card_number_within_a_run_longer_than_any_card_number_is_masked(
    number: str, before: str, after: str
) -> None:
    run = before + number + after
    assert run not in redact_text(run)


@given(card_numbers(), st.text("abc: ", max_size=5))
def test_nothing_about_to_be_written_holds_a_card_number_wherever_it_stands(
    number: str, around: str
) -> None:
    text = f"{around}{number}{around}"
    event = {
        "event": text,
        text: 1,
        "number": int(number),
        "nested": {"list": [text, (text, {text: text})], "error": OSError(2, text)},
    }
    written = json.dumps(redact(None, "", event), ensure_ascii=False)
    leading_zeros_gone = str(int(number))
    assert number not in written
    if len(leading_zeros_gone) == len(number):
        assert leading_zeros_gone not in written


@given(st.text(max_size=200))
def test_any_text_becomes_one_printable_line_and_masking_it_again_changes_nothing(
    text: str,
) -> None:
    once = redact_text(text)
    assert once.isprintable()
    assert redact_text(once) == once


@given(st.text("0123456789 -:", max_size=11))
def test_less_than_twelve_digits_are_never_masked(text: str) -> None:
    assert redact_text(text) == text


def test_a_line_of_ordinary_length_costs_little() -> None:
    line = "intent.stored transaction=1234 kind=sale stan=000123 amount=12345 2031-05-14T09:30:00Z"
    began = time.process_time()  # a busy machine takes none of this
    for _ in range(2000):
        redact_text(line)
    assert (time.process_time() - began) / 2000 < 0.005, "a pattern that tries everything"
