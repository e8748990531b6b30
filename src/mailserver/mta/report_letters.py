"""Mail that carries a report: subject, file name, attachment, as its readers' programs want them.

Spec: RFC 9990 §3.5.1, §3.5.2; RFC 8460 §5.1, §5.2, §5.3; RFC 8689 §4; RFC 3834 §5.  Status: complete.

Everything is made of what is given, so the same report makes the same letter.
"""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass

from mailserver.mailauth.reports import aggregate_writing, tls_json
from mailserver.mailauth.reports.tls_values import TlsReport
from mailserver.mailauth.reports.values import Aggregate
from mailserver.mime import compose
from mailserver.mime.encode import Base64
from mailserver.mta.trace import date_time


@dataclass(frozen=True, slots=True)
class Letter:
    """A report, ready to leave.

    subject:  also for the queue's list.      message_id: with its angle brackets.
    packed:   the attachment; media_type: its type.
    """

    data: bytes
    subject: str
    message_id: str
    packed: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends it to whom.

    token: of letters and digits; no other report has it.      now: UTC epoch seconds.
    """

    sender: str
    to: Sequence[str]
    token: str
    now: int

    @property
    def submitter(self) -> str:
        """The sender's domain."""
        return self.sender.rpartition("@")[2]


def report_id(begin: int, token: str, submitter: str) -> str:
    """An identifier that no other report has (RFC 9990 §3.5.1), also good as a Message-ID."""
    return f"{begin}.{token}@{submitter}"


def aggregate(report: Aggregate, envelope: Envelope, *, is_old: bool = False) -> Letter:
    """The letter with an aggregate report; its bytes are what a size in a URI is about (RFC 9990 §3.5).

    is_old: in the form of RFC 7489.
    """
    packed = gzip.compress(aggregate_writing.write(report, is_old=is_old), mtime=0)
    domain = report.published.domain
    text = (
        f"This is a DMARC aggregate report for {domain} from {report.org}:\n"
        f"{report.messages} messages, of which {report.passed} passed, on the day that the name of the attached\n"
        "file tells in seconds since 1970.\n"
    )
    name = _file_name(envelope, domain, report.begin, report.end, "xml.gz")
    parts = [compose.text_part(text), _attachment("application/gzip", name, packed)]
    subject = _subject(domain, envelope, report.report_id)
    header = _header(envelope, subject, report.report_id)
    data = header + compose.multipart("mixed", parts, envelope.token)
    return Letter(data, subject, f"<{report.report_id}>", packed, "application/gzip")


def tls(report: TlsReport, domain: str, envelope: Envelope) -> Letter:
    """The letter with a TLS report; others may pass it on whatever is wrong with TLS (RFC 8460 §3, RFC 8689 §4)."""
    packed = gzip.compress(tls_json.write(report), mtime=0)
    text = (
        f"This is an aggregate TLS report for {domain} from {report.org}:\n"
        f"{report.successes} sessions went well, {report.failed} failed.\n"
    )
    name = _file_name(envelope, domain, report.begin, report.end, "json.gz")
    media_type = "application/tlsrpt+gzip"
    parts = [compose.text_part(text), _attachment(media_type, name, packed)]
    subject = _subject(domain, envelope, report.report_id)
    header = (
        _header(envelope, subject, report.report_id)
        + compose.field("TLS-Report-Domain", domain)
        + compose.field("TLS-Report-Submitter", envelope.submitter)
        + compose.field("TLS-Required", "No")
    )
    data = header + compose.multipart(
        "report", parts, envelope.token, [("report-type", '"tlsrpt"')]
    )
    return Letter(data, subject, f"<{report.report_id}>", packed, media_type)


def _header(envelope: Envelope, subject: str, id: str) -> bytes:
    return (
        compose.field("Date", date_time(envelope.now))
        + compose.field("From", compose.mailbox("", envelope.sender))
        + compose.field("To", ", ".join(envelope.to))
        + compose.field("Subject", subject)
        + compose.field("Message-ID", f"<{id}>")
        + compose.field("Auto-Submitted", "auto-generated")
    )


def _subject(domain: str, envelope: Envelope, id: str) -> str:
    return f"Report Domain: {domain} Submitter: {envelope.submitter} Report-ID: <{id}>"


def _file_name(envelope: Envelope, domain: str, begin: int, end: int, ending: str) -> str:
    """RFC 9990 §3.5.2 and RFC 8460 §5.1 agree."""
    return f"{envelope.submitter}!{domain}!{begin}!{end}!{envelope.token}.{ending}"


def _attachment(media_type: str, name: str, content: bytes) -> bytes:
    return (
        compose.field("Content-Type", f'{media_type}; name="{name}"')
        + compose.field("Content-Transfer-Encoding", "base64")
        + compose.field("Content-Disposition", f'attachment; filename="{name}"')
        + b"\r\n"
        + Base64()(content, True)
        + b"\r\n"
    )
