"""What a report to the author's domain will say of a message: made where the domain asks for reports.

Spec: RFC 9990 §3.1.1, §3.1.6, §3.1.7.  Status: complete.
"""

from mailserver.mailauth.reports.values import (
    DkimSeen,
    Published,
    Reason,
    Row,
    Seen,
    SpfSeen,
)
from mailserver.mta.findings import Findings
from mailserver.mta.treatment import Action, Decision

_DONE: dict[Action, str] = {
    "accept": "none",
    "quarantine": "quarantine",
    "reject": "reject",
    "later": "none",
}


def seen(found: Findings, decision: Decision, to: str) -> Seen | None:
    """What is counted of the message; None where nobody asks, or there is no verdict yet.

    decision: what was done in the end.      to: the domain of its first recipient.
    """
    discovery, dmarc = found.discovery, found.dmarc
    if discovery is None or discovery.record is None or not discovery.record.rua:
        return None
    if decision.action == "later":  # it will come again
        return None
    record = discovery.record
    done = _DONE[decision.action] if decision.by == "dmarc" else "none"
    if dmarc.result == "pass" and dmarc.published != "none":
        done = "pass"
    reasons = () if decision.override is None else (Reason(*decision.override),)
    row = Row(
        source=found.ip,
        header_from=found.author.domain,
        envelope_from=found.sender.rpartition("@")[2].lower(),
        disposition=done,
        is_dkim_aligned=any(proof.method == "dkim" for proof in dmarc.aligned_by),
        is_spf_aligned=any(proof.method == "spf" for proof in dmarc.aligned_by),
        envelope_to=to,
        reasons=reasons,
        dkim=tuple(
            DkimSeen(
                one.domain, one.selector, one.result, "" if one.result == "pass" else one.reason
            )
            for one in found.dkim
            if one.domain
        ),
        spf=(SpfSeen(found.spf.domain, found.spf.result, _scope(found)),),
    )
    published = Published(
        domain=discovery.policy_domain,
        p=record.p or "none",
        sp=record.sp or "",
        np=record.np or "",
        adkim=record.adkim,
        aspf=record.aspf,
        fo=":".join(record.fo) if record.ruf else "",
        is_testing=record.t,
        percent=record.pct,
    )
    return Seen(published, tuple(str(uri) for uri in record.rua), row)


def _scope(found: Findings) -> str:
    return "mfrom" if found.sender else "helo"
