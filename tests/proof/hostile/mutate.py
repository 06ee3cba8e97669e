"""How a message is spoilt: fields, then JSON text, then bytes. All by one seeded generator."""

import json
import random
from collections.abc import Callable, Mapping, Sequence

Fields = dict[str, object]

HUGE: tuple[object, ...] = (
    10**400,
    -(10**30),
    2**63,
    2**64,
    "9" * 400,
    "1e400",
    "-0.00",
    "123.450000000",
    "0x7B",
    "1_234",
    "１２３.４５",
    " 123.45",
    "123.45 ",
    "+123.45",
    "123,45",
    "NaN",
    "Infinity",
    "",
    "123.44",
    "123.46",
    "12345",
    "0",
    1233,
    1235,
    12.34,
    1234.0,
    "1234",
    -1234,
)
STATUSES = (201, 204, 302, 400, 404, 500, 502)
ODD: tuple[object, ...] = (
    None,
    True,
    False,
    [],
    {},
    ["SUCCESS"],
    {"status": "SUCCESS"},
    0,
    1,
    10000,
    "null",
    "\u0000",
    "\ud83d\ude00",
    "\ud800",
    "SUCCESS\u0000",
    "SUCCESS ",
    " SUCCESS",
    "success",
    "Success",
    "ＳＵＣＣＥＳＳ",
    "SUCCESS\n",
    "FAIL ",
    "fail",
    "FAILED",
    "CLOSE",
    "REFUNDED",
    "CANCELED",
    "SUCC",
    "1970-01-01 00:00:00",
    "9999-99-99 99:99:99",
    "2026-02-30 10:00:00",
    "0000-00-00 00:00:00",
    "2026-03-02T10:05:00",
    "2026-03-02T10:05:00+99:00",
    "9999-12-31T23:59:59-12:00",
)


class Spoiler:
    """Every choice of one input; the same seed spoils in the same way."""

    def __init__(self, seed: str, words: Sequence[str]) -> None:
        """`words`: values worth trying anywhere, among them every listed code and state."""
        self.random = random.Random(seed)
        self._words = words

    def one_of(self, things: Sequence[object]) -> object:
        """Any of them."""
        return things[self.random.randrange(len(things))]

    def value(self, old: object) -> object:
        """Something else in a field's place."""
        draw = self.random.random()
        if draw < 0.35:
            return self.one_of(self._words)
        if draw < 0.5:
            return self.one_of(HUGE)
        if draw < 0.7:
            return self.one_of(ODD)
        text = old if isinstance(old, str) else json.dumps(old)
        return self._text(text)

    def _text(self, text: str) -> str:
        at = self.random.randrange(len(text) + 1)
        changes: tuple[Callable[[], str], ...] = (
            lambda: text[:at],
            lambda: text[at:],
            lambda: text + text,
            lambda: text + str(self.one_of(self._words)),
            lambda: text[:at] + chr(self.random.randrange(1, 0xD800)) + text[at:],
            lambda: text[:at] + text[at + 1 :],
            text.lower,
            text.swapcase,
            lambda: f" {text}",
            lambda: f"{text}\t",
            lambda: text[::-1],
        )
        return changes[self.random.randrange(len(changes))]()

    def fields(self, given: Mapping[str, object], others: Sequence[Mapping[str, object]]) -> Fields:
        """Some fields dropped, replaced, swapped, taken from another message."""
        made = dict(given)
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 3, 5))):
            names = list(made)
            draw = self.random.random()
            if not names or draw < 0.08:
                made[str(self.one_of(self._words))] = self.value("")
            elif draw < 0.2:
                del made[self.random.choice(names)]
            elif draw < 0.3:
                one, two = self.random.choice(names), self.random.choice(names)
                made[one], made[two] = made[two], made[one]
            elif draw < 0.4:
                made.update(self.random.choice(others))
            elif draw < 0.5:
                other = self.random.choice(others)
                if other:
                    name = self.random.choice(list(other))
                    made[name] = other[name]
            else:
                name = self.random.choice(names)
                made[name] = self.value(made[name])
        return made

    def signature(
        self,
        content: bytes,
        other: bytes,
        right: Callable[[bytes], str],
        wrong: Callable[[bytes], str],
    ) -> tuple[str, tuple[bytes, ...]]:
        """A signature to go with the content, right more often than not, and what it proves."""
        draw = self.random.random()
        if draw < 0.7:
            return right(content), (content,)
        if draw < 0.8:
            return wrong(content), ()
        if draw < 0.9:
            return right(other), (other,)
        return str(self.value("")), ()

    def status(self) -> int:
        """An HTTP status; nearly always the one that replies have."""
        return 200 if self.random.random() < 0.95 else self.random.choice(STATUSES)

    def json(self, given: Mapping[str, object]) -> bytes:
        """Write it as JSON, sometimes oddly: spaces, escapes, a name twice, bare NaN."""
        draw = self.random.random()
        text = json.dumps(
            given,
            ensure_ascii=draw < 0.2,
            separators=(",", ":") if draw < 0.8 else (" ,\n", " : "),
            allow_nan=True,
        )
        if given and self.random.random() < 0.1:
            name = self.random.choice(list(given))
            again = json.dumps({name: self.value(given[name])}, ensure_ascii=False)[1:-1]
            text = (
                f"{{{again},{text[1:]}" if self.random.random() < 0.5 else f"{text[:-1]},{again}}}"
            )
        raw = text.encode(errors="surrogatepass")
        return self.bytes(raw) if self.random.random() < 0.08 else raw

    def bytes(self, raw: bytes) -> bytes:
        """Flip, cut, double, splice."""
        made = bytearray(raw)
        for _ in range(self.random.choice((1, 1, 2, 8))):
            if not made:
                return bytes(made)
            at = self.random.randrange(len(made))
            to = self.random.randrange(at, len(made)) + 1
            match self.random.randrange(8):
                case 0:
                    made[at] ^= 1 << self.random.randrange(8)
                case 1:
                    del made[at:]
                case 2:
                    del made[at : min(to, at + 20)]
                case 3:
                    made[at:at] = made[at:to]
                case 4:
                    made[at:at] = self.random.randbytes(self.random.randrange(1, 6))
                case 5:
                    made[at] = self.random.choice(b'{}[]",:\\ \x00\xff09eE-+')
                case 6:
                    made[at:at] = b"[" * self.random.choice((3, 200, 100_000))
                case _:
                    made[0:0] = self.random.choice((b"\xef\xbb\xbf", b"\x00", b" ", b"\xff\xfe"))
        return bytes(made)
