"""What a report to the author's domain will say of a message: made where the domain asks for reports.

Spec: RFC 9990 §3.1.1, §3.1.6, §3.1.7.  Status: complete.
"""

from collections.abc import Sequence
from functools import lru_cache

from mailserver.mailauth.dkim.outcome import DkimResult
from mailserver.mailauth.dmarc.record import Record
from mailserver.mailauth.reports.values import (
    DkimSeen,
    Published,
    Reason,
    Row,
    Seen,
    SpfSeen,
)
from mailserver.mta.failure_reports import Failure
from mailserver.mta.findings import REMEMBERED, Findings
from mailserver.mta.found_fields import results
from mailserver.mta.treatment import Action, Decision

_DONE: dict[Action, str] = {
    "accept": "none",
    "quarantine": "quarantine",
    "reject": "reject",
    "later": "none",
}
_DELIVERY: dict[Action, str] = {  # RFC 6591 §3.2.2
    "accept": "delivered",
    "quarantine": "spam",
    "reject": "reject",
    "later": "other",
}


def seen(found: Findings, decision: Decision, to: str) -> Seen | None:
    """What is counted of the message, within bounds; None where nobody asks, or there is no verdict yet.

    decision: what was done in the end.      to: the domain of its first recipient.
    """
    return (_known if found.is_small else _seen)(found, decision, to)


def _seen(found: Findings, decision: Decision, to: str) -> Seen | None:
    discovery = found.discovery
    if discovery is None or discovery.record is None or not discovery.record.rua:
        return None
    if decision.action == "later":  # it will come again
        return None
    published, rua = _published(discovery.policy_domain, discovery.record)
    return Seen(published, rua, _row(found, decision, to)).bounded()


_known = lru_cache(maxsize=REMEMBERED)(_seen)


@lru_cache(maxsize=REMEMBERED)
def _published(domain: str, record: Record) -> tuple[Published, tuple[str, ...]]:
    """What the report says of the *record* at *domain*, and where it goes."""
    published = Published(
        domain=domain,
        p=record.p or "none",
        sp=record.sp or "",
        np=record.np or "",
        adkim=record.adkim,
        aspf=record.aspf,
        fo=":".join(record.fo) if record.ruf else "",
        is_testing=record.t,
        percent=record.pct,
    )
    return published, tuple(str(uri) for uri in record.rua)


def failed(
    found: Findings, sender: str, marks: Sequence[str], decision: Decision, to: str, at: int
) -> Failure | None:
    """What a report on this one message would tell its author's domain, but for the header; None if nobody asks.

    sender, marks: as `found_fields` takes them.
    A public suffix hears of no single messages (RFC 9990 §7.3).
    """
    discovery = found.discovery
    if discovery is None or (record := discovery.record) is None:
        return None
    if not record.ruf or record.psd == "y" or found.dmarc.result not in ("pass", "fail"):
        return None
    row = _row(found, decision, to)
    failure = Failure(
        policy_domain=discovery.policy_domain,
        header_from=found.author.domain,
        ruf=tuple(str(uri) for uri in record.ruf),
        fo=record.fo,
        to=to,
        source=found.ip,
        mail_from=sender,
        is_dkim_aligned=row.is_dkim_aligned,
        is_spf_aligned=row.is_spf_aligned,
        dkim=row.dkim,
        spf=row.spf[0],
        results=tuple(results(found, marks)),
        delivery=_DELIVERY[decision.action],
        header=b"",
        arrived_at=at,
    )
    return failure if failure.wanted else None


def _row(found: Findings, decision: Decision, to: str) -> Row:
    dmarc = found.dmarc
    done = _DONE[decision.action] if decision.by == "dmarc" else "none"
    if dmarc.result == "pass" and dmarc.published != "none":
        done = "pass"
    aligned = {proof.method for proof in dmarc.aligned_by}
    reasons = () if decision.override is None else (Reason(*decision.override),)
    return Row(
        source=found.ip,
        header_from=found.author.domain,
        envelope_from=found.domain.lower(),
        disposition=done,
        is_dkim_aligned="dkim" in aligned,
        is_spf_aligned="spf" in aligned,
        envelope_to=to,
        reasons=reasons,
        dkim=tuple([_dkim(one) for one in found.dkim if one.domain]),
        spf=(SpfSeen(found.spf.domain, found.spf.result, _scope(found)),),
    )


def _dkim(one: DkimResult) -> DkimSeen:
    text = "" if one.result == "pass" else one.reason
    return DkimSeen(one.domain, one.selector, one.result, text)


def _scope(found: Findings) -> str:
    return "mfrom" if found.domain else "helo"
