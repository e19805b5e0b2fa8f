"""Layouts of every private element: any content gives parts, or an error that says where."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from protocol import errors as e
from protocol.host_data import ELEMENT_54, host_texts, institutions
from protocol.private import parse_60, parse_61
from protocol.settlement_data import parse_48
from protocol.terminal_data import (
    CHIP_DETAILS,
    DEVICE_STRING,
    parse_download_list,
    parse_parameters,
)

READERS = [parse_60, parse_61, parse_48, institutions, host_texts, ELEMENT_54.parts_of]
BINARY_READERS = [
    DEVICE_STRING.parts_of,
    CHIP_DETAILS.parts_of,
    parse_parameters,
    parse_download_list,
]


@given(st.one_of(st.binary(max_size=90), st.text("0123456789", max_size=330).map(str.encode)))
def test_any_content_gives_parts_or_an_error_of_the_tree(content):
    text = content.decode("gb18030", "surrogateescape")
    for read, given_content in [(r, text) for r in READERS] + [
        (r, content) for r in BINARY_READERS
    ]:
        error = fault(read, given_content)
        if error is not None:
            assert (error.__context__, error.__cause__) == (None, None)
            assert error.path.startswith(("44", "48", "54", "60", "61", "62", "63"))
            assert not re.search(r"\d{5}", str(error))


def fault(read, content) -> e.DecodeError | None:
    try:
        read(content)
    except e.DecodeError as error:
        return error
    return None
