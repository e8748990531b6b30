"""What is known here of a domain and this host, for the records that the domain needs; and how a check is shown."""

import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mailserver.app.command import one_line
from mailserver.app.config import Config
from mailserver.app.sending import web_of
from mailserver.base.errors import Cannot
from mailserver.directory.dkim_life import signs
from mailserver.mailauth import mta_sts
from mailserver.mailauth.resolver import Resolver as AnyResolver
from mailserver.mailauth.resolver import Tlsa
from mailserver.mailauth.tlsa import record_for
from mailserver.net.dns import Resolver
from mailserver.net.published.compare import Finding, Status
from mailserver.net.published.looking import Seen, View, authorities, look
from mailserver.net.published.records import Facts, Kind, Need
from mailserver.net.tls import self_signed_files
from mailserver.store.tx import Read

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_MARKS = {
    Status.RIGHT: "right  ",
    Status.WRONG: "WRONG  ",
    Status.MISSING: "MISSING",
    Status.UNKNOWN: "unknown",
    Status.NOTE: "note   ",
}


def certificate_file(config: Config) -> Path | None:
    """The certificate of the server, if there is one yet."""
    if config.tls.certificate is not None:
        return config.tls.certificate
    path = self_signed_files(config.data_dir / "tls").certificate
    return path if path.exists() else None


def tlsa_of(path: Path) -> Tlsa:
    """What is to be published of the first certificate in *path*, PEM.  Raises Cannot."""
    try:
        text = path.read_text("ascii", "replace")
    except OSError as error:
        raise Cannot(f"{path}: {error.strerror}") from error
    start, end = text.find(_BEGIN), text.find(_END)
    if start < 0 or end < start:
        raise Cannot(f"{path}: no certificate in PEM form")
    try:
        return record_for(ssl.PEM_cert_to_DER_cert(text[start : end + len(_END)]))
    except ValueError as error:
        raise Cannot(f"{path}: {error}") from error


def facts_of(
    tx: Read,
    config: Config,
    domain: str,
    *,
    certificates: Sequence[Path] = (),
    addresses: Sequence[str] = (),
    reports: str = "",
    dmarc: str = "quarantine",
    ca: str = "",
    account: str = "",
) -> Facts:
    """All that is known of *domain*.  Raises NotFound, Cannot."""
    found = tx.domains.by_name(domain)
    if found.is_backup:
        raise Cannot(f"{domain} is a backup domain: its records are its own servers' business")
    if "." not in config.hostname:
        raise Cannot(f"hostname is {config.hostname!r}: set it to a full name, as mail.{domain}")
    mode = mta_sts.Mode(found.mta_sts)
    smarthost = found.smarthost or (
        f"smtp:{config.outbound.smarthost}" if config.outbound.smarthost else ""
    )
    return Facts(
        domain=domain,
        hostname=config.hostname,
        keys=tx.dkim_keys.of(found.id),
        addresses=addresses,
        sources=config.outbound.source_addresses,
        services=_services(config),
        tlsa=tuple(dict.fromkeys(tlsa_of(path) for path in certificates)),
        reports=reports or f"postmaster@{domain}",
        dmarc=dmarc,
        policy=None if mode is mta_sts.Mode.NONE else mta_sts.own(mode, [config.hostname]),
        smarthost=_host(smarthost),
        ca=ca.lower(),
        account=account,
        has_subdomains=found.has_subdomains,
        signs=signs(found),
    )


def _services(config: Config) -> dict[str, int]:
    """What is offered to the world: the first port of each listener that is not a file or on this machine alone."""
    found: dict[str, int] = {}
    for name in ("submission", "submissions", "imap", "imaps", "managesieve"):
        for endpoint in getattr(config.listeners, name):
            if not endpoint.is_unix and endpoint.port and not _is_local(endpoint.host):
                found.setdefault(name, endpoint.port)
    return found


def _is_local(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _host(smarthost: str) -> str:
    """ "hub.example.net" of "smtp:hub.example.net:587", "2001:db8::1" of "smtp:[2001:db8::1]:25"."""
    return smarthost.removeprefix("smtp:").rpartition(":")[0].strip("[]")


async def check(
    config: Config,
    facts: Facts,
    others: Sequence[tuple[str, int]],
    patience_s: float,
    *,
    with_authorities: bool = True,
    authority_port: int = 53,
) -> list[Seen]:
    """What the configured resolver shows, the zone's own servers, and *others*."""
    trust_ad = None if config.dns.trust_ad == "auto" else config.dns.trust_ad
    limits = config.limits.dns
    servers = [(server.host, server.port) for server in config.dns.servers]
    usual = Resolver(limits, servers, trust_ad)
    views = [View("configured", usual, web=web_of(config, usual))]

    def ask(address: str) -> AnyResolver:
        return Resolver(limits, [(address, authority_port)], trust_ad=False)

    if with_authorities:
        views += await authorities(usual, facts.domain, ask)
    views += [View(f"{host}:{port}", Resolver(limits, [(host, port)])) for host, port in others]
    return await look(facts, views, now=time.time(), patience_s=patience_s)


def is_good(seen: Sequence[Seen]) -> bool:
    """Whether nobody has to do anything: all that matters is right in every view, and known in the first."""
    unknown = [
        one
        for one in seen[0].findings
        if one.status is Status.UNKNOWN and one.need is not Need.OPTIONAL
    ]
    return not unknown and not any(one.is_bad for view in seen for one in view.findings)


def finding_row(one: Finding) -> dict[str, Any]:
    """What --json says of a finding."""
    return {
        "for": str(one.kind),
        "name": one.name,
        "type": one.type,
        "status": str(one.status),
        "need": str(one.need),
        "expected": one.expected or None,
        "found": list(one.found),
        "text": one.text,
        "is_authentic": one.is_authentic,
    }


def shown(seen: Sequence[Seen]) -> Iterator[str]:
    """For people: the first view whole, of the others what they see otherwise."""
    first = seen[0]
    yield from _lines(first.findings) if _is_heard(first) else _unheard(first)
    known = {_key(one): one for one in first.findings if one.status is not Status.NOTE}
    for view in seen[1:]:
        unlike = [
            one
            for one in view.findings
            if one.status is not Status.NOTE
            and (one.kind, one.type) != (Kind.MTA_STS, "CNAME")  # only the first has fetched it
            and ((same := known.get(_key(one))) is None or same.status is not one.status)
        ]
        name = one_line(view.view)
        yield ""
        if not _is_heard(view):
            yield from (f"{name}: {line}" for line in _unheard(view))
        elif unlike:
            yield f"{name} sees it otherwise:"
            yield from _lines(unlike)
        else:
            yield f"{name} sees the same."
    yield ""
    yield " ".join(_summary(seen))


def _is_heard(view: Seen) -> bool:
    return not view.findings or any(one.status is not Status.UNKNOWN for one in view.findings)


def _unheard(view: Seen) -> Iterator[str]:
    """One line where nothing could be looked up."""
    first = view.findings[0]
    reason = one_line(first.text.removeprefix(f"{first.name}: "))
    yield f"no record could be looked up: {reason}"


def _summary(seen: Sequence[Seen]) -> Iterator[str]:
    every = [one for view in seen for one in view.findings]
    bad = len({_key(one) for one in every if one.is_bad})
    unknown = len({_key(one) for one in every if one.status is Status.UNKNOWN})
    if bad:
        yield f"{bad} to be put right."
    if unknown:
        yield f"{unknown} could not be looked up."
    if not bad and not unknown:
        yield "All is well."


def _key(one: Finding) -> tuple[str, str, str, str]:
    return one.kind, one.name, one.type, one.expected


def _lines(findings: Iterable[Finding]) -> Iterator[str]:
    for one in findings:
        said = f"  {one_line(one.text)}" if one.text else ""
        yield f"{_MARKS[one.status]}  {one.type:5}  {one_line(one.name)}{said}"
        if one.status in (Status.WRONG, Status.MISSING):
            for text in one.found:
                yield f"{'':16}found     {one_line(text)}"
            if one.expected:
                yield f"{'':16}expected  {one.expected}"
