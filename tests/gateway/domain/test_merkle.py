"""The Merkle tree against RFC 6962's example, known roots, and a tree built by the definition."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.merkle import (
    EMPTY_ROOT,
    Compact,
    Span,
    consistency_spans,
    extends,
    includes,
    inclusion_spans,
    leaf_hash,
    proof,
    root_of,
    subtrees,
)

# The inputs and roots that Certificate Transparency's own implementations are tested with.
INPUTS = [
    bytes.fromhex(one)
    for one in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
LEAVES = [leaf_hash(str(one).encode()) for one in range(130)]


def naive(hashes: list[bytes]) -> bytes:
    """MTH by the letter of RFC 6962, 2.1."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha256(b"\x01" + naive(hashes[:split]) + naive(hashes[split:])).digest()


def proven(spans: list[Span]) -> list[bytes]:
    """The proof with every hash by the definition."""
    return proof(spans, lambda one: naive(LEAVES[one[1] << one[0] : (one[1] + 1) << one[0]]))


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size: int) -> None:
    """The published roots over the first inputs."""
    assert root_of([leaf_hash(one) for one in INPUTS[:size]]).hex() == ROOTS[size - 1]


def test_the_root_of_nothing() -> None:
    """RFC 6962, 2.1: the hash of an empty list is that of an empty string."""
    assert root_of([]) == Compact().root() == EMPTY_ROOT == sha256(b"").digest()


@pytest.mark.parametrize(
    ("leaf", "path"),
    [
        (0, [(1, 2), (2, 4), (4, 7)]),
        (3, [(2, 3), (0, 2), (4, 7)]),
        (4, [(5, 6), (6, 7), (0, 4)]),
        (6, [(4, 6), (0, 4)]),
    ],
)
def test_inclusion_paths_of_the_rfcs_example(leaf: int, path: list[Span]) -> None:
    """RFC 6962, 2.1.3: PATH(0) = [b, h, l], PATH(3) = [c, g, l], PATH(4) = [f, j, k], PATH(6)."""
    assert inclusion_spans(leaf, 7) == path


@pytest.mark.parametrize(
    ("old", "path"),
    [
        (3, [(2, 3), (3, 4), (0, 2), (4, 7)]),
        (4, [(4, 7)]),
        (6, [(4, 6), (6, 7), (0, 4)]),
        (7, []),
    ],
)
def test_consistency_proofs_of_the_rfcs_example(old: int, path: list[Span]) -> None:
    """RFC 6962, 2.1.3: PROOF(3) = [c, d, g, l], PROOF(4) = [l], PROOF(6) = [i, j, k]."""
    assert consistency_spans(old, 7) == path


@given(st.integers(1, 130))
def test_a_growing_tree_has_the_defined_root(size: int) -> None:
    """The compact tree agrees with the definition, and so does each subtree it completes."""
    tree = Compact()
    for leaf in LEAVES[:size]:
        for (height, number), top in tree.append(leaf):
            assert top == naive(LEAVES[number << height : (number + 1) << height])
    assert tree.root() == naive(LEAVES[:size])
    assert [one for one, _ in tree.peaks] == [height for height, _ in subtrees((0, size))]


@given(st.data())
def test_every_leaf_is_proven_and_no_other(data: st.DataObject) -> None:
    """The path holds for its leaf, place and root; with any one of them changed it does not."""
    size = data.draw(st.integers(1, len(LEAVES) - 1))
    index = data.draw(st.integers(0, size - 1))
    path, root = proven(inclusion_spans(index, size)), naive(LEAVES[:size])
    assert includes(LEAVES[index], index, size, path, root)
    assert not includes(leaf_hash(b"other"), index, size, path, root)
    assert not includes(LEAVES[index], index, size, path, naive(LEAVES[: size + 1]))
    assert not includes(LEAVES[index], index, size, [*path, root], root)
    assert not includes(LEAVES[index], size, size, path, root)
    if path:
        assert not includes(LEAVES[index], index, size, path[:-1], root)
        assert not includes(LEAVES[index], index ^ 1, size, path, root)


@given(st.data())
def test_growth_is_proven_and_nothing_else(data: st.DataObject) -> None:
    """The proof holds between two sizes of one tree, and not for a tree with another past."""
    new = data.draw(st.integers(1, 130))
    old = data.draw(st.integers(1, new))
    path = proven(consistency_spans(old, new))
    before, after = naive(LEAVES[:old]), naive(LEAVES[:new])
    assert extends(old, new, before, after, path)
    forged = naive([leaf_hash(b"other"), *LEAVES[1:old]])
    assert not extends(old, new, forged, after, path)
    assert not extends(old, new, before, naive([leaf_hash(b"other"), *LEAVES[1:new]]), path)
    assert not extends(old, new, before, after, [*path, after])
    if path:
        assert not extends(old, new, before, after, path[:-1])
    if old < new:
        assert not extends(new, old, after, before, path)


def test_what_is_not_in_the_tree_has_no_proof() -> None:
    """Asking for a leaf beyond the end, or for a tree that shrank, is a mistake."""
    for index, size in ((7, 7), (-1, 7), (0, 0)):
        with pytest.raises(ValueError, match="is not in a tree"):
            inclusion_spans(index, size)
    for old, new in ((8, 7), (0, 7)):
        with pytest.raises(ValueError, match="cannot have grown"):
            consistency_spans(old, new)
