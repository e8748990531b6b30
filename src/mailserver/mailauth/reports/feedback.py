"""The part of a feedback report that programs read: why one message failed, or who complains about it.

Spec: RFC 5965 §2, §3; RFC 6591 §3; RFC 9991.  Status: complete.
"""

from typing import NamedTuple

from mailserver.base.errors import PeerError
from mailserver.mime import compose
from mailserver.mime.headers import decode_words, split_fields, unfold

SIZE = 65_536  #: octets of the part that are looked at
FIELDS = 200
TEXT = 500  #: characters of one value
_TYPES = frozenset(
    ["abuse", "auth-failure", "fraud", "not-spam", "opt-out", "other", "virus", "dkim"]
)
_DELIVERIES = frozenset(["delivered", "spam", "policy", "reject", "other"])


class Feedback(NamedTuple):
    """What a feedback report says; "" for what it does not.

    type:        "auth-failure", "abuse", ... (RFC 5965 §3.1, §7.3).
    failure:     "dmarc", "signature", "bodyhash", "revoked", "spf", "adsp" (RFC 6591 §3.2.3, RFC 9991).
    alignment:   the methods that gave no aligned identity: "dkim,spf", or "none" (RFC 9991).
    delivery:    what became of the message (RFC 6591 §3.2.2).
    arrived:     as the Date field writes it.
    incidents:   messages that this report stands for.
    """

    type: str
    agent: str = ""
    failure: str = ""
    domain: str = ""
    source: str = ""
    mail_from: str = ""
    results: str = ""
    alignment: str = ""
    delivery: str = ""
    arrived: str = ""
    reporter: str = ""
    incidents: int = 1
    dkim_domain: str = ""
    dkim_identity: str = ""
    dkim_selector: str = ""
    spf_dns: str = ""


_NAMES = (  # in the order they are written
    ("User-Agent", "agent"),
    ("Auth-Failure", "failure"),
    ("Authentication-Results", "results"),
    ("Identity-Alignment", "alignment"),
    ("Delivery-Result", "delivery"),
    ("DKIM-Domain", "dkim_domain"),
    ("DKIM-Identity", "dkim_identity"),
    ("DKIM-Selector", "dkim_selector"),
    ("SPF-DNS", "spf_dns"),
    ("Original-Mail-From", "mail_from"),
    ("Arrival-Date", "arrived"),
    ("Source-IP", "source"),
    ("Reporting-MTA", "reporter"),
    ("Reported-Domain", "domain"),
)
_BY_FIELD = {b"received-date": "arrived"} | {  # as Arrival-Date once was (RFC 5965 §3.2)
    name.lower().encode(): attribute for name, attribute in _NAMES
}


def write(feedback: Feedback) -> bytes:
    """The body of message/feedback-report (RFC 5965 §2 (d)); Version is 1 (§3.1)."""
    out = compose.field("Feedback-Type", feedback.type) + compose.field("Version", "1")
    for name, attribute in _NAMES:
        value: str = getattr(feedback, attribute)
        if value:
            out += compose.field(name, value.encode("ascii", "replace").decode())
    if feedback.incidents > 1:
        out += compose.field("Incidents", str(feedback.incidents))
    return out


def read(body: bytes) -> Feedback:
    """What the part says, of repeated fields the first.  Raises PeerError without a Feedback-Type."""
    values: dict[bytes, str] = {}
    for name, whole in split_fields(body[:SIZE])[:FIELDS]:
        key = name.lower()
        if key not in values:
            value = decode_words(unfold(whole.partition(b":")[2])[: TEXT * 4])
            values[key] = "".join(c if c.isprintable() else " " for c in value)[:TEXT].strip()
    kind = values.get(b"feedback-type", "").lower()
    if not kind:
        raise PeerError("no feedback report: it has no Feedback-Type")
    said = {attribute: values[key] for key, attribute in _BY_FIELD.items() if key in values}
    delivery = said.get("delivery", "").lower()
    incidents = values.get(b"incidents", "")
    return Feedback(kind if kind in _TYPES else "other")._replace(
        **said
        | {
            "domain": said.get("domain", "").lower(),
            "failure": said.get("failure", "").lower(),
            "delivery": delivery if delivery in _DELIVERIES else "",
        },
        incidents=int(incidents)
        if incidents.isascii() and incidents.isdigit() and 0 < len(incidents) < 10
        else 1,
    )
