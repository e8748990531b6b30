"""What the queue takes and hands out: values of named fields, never rows.

Times are UTC epoch seconds, sizes are octets.
"""

from typing import NamedTuple

from mailserver.base.ids import AccountId, BlobId, DestinationId, QueuedId, RecipientId

PENDING = "pending"  #: no attempt yet
CLAIMED = "claimed"  #: an attempt is under way
DEFERRED = "deferred"  #: it failed for now
HELD = "held"  #: waits for an administrator, and does not expire meanwhile
DELIVERED = "delivered"  #: the next hop has taken it
FAILED = "failed"  #: for good
EXPIRED = "expired"  #: it failed for now, for too long
CANCELLED = "cancelled"  #: by an administrator, without a notice

OPEN = (PENDING, CLAIMED, DEFERRED, HELD)
FINAL = (DELIVERED, FAILED, EXPIRED, CANCELLED)

MOST_RECIPIENTS = (
    100  #: of one message that one claim hands out; what every server takes (RFC 5321 §4.5.3.1.8)
)


class NewQueued(NamedTuple):
    """A message that shall leave.  What leaves is *prefix* and then the blob without its first *skip* octets."""

    trace: str  # Transaction.id, as in the Received field and in the 250 reply
    account: AccountId | None  # who submitted it, or whose forward it is
    sender: str  # "": null reverse-path
    blob: BlobId
    skip: int
    prefix: bytes
    size: int  # what leaves
    origin: str  # "submitted", "forwarded", "notice", "released"
    notices_to: str | None  # address that gets notices; None: the sender; "": nobody
    is_8bit: bool  # BODY=8BITMIME (RFC 6152)
    is_utf8: bool  # SMTPUTF8 (RFC 6531)
    needs_tls: bool  # REQUIRETLS (RFC 8689)
    ret: str  # "FULL", "HDRS", "" (RFC 3461 §4.3)
    envid: str  # RFC 3461 §4.4, decoded
    message_id: str
    subject: str
    release_at: int | None  # not before (RFC 4865)
    warn_at: int | None  # from then on a deferred recipient is worth a delay notice
    expires_at: int
    is_signable: bool = (
        False  # whoever its From names was checked, or we wrote it: it may be signed
    )
    waives_tls: bool = False  # TLS-Required: No (RFC 8689)


class NewRecipient(NamedTuple):
    """One of its recipients, and the next hop that was chosen for it."""

    address: str
    domain: str
    destination: str  # a destination's name
    original: str = ""  # ORCPT, decoded: "rfc822;alice@example.org" (RFC 3461 §4.2)
    notify: str = ""  # "NEVER", "SUCCESS,FAILURE,DELAY" (RFC 3461 §4.1); "": not said


class Queued(NamedTuple):
    """A message in the queue; the fields of NewQueued mean the same here."""

    id: QueuedId
    trace: str
    account: AccountId | None  # None also when the account was removed
    sender: str
    blob: BlobId | None  # None once every recipient is final
    skip: int
    prefix: bytes
    size: int
    origin: str
    notices_to: str | None
    is_8bit: bool
    is_utf8: bool
    needs_tls: bool
    ret: str
    envid: str
    message_id: str  # cut to 998 characters
    subject: str  # cut to 200 characters
    created_at: int
    release_at: int | None
    warn_at: int | None
    expires_at: int
    open: int  # recipients that are not final
    closed_at: int | None
    is_signable: bool = False
    waives_tls: bool = False


class QueuedRecipient(NamedTuple):
    """One recipient of a message in the queue."""

    id: RecipientId
    queued: QueuedId
    address: str
    domain: str
    destination: DestinationId
    state: str  # one of OPEN or FINAL
    due_at: int | None  # None unless pending or deferred
    attempts: int
    original: str
    notify: str
    held_by: (
        str  # "administrator", "rule 3", ""; of a claimed one: it is held once its attempt is over
    )
    status: str  # of the last attempt: "4.4.1"
    reply: str
    warned_at: int | None  # when its delay notice was made
    changed_at: int


class Destination(NamedTuple):
    """A next hop and how it is doing."""

    id: DestinationId
    name: str  # "example.org", "[192.0.2.1]", "smtp:HOST:PORT", "lmtp:HOST:PORT", "local"
    due_at: int | None  # nothing is claimed before; None: nothing waits
    backoff_until: int | None
    paused_at: int | None
    failures: int  # attempts in a row that reached no host
    failed_since: int | None
    last_error: str


class Claimed(NamedTuple):
    """A message to send now, with those of its recipients that go to one destination."""

    queued: Queued
    destination: DestinationId
    recipients: tuple[QueuedRecipient, ...]  # by id; at least one, at most MOST_RECIPIENTS


class AtOnce(NamedTuple):
    """What a runner would carry at once: `enter` claims it for him as it comes.

    runner: the name he took the queue over with (`take_over`); who was followed by another gets nothing.
    """

    runner: str
    destinations: frozenset[str]  # by their names


class Entered(NamedTuple):
    """A message in the queue, and what of it is claimed already, as `claim` would have handed it out."""

    id: QueuedId
    claimed: list[Claimed]


class Attempt(NamedTuple):
    """One try to hand a message over for one recipient."""

    at: int
    duration_ms: int
    host: str  # "": none was reached
    address: str
    tls: str  # "TLSv1.3 TLS_AES_256_GCM_SHA384"; "": none
    code: int  # 0: no reply
    status: str
    reply: str  # kept up to 1,000 characters


class Result(NamedTuple):
    """What became of a claimed recipient."""

    recipient: RecipientId
    state: str  # DELIVERED, DEFERRED, FAILED or EXPIRED
    due_at: int | None  # of a deferred one: not before; None otherwise
    attempt: Attempt | None  # None: it was given back without a try, and none is counted


class Settled(NamedTuple):
    """What a result changed."""

    recipient: RecipientId
    queued: QueuedId
    state: str  # as it is now
    took: bool  # the result took effect: it is worth a notice; False: it was cancelled or held meanwhile
    closed: bool  # no recipient of the message is open any more
