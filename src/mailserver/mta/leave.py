"""What of a message leaves: for each way it takes, a message for the queue with its recipients.

Spec: RFC 5321 §3.9.1, §6.3; RFC 3461 §5.2.7.4; RFC 4865 §4; RFC 9228 §4.  Status: complete.

What a user sends elsewhere leaves under his own address, with the notices he asked for.  What an alias or a forward
passes on leaves with a Delivered-To of the address that does, by which it is known should it come back; its sender is
rewritten to an address of ours unless it is that of a user of ours, and failures are told to whose forward it is.  The
addresses it goes to are nobody else's business, so requests for notices end here, as with a mailing list.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from mailserver.base.ids import AccountId, BlobId
from mailserver.base.limits import QueueLimits
from mailserver.mime.derived import Head
from mailserver.mime.headers import FIELD, unfold
from mailserver.mta import srs
from mailserver.mta.nexthop import Hops, choose
from mailserver.mta.route import Remote
from mailserver.smtp.address import Address
from mailserver.smtp.events import Recipient
from mailserver.store.queue_values import AtOnce, Entered, NewQueued, NewRecipient
from mailserver.store.tx import Write

LOCAL = "local"  #: the destination of what waits for its time and is for ours
LATER = BlobId(0)  #: stands in NewQueued until the body is in the store


class Leaving(NamedTuple):
    """A message for the queue, and who gets it.

    token: stands for the sender in what became of his address, and must be kept with him; "": it is all there.
    """

    message: NewQueued
    recipients: list[NewRecipient]
    token: str = ""
    sender: str = ""


class Departure(NamedTuple):
    """One recipient elsewhere: where the copy goes, and what the client said of it if it named it itself."""

    remote: Remote
    said: Recipient | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same for all ways that a message takes.

    sender:   None: the null reverse-path.       account: who submits it; None: another server.
    size:     octets in the store, of which the first *skip* stay there.
    now:      UTC epoch seconds.                 release_at: not before; None: at once.
    is_edited: a script has changed its header, so that nobody knows whom From names.
    waives_tls: see `tls_required`; REQUIRETLS outweighs it (RFC 8689 §4.1).
    """

    trace: str
    account: AccountId | None
    sender: Address | None
    skip: int
    size: int
    is_8bit: bool
    is_utf8: bool
    needs_tls: bool
    ret: str
    envid: str
    now: int
    release_at: int | None = None
    is_edited: bool = False
    waives_tls: bool = False


def put(
    tx: Write, leaving: Iterable[Leaving], blob: BlobId, at_once: AtOnce | None = None
) -> list[Entered]:
    """Into the queue, with *blob* as their body; claimed are they where the queue's runner carries them *at_once*.

    Raises TryLater or LimitReached if it is full, NotFound if the account has gone whose mail or forward it is.
    """
    queued = []
    for one in leaving:
        queued.append(tx.queue.enter(one.message._replace(blob=blob), one.recipients, at_once))
        if one.token:
            tx.senders.keep(one.token, one.sender)
    return queued


def leaving(
    envelope: Envelope,
    departures: Iterable[Departure],
    derived: Head,
    hops: Hops,
    key: bytes,
    limits: QueueLimits,
) -> list[Leaving]:
    """For each way the message takes, what the queue is given by `put`.  key: of `srs`."""
    ways: dict[tuple[Address | None, AccountId | None, str | None, bool], list[Departure]] = {}
    for departure in departures:
        remote = departure.remote
        way = remote.forwarder, remote.account, remote.notices_to, remote.is_ours
        ways.setdefault(way, []).append(departure)
    found = []
    for (forwarder, _, _, is_ours), group in ways.items():
        sender, token = _sender(envelope, None if is_ours else forwarder, key)
        to = [_recipient(departure, sender, hops) for departure in group]
        new = _message(envelope, group[0].remote, sender, derived, limits)
        is_ascii = all(name.isascii() for name in (sender, *(one.address for one in to)))
        new = new._replace(is_utf8=new.is_utf8 or not is_ascii)
        found.append(Leaving(new, to, token, str(envelope.sender) if token else ""))
    return found


def held_back(
    envelope: Envelope,
    recipients: Iterable[tuple[Recipient, bool]],
    derived: Head,
    hops: Hops,
    limits: QueueLimits,
) -> Leaving:
    """What the queue is given of a message that a user sends later: *recipients*, each with whether it is ours.

    Ours are routed when the time has come (`release`); until then nobody knows whom an alias will stand for.
    """
    sender, _ = _sender(envelope, None, b"")
    to = [_waiting(said, is_ours, sender, hops) for said, is_ours in recipients]
    return Leaving(_message(envelope, None, sender, derived, limits), to)


def _waiting(said: Recipient, is_ours: bool, sender: str, hops: Hops) -> NewRecipient:
    to = said.address
    if is_ours and to.domain.startswith("["):  # our own literal, which means the home domain
        to = Address(to.localpart, "")
    destination = LOCAL if is_ours else choose(hops, sender, to.domain)
    return NewRecipient(str(to), to.domain, destination, said.original, said.notify)


def _message(
    envelope: Envelope, remote: Remote | None, sender: str, derived: Head, limits: QueueLimits
) -> NewQueued:
    forwarder = remote.forwarder if remote is not None else None
    is_submitted = forwarder is None and envelope.account is not None
    prefix = f"Delivered-To: {_mark(forwarder)}\r\n".encode() if forwarder is not None else b""
    owner = remote.account if remote is not None else None
    start = max(envelope.now, envelope.release_at or 0)
    return NewQueued(
        trace=envelope.trace,
        account=envelope.account if is_submitted else owner,
        sender=sender,
        blob=LATER,
        skip=envelope.skip,
        prefix=prefix,
        size=len(prefix) + envelope.size - envelope.skip,
        origin="submitted" if is_submitted else "forwarded",
        notices_to=remote.notices_to if remote is not None else None,
        is_8bit=envelope.is_8bit,
        is_utf8=envelope.is_utf8,
        needs_tls=envelope.needs_tls,
        ret=envelope.ret if forwarder is None else "",
        envid=envelope.envid if forwarder is None else "",
        message_id=derived.message_id,
        subject=derived.subject,
        release_at=envelope.release_at,
        warn_at=start + int(limits.warn_after_s),
        expires_at=start + int(limits.expire_s),
        is_signable=envelope.account is not None and not envelope.is_edited,
        waives_tls=envelope.waives_tls and not envelope.needs_tls,
    )


def _sender(envelope: Envelope, forwarder: Address | None, key: bytes) -> tuple[str, str]:
    """What goes into MAIL, and the token in it."""
    if envelope.sender is None:
        return "", ""
    if forwarder is None or envelope.account is not None:
        return str(envelope.sender), ""
    rewritten = srs.rewrite(envelope.sender, forwarder.domain, key, envelope.now)
    return str(rewritten.address), rewritten.token


def _recipient(departure: Departure, sender: str, hops: Hops) -> NewRecipient:
    remote, said = departure
    to = remote.address
    original, notify = (said.original, said.notify) if said is not None else ("", "")
    destination = LOCAL if remote.is_ours else choose(hops, sender, to.domain)
    return NewRecipient(str(to), to.domain, destination, original, notify)


_MENTIONED = re.compile(rb"^delivered-to[ \t]*:", re.IGNORECASE | re.MULTILINE)


def loops(header: bytes, departures: Iterable[Departure]) -> Address | None:
    """The address of ours that shall pass the message on and did so before: *header* says so (RFC 9228 §4)."""
    forwarders = {
        _mark(forwarder): forwarder
        for departure in departures
        if (forwarder := departure.remote.forwarder) is not None
    }
    if not forwarders or not _MENTIONED.search(header):
        return None
    for m in FIELD.finditer(header):
        if m[1] is not None and m[1].lower() == b"delivered-to":
            text = unfold(m[2]).strip().strip(b"<>").decode("utf-8", "replace")
            if found := forwarders.get(text.lower()):
                return found
    return None


def _mark(forwarder: Address) -> str:
    """How Delivered-To names it: in ASCII and lower case, so that no next hop must be able to do more for our sake."""
    text = str(forwarder).lower()
    return text if text.isascii() else quote(text, safe="@+-_.!#$&'*/=?^`{|}~").lower()
