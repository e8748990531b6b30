"""Every record that a domain needs so that mail reaches it, is believed, and mail programs find their server.

Spec: RFC 5321 §5.1; RFC 7208 §3, §5.4, §10.1.3; RFC 6376 §3.6.1; RFC 9989 §4.7; RFC 9990 §4; RFC 8461 §3.1;
RFC 8460 §3; RFC 7672 §3.1.1; RFC 6186 §3; RFC 8314 §5.1; RFC 5804 §1.8; RFC 8659 §4.2; RFC 8657 §3.  Status: complete.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import NamedTuple

from mailserver.directory.dkim_keys import record as dkim_record
from mailserver.mailauth.mta_sts import Policy, host, id_of, record, record_name
from mailserver.mailauth.resolver import Tlsa
from mailserver.store.dkim_keys import RETIRED, DkimKey

TTL = 3_600  #: seconds; long enough for caches, short enough to change one's mind


class Kind(StrEnum):
    """What a record is for."""

    MX = "mx"
    ADDRESS = "address"
    SPF = "spf"
    HELO = "helo"
    DKIM = "dkim"
    DMARC = "dmarc"
    REPORTS = "reports"
    TLS_RPT = "tls-rpt"
    MTA_STS = "mta-sts"
    TLSA = "tlsa"
    SERVICE = "service"
    AUTOCONFIG = "autoconfig"
    CAA = "caa"


class Need(StrEnum):
    """What is lost without it."""

    REQUIRED = "required"  #: mail does not arrive, or is not believed
    RECOMMENDED = "recommended"  #: some receivers want it, or somebody may listen or forge
    OPTIONAL = "optional"  #: comfort


class Record(NamedTuple):
    """One record.

    name:  A-labels, without a dot at the end.
    value: as a zone has it, but TXT is plain text: neither quoted nor cut.
    why:   for people, one line.
    """

    kind: Kind
    name: str
    type: str
    value: str
    need: Need
    why: str
    ttl: int = TTL


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a domain and of this host.

    addresses: of the host, where it is known; both kinds.
    sources:   addresses that its mail leaves from, where the operator has chosen them.
    keys:      all of the domain that are not retired.
    services:  the ports of what is offered, by name: "submission", "imaps", "managesieve", "https" and others.
    tlsa:      what certificates of the host must match: the present one, and the one that comes.
    reports:   the address that hears how others judge our mail.
    policy:    of MTA-STS; None: the domain has none.
    smarthost: name or address of who sends what users send; "": we do.
    ca:        who issues our certificates, as CAA names it; "": nobody said.
    account:   our account there, a URI.
    """

    domain: str
    hostname: str
    keys: Sequence[DkimKey] = ()
    addresses: Sequence[str] = ()
    sources: Sequence[str] = ()
    services: Mapping[str, int] = field(default_factory=dict)
    tlsa: Sequence[Tlsa] = ()
    reports: str = ""
    dmarc: str = "quarantine"
    policy: Policy | None = None
    smarthost: str = ""
    ca: str = ""
    account: str = ""
    has_subdomains: bool = False
    signs: bool = True


def records(facts: Facts) -> list[Record]:
    """All of them, the most important first."""
    return [
        *_mail(facts),
        *_sender(facts),
        *_keys(facts),
        *_policies(facts),
        *_certificates(facts),
        *_services(facts),
    ]


def is_within(name: str, domain: str) -> bool:
    """Whether *name* is *domain* or below it."""
    return name == domain or name.endswith(f".{domain}")


def _mail(facts: Facts) -> Iterator[Record]:
    domain, to = facts.domain, f"10 {facts.hostname}."
    yield Record(Kind.MX, domain, "MX", to, Need.REQUIRED, "where mail for it is taken")
    if facts.has_subdomains:
        why = "where mail for what is below it is taken"
        yield Record(Kind.MX, f"*.{domain}", "MX", to, Need.REQUIRED, why)
    for address in facts.addresses:
        kind = "AAAA" if ":" in address else "A"
        why = "where the mail host is"
        yield Record(Kind.ADDRESS, facts.hostname, kind, address, Need.REQUIRED, why)


def _sender(facts: Facts) -> Iterator[Record]:
    """SPF for the domain, and for the name that this host says in EHLO: notices have no other (RFC 7208 §2.3)."""
    sources = [one for one in facts.sources if one not in facts.addresses]  # the others are in A
    others = [facts.smarthost] if facts.smarthost else sources
    passes = " ".join(["mx", *map(_mechanism, others)])
    why = "who may send in its name; others are doubted (~all), and DMARC decides"
    yield Record(Kind.SPF, facts.domain, "TXT", f"v=spf1 {passes} ~all", Need.REQUIRED, why)
    if facts.hostname != facts.domain:
        why = "the same for the host itself, in whose name notices are sent"
        passes = " ".join(["a", *map(_mechanism, sources)])
        spf = f"v=spf1 {passes} -all"
        yield Record(Kind.HELO, facts.hostname, "TXT", spf, Need.RECOMMENDED, why)


def _mechanism(host: str) -> str:
    """What lets *host* pass in SPF (RFC 7208 §5.3, §5.6)."""
    try:
        address = ip_address(host)
    except ValueError:
        return f"a:{host}"
    return f"ip{address.version}:{address}"


def _keys(facts: Facts) -> Iterator[Record]:
    said = {
        "pending": "key that waits for this record, to sign afterwards",
        "active": "key that signs its mail",
        "retiring": "key of mail that is still under way; to be taken away later",
    }
    for key in facts.keys if facts.signs else ():
        if key.state == RETIRED:
            continue
        need = Need.REQUIRED if key.algorithm == "rsa" else Need.RECOMMENDED
        why = f"{'RSA' if key.algorithm == 'rsa' else 'Ed25519'} {said[key.state]}"
        yield Record(Kind.DKIM, key.name, "TXT", dkim_record(key), need, why)


def _policies(facts: Facts) -> Iterator[Record]:
    domain = facts.domain
    rua = f"; rua=mailto:{facts.reports}" if facts.reports else ""
    yield Record(
        Kind.DMARC,
        f"_dmarc.{domain}",
        "TXT",
        f"v=DMARC1; p={facts.dmarc}{rua}",
        Need.REQUIRED,
        "what becomes of mail in its name that is neither signed nor sent by it; who hears of that",
    )
    there = facts.reports.rpartition("@")[2]
    if there and not is_within(there, domain) and not is_within(domain, there):
        why = (
            f"lets {there} hear of {domain}: its zone says so, or nobody sends DMARC reports there"
        )
        name = f"{domain}._report._dmarc.{there}"
        yield Record(Kind.REPORTS, name, "TXT", "v=DMARC1;", Need.RECOMMENDED, why)
    if facts.reports:
        yield Record(
            Kind.TLS_RPT,
            f"_smtp._tls.{domain}",
            "TXT",
            f"v=TLSRPTv1; rua=mailto:{facts.reports}",
            Need.RECOMMENDED,
            "who hears of trouble with TLS on the way to it",
        )
    if facts.policy is not None:
        yield Record(
            Kind.MTA_STS,
            record_name(domain),
            "TXT",
            record(id_of(facts.policy)),
            Need.RECOMMENDED,
            "its mail is sent over verified TLS only; the policy is at https://" + host(domain),
        )
        why = "the web server with that policy"
        yield Record(
            Kind.MTA_STS, host(domain), "CNAME", f"{facts.hostname}.", Need.RECOMMENDED, why
        )


def _certificates(facts: Facts) -> Iterator[Record]:
    for one in facts.tlsa:
        yield Record(
            Kind.TLSA,
            f"_25._tcp.{facts.hostname}",
            "TLSA",
            f"{one.usage} {one.selector} {one.matching} {one.data.hex()}",
            Need.OPTIONAL,
            "certificate of the mail host, for DANE; counts in zones with DNSSEC",
        )
    if facts.ca:
        account = f"; accounturi={facts.account}" if facts.account else ""
        why = "who may issue certificates for it"
        for name in dict.fromkeys((facts.domain, facts.hostname)):
            value = f'0 issue "{facts.ca}{account}"'
            yield Record(Kind.CAA, name, "CAA", value, Need.OPTIONAL, why)


#: services by their names in SRV, the preferred ones first, with the listener that offers them and a priority
_SERVICES = (
    ("_submissions", "submissions", 0),
    ("_submission", "submission", 10),
    ("_imaps", "imaps", 0),
    ("_imap", "imap", 10),
    ("_sieve", "managesieve", 0),
)
#: what mail programs look for, too; a dot says that there is none (RFC 6186 §3.4)
_ABSENT = ("_pop3s", "_pop3")


def _services(facts: Facts) -> Iterator[Record]:
    for name, listener, priority in _SERVICES:
        port = facts.services.get(listener)
        target = f"{priority} 1 {port} {facts.hostname}." if port else "0 0 0 ."
        why = f"mail programs find {name[1:]} here" if port else f"there is no {name[1:]} here"
        owner = f"{name}._tcp.{facts.domain}"
        yield Record(Kind.SERVICE, owner, "SRV", target, Need.OPTIONAL, why)
    for name in _ABSENT:
        owner, why = f"{name}._tcp.{facts.domain}", f"there is no {name[1:]} here"
        yield Record(Kind.SERVICE, owner, "SRV", "0 0 0 .", Need.OPTIONAL, why)
    if "https" in facts.services:
        why = "mail programs set themselves up"
        for name in ("autoconfig", "autodiscover"):
            owner, target = f"{name}.{facts.domain}", f"{facts.hostname}."
            yield Record(Kind.AUTOCONFIG, owner, "CNAME", target, Need.OPTIONAL, why)
