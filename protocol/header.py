"""The 12 digits of the header, and what the host asks for in them (dialect: frame)."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from protocol.message import Message


class ProcessingRequirement(Enum):
    """What the host wants the terminal to do next. The value is the digit on the wire."""

    NONE = "0"
    DOWNLOAD_PARAMETERS = "1"
    UPLOAD_STATUS = "2"
    SIGN_IN = "3"
    UPDATE_CA_KEYS = "4"
    DOWNLOAD_CHIP_PARAMETERS = "5"
    DOWNLOAD_PROGRAM = "6"
    DOWNLOAD_BLACKLIST = "7"
    DOWNLOAD_RATES = "8"
    DOWNLOAD_CONTACTLESS_PARAMETERS = "9"


class Header(Struct, frozen=True):
    """The parts of a header. category: 60 magnetic stripe, 61 chip; status: 0 normal, 1 test."""

    category: str
    generation: str
    status: str
    requirement: ProcessingRequirement
    version: str


def parse_header(header: str) -> Header:
    """The parts of the 12 digits that a decoded message carries."""
    requirement = ProcessingRequirement(header[5])
    return Header(header[:2], header[2:4], header[4], requirement, header[6:])


def processing_requirement(message: Message) -> ProcessingRequirement:
    """What an answer asks for; NONE when it has no header."""
    if message.header is None:
        return ProcessingRequirement.NONE
    return parse_header(message.header).requirement
