"""A channel's credentials from what its institution handed out, paced for a rehearsal."""

from collections.abc import Callable, Mapping

from gateway.sandbox.institutions import Account

Given = Mapping[str, str]
Made = dict[str, object]

_PACE: Made = {"inquire_first_s": 1, "inquire_max_s": 4}
_QUICK: Made = {**_PACE, "refusal_lag_s": 1, "total_timeout_s": 5}
_REPORTED = (
    {"info_type": "岗位类型", "info_content": "推广员"},
    {"info_type": "报酬说明", "info_content": "佣金报酬"},
)


def credentials(account: Account) -> Made:
    """Ready for `channels[].credentials`. KeyError for a kind that nobody has written here."""
    return _KINDS[account.kind](account.given)


def _alipay(given: Given) -> Made:
    return {
        **_taken(given, "gateway_url", "app_id", "user_id", "private_key_file"),
        "alipay_public_key_file": given["platform_public_key_file"],
        "products": {"alipay": "TRANS_ACCOUNT_NO_PWD", "bank_card": "TRANS_BANKCARD_NO_PWD"},
        "resend_quiet_s": 2,
        **_QUICK,
    }


def _wechat_pay(given: Given) -> Made:
    return {
        **_taken(given, "base_url", "mchid", "appid", "serial_no", "private_key_file"),
        **_taken(given, "public_key_id", "apiv3_key"),
        "public_key_file": given["platform_public_key_file"],
        "transfer_scene_id": "1005",
        "transfer_scene_report_infos": list(_REPORTED),
        "resend_quiet_s": 2,
        **_QUICK,
    }


def _unionpay(given: Given) -> Made:
    return {
        **_taken(given, "gateway_url", "file_url", "mer_id", "private_key_file"),
        **_taken(given, "certificate_file", "encrypt_cert_file"),
        "middle_cert_files": [given["middle_cert_file"]],
        "root_cert_files": [given["root_cert_file"]],
        **_QUICK,
    }


def _bank(given: Given) -> Made:
    return {
        **_taken(given, "base_url", "customer_id", "account_number", "account_name"),
        "profile": "cn-https",
        "agent_member_id": "102100099996",
        "notice_secrets": [given["notice_secret"]],
        "total_timeout_s": 5,
        **_PACE,
    }


def _stablecoin(given: Given) -> Made:
    return {
        **_taken(given, "base_url", "api_key", "source_wallet_id"),
        "rails": ["wire", "chain"],
        "chains": [given["chain"]],
        "sns_topic_arns": [given["sns_topic_arn"]],
        "sns_origins": [given["sns_origin"]],
        "sns_certificate_files": [given["sns_certificate_file"]],
        "resend_quiet_s": 2,
        **_QUICK,
    }


def _epay(given: Given) -> Made:
    return {
        **_taken(given, "base_url", "pid", "private_key_file"),
        "public_key_file": given["platform_public_key_file"],
        "rails": ["alipay", "bank_card"],
        **_QUICK,
    }


def _jeepay(given: Given) -> Made:
    return {
        **_taken(given, "base_url", "mch_no", "app_id", "app_secret"),
        "rails": {"alipay": {"if_code": "alipay", "entry_type": "ALIPAY_CASH"}},
        **_QUICK,
    }


def _xxpay(given: Given) -> Made:
    return {**_taken(given, "base_url", "mch_id", "private_key"), **_QUICK}


def _taken(given: Given, *names: str) -> Made:
    return {name: given[name] for name in names}


_KINDS: Mapping[str, Callable[[Given], Made]] = {
    "alipay": _alipay,
    "wechat_pay": _wechat_pay,
    "unionpay": _unionpay,
    "bank": _bank,
    "stablecoin": _stablecoin,
    "epay": _epay,
    "jeepay": _jeepay,
    "xxpay": _xxpay,
}
