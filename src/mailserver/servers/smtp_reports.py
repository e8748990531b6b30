"""Mail that brings a report on one of our domains: read while it is taken, kept in the commit that files it.

Spec: RFC 9990 §3.5.4, §8.1, §8.2; RFC 8460 §5.3, §5.6; RFC 5965 §2.  Status: complete.

A report that cannot be read, or that is about a domain that is not ours, is mail like any other, and the log says why.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mailserver.base.errors import NotFound, PeerError
from mailserver.base.log import Log
from mailserver.directory import report_settings
from mailserver.directory.addresses import base_and_detail, fold
from mailserver.directory.resolve import POSTMASTER, ROLES
from mailserver.mailauth.dkim.outcome import DkimResult
from mailserver.mailauth.reports.recognise import Bounds, recognise
from mailserver.mailauth.reports.tls_values import TlsReport
from mailserver.mime import layout
from mailserver.mime.derived import Derived, Head
from mailserver.mta.receive import Transaction
from mailserver.mta.report_facts import pack
from mailserver.store.reports import NewReport
from mailserver.store.spool import Body
from mailserver.store.tx import Read, Write

if TYPE_CHECKING:
    from mailserver.servers.smtp import Shared

log = Log("reports")


class Incoming(NamedTuple):
    """A report that comes with a message.

    keep:     for the job that files the message.
    is_all:   nobody wants the message itself: it was for addresses of reports only, and is to be discarded.
    """

    keep: Callable[[Write], None]
    is_all: bool


async def incoming(
    shared: "Shared", transaction: Transaction, body: Body, derived: Head
) -> Incoming | None:
    """The report in the message, None where there is none, or nobody here takes reports at its recipients."""
    if transaction.account is not None or not isinstance(derived, Derived):
        return None
    addresses = [recipient.address for recipient in transaction.recipients]
    takers = [address for address in addresses if _may_take(address.localpart)]
    if not takers:
        return None
    if not _is_signed(transaction):
        log.info("not looked at for reports: nobody stands for it", transaction=transaction.id)
        return None
    context, packed = shared.context, derived.layout
    limits = context.limits.reports
    bounds = Bounds(limits.attached, limits.unpacked, limits.records)
    now = int(transaction.received_at)

    def read() -> NewReport | None:
        found = recognise(body.view(), layout.unpack(packed), bounds)
        if isinstance(found, TlsReport) and not _is_signed_by(transaction, found.submitter):
            raise PeerError(f"a TLS report that {found.submitter or 'nobody'} has not signed")
        return None if found is None else pack(found, now)

    try:
        new = await context.work.thread(read)
    except PeerError as reason:
        log.info("no report that can be read", transaction=transaction.id, reason=str(reason))
        return None
    if new is None:
        return None
    hostname = context.hostname
    is_ours, keeps_mail = await context.work.read(
        lambda tx: (_is_ours(tx, new.domain), report_settings.read(tx, hostname).keeps_mail)
    )
    if not is_ours:
        log.info(
            "report on a domain that is not ours", transaction=transaction.id, domain=new.domain
        )
        return None

    def keep(tx: Write) -> None:
        if not tx.reports.keep(new, limits.kept):
            log.info("report came again", transaction=transaction.id, id=new.report_id)

    return Incoming(keep, not keeps_mail and len(takers) == len(addresses))


@lru_cache(maxsize=4_096)
def _may_take(localpart: str) -> bool:
    """Whether mail for such an address is looked at: one that is published for reports, or one of the postmaster.

    Users' own mail is none of our business here.
    """
    name = fold(localpart)
    cut = base_and_detail(name, "+")
    return (cut[0] if cut else name) in ROLES or name == POSTMASTER


def _is_signed(transaction: Transaction) -> bool:
    """Whether somebody stands for it: a report without a good signature is nobody's (RFC 8460 §3; RFC 9990 §3.5.2).

    Mail that was not judged comes from those whom we trust.
    """
    found = transaction.findings
    if found is None or found.dmarc.result == "pass":
        return True
    return any(_is_good(one) for one in found.dkim)


def _is_signed_by(transaction: Transaction, submitter: str) -> bool:
    """Whether the domain that makes the report has signed it, or one above or below it (RFC 8460 §3)."""
    found = transaction.findings
    if found is None:
        return True
    signers = [one.domain for one in found.dkim if _is_good(one)]
    return bool(submitter) and any(
        f".{submitter}".endswith(f".{signer}") or f".{signer}".endswith(f".{submitter}")
        for signer in signers
    )


def _is_good(one: DkimResult) -> bool:
    """Whether a signature may stand for a report."""
    return (one.result == "pass" or one.is_report) and not one.is_testing


def _is_ours(tx: Read, name: str) -> bool:
    """Whether *name* is a domain that we take mail for, or below one: policies may stand there, too."""
    while name:
        with suppress(NotFound):
            return not tx.domains.by_name(name).is_backup
        name = name.partition(".")[2]
    return False
