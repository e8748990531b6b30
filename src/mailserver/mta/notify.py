"""Where a notice goes: into a mailbox here or into the queue, in the transaction that makes it necessary.

Spec: RFC 3461 §5.2, §6.1; RFC 5321 §3.6.3, §6.1.  Status: complete.

`prepare` does the work, in any thread; `Notice.file` is for the write job that settles the recipients, so that a
recipient is never given up without its notice, nor twice.  Who has his mail forwarded gets notices here as well: it may
be the forward that failed.  A notice about a failure whose reader's mailbox is full or gone goes to the reader's
postmaster; one that nobody can get, and other kinds, are named in the log: nothing vanishes in silence, and no notice
makes another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailserver.base.errors import NotFound, OverQuota, PeerError
from mailserver.base.ids import BlobId
from mailserver.base.limits import Limits
from mailserver.base.log import Log
from mailserver.directory.resolve import POSTMASTER, Why
from mailserver.mime.derived import Derived
from mailserver.mime.scan import derive
from mailserver.mta import bounce, nexthop
from mailserver.mta.nexthop import Hops
from mailserver.mta.notice import Kind, Original, Recipient, Returned, wants_whole
from mailserver.mta.route import NoRoute, Target, route
from mailserver.smtp.address import Address, parse_mailbox
from mailserver.store.blobs import Prepared
from mailserver.store.queue_values import NewQueued, NewRecipient
from mailserver.store.spool import body_of
from mailserver.store.tx import Write


@dataclass(frozen=True, slots=True)
class Terms:
    """What all notices of a server have in common."""

    hostname: str
    limits: Limits
    hops: Hops


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that is ready to be filed.

    id:   its own name in the queue and the log.      about: the trace of the message it is about.
    data: as it will be stored; its first *skip* octets are for mailboxes here only.
    """

    id: str
    kind: Kind
    about: str
    reader: Address
    data: bytes
    skip: int
    derived: Derived
    terms: Terms
    needs_tls: bool

    def file(self, tx: Write) -> None:
        """Into the reader's INBOX or the queue, as the directory is now; or to postmaster, or into the log."""
        log = Log("notice", id=self.id, about=self.about, kind=str(self.kind))
        reader = str(self.reader)
        found = route(tx, self.reader, self.terms.hostname, tx.now)
        body = body_of(self.data)
        blob = tx.blobs.put(Prepared(body, self.data, None, None))
        if isinstance(found, NoRoute) and found.why in (Why.ELSEWHERE, Why.BACKUP):
            if self._queue(tx, blob, self.reader):
                log.info("notice queued", to=reader)
            else:
                log.warning("notice dropped: no mail goes there", to=reader)
            return
        why = ""
        if isinstance(found, NoRoute):
            why = found.why.value
        else:
            is_filed = self._place(tx, blob, found.targets + found.passing)
            sent = [self._queue(tx, blob, remote.address) for remote in found.remotes]
            if is_filed or any(sent):
                log.info("notice filed", to=reader, queued=sum(sent))
                return
            why = "no room in the mailbox"
        if self.kind is Kind.FAILED:
            hostname = self.terms.hostname
            postmaster = route(tx, Address(POSTMASTER, self.reader.domain), hostname, tx.now)
            if isinstance(postmaster, NoRoute):
                postmaster = route(tx, Address(POSTMASTER, ""), hostname, tx.now)
            if not isinstance(postmaster, NoRoute) and self._place(tx, blob, postmaster.targets):
                log.warning("notice filed for postmaster instead", to=reader, why=why)
                return
        log.warning("notice dropped", to=reader, why=why)

    def _place(self, tx: Write, blob: BlobId, targets: Sequence[Target]) -> bool:
        """Whether at least one of *targets* has it now."""
        placed = False
        for target in targets:
            try:
                tx.messages.add(
                    target.account, target.mailbox, blob, self.derived, internal_at=tx.now
                )
            except (OverQuota, NotFound):
                continue
            placed = True
        return placed

    def _queue(self, tx: Write, blob: BlobId, to: Address) -> bool:
        """Whether it waits to be sent to *to*; it is never a reason for a further notice (RFC 3461 §6.1)."""
        ours = f"{POSTMASTER}@{self.terms.hostname}"
        destination = nexthop.choose(self.terms.hops, ours, to.domain)
        if destination == nexthop.REJECT:
            return False
        new = NewQueued(
            trace=self.id,
            account=None,
            sender="",
            blob=blob,
            skip=self.skip,
            prefix=b"",
            size=len(self.data) - self.skip,
            origin="notice",
            notices_to="",
            is_8bit=not self.data.isascii(),
            is_utf8=not to.is_ascii,
            needs_tls=self.needs_tls,
            ret="",
            envid="",
            message_id=self.derived.message_id,
            subject=self.derived.subject,
            release_at=None,
            warn_at=None,
            expires_at=tx.now + round(self.terms.limits.queue.notice_expire_s),
        )
        tx.queue.add(new, [NewRecipient(str(to), to.domain, destination, notify="NEVER")])
        return True


def returned(
    kind: Kind,
    original: Original,
    size: int,
    read: Callable[[int, int], bytes],
    limits: Limits,
) -> Returned:
    """What comes back of a message of *size* octets; read(offset, length) gives octets of it, as it leaves or came.

    All of it up to limits.queue.returned_size, or else its header, as far as that many octets hold it.
    """
    most = limits.queue.returned_size
    is_whole = wants_whole(kind, original, size, most)
    return Returned(read(0, size if is_whole else min(size, most)), is_whole)


def prepare(
    kind: Kind,
    original: Original,
    recipients: Sequence[Recipient],
    returned: Returned,
    terms: Terms,
    *,
    id: str,
    now: int,
) -> Notice | None:
    """The notice about *recipients*, or None if nobody is to get one.

    id: a token that no other message has; now: UTC epoch seconds.
    """
    report = bounce.report(
        kind, original, recipients, returned, hostname=terms.hostname, id=id, now=now
    )
    if report is None:
        return None
    try:
        reader = parse_mailbox(original.reader)
    except PeerError:
        Log("notice", id=id, about=original.trace).warning("notice dropped: no address to send to")
        return None
    head = f"Return-Path: <>\r\nDelivered-To: {reader}\r\n".encode()
    data = head + report
    derived = derive(data, terms.limits.mime)
    return Notice(
        id, kind, original.trace, reader, data, len(head), derived, terms, original.needs_tls
    )
