"""One message failed DMARC, its domain wants to hear of such, and a domain of ours lets it: the report and its pace.

Spec: RFC 9991; RFC 6591 §3; RFC 5965 §2, §3; RFC 6590; RFC 9989 §4.7 (fo, ruf).
Status: DMARC failure reports (fo=0, fo=1); those on DKIM and SPF alone (fo=d, fo=s) are not made.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from mailserver.mailauth.reports.feedback import Feedback, write
from mailserver.mailauth.reports.redaction import address, redacted, results
from mailserver.mailauth.reports.values import DkimSeen, SpfSeen
from mailserver.mime import compose
from mailserver.mta.report_letters import Envelope, Letter
from mailserver.mta.report_making import GENERATOR
from mailserver.mta.trace import date_time

HOUR = 3_600
_AUTOMATIC = re.compile(rb"^auto-submitted[ \t]*+:[ \t]*+(?!no\b)", re.IGNORECASE | re.MULTILINE)


class Failure(NamedTuple):
    """A message that failed, or whose signature or sender did.

    policy_domain: where the record stands.     ruf, fo: as it says.
    to:        the recipient's domain, which is ours.
    results:   Authentication-Results, without the field's name.
    delivery:  "delivered", "spam", "policy" or "reject" (RFC 6591 §3.2.2).
    header:    of the message, as it came.
    arrived_at: UTC epoch seconds.
    """

    policy_domain: str
    header_from: str
    ruf: tuple[str, ...]
    fo: tuple[str, ...]
    to: str
    source: str
    mail_from: str
    is_dkim_aligned: bool
    is_spf_aligned: bool
    dkim: tuple[DkimSeen, ...]
    spf: SpfSeen
    results: str
    delivery: str
    header: bytes
    arrived_at: int

    @property
    def is_automatic(self) -> bool:
        """A program wrote it, perhaps a report on a report of ours: telling of it might never end (RFC 9991)."""
        return not self.mail_from or _AUTOMATIC.search(self.header) is not None

    @property
    def is_wanted(self) -> bool:
        """The domain's owner wants to hear of a failure like this (RFC 9989 §4.7)."""
        if not self.ruf:
            return False
        if "1" in self.fo:
            return not (self.is_dkim_aligned and self.is_spf_aligned)
        is_told = "0" in self.fo or not self.fo
        return is_told and not (self.is_dkim_aligned or self.is_spf_aligned)


@dataclass(slots=True)
class Pace:
    """How many reports leave: a few an hour for each domain, and one for failures that look the same.

    per_domain: in an hour.      most: domains, and kinds of failures, that are remembered.
    """

    per_domain: int
    most: int = 5_000
    _begun: int = -HOUR
    _sent: dict[str, int] = field(default_factory=dict)
    _told: set[tuple[str, str, str]] = field(default_factory=set)
    _held: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def take(self, failure: Failure, now: int) -> int:
        """How many messages a report on *failure* stands for, if one may leave now; 0 if none may.

        Those that are held back are counted with the next that looks the same.
        """
        if not 0 <= now - self._begun < HOUR:
            self._begun, self._sent, self._told = now, {}, set()
        domain, kind = failure.policy_domain, _kind(failure)
        sent = self._sent.get(domain, 0)
        is_known = domain in self._sent or len(self._sent) < self.most
        if kind in self._told or sent >= self.per_domain or not is_known:
            if kind in self._held or len(self._held) < self.most:
                self._held[kind] = min(self._held.get(kind, 0) + 1, 10**6)
            return 0
        self._sent[domain] = sent + 1
        self._told.add(kind)
        return 1 + self._held.pop(kind, 0)


def _kind(failure: Failure) -> tuple[str, str, str]:
    alignment = f"{failure.is_dkim_aligned}{failure.is_spf_aligned}"
    return failure.policy_domain, failure.source, alignment


def letter(
    failure: Failure,
    envelope: Envelope,
    *,
    hostname: str,
    spf_record: str,
    incidents: int,
    key: bytes,
) -> Letter:
    """The report, with as much of the message as others may see: some of its header, without people's names.

    spf_record: what the domain of SPF publishes.      key: of the marks that stand for local parts.
    """
    failed = [
        name
        for name, is_aligned in (("dkim", failure.is_dkim_aligned), ("spf", failure.is_spf_aligned))
        if not is_aligned
    ]
    feedback = Feedback(
        "auth-failure",
        agent=GENERATOR.replace(" ", "/"),
        failure="dmarc",
        domain=failure.header_from,
        source=failure.source,
        mail_from=f"<{address(failure.mail_from, key)}>",
        results=results(failure.results, key),
        alignment=",".join(failed) or "none",
        delivery=failure.delivery,
        arrived=date_time(failure.arrived_at),
        reporter=f"dns; {hostname}",
        incidents=incidents,
    )
    broken = _broken(failure)
    if broken is not None and "dkim" in failed:
        feedback = feedback._replace(
            dkim_domain=broken.domain,
            dkim_identity=f"@{broken.domain}",
            dkim_selector=broken.selector,
        )
    if spf_record and "spf" in failed:
        feedback = feedback._replace(spf_dns=f'txt : {failure.spf.domain} : "{spf_record}"')
    text = (
        f"This is a DMARC failure report on a message from {failure.header_from} that came\n"
        f"from {failure.source} on {date_time(failure.arrived_at)}.\n"
    )
    parts = [
        compose.text_part(text),
        compose.part("message/feedback-report", write(feedback)),
        compose.part("text/rfc822-headers", _ascii(redacted(failure.header, key))),
    ]
    id = f"{failure.arrived_at}.{envelope.token}@{envelope.submitter}"
    subject = f"DMARC failure report for {failure.header_from} from {failure.source}"
    header = (
        compose.field("Date", date_time(envelope.now))
        + compose.field("From", compose.mailbox("", envelope.sender))
        + compose.field("To", ", ".join(envelope.to))
        + compose.field("Subject", subject)
        + compose.field("Message-ID", f"<{id}>")
        + compose.field("Auto-Submitted", "auto-generated")
    )
    said = [("report-type", "feedback-report")]
    data = header + compose.multipart("report", parts, envelope.token, said)
    return Letter(data, subject, f"<{id}>", b"", "")


def _broken(failure: Failure) -> DkimSeen | None:
    """The signature of the author's domain that failed (RFC 9991: of an aligned identifier)."""
    for one in failure.dkim:
        is_his = failure.header_from == one.domain or failure.header_from.endswith(f".{one.domain}")
        if one.result != "pass" and is_his:
            return one
    return None


def _ascii(data: bytes) -> bytes:
    """text/rfc822-headers is 7bit (RFC 6522 §4)."""
    return data.decode("ascii", "replace").replace("\N{REPLACEMENT CHARACTER}", "?").encode()
