"""What changes for whom between two policies, in words (zh, en): what a second person reads.

Complete: every difference in meaning has its sentence, and equal meanings have none. Parts this
file knows are told as what they do; all others, rules among them, by name or path and value.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from policies.document import PolicyDocument
from policies.policy import EVERY_MERCHANT

Json: TypeAlias = object
_NOTHING: Json = object()
"""What a key that is not there has for a value."""
TEXT_MAX = 300
"""A longer value is cut in its sentence; the text itself shows the rest."""


class Sentence(NamedTuple):
    """One difference."""

    path: str
    """Where in the document."""
    zh: str
    en: str


def diff(old: PolicyDocument, new: PolicyDocument) -> list[Sentence]:
    """From old to new, in the document's order; empty exactly when they mean the same."""
    before, after = json.loads(old.canonical()), json.loads(new.canonical())
    return list(_document(before, after))


def _document(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[Sentence]:
    for key in _keys(before, after):
        old, new = before.get(key, _NOTHING), after.get(key, _NOTHING)
        if _same(old, new):
            continue
        # A version that knows more parts differs, in an empty one, by the version alone.
        if _empty(old) and _empty(new) and before.get("version") != after.get("version"):
            continue
        if key == "name":
            yield Sentence(
                key, f"策略名称由 {old} 改为 {new}", f"the policy is called {new} (was {old})"
            )
        elif key == "parameters" and isinstance(old, dict) and isinstance(new, dict):
            yield from _parameters(old, new)
        elif key == "merchants" and isinstance(old, dict) and isinstance(new, dict):
            yield from _merchants(old, new)
        elif _is_named(old) and _is_named(new) and (_records(old) or _records(new)):
            yield from _named(key, _records(old), _records(new))
        else:
            yield from _values(key, old, new)


# --- Parameters: what each one does when it moves ---


class _Meaning(NamedTuple):
    zh: str
    en: str
    more: tuple[str, str]
    less: tuple[str, str]
    unit: str
    """`year`, `day`, `share`, `money` or `count`."""


_SLOW = (
    ("慢渠道更少胜出", "slow channels win less often"),
    ("慢渠道更多胜出", "slow channels win more often"),
)
_PARAMETERS: Mapping[str, _Meaning] = {
    "capital_rate_ppm": _Meaning("资金成本", "capital cost", *_SLOW, "year"),
    "fail_penalty_minor": _Meaning(
        "失败代价",
        "the price of a failed attempt",
        ("易失败的渠道更少胜出", "channels that fail win less often"),
        ("易失败的渠道更多胜出", "channels that fail win more often"),
        "money",
    ),
    "unknown_penalty_minor": _Meaning(
        "结果不明的代价",
        "the price of a payout in doubt",
        ("常无应答的渠道更少胜出", "channels that leave doubt win less often"),
        ("常无应答的渠道更多胜出", "channels that leave doubt win more often"),
        "money",
    ),
    "lateness_ppm_per_day": _Meaning(
        "超过期限每日的代价",
        "the price of a day after the deadline",
        ("赶不上期限的渠道更少胜出", "channels that miss deadlines win less often"),
        ("赶不上期限的渠道更多胜出", "channels that miss deadlines win more often"),
        "day",
    ),
    "explore_ppm": _Meaning(
        "试探比例",
        "the share of first attempts that explore",
        ("更多代付走非最优渠道", "more payouts go to another than the best channel"),
        ("更少代付走非最优渠道", "fewer payouts go to another than the best channel"),
        "share",
    ),
    "explore_cost_max_minor": _Meaning(
        "试探的成本上限",
        "what exploration may cost at most",
        ("试探可以更贵", "exploration may be dearer"),
        ("试探必须更便宜", "exploration must be cheaper"),
        "money",
    ),
    "probe_max_minor": _Meaning(
        "隔离渠道的试探金额上限",
        "the largest payout risked on a quarantined channel",
        ("更大的代付会用于试探", "larger payouts are risked"),
        ("只有更小的代付会用于试探", "only smaller payouts are risked"),
        "money",
    ),
    "in_doubt_max": _Meaning(
        "结果不明笔数上限",
        "how many payouts in doubt close a channel",
        ("渠道更晚暂停", "a channel closes later"),
        ("渠道更早暂停", "a channel closes sooner"),
        "count",
    ),
}


def _parameters(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Sentence]:
    for key in _keys(old, new):
        before, after = old.get(key, _NOTHING), new.get(key, _NOTHING)
        if _same(before, after):
            continue
        meaning = _PARAMETERS.get(key)
        path = f"parameters.{key}"
        if meaning is None or type(before) is not int or type(after) is not int:
            yield from _values(path, before, after)
            continue
        rises = after > before
        zh, en = meaning.more if rises else meaning.less
        was, now = _amount(before, meaning.unit), _amount(after, meaning.unit)
        yield Sentence(
            path,
            f"{meaning.zh}由 {was[0]} {'升' if rises else '降'}至 {now[0]}，{zh}",
            f"{meaning.en} {'rises' if rises else 'falls'} from {was[1]} to {now[1]}, so {en}",
        )


def _amount(value: int, unit: str) -> tuple[str, str]:
    match unit:
        case "money":
            text = f"{value // 100:,}.{value % 100:02d}"
            return text, text
        case "count":
            return f"{value:,}", f"{value:,}"
        case "share":
            return _percent(value), _percent(value)
        case _:
            each = {"year": "年", "day": "日"}[unit]
            return f"每{each} {_percent(value)}", f"{_percent(value)} a {unit}"


def _percent(ppm: int) -> str:
    whole, rest = divmod(ppm, 10_000)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".") + " %"


# --- Merchants: who may use what ---


def _merchants(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Sentence]:
    for key in _keys(old, new):
        before, after = old.get(key, _NOTHING), new.get(key, _NOTHING)
        if _same(before, after):
            continue
        path = f"merchants.{key}"
        zh, en = _whose(key)
        if not (isinstance(before, dict) and isinstance(after, dict)):
            yield _entry(path, key, is_new=after is not _NOTHING)
        lists = before if isinstance(before, dict) else {}
        then = after if isinstance(after, dict) else {}
        for name in _keys(lists, then):
            old_list, new_list = lists.get(name, _NOTHING), then.get(name, _NOTHING)
            if not _same(old_list, new_list) and not (_empty(old_list) and _empty(new_list)):
                yield from _list(f"{path}.{name}", name, (zh, en), old_list, new_list)


def _entry(path: str, merchant: str, *, is_new: bool) -> Sentence:
    zh, en = _whose(merchant)
    match merchant == EVERY_MERCHANT, is_new:
        case True, True:
            return Sentence(path, f"新增对{zh}的规定", f"there is an entry for {en}")
        case True, False:
            return Sentence(path, f"取消对{zh}的规定", f"the entry for {en} is gone")
        case False, True:
            return Sentence(
                path,
                f"{zh}有了单独的规定，不再适用通用规定",
                f"{en} has an entry of its own, which replaces the one for all others",
            )
        case _:
            return Sentence(
                path,
                f"{zh}不再有单独的规定，适用通用规定",
                f"{en} has no entry of its own any more: the one for all others holds",
            )


_LISTS: Mapping[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "deny": (
        ("{zh}不得再使用 {channel}", "{en} may no longer use {channel}"),
        ("{zh}可以重新使用 {channel}", "{en} may use {channel} again"),
    ),
    "prefer": (
        ("{zh}优先使用 {channel}", "{en} prefers {channel}"),
        ("{zh}不再优先使用 {channel}", "{en} no longer prefers {channel}"),
    ),
}


def _list(path: str, name: str, whose: tuple[str, str], old: Json, new: Json) -> Iterator[Sentence]:
    zh, en = whose
    before, after = _names(old), _names(new)
    if before is None or after is None or name not in (*_LISTS, "only"):
        for where, in_zh, in_en in _values(name, old, new):
            rest = where.removeprefix(name)
            yield Sentence(f"{path}{rest}", f"{zh}：{in_zh}", f"{en}: {in_en}")
        return
    if name == "only":
        listed, was = ", ".join(after), ", ".join(before)
        yield Sentence(
            path,
            f"{zh}只能使用 {listed}" if after else f"{zh}不再限于 {was}",
            f"{en} may use only {listed}" if after else f"{en} is no longer limited to {was}",
        )
        return
    added, gone = _LISTS[name]
    for (in_zh, in_en), channels in (
        (added, [one for one in after if one not in before]),
        (gone, [one for one in before if one not in after]),
    ):
        for channel in channels:
            yield Sentence(
                f"{path}.{channel}",
                in_zh.format(zh=zh, channel=channel),
                in_en.format(en=en, channel=channel),
            )
    if sorted(before) == sorted(after):
        listed = ", ".join(after)
        yield Sentence(path, f"{zh}的顺序改为 {listed}", f"{en} has them in the order {listed}")


def _names(value: Json) -> list[str] | None:
    """A list of names; nothing counts as none."""
    if value is _NOTHING:
        return []
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    return None


def _whose(merchant: str) -> tuple[str, str]:
    if merchant == EVERY_MERCHANT:
        return "其他所有商户", "every other merchant"
    return f"商户 {merchant} ", f"merchant {merchant}"


# --- Rules, examples and whatever else has names ---

_KINDS: Mapping[str, tuple[str, str]] = {
    "rules": ("规则", "rule"),
    "examples": ("用例", "example"),
    "tables": ("决策表", "table"),
}


_FIRST = dict.fromkeys(("when", "then", "until"))
"""What is told first of something new."""


def _named(
    key: str, old: Mapping[str, Mapping[str, Json]], new: Mapping[str, Mapping[str, Json]]
) -> Iterator[Sentence]:
    zh, en = _KINDS.get(key, (key, key))
    for name in old:
        if name not in new:
            yield Sentence(f"{key}.{name}", f"删除{zh}“{name}”", f"{en} {name!r} is gone")
    places = {name: place for place, name in enumerate(new, 1)}
    for name, one in new.items():
        if name not in old:
            parts = [part for part in _keys(_FIRST, one) if part != "name"]
            told = [(part, one[part]) for part in parts if _says_something(one.get(part))]
            said = "；".join(f"{part} {_shown(value)}" for part, value in told)
            yield Sentence(
                f"{key}.{name}",
                f"新增{zh}“{name}”（第 {places[name]} 条）：{said}",
                f"new {en} {name!r} at place {places[name]}: {said.replace('；', '; ')}",
            )
    for name, place, now in _moved(list(old), list(new)):
        yield Sentence(
            f"{key}.{name}",
            f"{zh}“{name}”由第 {place} 条移到第 {now} 条",
            f"{en} {name!r} moves from place {place} to place {now}",
        )
    for name, one in new.items():
        was = old.get(name)
        if was is None:
            continue
        for part in _keys(was, one):
            before, after = was.get(part, _NOTHING), one.get(part, _NOTHING)
            if _same(before, after):
                continue
            for path, in_zh, in_en in _values(part, before, after):
                yield Sentence(
                    f"{key}.{name}.{path}", f"{zh}“{name}”：{in_zh}", f"{en} {name!r}: {in_en}"
                )


def _moved(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, int, int]]:
    """Names that changed their place among those that stayed: as few as explain the new order."""
    stayed = [name for name in new if name in set(old)]
    rank = {name: place for place, name in enumerate(name for name in old if name in set(new))}
    kept = set(_longest_rising([rank[name] for name in stayed]))
    return [
        (name, old.index(name) + 1, new.index(name) + 1)
        for name in stayed
        if rank[name] not in kept
    ]


def _longest_rising(ranks: Sequence[int]) -> list[int]:
    best: list[list[int]] = []
    for rank in ranks:
        ahead = [run for run in best if run[-1] < rank]
        best.append([*max(ahead, key=len, default=[]), rank])
    return max(best, key=len, default=[])


def _is_named(value: Json) -> bool:
    """A list of things with a name each, no name twice; no list is an empty one."""
    if value is _NOTHING or value is None:
        return True
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return False
    names = [one.get("name") for one in value]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _records(value: Json) -> dict[str, Mapping[str, Json]]:
    return {str(one["name"]): one for one in value} if isinstance(value, list) else {}


# --- Any other value ---


def _values(path: str, old: Json, new: Json) -> Iterator[Sentence]:
    if isinstance(old, dict) and isinstance(new, dict) and (old or new):
        for key in _keys(old, new):
            before, after = old.get(key, _NOTHING), new.get(key, _NOTHING)
            if not _same(before, after):
                yield from _values(f"{path}.{key}", before, after)
        return
    if old is _NOTHING:
        yield Sentence(path, f"{path} 设为 {_shown(new)}", f"{path} is now {_shown(new)}")
    elif new is _NOTHING:
        was = _shown(old)
        yield Sentence(path, f"{path} 已删除（原为 {was}）", f"{path} is gone (was {was})")
    else:
        yield Sentence(
            path,
            f"{path} 由 {_shown(old)} 改为 {_shown(new)}",
            f"{path} is now {_shown(new)} (was {_shown(old)})",
        )


def _same(old: Json, new: Json) -> bool:
    """As JSON: true and 1 are two things."""
    if old is _NOTHING or new is _NOTHING:
        return old is new
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def _empty(value: Json) -> bool:
    """Nothing to tell of an entry that is new or gone as a whole."""
    return value is _NOTHING or value in (None, [], {}, "")


def _says_something(value: Json) -> bool:
    """Whether a value is more than what stands for none; 0 is a number."""
    return value is not None and value is not False and value not in ([], {}, "")


def _bare(value: Json) -> Json:
    """Without the keys that say nothing."""
    if not isinstance(value, dict):
        return value
    bare = {key: _bare(inner) for key, inner in value.items()}
    return {key: inner for key, inner in bare.items() if _says_something(inner)}


def _shown(value: Json) -> str:
    if value is None or value == "":
        return "none"
    bare = _bare(value)
    text = bare if isinstance(bare, str) else json.dumps(bare, ensure_ascii=False)
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"


def _keys(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[str]:
    return [*before, *(key for key in after if key not in before)]
