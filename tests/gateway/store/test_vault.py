"""Sealing: what goes in comes out, for the same owner, field and row only."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.errors import SealError
from gateway.store.vault import Vault
from tests import builders as build

KEK = base64.b64encode(bytes(32)).decode()
OTHER = base64.b64encode(bytes([7]) * 32).decode()


def _vault(kek: str = KEK) -> Vault:
    vault = Vault(kek)
    vault.adopt(vault.fresh_key(), sealing_since=build.NOW)
    return vault


VAULT = _vault()


@given(st.binary(max_size=200), st.text(max_size=20), st.text(max_size=20))
def test_what_is_sealed_opens(plain: bytes, owner: str, row: str) -> None:
    """Sealing and opening are inverse."""
    assert VAULT.open(VAULT.seal(plain, owner, "f", row), owner, "f", row) == plain


@pytest.mark.parametrize("bound", [("m2", "f", "r"), ("m", "g", "r"), ("m", "f", "s")])
def test_opens_only_where_it_was_sealed(bound: tuple[str, str, str]) -> None:
    """Another owner, field or row does not open it."""
    sealed = VAULT.seal(b"x", "m", "f", "r")

    with pytest.raises(SealError):
        VAULT.open(sealed, *bound)


@given(st.integers(0, 8 * 40))
def test_a_flipped_bit_is_noticed(bit: int) -> None:
    """Any change of a sealed value is an error, never other plaintext."""
    sealed = bytearray(VAULT.seal(b"12345678", "m", "f", "r"))
    bit %= len(sealed) * 8
    sealed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(SealError):
        VAULT.open(bytes(sealed), "m", "f", "r")


def test_the_same_value_never_seals_the_same() -> None:
    """Equal plaintexts cannot be recognised."""
    assert VAULT.seal(b"x", "m", "f", "r") != VAULT.seal(b"x", "m", "f", "r")


def test_nothing_is_sealed_without_a_stored_key() -> None:
    """A vault without data key refuses, instead of losing what it sealed."""
    with pytest.raises(SealError):
        Vault(KEK).seal(b"x", "m", "f", "r")


def test_rewrapping_keeps_the_data_key() -> None:
    """What was sealed before a rotation opens after it, with the new KEK alone."""
    old = Vault(KEK)
    key = old.fresh_key()
    old.adopt(key, sealing_since=build.NOW)
    sealed = old.seal(b"x", "m", "f", "r")

    fresh = Vault(OTHER, previous=KEK).rewrapped(key)

    assert fresh is not None
    alone = Vault(OTHER)
    alone.adopt(fresh)
    assert alone.open(sealed, "m", "f", "r") == b"x"
    assert alone.rewrapped(fresh) is None
    with pytest.raises(SealError):
        alone.adopt(key)


def test_a_damaged_wrapped_key_is_noticed() -> None:
    """A changed data key does not unwrap."""
    key = Vault(KEK).fresh_key()
    damaged = type(key)(key.id, key.kek_id, os.urandom(len(key.wrapped)))

    with pytest.raises(SealError, match="does not unwrap"):
        Vault(KEK).adopt(damaged)


def test_the_blind_index_is_stable_and_keyed() -> None:
    """Same payee, same index; another key, another index."""
    key = Vault(KEK).fresh_key()
    one, two, other = Vault(KEK), Vault(KEK), Vault(KEK)
    one.adopt_index(key)
    two.adopt_index(key)
    other.adopt_index(Vault(KEK).fresh_key())

    assert one.blind_index(b"card") == two.blind_index(b"card")
    assert one.blind_index(b"card") != other.blind_index(b"card")
    assert one.blind_index(b"card") != one.blind_index(b"cart")


@pytest.mark.parametrize("kek", ["", "short", "not base64!", base64.b64encode(bytes(31)).decode()])
def test_a_kek_is_32_bytes_in_base64(kek: str) -> None:
    """Anything else is refused by name, without showing it."""
    with pytest.raises(SealError, match="kek must be 32 bytes"):
        Vault(kek)


def test_repr_shows_no_key() -> None:
    """Neither KEK nor its bytes are in the repr."""
    assert OTHER not in repr(Vault(OTHER))
    assert bytes([7] * 8).hex() not in repr(Vault(OTHER))
