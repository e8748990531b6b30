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
from mailserver.base.ids import AccountId, BlobId
from mailserver.base.limits import Limits
from mailserver.base.log import Log
from mailserver.directory.resolve import POSTMASTER, Why
from mailserver.directory.senders import may_send_as
from mailserver.mime.derived import Derived
from mailserver.mime.scan import derive
from mailserver.mta import authors, bounce
from mailserver.mta.nexthop import REJECT, choose
from mailserver.mta.notice import Kind, Original, Recipient, Returned, wants_whole
from mailserver.mta.route import NoRoute, Target, route
from mailserver.mta.route import hops as route_hops
from mailserver.smtp.address import Address, parse_mailbox
from mailserver.store.blobs import Prepared
from mailserver.store.queue_values import NewQueued, NewRecipient
from mailserver.store.spool import body_of
from mailserver.store.tx import Write


@dataclass(frozen=True, slots=True)
class Terms:
    """What all notices of a server have in common.

    smarthost: the configuration's, as `route.hops` wants it.
    """

    hostname: str
    limits: Limits
    smarthost: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that is ready to be filed, or an answer, which goes the same ways.

    kind: None of an answer.
    id:   its own name in the queue and the log.      about: the trace of the message it is about.
    sender: the reverse-path; "" of notices, and of answers.
    forwarder: the account that sends somebody else's message on by it, within its part of the queue; None: none does.
    data: as it will be stored; its first *skip* octets are for mailboxes here only.
    is_signable: this server wrote it, so that it may be signed.
    written_by:  the account that did; it may be signed if From names addresses that are the account's to use.
    """

    id: str
    kind: Kind | None
    about: str
    reader: Address
    data: bytes
    skip: int
    derived: Derived
    terms: Terms
    needs_tls: bool
    is_signable: bool = False
    written_by: AccountId | None = None
    sender: str = ""
    forwarder: AccountId | None = None

    def file(self, tx: Write) -> None:
        """Into the reader's INBOX or the queue, as the directory is now; or to postmaster, or into the log."""
        log = Log("notice", id=self.id, about=self.about, kind=str(self.kind or "answer"))
        blob = tx.blobs.put(Prepared(body_of(self.data), self.data, None, None))
        why = self._send(tx, blob, self.reader)
        if not why:
            log.info("notice sent", to=str(self.reader))
            return
        if self.kind is Kind.FAILED:
            for domain in dict.fromkeys((self.reader.domain, "")):
                if not self._send(tx, blob, Address(POSTMASTER, domain), is_here=True):
                    log.warning("notice sent to postmaster instead", to=str(self.reader), why=why)
                    return
        log.warning("notice dropped", to=str(self.reader), why=why)

    def _send(self, tx: Write, blob: BlobId, to: Address, *, is_here: bool = False) -> str:
        """Why it did not reach anybody there; "" if it did.  is_here: only mailboxes of ours count.

        An account that forwards its mail finds it in its own INBOX: what went wrong may be that very forward.
        """
        found = route(tx, to, self.terms.hostname, tx.now)
        if isinstance(found, NoRoute):
            if is_here or found.why not in (Why.ELSEWHERE, Why.BACKUP):
                return found.why.value
            return "" if self._queue(tx, blob, [to]) else Why.REJECTED.value
        has_it = [self._place(tx, blob, target) for target in (*found.targets, *found.passing)]
        aliased = [remote.address for remote in found.remotes if remote.account is None]
        is_queued = bool(aliased) and not is_here and self._queue(tx, blob, aliased)
        return "" if any(has_it) or is_queued else "no room in the mailbox"

    def _place(self, tx: Write, blob: BlobId, target: Target) -> bool:
        """Whether the target has it now."""
        try:
            tx.messages.add(target.account, target.mailbox, blob, self.derived, internal_at=tx.now)
        except (OverQuota, NotFound):
            return False
        return True

    def _is_by_its_author(self, tx: Write) -> bool:
        if self.written_by is None:
            return False
        found = authors.read(self.data[self.skip : self.derived.header_size])
        return (found.from_fields, bool(found.addresses), found.broken) == (1, True, ()) and all(
            may_send_as(tx, self.written_by, address, self.terms.hostname)
            for address in found.addresses
        )

    def _queue(self, tx: Write, blob: BlobId, to: Sequence[Address]) -> bool:
        """Whether it waits to be sent; it is never a reason for a further notice (RFC 3461 §6.1)."""
        hops = route_hops(tx, self.terms.smarthost)
        ours = f"{POSTMASTER}@{self.terms.hostname}"
        recipients = [
            NewRecipient(str(address), address.domain, destination, notify="NEVER")
            for address in to
            if (destination := choose(hops, ours, address.domain)) != REJECT
        ]
        if not recipients:
            return False
        new = NewQueued(
            trace=self.id,
            account=self.forwarder,
            sender=self.sender,
            blob=blob,
            skip=self.skip,
            prefix=b"",
            size=len(self.data) - self.skip,
            origin="notice" if self.forwarder is None else "forwarded",
            notices_to="",
            is_8bit=not self.data.isascii(),
            is_utf8=not all(address.is_ascii for address in (self.reader, *to)),
            needs_tls=self.needs_tls,
            ret="",
            envid="",
            message_id=self.derived.message_id,
            subject=self.derived.subject,
            release_at=None,
            warn_at=None,
            expires_at=tx.now + round(self.terms.limits.queue.notice_expire_s),
            is_signable=self.is_signable or self._is_by_its_author(tx),
        )
        tx.queue.add(new, recipients)
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


def letter(
    id: str,
    about: str,
    reader: Address,
    message: bytes,
    terms: Terms,
    *,
    sender: str = "",
    written_by: AccountId | None = None,
) -> Notice:
    """*message*, which goes the way of notices: an answer, a notification; written_by: None: the server wrote it."""
    head = f"Return-Path: <{sender}>\r\nDelivered-To: {reader}\r\n".encode()
    data = head + message
    return Notice(
        id,
        None,
        about,
        reader,
        data,
        len(head),
        derive(data, terms.limits.mime),
        terms,
        needs_tls=False,
        is_signable=written_by is None,
        written_by=written_by,
        sender=sender,
    )


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
        id,
        kind,
        original.trace,
        reader,
        data,
        len(head),
        derived,
        terms,
        original.needs_tls,
        is_signable=True,
    )
