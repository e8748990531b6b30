"""Letters with reports on their way: into the queue, in the transaction that notes that they have left.

Spec: RFC 5321 §4.5.5; RFC 9990 §3.5.2; RFC 3461 §6.1.  Status: complete.

Their return path is null: nobody hears of a report that cannot be delivered, so no report makes other mail.  That they
are ours, their signature tells, which is aligned with From (RFC 9990 §3.5.2).
"""

from collections.abc import Sequence

from mailserver.directory.report_settings import Settings
from mailserver.directory.resolve import domain_for
from mailserver.mta.leave import LOCAL
from mailserver.mta.nexthop import REJECT, choose
from mailserver.mta.notify import Terms
from mailserver.mta.report_letters import Letter
from mailserver.mta.report_making import Made
from mailserver.mta.route import hops
from mailserver.mta.tls_required import is_waived
from mailserver.smtp.address import parse_mailbox
from mailserver.store.blobs import Prepared
from mailserver.store.queue_values import NewQueued, NewRecipient
from mailserver.store.report_counts import DAY
from mailserver.store.spool import body_of
from mailserver.store.tx import Write

UPLOAD_S = 86_400  #: a report is tried to be handed over for so long (RFC 8460 §5.5)


def leave(
    made: Made,
    settings: Settings,
    kind: str,
    domain: str,
    day: int,
    terms: Terms,
    tx: Write,
    *,
    trace: str,
) -> str:
    """What became of the report on *day*; "" if it had left before.

    The note that it has, its letter and its uploads are one commit.  A report for ourselves is kept at once.
    Raises TryLater where the queue is full.
    """
    outcome = ", ".join((*made.to, *made.uploads))
    if made.reason:
        outcome = f"{outcome}; {made.reason}" if outcome else f"nobody: {made.reason}"
    if not tx.reports.mark(kind, domain, day * DAY, made.report_id, outcome[:1_000]):
        return ""
    if made.letter is None:
        return outcome
    if made.to:
        leaving = post(tx, made.letter, settings.sender, made.to, terms, trace)
        if made.kept is not None and any(one.destination == LOCAL for one in leaving):
            tx.reports.keep(made.kept, terms.limits.reports.kept)
    until = tx.now + UPLOAD_S
    for uri in made.uploads:
        letter = made.letter
        tx.reports.upload(uri, letter.media_type, letter.packed, domain, expires_at=until)
    return outcome


def post(
    tx: Write, letter: Letter, sender: str, to: Sequence[str], terms: Terms, trace: str
) -> list[NewRecipient]:
    """Those of *to* that it leaves for.  Raises TryLater or LimitReached where the queue is full."""
    table = hops(tx, terms.smarthost)
    recipients = []
    for text in to:
        address = parse_mailbox(text)
        is_ours = _is_ours(tx, address.domain)
        destination = LOCAL if is_ours else choose(table, sender, address.domain)
        if destination != REJECT:
            recipients.append(
                NewRecipient(str(address), address.domain, destination, notify="NEVER")
            )
    if not recipients:
        return []
    blob = tx.blobs.put(Prepared(body_of(letter.data), letter.data, None, None))
    new = NewQueued(
        trace=trace,
        account=None,
        sender="",
        blob=blob,
        skip=0,
        prefix=b"",
        size=len(letter.data),
        origin="notice",
        notices_to="",
        is_8bit=not letter.data.isascii(),
        is_utf8=False,
        needs_tls=False,
        ret="",
        envid="",
        message_id=letter.message_id,
        subject=letter.subject,
        release_at=None,
        warn_at=None,
        expires_at=tx.now + round(terms.limits.queue.notice_expire_s),
        is_signable=True,
        waives_tls=is_waived(letter.data),
    )
    tx.queue.add(new, recipients)
    return recipients


def _is_ours(tx: Write, name: str) -> bool:
    domain = domain_for(tx, name)
    return domain is not None and domain.is_active and not domain.is_backup
