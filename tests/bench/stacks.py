"""What a sampling profile says: stacks folded by py-spy, counted by stage and by function.

A stage is found from outside, by the files that a stack goes through; the first rule that fits
decides, so that JSON read at the door belongs to the door and a commit asked for while arming to
arming. What has no file of ours in its stack is the loop's and the HTTP library's own work.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

OURS: Final = ("gateway/", "channels/", "policies/")
REST: Final = "loop"
STAGES: Final[Sequence[tuple[str, tuple[str, ...]]]] = (
    ("store: writer thread", ("_write_loop (", "gateway/store/postgres_group.py")),
    ("store: reader threads", ("__call__ (gateway/store/sqlite.py",)),
    ("sign", ("prepare (channels/", "_signed (channels/")),
    ("audit log", ("gateway/engine/audit.py", "_keep_log (")),
    ("webhook", ("gateway/engine/deliver.py", "gateway/webhooks/", "_deliver (gateway/serving")),
    ("accept", ("gateway/api/", "gateway/engine/accept.py")),
    ("accept: HTTP library", ("aiohttp/web_protocol.py", "aiohttp/web_app.py")),
    ("decide", ("gateway/engine/route.py", "policies/decide.py")),
    ("send and receive", ("send (gateway/engine/dispatch.py", "channels/transport.py")),
    ("record", ("conclude (gateway/engine/dispatch.py",)),
    ("arm", ("dispatch (gateway/engine/dispatch.py",)),
    ("inquire", ("gateway/engine/inquire.py",)),
    ("client replies", ("aiohttp/client_proto.py", "aiohttp/client")),
    ("worker", ("gateway/engine/", "gateway/serving.py", "gateway/health/")),
)


@dataclass(frozen=True, slots=True)
class Stack:
    """Frames from the thread's first to the one that ran, and how often that was seen."""

    frames: tuple[str, ...]
    count: int

    @property
    def stage(self) -> str:
        """Which part of a payout's way it served."""
        for name, signs in STAGES:
            if any(sign in frame for frame in self.frames for sign in signs):
                return name
        return REST


def read(lines: Iterable[str]) -> Iterator[Stack]:
    """`frame;frame;… count`, as py-spy's raw format has it."""
    for line in lines:
        text, _, count = line.rstrip("\n").rpartition(" ")
        if text and count.isdigit():
            yield Stack(tuple(text.split(";")), int(count))


def by_stage(stacks: Sequence[Stack]) -> dict[str, float]:
    """Shares that sum to 1, the largest first."""
    counted: Counter[str] = Counter()
    for stack in stacks:
        counted[stack.stage] += stack.count
    total = counted.total() or 1
    return {name: count / total for name, count in counted.most_common()}


def own(stacks: Sequence[Stack]) -> Counter[str]:
    """By the function that ran."""
    counted: Counter[str] = Counter()
    for stack in stacks:
        counted[stack.frames[-1]] += stack.count
    return counted


def inclusive(stacks: Sequence[Stack]) -> Counter[str]:
    """By each function of ours that was on the stack, however deep the work was."""
    counted: Counter[str] = Counter()
    for stack in stacks:
        for frame in {one for one in stack.frames if any(f"({part}" in one for part in OURS)}:
            counted[frame] += stack.count
    return counted


def page(title: str, stacks: Sequence[Stack], us_each: float, limit: int = 20) -> str:
    """A text for people: stages, then the dearest functions, in shares and µs per payout."""
    total = sum(stack.count for stack in stacks) or 1
    lines = [title, f"{total} samples; {us_each:.0f} µs of CPU per payout", ""]
    lines += _table("by stage", ((n, s) for n, s in by_stage(stacks).items()), us_each)
    for name, counted in (
        ("own time, by function", own(stacks)),
        ("with all it called, functions of ours", inclusive(stacks)),
    ):
        shares = ((one, count / total) for one, count in counted.most_common(limit))
        lines += _table(name, shares, us_each)
    return "\n".join(lines)


def _table(name: str, shares: Iterable[tuple[str, float]], us_each: float) -> list[str]:
    rows = [f"{share:6.1%} {share * us_each:8.1f} µs  {what}" for what, share in shares]
    return [name, *rows, ""]
