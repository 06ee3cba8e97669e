"""Archive files: the same content gives the same bytes, and whatever was changed in one shows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.domain.archive import (
    ArchiveDamagedError,
    Bulk,
    described,
    packed,
    unpacked,
    verified,
)
from gateway.domain.payout import MerchantId, PayoutId
from tests.builders import NOW

INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
FACTS = st.one_of(st.none(), INT64, st.text(max_size=40))
DECISION = st.fixed_dictionaries({"row": st.integers(1, 2**62), "at": INT64, "decision": FACTS})
DELIVERY = st.fixed_dictionaries({"seq": st.integers(1, 2**31), "payload": FACTS})


def bulks() -> st.SearchStrategy[list[Bulk]]:
    """Payouts of some merchants, each once."""
    one = st.builds(
        lambda number, decisions, deliveries: Bulk(
            MerchantId("m_acme"), PayoutId(f"po_{number}"), tuple(decisions), tuple(deliveries)
        ),
        st.integers(0, 10**6),
        st.lists(DECISION, max_size=3),
        st.lists(DELIVERY, max_size=3),
    )
    return st.lists(one, min_size=1, max_size=5, unique_by=lambda one: one.payout_id)


def by_id(found: list[Bulk]) -> list[Bulk]:
    """In the order of files."""
    return sorted(found, key=lambda one: one.payout_id)


@given(bulks())
def test_what_is_packed_is_unpacked(given_: list[Bulk]) -> None:
    """Every value, in the order of ids."""
    assert unpacked(packed(given_)) == by_id(given_)


@given(bulks())
def test_the_same_content_gives_the_same_bytes(given_: list[Bulk]) -> None:
    """In whatever order it came."""
    assert packed(given_) == packed(given_[::-1])


@given(bulks(), st.data())
def test_a_changed_byte_shows(given_: list[Bulk], data: Any) -> None:
    """Wherever it is."""
    content = bytearray(packed(given_))
    archive = described(bytes(content), given_, NOW, "key:k")
    assert verified(bytes(content), archive.sha256) == by_id(given_)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ArchiveDamagedError):
        verified(bytes(content), archive.sha256)


@given(bulks(), st.data())
def test_a_file_that_was_cut_off_or_grew_cannot_be_read(given_: list[Bulk], data: Any) -> None:
    """Also without its hash at hand."""
    content = packed(given_)
    for other in (content[: data.draw(st.integers(0, len(content) - 1))], content + b"x"):
        with pytest.raises(ArchiveDamagedError):
            unpacked(other)


def test_counts_and_names_come_from_the_content() -> None:
    """Two files never share a name, and one always has the same."""
    one = Bulk(MerchantId("m"), PayoutId("po_1"), ({"row": 7},), ({"seq": 2}, {"seq": 9}))
    none = replace(one, payout_id=PayoutId("po_2"), decisions=(), deliveries=())
    archive = described(packed([one, none]), [one, none], NOW, "key:k")

    assert (archive.payouts, archive.decisions, archive.deliveries) == (2, 1, 2)
    assert (one.last_decision, one.last_seq) == (7, 9)
    assert (none.last_decision, none.last_seq) == (0, 0)
    assert archive.file.startswith("po_1-")
    assert archive.file != described(packed([one]), [one], NOW, "key:k").file
