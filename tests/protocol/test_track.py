"""Track encryption changes 8 bytes, and the acquirer gets them back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psec import des

from protocol import Key, Track
from protocol.cipher import Cipher
from protocol.errors import TrackProblem
from protocol.track import decrypt_track, encrypt_track

# psec spells 3DES in ways that `cryptography` is giving up, and is warned about it.
pytestmark = pytest.mark.filterwarnings("ignore:.*TripleDES")

KEY = Key(bytes.fromhex("A1B2C3D4E5F60718293A4B5C6D7E8F90"))
tracks = st.text("0123456789=", min_size=17, max_size=104).map(Track)


def test_the_worked_tracks(worked):
    for row in worked["crypto"]["track2"]:
        encrypted = encrypt_track(Track(row["clear"]), KEY)
        assert encrypted.reveal() == row["encrypted"].replace("D", "=")
        assert decrypt_track(encrypted, KEY) == Track(row["clear"])


@given(tracks)
def test_the_8_bytes_before_the_last_are_encrypted_and_nothing_else(track):
    before, after = track.reveal(), encrypt_track(track, KEY).reveal()
    end = (len(before) + 1) // 2 * 2 - 2
    assert len(after) == len(before)
    assert (after[: end - 16], after[end:]) == (before[: end - 16], before[end:])
    block = bytes.fromhex(before[end - 16 : end].replace("=", "D"))
    assert (
        after[end - 16 : end].replace("=", "D")
        == des.encrypt_tdes_ecb(KEY.reveal(), block).hex().upper()
    )


@given(st.text("0123456789=", min_size=33, max_size=104).map(Track), st.sampled_from(Cipher))
def test_an_encrypted_track_comes_back(track, cipher):
    assert decrypt_track(encrypt_track(track, KEY, cipher), KEY, cipher) == track


@pytest.mark.parametrize("content", ["", "1234567890123456", "622500000000001x=49"])
def test_what_cannot_be_encrypted_is_refused_without_showing_it(content):
    with pytest.raises(TrackProblem) as caught:
        encrypt_track(Track(content), KEY)
    assert not content or content not in str(caught.value)


def test_another_key_does_not_decrypt(worked):
    encrypted = Track(worked["crypto"]["track2"][0]["encrypted"].replace("D", "="))
    with pytest.raises(TrackProblem, match="cannot be decrypted"):
        decrypt_track(encrypted, Key(bytes(range(16))))
