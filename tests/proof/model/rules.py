"""The rule that ships and the rules that must not: each is the shipped one with a switch thrown.

`WRONG` must each end in a counterexample; `HARMLESS` must not, and says why; `PROMISES` are not
rules but promises of the outside: with one broken, safety must break too, or it was no promise
we need and has no place in NOTES.md.
"""

from dataclasses import dataclass, field
from typing import Literal

from tests.proof.model.world import (
    EVERYTHING,
    PROVING,
    RESENDING,
    STICKY,
    World,
)

Absence = Literal[
    "shipped", "at_once", "lease", "any_channel", "since_doubt", "no_lag", "statement_anywhere"
]


@dataclass(frozen=True, slots=True)
class Rules:
    """How the gateway decides; the defaults are what ships."""

    timeout_fails: bool = False
    unsure_fails: bool = False
    odd_fails: bool = False
    absence: Absence = "shipped"
    absence_dated_when_recorded: bool = False
    absence_kept_when_stale: bool = False
    reject_of_resend_fails: bool = False
    refusal_of_resend_fails: bool = False
    refusal_fails: bool = False
    refusal_needs_one_look: bool = False
    never_left_after_resend: bool = False
    never_left_by_another: bool = False
    resend_new_reference: bool = False
    send_before_commit: bool = False
    unknown_is_committed: bool = False
    unknown_is_not_committed: bool = False
    armed_is_unsent: bool = False
    compare_and_set: bool = True
    unique_live_index: bool = True
    fenced_takeover: bool = False
    notice_certifies: bool = False
    returned_is_repaid: bool = False
    orphans_stay: bool = False
    """Not a danger but a loss: nobody looks at an attempt whose sender died."""


SHIPPED = Rules()


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to try: a rule, a world, and a sentence for people."""

    key: str
    says: str
    rules: Rules = SHIPPED
    world: World = field(default_factory=World)


_ONE = World(profiles=(STICKY,), slots_max=2)
_RESEND = World(profiles=(RESENDING,), slots_max=2)
_WINDOW = World(profiles=(PROVING,), slots_max=2)
_PROMPT = World(profiles=(STICKY,), slots_max=2, network_bounded=True)

WRONG: tuple[Case, ...] = (
    Case("timeout-failed", "A timeout means the payout failed.", Rules(timeout_fails=True), _ONE),
    Case("5xx-failed", "An HTTP 5xx means the payout failed.", Rules(unsure_fails=True), _ONE),
    Case(
        "unknown-code-failed", "A code no table knows means it failed.", Rules(odd_fails=True), _ONE
    ),
    Case("not-found-failed", "Not found means it failed, at once.", Rules(absence="at_once"), _ONE),
    Case(
        "not-found-from-lease",
        "Not found proves failure once our lease and the query lag have passed.",
        Rules(absence="lease"),
        _WINDOW,
    ),
    Case(
        "not-found-no-lag",
        "Not found proves failure once the acceptance window has passed, whatever the query lag.",
        Rules(absence="no_lag"),
        World(profiles=(PROVING,), slots_max=2, lag=2, declared_lag=2),
    ),
    Case(
        "not-found-no-window",
        "Not found, waited for from signed_at, proves failure at a channel without window too.",
        Rules(absence="any_channel"),
        _ONE,
    ),
    Case(
        "statement-no-window",
        "Absence from a final statement proves failure at a channel without window too.",
        Rules(absence="statement_anywhere"),
        _ONE,
    ),
    Case(
        "not-found-dated-late",
        "The wait is compared with the time the not-found is recorded, not when it was asked.",
        Rules(absence_dated_when_recorded=True),
        _WINDOW,
    ),
    Case(
        "not-found-asked-before",
        "A not-found asked before the refusal was recorded completes that refusal.",
        Rules(absence_kept_when_stale=True),
        _ONE,
    ),
    Case(
        "reject-of-resend-failed",
        "The rejection of a second send is taken for the fate of the attempt.",
        Rules(reject_of_resend_fails=True),
        _RESEND,
    ),
    Case(
        "refusal-of-resend-failed",
        "A refusal that asks for a look, given to a second send, counts without the look.",
        Rules(refusal_of_resend_fails=True),
        _RESEND,
    ),
    Case(
        "refusal-without-look",
        "A refusal that asks for a look counts without it.",
        Rules(refusal_fails=True),
        _ONE,
    ),
    Case(
        "refusal-after-one-look",
        "One not-found after a refusal that asks for a look completes it.",
        Rules(refusal_needs_one_look=True),
        _ONE,
    ),
    Case(
        "never-left-after-resend",
        "A second send that never left certifies the attempt (C3 after two sends).",
        Rules(never_left_after_resend=True),
        _RESEND,
    ),
    Case(
        "never-left-by-another",
        "A process that cannot connect certifies what another process may have sent.",
        Rules(never_left_by_another=True),
        _ONE,
    ),
    Case(
        "resend-new-reference",
        "A resend gets a new reference.",
        Rules(resend_new_reference=True),
        _RESEND,
    ),
    Case(
        "send-before-commit",
        "The request is sent before the arm commit is acknowledged.",
        Rules(send_before_commit=True),
        _ONE,
    ),
    Case(
        "unknown-commit-committed",
        "A commit with unknown outcome is taken for committed, and the request is sent.",
        Rules(unknown_is_committed=True),
        _ONE,
    ),
    Case(
        "armed-not-sent",
        "Recovery takes an armed attempt for one that was never sent.",
        Rules(armed_is_unsent=True),
        _ONE,
    ),
    Case(
        "no-compare-and-set",
        "Writes are not guarded by the version that was read.",
        Rules(compare_and_set=False),
        _RESEND,
    ),
    Case(
        "unknown-commit-not-committed-unguarded",
        "A commit with unknown outcome is taken for undone, and armed elsewhere without any guard.",
        Rules(unknown_is_not_committed=True, compare_and_set=False, unique_live_index=False),
        _ONE,
    ),
    Case(
        "takeover-unfenced",
        "Failover by not-found a while after the takeover, without a lock on the sender, at a "
        "channel without window (even with a network that delivers within a minute or never).",
        Rules(absence="since_doubt"),
        _PROMPT,
    ),
    Case(
        "notice-certifies",
        "A notice of failure is a certificate.",
        Rules(notice_certifies=True),
        _ONE,
    ),
    Case(
        "returned-repaid",
        "A returned payout is paid again before the money is back.",
        Rules(returned_is_repaid=True),
        _ONE,
    ),
)

HARMLESS: tuple[Case, ...] = (
    Case(
        "unknown-commit-not-committed",
        "A commit with unknown outcome is taken for undone and armed elsewhere: harmless under the "
        "shipped protocol, because the second arm is guarded by the version it read. Had the first "
        "commit landed, the guard refuses the second; had it not, the second is the first.",
        Rules(unknown_is_not_committed=True),
        World(profiles=(RESENDING, PROVING), slots_max=2),
    ),
    Case(
        "takeover-fenced",
        "The control of takeover-unfenced: with the sender's lock held through the send and a "
        "prompt network, the same failover is safe. The lock, not the wait, made it so.",
        Rules(absence="since_doubt", fenced_takeover=True),
        _PROMPT,
    ),
    Case(
        "takeover-unfenced-with-window",
        "Takeover without a lock under the shipped rule: harmless, because the channel itself "
        "refuses what was signed too long ago and the wait is counted from that signature.",
        Rules(fenced_takeover=False),
        _WINDOW,
    ),
    Case(
        "no-unique-index",
        "The index on live attempts is dropped but the guard on the version stays: harmless in the "
        "protocol, as every arm is guarded; the index is the second net for defects of the guard.",
        Rules(unique_live_index=False),
        World(profiles=(RESENDING, PROVING), slots_max=2),
    ),
)

PROMISES: tuple[Case, ...] = (
    Case(
        "reject-does-not-bind",
        "A rejected request is taken in after all when the network delivers its copy.",
        world=World(profiles=(STICKY,), slots_max=2, reject_binds=False),
    ),
    Case(
        "failed-is-not-final",
        "A reference with a failed record is paid by a later copy or resend.",
        world=World(profiles=(RESENDING,), slots_max=2, failed_is_final=False),
    ),
    Case(
        "window-not-enforced",
        "The channel accepts requests signed longer ago than its profile says.",
        world=World(profiles=(PROVING,), slots_max=2, window_enforced=False),
    ),
    Case(
        "lag-understated",
        "A record stays invisible to inquiries for longer than the profile says.",
        world=World(profiles=(PROVING,), slots_max=2, lag=2),
    ),
    Case(
        "refusal-lag-understated",
        "A request refused with 'look first' was accepted, and looks miss it for longer than the "
        "profile says.",
        world=World(profiles=(STICKY,), slots_max=2, refusal_lag=2),
    ),
)

LOST = Case(
    "orphans-stay",
    "Nobody takes over an attempt whose sender died: never paid twice, but lost for ever.",
    Rules(orphans_stay=True),
    _ONE,
)
"""The negative control of the liveness pass."""

SHORT = World(profiles=(RESENDING, EVERYTHING))
"""What CI searches whole. Whatever a channel of another profile can do, one of these two can too:
a rule that allows a resend or a proof never has to use it."""

LIVE = World(slots_max=2, duplicates=False)
"""Every profile, for the liveness pass, where being unable to do something matters."""

DEEP = World()
"""Every profile at every attempt."""
