"""Encryption of tracks under the track key, for acquirers that ask for it (dialect: cryptography).

Of the packed, right-padded track the 8 bytes before the last byte are encrypted; what is before
them, and the last byte, stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable

from protocol.card import Track
from protocol.cipher import Cipher, decrypt, encrypt
from protocol.errors import TrackProblem
from protocol.key import Key


def encrypt_track(track: Track, key: Key, cipher: Cipher = Cipher.TDES) -> Track:
    """The track as it goes on the wire, of the same length. Raises TrackProblem."""
    return _changed(track, cipher, lambda block: encrypt(key.reveal(), block, cipher))


def decrypt_track(track: Track, key: Key, cipher: Cipher = Cipher.TDES) -> Track:
    """The track in clear: the acquirer's side. Raises TrackProblem."""
    clear = _changed(track, cipher, lambda block: decrypt(key.reveal(), block, cipher))
    if clear.reveal().strip("0123456789="):
        raise TrackProblem("the track cannot be decrypted under this key")
    return clear


def _changed(track: Track, cipher: Cipher, change: Callable[[bytes], bytes]) -> Track:
    text = track.reveal()
    if text.strip("0123456789=ABCDEF"):
        raise TrackProblem("a track holds digits and separators")
    packed = bytes.fromhex((text + "0" if len(text) & 1 else text).replace("=", "D"))
    start, end = len(packed) - 1 - cipher.block_size, len(packed) - 1
    if start < 0:
        raise TrackProblem(f"a track of at least {cipher.block_size + 1} bytes is needed")
    packed = packed[:start] + change(packed[start:end]) + packed[end:]
    return Track(packed.hex().upper().replace("D", "=")[: len(text)])
