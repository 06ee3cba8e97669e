"""The Merkle tree of RFC 6962, section 2.1: hashes, inclusion and consistency proofs. Pure.

A tree over n leaves is cut into perfect subtrees, named by height and number: subtree (h, i) covers
leaves i·2^h up to (i+1)·2^h. They never change once full, so whoever keeps them can prove anything
about any size with a logarithmic number of look-ups. Verification follows RFC 9162, sections
2.1.3.2 and 2.1.4.2 (the same tree, the algorithms written out).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of no leaves (RFC 6962, 2.1)."""

Subtree = tuple[int, int]
"""Height and number of a perfect subtree; (0, i) is leaf i."""
Span = tuple[int, int]
"""Leaves from the first up to, not including, the second."""
HashOf = Callable[[Subtree], bytes]


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf; its prefix keeps it from ever passing for a node."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes (or over equally high subtrees), by the definition."""
    if not hashes:
        return EMPTY_ROOT
    tree = Compact()
    for one in hashes:
        tree.append(one)
    return tree.root()


@dataclass(slots=True)
class Compact:
    """A tree of any size in logarithmic space: the roots of its perfect subtrees, left to right."""

    size: int = 0
    peaks: list[tuple[int, bytes]] = field(default_factory=list)
    """Height and hash; heights fall from left to right."""

    def append(self, leaf: bytes) -> list[tuple[Subtree, bytes]]:
        """Add a leaf hash; returns the subtrees that it completed, smallest first."""
        completed: list[tuple[Subtree, bytes]] = []
        height, top = 0, leaf
        while self.peaks and self.peaks[-1][0] == height:
            top = node_hash(self.peaks.pop()[1], top)
            height += 1
            completed.append(((height, self.size >> height), top))
        self.peaks.append((height, top))
        self.size += 1
        return completed

    def root(self) -> bytes:
        """The root over everything appended so far."""
        return _fold([top for _, top in self.peaks]) if self.peaks else EMPTY_ROOT


def subtrees(span: Span) -> list[Subtree]:
    """The perfect subtrees of a span, left to right; it must start where its largest one may."""
    start, end = span
    found = []
    while start < end:
        height = (end - start).bit_length() - 1
        found.append((height, start >> height))
        start += 1 << height
    return found


def inclusion_spans(index: int, size: int) -> list[Span]:
    """PATH(m, D[n]): whose hashes prove leaf `index` in the tree over `size` leaves, bottom up."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    start, end, spans = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """PROOF(m, D[n]): whose hashes prove that the tree of `new` leaves only added to `old`."""
    if not 0 < old <= new:
        raise ValueError(f"a tree of {new} cannot have grown out of one of {old}")
    start, end, spans, whole = 0, new, [], True
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start, whole = middle, False
    if not whole:
        spans.append((start, end))
    return spans[::-1]


def proof(spans: Iterable[Span], hash_of: HashOf) -> list[bytes]:
    """The hashes of spans, given those of perfect subtrees."""
    return [_fold([hash_of(one) for one in subtrees(span)]) for span in spans]


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path proves the leaf hash at `index` under `root` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    number, last, top = index, size - 1, leaf
    for other in path:
        if last == 0:
            return False
        if number & 1 or number == last:
            top = node_hash(other, top)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            top = node_hash(top, other)
        number, last = number >> 1, last >> 1
    return last == 0 and top == root


def extends(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path proves that the new tree starts with the old one (RFC 9162, 2.1.4.2)."""
    if old == new:
        return not path and old_root == new_root
    if not 0 < old < new:
        return False
    # An old tree that is itself perfect is its own first hash, and is left out of the proof.
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not hashes:
        return False
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    was = now = hashes[0]
    for other in hashes[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            was, now = node_hash(other, was), node_hash(other, now)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            now = node_hash(now, other)
        number, last = number >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root


def _fold(tops: Sequence[bytes]) -> bytes:
    """The root over neighbouring subtrees whose heights fall from left to right."""
    top = tops[-1]
    for left in reversed(tops[:-1]):
        top = node_hash(left, top)
    return top


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    split: int = 1 << ((count - 1).bit_length() - 1)
    return split
