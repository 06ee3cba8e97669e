"""`hangdao channel capabilities`: kinds and configured channels, without a running gateway."""

from pathlib import Path
from typing import Any

import pytest

from channels.registry import KINDS
from gateway.settings import Loaded
from tests.gateway.cli.served import answer, hangdao
from tests.gateway.install import handed_out, installed


def named(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """One of a list, by its name."""
    return next(one for one in found if one["name"] == name)


@pytest.fixture
def two(tmp_path: Path) -> Loaded:
    """Two channels; one has a label and a contract of its own."""

    def edit(document: dict[str, Any]) -> None:
        first = document["channels"][0]
        first["label"] = {"zh": "支付宝主户", "en": "Alipay main"}
        first["terms"] = {
            "currency": "CNY",
            "amount_max": 5_000_000,
            "day_cap_minor": 90_000_000,
            "fee": {"rate_ppm": 1000, "min_minor": 10, "max_minor": 2500},
            "cycle": {"days": 1, "calendar": "cn_statutory", "cutoff": "17:30"},
            "hours": ["09:00-21:00"],
        }

    return installed(tmp_path, handed_out(tmp_path), edit)


def test_kinds_are_told_without_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind there is, in the folder of somebody who has nothing yet."""
    monkeypatch.chdir(tmp_path)
    told = answer(hangdao("channel", "capabilities", "--json"))
    assert told["channels"] == []
    assert [one["name"] for one in told["kinds"]] == sorted(KINDS)


def test_a_configuration_that_is_named_must_be_there(tmp_path: Path) -> None:
    """Only the default file may be absent."""
    absent = str(tmp_path / "absent.yaml")
    assert hangdao("channel", "capabilities", "--config", absent).exit_code == 2


def test_a_configured_channel_is_told_with_its_contract(two: Loaded) -> None:
    """Its own limits, fees, cycle and hours; its kind says nothing of them."""
    flags = ("--config", str(two.file), "--json")
    told = answer(hangdao("channel", "capabilities", *flags, env=two_env(two)))
    main, kind = named(told["channels"], "alipay-main"), named(told["kinds"], "alipay")
    assert main["label"] == {"zh": "支付宝主户", "en": "Alipay main"}
    assert (main["amount_max_minor"], main["day_cap_minor"]) == (5_000_000, 90_000_000)
    assert main["fees"] == ["0.1 %, at least 0.10 CNY, at most 25.00 CNY"]
    assert main["hours"] == ["09:00-21:00"]
    assert "fees" not in kind


def test_the_table_is_in_both_languages(two: Loaded) -> None:
    """Headings in Chinese and English, the label of the channel over its column."""
    flags = ("--config", str(two.file))
    shown = hangdao("channel", "capabilities", "alipay-main", *flags, env=two_env(two)).stdout
    assert "支付宝主户 Alipay main" in shown
    assert "单笔限额 amounts" in shown
    assert "T+1, sent before 17:30 Asia/Shanghai" in shown
    assert "渠道类型" not in shown


def test_an_unknown_name_is_refused(two: Loaded) -> None:
    """Neither a channel nor a kind."""
    flags = ("--config", str(two.file))
    result = hangdao("channel", "capabilities", "nobody", *flags, env=two_env(two))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "没有名为 nobody 的渠道" in result.stderr


def two_env(loaded: Loaded) -> dict[str, str]:
    """The secrets that the configuration takes from its environment."""
    secrets = loaded.settings.secrets
    return {
        "HANGDAO_SANDBOX_KEK": secrets.kek.get_secret_value(),
        "HANGDAO_SANDBOX_PEPPER": secrets.key_pepper.get_secret_value(),
    }
