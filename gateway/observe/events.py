"""Every name a log line can have, with its meaning; names are stable, alerts are built on them.

A payout's own events appear as `payout.<kind>`, derived from the domain. A test holds that no
other name is used in the code.
"""

from collections.abc import Mapping
from typing import Final, get_args

from gateway.domain.payout import Event

HTTP_REQUEST: Final = "http.request"
ATTEMPT_CLOSED: Final = "attempt.closed"
WEBHOOK_TRIED: Final = "webhook.tried"

EVENTS: Final[Mapping[str, str]] = {
    HTTP_REQUEST: "The canonical line of one request: what was asked, by whom, how it ended.",
    ATTEMPT_CLOSED: "The canonical line of one attempt, when money moved, did not, or came back.",
    WEBHOOK_TRIED: "One try to deliver a webhook.",
    "process.started": "Configured, migrated, recovered, listening.",
    "process.stopping": "No new work is taken; what is under way is finished.",
    "process.stopped": "Everything durable, all sockets closed.",
    "log.foreign": "A library's own log line.",
    "attempt.certified_by_people": "Two people declared an attempt dead, with evidence.",
    "audit.defect": "Keeping the audit log met a bug of ours; it is tried again next second.",
    "audit.export_failed": "A signed checkpoint did not reach a place outside; the next one may.",
    "audit.inconsistent": "The audit log no longer begins with what was signed; nothing is signed.",
    "attempt.withheld": "Armed, and not sent: another process may have taken over meanwhile.",
    "attempt.proposed": "Somebody proposes to declare an attempt dead; another person must decide.",
    "calendar.missing": "A year's working days are due and unknown; arrivals in it are guessed.",
    "bank.back": "Payouts to a bank go through again; its incident is closed.",
    "bank.down": "A beneficiary's bank fails through every channel; payouts to it wait.",
    "bank.forgiven": "A person, or another replica, closed a bank's incident: it is used again.",
    "channel.credential_expired": "A channel's key or certificate ended: it takes no payouts.",
    "channel.credential_expiring": "A channel's key or certificate ends in 30, 14, 7 days or 1.",
    "channel.defect": "An adapter raised instead of answering; read as cannot-tell.",
    "channel.kill_restored": "A restore had forgotten that a person killed the channel.",
    "channel.killed": "A person stopped a channel; only a person lets it go on.",
    "channel.missing": "An open attempt names a channel that is no longer configured.",
    "channel.revived": "A person let a killed channel go on.",
    "channel.switched": "A channel was paused, drained or resumed.",
    "channel.quarantined": "A channel takes no new payouts until a probe succeeds.",
    "attempt.adopted": "An attempt that a restored database had forgotten was found.",
    "float.runway": "A channel's float lasts less long than `alerts.runway_hours`: top it up.",
    "gateway.halted": "Nothing is sent or taken in any more; what is stored stays readable.",
    "http.defect": "A request met a bug of ours and was answered with 500.",
    "mark.unwritten": "The high-water mark beside the database could not be written.",
    "incident.opened": "Evidence against what was proven; a late success freezes failover.",
    "incident.released": "A person has looked at an incident and closed it.",
    "redis.away": "Redis does not answer in time: each replica sends its own part of the limits.",
    "redis.back": "Redis answers again: the replicas share the limits.",
    "redis.defect": "Sharing with other replicas met a bug of ours; payouts go on without.",
    "notice.refused": "A channel notice failed verification; refused, counted, not kept.",
    "notice.unknown_reference": "A verified notice names no attempt of ours.",
    "policy.activated": "Another policy decides for every payout from now on.",
    "policy.canaried": "Another policy decides for a share of the payouts accepted from now on.",
    "policy.defect": "Following the policies met a bug of ours; it is tried again next second.",
    "policy.failed": "A scheduled policy cannot be used any more; the one before stays.",
    "policy.loaded": "The policy file says something else, and is followed.",
    "policy.proposed": "Somebody proposes another policy; another person must decide.",
    "policy.refused": "The policy file, or a stored policy, cannot be used; the last good one is.",
    "policy.rolled_back": "One person went back to the policy that was active before.",
    "policy.schedule_expired": "Nobody was there when a policy should have become active.",
    "policy.shadow_defect": "A shadow policy failed to decide; the real decision is untouched.",
    "payout.held_back": "It would have left a frozen channel on its word; it waits for a release.",
    "payout.defect": "An invariant broke while a payout was worked on; it was left alone.",
    "plan.defect": "Planning the month met a bug of ours; the old plan stays, it is tried again.",
    "plan.failed": "No plan was found for the month; the old one stays.",
    "quarantine.begun": "The database may have forgotten what was sent; nothing is sent.",
    "quarantine.conflict": "Channels know attempts that cannot be of one payout; look at it.",
    "quarantine.defect": "Rebuilding after a restore met a bug of ours; it is tried again.",
    "quarantine.ended": "Everything a restore had forgotten is known again; sending goes on.",
    "quarantine.released_by_people": "Two people vouch for a channel during a quarantine.",
    "standby.missing": "Acknowledged payouts have no second copy, or nobody may see whether.",
    "statement.broken": "A statement could not be read completely; nothing was settled from it.",
    "statement.break": "A statement line and our attempts disagree; a person must look.",
    "statement.defect": "Reading statements met a bug of ours; it is tried again next round.",
    "store.broken": "Disk full or an I/O error: sending stops and the process leaves.",
    "store.unavailable": "The database does not answer; nothing is accepted or sent meanwhile.",
    "webhook.defect": "Sending a webhook met a bug of ours; the others go on, it is tried again.",
    "worker.attached": "This process is a worker again; what it had is taken over, also by itself.",
    "worker.detached": "The worker's session is lost: this process arms and sends nothing now.",
    "worker.ended": "One of several processes ended; it is started again.",
    "worker.started": "One of several processes answers requests.",
    "worker.queue_full": "More work is due than is taken at once; it stays due.",
    **{f"payout.{event.kind}": f"{(event.__doc__ or '').strip()}" for event in get_args(Event)},
}
