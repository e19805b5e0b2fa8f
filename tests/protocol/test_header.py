"""The header of an answer says what the host wants."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from protocol import decode
from protocol.header import ProcessingRequirement, parse_header, processing_requirement


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


def test_the_header_of_an_answer_says_what_the_host_wants(frames):
    answer = frames["sale response, approved"]
    wants = answer.replace(bytes.fromhex("603100310001"), bytes.fromhex("603103310001"), 1)
    assert processing_requirement(decode(answer)) is ProcessingRequirement.NONE
    assert processing_requirement(decode(wants)) is ProcessingRequirement.SIGN_IN


def test_an_answer_without_header_wants_nothing(approval):
    assert processing_requirement(replace(approval, header=None)) is ProcessingRequirement.NONE


@given(digits(12))
def test_every_header_has_its_parts(header):
    parts = parse_header(header)
    requirement = parts.requirement.value
    assert parts.category + parts.generation + parts.status + requirement + parts.version == header
