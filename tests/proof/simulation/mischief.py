"""What institutions do wrong, drawn from the plan: takes the place of `simulators.faults.Faults`.

The cores ask it at the same moments and get the same hits. An institution never refuses a number
it has taken; one it has refused it may take the next time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from channels.alipay import profile as alipay_profile
from channels.wechat_pay import profile as wechat_profile
from simulators.actions import ParamValue, Stage, read_params
from simulators.faults import NO_HITS, Faults, Hit, Hits
from tests.proof.simulation.dice import Dice
from tests.proof.simulation.plan import Plan
from tests.proof.simulation.story import Story

DEFINITE = {
    "alipay": ("PAYEE_NOT_EXIST", "EXCEED_LIMIT_DC_RECEIVED", "SECURITY_CHECK_FAILED"),
    "wechat_pay": ("PARAM_ERROR/openid", "INVALID_REQUEST/bounds"),
}
CONFIRM = {
    "alipay": ("PAYER_STATUS_ERROR", "INST_PAY_UNABLE", "PAYER_BALANCE_NOT_ENOUGH"),
    "wechat_pay": ("NOT_ENOUGH", "QUOTA_EXCEED", "ACCOUNTERROR"),
}
REFUSAL_LAG = {
    kind: timedelta(seconds=profile.refusal_lag_s)
    for kind, profile in (
        ("alipay", alipay_profile.PROFILE),
        ("wechat_pay", wechat_profile.PROFILE),
    )
}
UNSURE = {"alipay": "SYSTEM_ERROR", "wechat_pay": "SYSTEM_ERROR"}
SETTLE_FAILS = {
    "alipay": ("PAYEE_CARD_INFO_ERROR", "INST_PAY_UNABLE"),
    "wechat_pay": ("ACCOUNT_FROZEN", "NAME_NOT_CORRECT", "NEVER_HEARD_OF"),
}
_DISTORTIONS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "paid_502": ("http_error", {"status": 502, "executed": True}),
    "unpaid_502": ("http_error", {"status": 502, "executed": False}),
    "garbage": ("garbage", {}),
    "bad_signature": ("bad_signature", {}),
    "unsigned": ("unsigned", {}),
    "unknown_code": ("unknown_code", {}),
    "unknown_status": ("unknown_status", {}),
    "throttled": ("throttle", {}),
}


@cache
def _params(action: str, given: tuple[tuple[str, object], ...]) -> Mapping[str, ParamValue]:
    return read_params(action, dict(given))


@dataclass
class Mischief(Faults):
    """The rules of one institution in one run."""

    kind: str = ""
    plan: Plan = field(kw_only=True)
    story: Story = field(kw_only=True)
    about: Callable[[str, str], int] = field(kw_only=True)
    """Which payout an account's reference belongs to."""
    known: Callable[[str, str], bool] = field(kw_only=True)
    """Whether the institution has an order of this account and reference."""
    is_disturbed: bool = True
    lied: set[str] = field(default_factory=set)
    """References of which a signed untruth was told."""
    executed: set[str] = field(default_factory=set)
    """References that were executed and answered with a refusal."""

    @property
    def clocks_are_wrong(self) -> bool:
        """Whether the gateways' clocks may differ by more than any profile allows for."""
        return bool(self.plan.faults.keys() & {"clock_skew", "clock_step"})

    def __post_init__(self) -> None:
        """Draws of its own."""
        self.dice = Dice(self.plan.seed, f"institution/{self.kind}")

    def pick(
        self,
        stage: Stage,
        *,
        op: str,
        account: str,
        now: datetime,
        payee: str = "",
        reference: str = "",
        amount_minor: int | None = None,
    ) -> Hits:
        """What strikes this one event."""
        hits = Hits()
        about = self.about(account, reference) if reference else 0
        # By the payout's number, which stays the same when other payouts are left out.
        who = f"{account}/{about or reference or op}"
        match stage:
            case Stage.REQUEST:
                self._of_request(hits, op, account, reference, who)
            case Stage.ORDER if self.is_disturbed:
                self._of_order(hits, reference, who)
            case Stage.NOTICE if self.is_disturbed:
                self._of_notice(hits, who)
            case Stage.STATEMENT:  # made in the calm days, of the disturbed ones
                self._of_statement(hits, account, who)
            case Stage.LINE:
                self._put(hits, "statement_missing", who, "statement_missing_line")
                self._put(hits, "statement_double", who, "statement_duplicate_line")
        return hits or NO_HITS

    # --- Requests ---

    def _of_request(self, hits: Hits, op: str, account: str, reference: str, who: str) -> None:
        if op == "submit" and self._refuses(hits, account, reference, who):
            return
        if not self.is_disturbed:
            return
        for kind, (action, params) in _DISTORTIONS.items():
            self._put(hits, kind, f"{who}/{op}", action, **params)
        if self._strikes("wrong_echo", f"{who}/{op}"):
            field_name = "amount" if self.dice.next(f"echo/{who}") < 0.5 else "reference"
            self._hit(hits, "wrong_echo", "wrong_echo", who, field=field_name)
        unsure = UNSURE[self.kind]
        self._put(hits, "unpaid_system_error", f"{who}/{op}", "reject", code=unsure)
        self._put(hits, "paid_system_error", f"{who}/{op}", "reject", code=unsure, executed=True)
        if op == "submit":
            self._of_submission(hits, reference, who)
        elif (
            op == "inquire" and self.known(account, reference) and self._strikes("lie_failed", who)
        ):
            self.lied.add(reference)
            self._hit(hits, "lie_failed", "status_lie", who, status="FAIL")

    def _of_submission(self, hits: Hits, reference: str, who: str) -> None:
        if self._strikes("lie_rejected", who):
            self.lied.add(reference)
            code = self._one_of(DEFINITE, who)
            self._hit(hits, "lie_rejected", "reject", who, code=code, executed=True)
        elif self._strikes("refused_executed", who):
            self.executed.add(reference)
            code = self._one_of(CONFIRM, who)
            self._hit(hits, "refused_executed", "reject", who, code=code, executed=True)

    def _refuses(self, hits: Hits, account: str, reference: str, who: str) -> bool:
        """Refuse what was never taken; the same number may be taken the next time."""
        if not self.is_disturbed or self.known(account, reference):
            return False
        for kind, table in (("refused_definite", DEFINITE), ("refused_confirm", CONFIRM)):
            if self._strikes(kind, who):
                self._hit(hits, kind, "reject", who, code=self._one_of(table, who))
                return True
        return False

    # --- What becomes of an order, a notice, a statement ---

    def _of_order(self, hits: Hits, reference: str, who: str) -> None:
        draw = self.dice.unit(f"fate/{who}")
        self._put(hits, "not_found", who, "not_found_window", seconds=7200 * draw * draw)
        if (
            reference in self.executed
            and (hidden := hits.get("not_found_window")) is not None
            and (hidden.duration("seconds") > REFUSAL_LAG[self.kind] or self.clocks_are_wrong)
        ):
            # Refused, and looks find nothing for longer than the profile says: together a lie.
            # So it is where our own clocks cannot tell how far apart two looks were.
            self.lied.add(reference)
        self._put(hits, "settle_late", who, "settle_late", after=108_000 * draw)
        self._put(hits, "return_late", who, "return_late", after=129_600 * draw)
        self._put(hits, "confirm_late", who, "confirm_late", after=82_800 * draw)
        self._put(hits, "confirm_never", who, "confirm_never")
        if self._strikes("settle_fail", who):
            reason = self._one_of(SETTLE_FAILS, who)
            self._hit(hits, "settle_fail", "settle_fail", who, reason=reason)

    def _of_notice(self, hits: Hits, who: str) -> None:
        draw = self.dice.next(f"notice/{who}")
        self._put(hits, "notice_lost", who, "notice_lost")
        self._put(hits, "notice_twice", who, "notice_duplicate", copies=1 + int(2 * draw))
        self._put(hits, "notice_late", who, "notice_delay", after=18_000 * draw)
        self._put(hits, "notice_swapped", who, "notice_out_of_order")
        status = "FAIL" if draw < 0.5 else "SUCCESS"
        self._put(hits, "notice_forged", who, "notice_forged", status=status)

    def _of_statement(self, hits: Hits, account: str, who: str) -> None:
        draw = self.dice.unit(f"statement/{who}")
        self._put(hits, "statement_late", who, "statement_late", after=43_200 * draw)
        self._put(hits, "statement_extra", who, "statement_extra_line")

    # --- Drawing ---

    def _one_of(self, table: Mapping[str, tuple[str, ...]], who: str) -> str:
        codes = table[self.kind]
        return codes[int(self.dice.unit(f"code/{who}") * len(codes))]

    def _strikes(self, kind: str, who: str) -> bool:
        rate = self.plan.rate(kind)
        return bool(rate) and self.dice.next(f"{kind}/{who}") < rate

    def _put(self, hits: Hits, kind: str, who: str, action: str, **params: object) -> None:
        if action not in hits and self._strikes(kind, who):
            self._hit(hits, kind, action, who, **params)

    def _hit(self, hits: Hits, kind: str, action: str, who: str, **params: object) -> None:
        account, _, about = who.partition("/")
        about = about.partition("/")[0]
        read = _params(action, tuple(sorted(params.items())))
        hits[action] = Hit(kind, action, read, int(self.dice.unit(f"draw/{who}") * 2**53))
        self.story.fault(kind, account, int(about) if about.isdecimal() else 0, action)
