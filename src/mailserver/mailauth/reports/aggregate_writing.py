"""An aggregate report as XML.

Spec: RFC 9990 §3.1, appendix A; RFC 7489 appendix C.  Status: complete.

Elements stand in the order of RFC 7489 where RFC 9990 leaves it open.  Readers that know the older form only, which has
no namespace, get it if they are to: without what is new.
"""

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

from mailserver.mailauth.reports.values import Aggregate, Counted, DkimSeen, Reason, Row, SpfSeen

NAMESPACE = "urn:ietf:params:xml:ns:dmarc-2.0"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(report: Aggregate, *, is_old: bool = False) -> bytes:
    """The whole document in UTF-8; is_old: in the form of RFC 7489."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<feedback>" if is_old else f'<feedback xmlns="{NAMESPACE}">',
        "  <version>1.0</version>",
        *_metadata(report, is_old=is_old),
        *_policy(report, is_old=is_old),
    ]
    for one in report.records:
        lines += _record(Counted(_aged(one.row), one.messages) if is_old else one)
    lines.append("</feedback>")
    return "\n".join(lines).encode() + b"\n"


def _aged(row: Row) -> Row:
    """In words that RFC 7489 has."""
    reasons = tuple(
        Reason("other", one.comment or "testing mode") if one.type == "policy_test_mode" else one
        for one in row.reasons
    )
    done = "none" if row.disposition == "pass" else row.disposition
    return row._replace(disposition=done, reasons=reasons)


def _metadata(report: Aggregate, *, is_old: bool) -> Iterable[str]:
    yield "  <report_metadata>"
    yield _element("org_name", report.org, 4)
    yield _element("email", report.email, 4)
    if report.contact:
        yield _element("extra_contact_info", report.contact, 4)
    yield _element("report_id", report.report_id, 4)
    yield "    <date_range>"
    yield _element("begin", str(report.begin), 6)
    yield _element("end", str(report.end), 6)
    yield "    </date_range>"
    if report.errors:  # one at most (RFC 9990 §3.1.1.3)
        yield _element("error", "; ".join(report.errors), 4)
    if report.generator and not is_old:
        yield _element("generator", report.generator, 4)
    yield "  </report_metadata>"


def _policy(report: Aggregate, *, is_old: bool) -> Iterable[str]:
    """The values in effect: those that were not published are the defaults (RFC 9990 §3.1.1.5)."""
    policy = report.published
    yield "  <policy_published>"
    yield _element("domain", policy.domain, 4)
    yield _element("adkim", policy.adkim, 4)
    yield _element("aspf", policy.aspf, 4)
    yield _element("p", policy.p, 4)
    sub = policy.sp or policy.p
    yield _element("sp", sub, 4)
    if is_old:
        percent = 100 if policy.percent is None else policy.percent
        yield _element("pct", str(percent), 4)
    else:
        yield _element("np", policy.np or sub, 4)
    if policy.fo:
        yield _element("fo", policy.fo, 4)
    if is_old:
        yield "  </policy_published>"
        return
    yield _element("testing", "y" if policy.is_testing else "n", 4)
    if policy.discovery:
        yield _element("discovery_method", policy.discovery, 4)
    yield "  </policy_published>"


def _record(one: Counted) -> Iterable[str]:
    row = one.row
    yield "  <record>"
    yield "    <row>"
    yield _element("source_ip", row.source, 6)
    yield _element("count", str(one.messages), 6)
    yield "      <policy_evaluated>"
    yield _element("disposition", row.disposition, 8)
    yield _element("dkim", "pass" if row.is_dkim_aligned else "fail", 8)
    yield _element("spf", "pass" if row.is_spf_aligned else "fail", 8)
    for reason in row.reasons:
        yield "        <reason>"
        yield _element("type", reason.type, 10)
        if reason.comment:
            yield _element("comment", reason.comment, 10)
        yield "        </reason>"
    yield "      </policy_evaluated>"
    yield "    </row>"
    yield from _identifiers(row)
    yield "    <auth_results>"
    for signature in row.dkim:
        yield from _dkim(signature)
    for spf in [one for one in row.spf if one.domain][:1]:  # one at most (RFC 9990 §3.1.1.11)
        yield from _spf(spf)
    yield "    </auth_results>"
    yield "  </record>"


def _identifiers(row: Row) -> Iterable[str]:
    yield "    <identifiers>"
    if row.envelope_to:
        yield _element("envelope_to", row.envelope_to, 6)
    if row.envelope_from is not None:
        yield _element("envelope_from", row.envelope_from, 6)
    yield _element("header_from", row.header_from, 6)
    yield "    </identifiers>"


def _dkim(signature: DkimSeen) -> Iterable[str]:
    yield "      <dkim>"
    yield _element("domain", signature.domain, 8)
    yield _element("selector", signature.selector, 8)
    yield _element("result", signature.result, 8)
    if signature.text:
        yield _element("human_result", signature.text, 8)
    yield "      </dkim>"


def _spf(spf: SpfSeen) -> Iterable[str]:
    """Scope "mfrom", also for a null MAIL FROM, whose identity is made of HELO (RFC 7208 §2.4; RFC 9990 §3.1.1.13)."""
    yield "      <spf>"
    yield _element("domain", spf.domain, 8)
    yield _element("scope", "mfrom", 8)
    yield _element("result", spf.result, 8)
    if spf.text:
        yield _element("human_result", spf.text, 8)
    yield "      </spf>"


def _element(name: str, text: str, indent: int) -> str:
    """An element; what XML cannot hold becomes a question mark."""
    return f"{' ' * indent}<{name}>{escape(_NO_XML.sub('?', text))}</{name}>"
