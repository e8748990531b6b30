"""What the DNS shows of the records by which mail is believed: SPF, DKIM, DMARC, MTA-STS, TLS reports.

Spec: RFC 7208 §3.2, §4.6; RFC 6376 §3.6.2; RFC 9989 §4.7, §4.10; RFC 8461 §3.1, §3.3; RFC 8460 §3.  Status: complete.
"""

import asyncio
import contextlib
import re
from collections.abc import Sequence

from mailserver.base.limits import SpfLimits
from mailserver.directory.dkim_keys import why_unlike
from mailserver.mailauth import mta_sts
from mailserver.mailauth.dkim.outcome import Problem
from mailserver.mailauth.dkim.record import read_record
from mailserver.mailauth.dmarc import record as dmarc
from mailserver.mailauth.dmarc.discover import discover
from mailserver.mailauth.reports.uris import destinations, tls_record
from mailserver.mailauth.resolver import LookupFailed, NoData, NoSuchDomain
from mailserver.mailauth.spf.check import check_host
from mailserver.net.https import HttpsError
from mailserver.net.published.compare import (
    Finding,
    Status,
    World,
    aliases,
    leaving_from,
    of,
)
from mailserver.net.published.records import Kind, Need, Record
from mailserver.store.dkim_keys import PENDING, RETIRED, RETIRING

_SPF = re.compile(rb"v=spf1(?: |\Z)", re.IGNORECASE)
_ANYBODY = re.compile(rb"(?: |\A)\+?all(?: |\Z)", re.IGNORECASE)
_TLS_RPT = re.compile(rb"v=TLSRPTv1[ \t]*;")
SHOWN = 500  #: characters of a text that is shown
MOST_FORMER = 20  #: retired keys that are looked for


async def senders(world: World, group: Sequence[Record]) -> list[Finding]:
    """SPF: one record, and this host passes with each of its addresses; whom else it lets pass is not our business."""
    (record,) = group
    answer = await world.resolver.txt(record.name)
    ours = [text for text in answer.values if _SPF.match(text)]
    shown = list(map(_shown, ours))
    if not ours:
        return [_none(record, answer.values, b"spf1", "v=spf1 and a blank")]
    if len(ours) > 1:
        text = "there are several: that is an error, and none of them counts; make one of them"
        return [of(record, Status.WRONG, found=shown, text=text)]
    if _ANYBODY.search(ours[0]):
        text = "anybody may send in its name (all): say ~all or -all"
        return [of(record, Status.WRONG, found=shown, text=text)]
    found = await _passes(world, record, shown)
    if found is not None:
        return [found]
    return [of(record, Status.RIGHT, found=shown, is_authentic=answer.is_authentic)]


async def _passes(world: World, record: Record, shown: list[str]) -> Finding | None:
    """What keeps this host from passing; None: nothing."""
    if record.kind is Kind.SPF and world.facts.smarthost:
        return None  # others send: their addresses are not known here
    try:
        addresses = await leaving_from(world)
    except LookupFailed as error:
        text = f"whether this host passes cannot be said without its address: {error}"
        return of(record, Status.UNKNOWN, found=shown, text=text)
    sender = f"postmaster@{record.name}"
    for address in addresses:
        verdict = await check_host(
            world.resolver,
            address,
            record.name,
            sender,
            world.facts.hostname,
            limits=SpfLimits(),
            receiver=world.facts.hostname,
            now=world.now,
            identity="helo" if record.kind is Kind.HELO else "mailfrom",
        )
        if verdict.result == "pass":
            continue
        status = Status.UNKNOWN if verdict.result == "temperror" else Status.WRONG
        text = f"mail from {address} does not pass ({verdict.result}: {verdict.reason})"
        if shown == [record.value]:
            text += "; the record is as it should be: what it leads to is not, so look at MX and A"
        return of(record, status, found=shown, text=text)
    return None


async def keys(world: World, group: Sequence[Record]) -> list[Finding]:
    """DKIM: the record holds our key, and no other is beside it."""
    (record,) = group
    (key,) = (one for one in world.facts.keys if one.name == record.name)
    try:
        answer = await world.resolver.txt(record.name)
    except (NoSuchDomain, NoData):
        if key.state == RETIRING:
            text = "taken away early: mail that is still under way cannot be verified"
            return [of(record, Status.NOTE, text=text)]
        after = "the key signs some time after it is there" if key.state == PENDING else ""
        return [of(record, Status.MISSING, text=f"to be added{after and ': ' + after}")]
    shown = list(map(_shown, answer.values))
    why = why_unlike(answer.values, key)
    if why:
        text = f"{why}: put the expected one in its place"
        return [of(record, Status.WRONG, found=shown, text=text)]
    found = [of(record, Status.RIGHT, found=shown, is_authentic=answer.is_authentic)]
    first = read_record(answer.values[0])
    if not isinstance(first, Problem) and first.is_testing:
        text = "it says that signatures are being tried out (t=y): they do not count; take t=y away"
        found.append(of(record, Status.NOTE, found=shown, text=text))
    return found


async def policy_host(world: World, group: Sequence[Record]) -> list[Finding]:
    """MTA-STS: there is a web server, and it has our policy (RFC 8461 §3.3)."""
    (record,) = group
    found, expected = await aliases(world, group), world.facts.policy
    if world.web is None or expected is None:
        return found
    try:
        response = await world.web.get(
            record.name, mta_sts.PATH, most=mta_sts.SIZE, timeout_s=world.patience_s * 0.9
        )
    except HttpsError as error:
        text = f"the policy cannot be fetched, so that nobody keeps to it: {error}"
        return [of(record, Status.WRONG, found=found[0].found, text=text)]
    if response.status != 200:
        text = f"the policy cannot be fetched: the web server says {response.status}"
        return [of(record, Status.WRONG, found=found[0].found, text=text)]
    try:
        there = mta_sts.parse(response.body)
    except mta_sts.PolicyError as error:
        text = f"the policy there cannot be read: {error}"
        return [of(record, Status.WRONG, found=found[0].found, text=text)]
    if mta_sts.id_of(there) != mta_sts.id_of(expected):
        text = "another policy is there: see `mailserver mta-sts policy`"
        return [of(record, Status.WRONG, found=there.strings, text=text)]
    return found


async def former_keys(world: World) -> list[Finding]:
    """DKIM: of keys that are no more, the records may go."""
    gone = [key for key in world.facts.keys if key.state == RETIRED][-MOST_FORMER:]
    found = await asyncio.gather(*(_former(world, key.name) for key in gone))
    return [one for one in found if one is not None]


async def _former(world: World, name: str) -> Finding | None:
    record = Record(Kind.DKIM, name, "TXT", "", Need.OPTIONAL, "retired key")
    try:
        async with asyncio.timeout(world.patience_s):
            answer = await world.resolver.txt(name)
    except (LookupFailed, TimeoutError):
        return None
    text = "the key is retired: the record may be taken away"
    return of(record, Status.NOTE, found=list(map(_shown, answer.values)), text=text)


async def policy(world: World, group: Sequence[Record]) -> list[Finding]:
    """DMARC: one record that can be read; a stricter or milder policy than ours is the owner's choice."""
    (record,) = group
    values: Sequence[bytes] = ()
    with contextlib.suppress(NoSuchDomain, NoData):
        values = (await world.resolver.txt(record.name)).values
    texts = [text for text in values if dmarc.is_record(text)]
    shown = list(map(_shown, texts))
    if len(texts) > 1:
        text = "there are several: that counts as none; make one of them"
        return [of(record, Status.WRONG, found=shown, text=text)]
    if not texts:
        above = await discover(world.resolver, world.facts.domain)
        if above.is_temporary:
            return [of(record, Status.UNKNOWN, text=above.reason)]
        missing = _none(record, values, b"dmarc", "v=DMARC1;")
        if above.record is None or missing.status is Status.WRONG:
            return [missing]
        text = f"it follows the record of {above.policy_domain}, which says {above.wish}"
        return [of(record, Status.NOTE, found=[str(above.record)], text=text)]
    read = dmarc.parse(texts[0])
    if read.faults or not read.is_usable:
        text = f"it cannot be read as it was meant: {'; '.join(read.faults) or 'not usable'}"
        return [of(record, Status.WRONG, found=shown, text=text)]
    found = [of(record, Status.RIGHT, found=shown)]
    if read.p in (None, "none") or read.is_test:
        text = "it only watches: once all that is yours passes, say p=quarantine or p=reject"
        found.append(of(record, Status.NOTE, found=shown, text=text))
    if world.facts.reports and not any(
        uri.address.lower() == world.facts.reports.lower() for uri in read.rua
    ):
        text = f"{world.facts.reports} gets no reports (rua), so that nothing of them is seen here"
        found.append(of(record, Status.NOTE, found=shown, text=text))
    return found


async def permission(world: World, group: Sequence[Record]) -> list[Finding]:
    """DMARC reports at another domain: that domain takes them (RFC 9990 §4)."""
    (record,) = group
    answer = await world.resolver.txt(record.name)
    shown = list(map(_shown, answer.values))
    if any(map(dmarc.is_record, answer.values)):
        return [of(record, Status.RIGHT, found=shown, is_authentic=answer.is_authentic)]
    return [_none(record, answer.values, b"dmarc", "v=DMARC1;")]


async def tls_reports(world: World, group: Sequence[Record]) -> list[Finding]:
    """TLS reports: one record with an address."""
    (record,) = group
    answer = await world.resolver.txt(record.name)
    texts = [text for text in answer.values if _TLS_RPT.match(text)]
    shown = list(map(_shown, texts))
    if not texts:
        return [_none(record, answer.values, b"tlsrpt", "v=TLSRPTv1;")]
    if len(texts) > 1:
        text = "there are several: that counts as none; make one of them"
        return [of(record, Status.WRONG, found=shown, text=text)]
    if not destinations(tls_record(texts), ("mailto", "https")):
        text = "nobody hears of anything: rua= has neither mailto: with an address nor https:"
        return [of(record, Status.WRONG, found=shown, text=text)]
    return [of(record, Status.RIGHT, found=shown, is_authentic=answer.is_authentic)]


async def transport_policy(world: World, group: Sequence[Record]) -> list[Finding]:
    """MTA-STS: one record, with the id of the policy as it is now."""
    (record,) = group
    answer = await world.resolver.txt(record.name)
    texts = [text for text in answer.values if text.startswith(b"v=STSv1")]
    shown, id = list(map(_shown, texts)), mta_sts.record_id(texts)
    if not texts:
        return [_none(record, answer.values, b"sts", "v=STSv1;")]
    if not id:
        text = "it cannot be read, or there are several: nobody looks at the policy"
        return [of(record, Status.WRONG, found=shown, text=text)]
    if id != mta_sts.record_id([record.value.encode()]):
        text = "its id is not that of the policy: whoever knows the old one goes on with that"
        return [of(record, Status.WRONG, found=shown, text=text)]
    return [of(record, Status.RIGHT, found=shown, is_authentic=answer.is_authentic)]


def _none(record: Record, values: Sequence[bytes], word: bytes, start: str) -> Finding:
    """There is no such record; or something that was meant to be one, and does not begin as it must."""
    meant = [_shown(text) for text in values if word in text.lower()]
    if not meant:
        return of(record, Status.MISSING, text="to be added")
    text = f"it counts as none: it must begin with {start}"
    return of(record, Status.WRONG, found=meant, text=text)


def _shown(text: bytes) -> str:
    said = text.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else "?" for c in said[:SHOWN])
