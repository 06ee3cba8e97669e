"""What an Epay site sees of a day, as it is kept beside the script that plays it."""

from pathlib import Path

from tests.gateway.dialects.daily_life import KEPT, transcript


async def test_the_day_is_as_it_was_read_last(tmp_path: Path) -> None:
    """`python -m tests.gateway.dialects.daily_life` writes it anew where a change is meant."""
    assert await transcript(tmp_path) + "\n" == KEPT.read_text("utf-8")


def test_the_day_names_nobody() -> None:
    """Neither payees nor what signs or opens anything."""
    kept = KEPT.read_text("utf-8")

    for secret in ("zhang@", "张三丰", "李四", "oLiSi", "sign=M", '"sign":"M', "/c/po_"):
        assert secret not in kept
