"""What a sampling profile says: stacks folded by py-spy, weighed by stage and by function.

A sampler sees threads that wait as well as those that work, and not every system tells it which is
which. So samples whose innermost line waits are left out, and what remains of each thread is scaled
to the CPU time that the system says the thread has used.

A stage is found from outside, by the files that a stack goes through; the first rule that fits
decides, so that JSON read at the door belongs to the door and a commit asked for while arming to
arming. What has no file of ours in its stack is the loop's and the HTTP library's own work.
"""

import linecache
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

OURS: Final = ("gateway/", "channels/", "policies/")
REST: Final = "loop"
DEAREST: Final = 20
"""Functions shown."""
STAGES: Final[Sequence[tuple[str, tuple[str, ...]]]] = (
    ("store: writer thread", ("_write_loop (", "gateway/store/postgres_group.py")),
    ("store: written by the loop", ("gateway/store/sqlite_group.py",)),
    ("store: reader threads", ("__call__ (gateway/store/sqlite.py",)),
    ("sign", ("prepare (channels/", "_signed (channels/")),
    ("database mark", ("gateway/store/mark.py",)),
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
    ("thread pool", ("concurrent/futures/thread.py",)),
    ("worker", ("gateway/engine/", "gateway/serving.py", "gateway/health/")),
)


_THREAD: Final = re.compile(r"thread \((\d+)\)")
_FRAME: Final = re.compile(r"(?P<name>.*) \((?P<file>[^()]*):(?P<line>\d+)\)")
_WAITS: Final = re.compile(
    r"\.get\(|\.wait\(|\.acquire\(|select\(|_lock\.__enter__\(|os\.(?:fsync|replace|open)\("
)
"""For others, or for the disk: the writer's own commits are not among them, its thread has a
budget of its own."""
_PLACE: Final = re.compile(
    r".*?/(?:site-packages|lib/python3\.\d+)/|.*/(?=(?:gateway|channels|policies)/)"
)


@dataclass(frozen=True, slots=True)
class Stack:
    """Frames of a thread from its first to the one that ran, and how much that weighs."""

    thread: int
    frames: tuple[str, ...]
    weight: float

    @property
    def stage(self) -> str:
        """Which part of a payout's way it served."""
        for name, signs in STAGES:
            if any(sign in frame for frame in self.frames for sign in signs):
                return name
        return REST


def read(lines: Iterable[str]) -> Iterator[Stack]:
    """`thread (id): name;frame;… count`, as py-spy's raw format has it, less what waits."""
    for line in lines:
        text, _, count = line.rstrip("\n").rpartition(" ")
        thread, *frames = text.split(";")
        named = _THREAD.match(thread)
        if named and frames and count.isdigit() and not _waits(frames[-1]):
            yield Stack(int(named[1]), tuple(map(_short, frames)), float(count))


def weighed(stacks: Iterable[Stack], cpu_s: Mapping[int, float]) -> list[Stack]:
    """The same in CPU seconds, by what each thread has used."""
    stacks = list(stacks)
    seen: dict[int, float] = defaultdict(float)
    for stack in stacks:
        seen[stack.thread] += stack.weight
    return [
        replace(one, weight=one.weight * cpu_s.get(one.thread, 0.0) / seen[one.thread])
        for one in stacks
    ]


def _waits(frame: str) -> bool:
    found = _FRAME.fullmatch(frame)
    line = linecache.getline(found["file"], int(found["line"])) if found else ""
    return _WAITS.search(line) is not None


def _short(frame: str) -> str:
    """The function and its file, without line and without where the machine keeps it."""
    found = _FRAME.fullmatch(frame)
    return f"{found['name']} ({_PLACE.sub('', found['file'], count=1)})" if found else frame


def by_stage(stacks: Sequence[Stack]) -> dict[str, float]:
    """Shares that sum to 1, the largest first."""
    return _shares(stacks, ((one.stage, one.weight) for one in stacks))


def own(stacks: Sequence[Stack]) -> dict[str, float]:
    """Shares by the function that ran."""
    return _shares(stacks, ((one.frames[-1], one.weight) for one in stacks))


def inclusive(stacks: Sequence[Stack]) -> dict[str, float]:
    """Shares by each function of ours that was on the stack, however deep the work was."""
    return _shares(
        stacks,
        (
            (frame, one.weight)
            for one in stacks
            for frame in {it for it in one.frames if any(f"({part}" in it for part in OURS)}
        ),
    )


def _shares(stacks: Sequence[Stack], found: Iterable[tuple[str, float]]) -> dict[str, float]:
    total = sum(one.weight for one in stacks) or 1.0
    summed: dict[str, float] = defaultdict(float)
    for name, weight in found:
        summed[name] += weight
    ordered = sorted(summed.items(), key=lambda item: -item[1])
    return {name: weight / total for name, weight in ordered}


def page(title: str, stacks: Sequence[Stack], us_each: float) -> str:
    """A text for people: stages, then the dearest functions, in shares and µs per payout."""
    lines = [f"{title}: {us_each:.0f} µs of CPU per payout", ""]
    for name, shares in (
        ("by stage", by_stage(stacks)),
        ("own time, by function", own(stacks)),
        ("with all it called, functions of ours", inclusive(stacks)),
    ):
        rows = list(shares.items())[:DEAREST]
        lines += [name, *(f"{n:6.1%} {n * us_each:8.1f} µs  {what}" for what, n in rows), ""]
    return "\n".join(lines)
