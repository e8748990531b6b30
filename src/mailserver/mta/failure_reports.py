"""One message failed, its author's domain wants to hear of such, and a domain of ours lets it: the reports, their pace.

Spec: RFC 9991; RFC 6591 §3; RFC 5965 §2, §3; RFC 6590; RFC 9989 §4.7 (fo, ruf).
Status: complete for what a DMARC record asks: on DMARC (fo=0, fo=1), on a signature (fo=d), on SPF (fo=s).

Deviates: RFC 5965 §2 (f): the subject is not that of the message, which is nobody's business.

Signatures and SPF records may ask for reports of their own (RFC 6651, RFC 6652); nobody has to heed them, nor do we.
"""

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from mailserver.mailauth.dkim.record import REVOKED
from mailserver.mailauth.dkim.verify import BODY_CHANGED
from mailserver.mailauth.reports.feedback import Feedback, write
from mailserver.mailauth.reports.redaction import address, redacted, results
from mailserver.mailauth.reports.values import DkimSeen, SpfSeen
from mailserver.mailauth.results import MethodResult, text
from mailserver.mime import compose
from mailserver.mta.report_letters import Envelope, Letter
from mailserver.mta.report_making import GENERATOR
from mailserver.mta.trace import date_time

HOUR = 3_600
Kind = Literal["dmarc", "dkim", "spf"]  #: what a report is about
_AUTOMATIC = re.compile(rb"^auto-submitted[ \t]*+:[ \t]*+(?!no\b)", re.IGNORECASE | re.MULTILINE)


class Failure(NamedTuple):
    """A message that failed, or whose signature or sender did.

    policy_domain: where the record stands.     ruf, fo: as it says.
    to:        the recipient's domain, which is ours.
    results:   what was found, as Authentication-Results says it.
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
    results: tuple[MethodResult, ...]
    delivery: str
    header: bytes
    arrived_at: int

    @property
    def is_automatic(self) -> bool:
        """A program wrote it, perhaps a report on a report of ours: telling of it might never end (RFC 9991)."""
        return not self.mail_from or _AUTOMATIC.search(self.header) is not None

    @property
    def wanted(self) -> tuple[Kind, ...]:
        """Of which failures of this message the domain's owner wants to hear (RFC 9989 §4.7)."""
        if not self.ruf:
            return ()
        found: list[Kind] = []
        if "1" in self.fo:
            is_dmarc = not (self.is_dkim_aligned and self.is_spf_aligned)
        else:
            is_told = "0" in self.fo or not self.fo
            is_dmarc = is_told and not (self.is_dkim_aligned or self.is_spf_aligned)
        if is_dmarc:
            found.append("dmarc")
        if "d" in self.fo and self.broken is not None:
            found.append("dkim")
        if "s" in self.fo and self.spf.result in ("fail", "softfail"):
            found.append("spf")
        return tuple(found)

    @property
    def broken(self) -> DkimSeen | None:
        """The signature that failed: one of the author's domain if there is one, else any."""
        failed = [one for one in self.dkim if one.result not in ("pass", "none", "temperror")]
        return next(iter([one for one in failed if self.is_his(one)] or failed), None)

    def is_his(self, one: DkimSeen) -> bool:
        """Whether *one* is a signature of the author's domain or of one above it."""
        return f".{self.header_from}".endswith(f".{one.domain}")


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

    def take(self, failure: Failure, about: Kind, now: int) -> int:
        """How many messages a report on *failure* stands for, if one may leave now; 0 if none may.

        Those that are held back are counted with the next that looks the same.
        """
        if not 0 <= now - self._begun < HOUR:
            self._begun, self._sent, self._told = now, {}, set()
        domain, kind = failure.policy_domain, _kind(failure, about)
        sent = self._sent.get(domain, 0)
        is_known = domain in self._sent or len(self._sent) < self.most
        if kind in self._told or sent >= self.per_domain or not is_known:
            if kind in self._held or len(self._held) < self.most:
                self._held[kind] = min(self._held.get(kind, 0) + 1, 10**6)
            return 0
        self._sent[domain] = sent + 1
        self._told.add(kind)
        return 1 + self._held.pop(kind, 0)


def _kind(failure: Failure, about: Kind) -> tuple[str, str, str]:
    alignment = f"{about}{failure.is_dkim_aligned}{failure.is_spf_aligned}"
    return failure.policy_domain, failure.source, alignment


def letter(
    failure: Failure,
    about: Kind,
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
    feedback = Feedback(
        "auth-failure",
        agent=GENERATOR.replace(" ", "/"),
        domain=failure.header_from,
        source=failure.source,
        mail_from=f"<{address(failure.mail_from, key)}>",
        results=results(text(hostname, _result(failure, about)), key),
        delivery=failure.delivery,
        arrived=date_time(failure.arrived_at),
        reporter=f"dns; {hostname}",
        incidents=incidents,
    )
    feedback = _detailed(feedback, failure, about, spf_record)
    name = about.upper()
    said = (
        f"This is a {name} failure report on a message from {failure.header_from} that came\n"
        f"from {failure.source} on {date_time(failure.arrived_at)}.\n"
    )
    parts = [
        compose.text_part(said),
        compose.part("message/feedback-report", write(feedback)),
        compose.part("text/rfc822-headers", _ascii(redacted(failure.header, key))),
    ]
    id = f"{failure.arrived_at}.{envelope.token}@{envelope.submitter}"
    subject = f"{name} failure report for {failure.header_from} from {failure.source}"
    header = (
        compose.field("Date", date_time(envelope.now))
        + compose.field("From", compose.mailbox("", envelope.sender))
        + compose.field("To", ", ".join(envelope.to))
        + compose.field("Subject", subject)
        + compose.field("Message-ID", f"<{id}>")
        + compose.field("Auto-Submitted", "auto-generated")
    )
    data = header + compose.multipart(
        "report", parts, envelope.token, [("report-type", "feedback-report")]
    )
    return Letter(data, subject, f"<{id}>", b"", "")


def _detailed(feedback: Feedback, failure: Failure, about: Kind, spf_record: str) -> Feedback:
    """With the fields that reports on this kind of failure have (RFC 6591 §3.2, §3.3; RFC 9991)."""
    failed = []
    if not failure.is_dkim_aligned:
        failed.append("dkim")
    if not failure.is_spf_aligned:
        failed.append("spf")
    if about == "dmarc":
        alignment = ",".join(failed) or "none"
        feedback = feedback._replace(failure="dmarc", alignment=alignment)
    broken = failure.broken
    if broken is not None and about == "dkim":
        cause = _CAUSES.get(broken.text, "signature")
        feedback = _signed(feedback._replace(failure=cause), broken)
    elif broken is not None and about == "dmarc" and "dkim" in failed and failure.is_his(broken):
        feedback = _signed(feedback, broken)
    if about == "spf":
        feedback = feedback._replace(failure="spf")
    if spf_record and (about == "spf" or (about == "dmarc" and "spf" in failed)):
        feedback = feedback._replace(spf_dns=f'txt : {failure.spf.domain} : "{spf_record}"')
    return feedback


#: failure types of signatures by what was found; "signature" for all else (RFC 6591 §3.3)
_CAUSES = {BODY_CHANGED: "bodyhash", REVOKED: "revoked"}


def _signed(feedback: Feedback, one: DkimSeen) -> Feedback:
    return feedback._replace(
        dkim_domain=one.domain, dkim_identity=f"@{one.domain}", dkim_selector=one.selector
    )


def _result(failure: Failure, about: Kind) -> list[MethodResult]:
    """The one verdict that a report is about (RFC 6591 §3.1)."""
    verdicts = [one for one in failure.results if one.method == about]
    if about == "dkim" and (broken := failure.broken) is not None:
        wanted = {("d", broken.domain), ("s", broken.selector)}
        verdicts = [
            one
            for one in verdicts
            if one.result == broken.result
            and wanted <= {(name, value) for _, name, value in one.properties}
        ]
    return verdicts[:1]


def _ascii(data: bytes) -> bytes:
    """text/rfc822-headers is 7bit (RFC 6522 §4)."""
    return data.decode("ascii", "replace").replace("\N{REPLACEMENT CHARACTER}", "?").encode()
