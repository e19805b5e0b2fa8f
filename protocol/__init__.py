"""UnionPay-style ISO 8583: bytes to messages and back, keys, MACs, the rules of an exchange.

Pure: no input or output, no clock, no logging.
"""

from protocol.card import Pan, PinBlock, Track
from protocol.codec import decode, decode_message, encode, encode_message
from protocol.dialect import DEFAULT, Dialect
from protocol.errors import ProtocolError
from protocol.framing import FrameReader
from protocol.host_text import printable
from protocol.key import Key
from protocol.message import Message

__all__ = [
    "DEFAULT",
    "Dialect",
    "FrameReader",
    "Key",
    "Message",
    "Pan",
    "PinBlock",
    "ProtocolError",
    "Track",
    "decode",
    "decode_message",
    "encode",
    "encode_message",
    "printable",
]
