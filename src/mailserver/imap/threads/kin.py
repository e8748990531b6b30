"""What the messages of a mailbox say of each other: message-ids, references, subjects and dates, as plain numbers.

Spec: RFC 5256 §2.2, §3.  Status: complete.

None of it ever changes, so what was read once stays right, and only new messages have to be read.
"""

from array import array
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from mailserver.base.errors import Expunged, MailError
from mailserver.base.ids import MailboxId, MessageId
from mailserver.imap.conversation import Effect, Read, Send, Thread, Write
from mailserver.imap.progress import Progress
from mailserver.imap.searching.run import Scope
from mailserver.imap.session import Session
from mailserver.imap.threads.kins import Kin
from mailserver.mime.collation import collated
from mailserver.mime.scan import derive_ancestry
from mailserver.mime.subjects import is_reply
from mailserver.mime.threads import unpack_ancestry
from mailserver.store.tx import Read as ReadTx
from mailserver.store.tx import Write as WriteTx

#: messages that are read in one transaction
ROWS: Final = 4_000

#: octets of headers that are read in one transaction, of messages from before ancestries were stored
OCTETS: Final = 2_097_152

#: octets of one header that are read
_HEADER: Final = 1_048_576

#: what is known of the whole mailbox is used, and kept, if this part of it or more is threaded
_WORTH: Final = 4

_COLUMNS: Final = (
    "uid",
    "message",
    "ancestry",
    "sent_at",
    "internal_at",
    "subject",
    "base_subject",
    "blob",
    "header_size",
)


class _Part(NamedTuple):
    """What one transaction read.

    rows:  columns of a Kin, of the messages that are there.      taken: of how many that were asked for it is.
    fresh: ancestries that were not stored.
    """

    rows: Kin
    taken: int
    fresh: Mapping[MessageId, bytes]


def kin_of(
    session: Session, scope: Scope, found: Sequence[int], progress: Progress
) -> Generator[Effect, Any, tuple[Kin, "array[int]"]]:
    """What is known of messages, and where in it those at the places *found* are, without those that are gone."""
    kins = session.server.kins
    key = scope.mailbox, session.view.uidvalidity
    known = kins.get(key)
    if known is None and len(found) * _WORTH < len(scope.uids):
        some = array("I", [scope.uids[place] for place in found])
        kin = yield from _read_all(session, scope.mailbox, Kin(), some, progress, len(scope.uids))
        return kin, array("I", range(len(kin.uids)))
    if known is None or len(known.uids) > 2 * len(scope.uids) + 1_000:  # much of it is gone
        known = Kin()
    last = known.uids[-1] if known.uids else 0
    if scope.uids and scope.uids[-1] > last:
        new = scope.uids[scope.first_after(last) :]
        known = yield from _read_all(
            session, scope.mailbox, known.copy(), new, progress, len(scope.uids)
        )
    kins.put(key, known, session.limits.threaded_messages)
    if len(found) <= ROWS:
        return known, known.rows_of(scope.uids, found)
    rows: array[int] = yield Thread(partial(known.rows_of, scope.uids, found))
    return known, rows


def _read_all(
    session: Session,
    mailbox: MailboxId,
    kin: Kin,
    uids: Sequence[int],
    progress: Progress,
    done: int,
) -> Generator[Effect, Any, Kin]:
    """*kin* with the messages *uids*, which ascend and come after all that are in it."""
    at = 0
    while at < len(uids):
        part: _Part = yield Read(partial(_read, mailbox, uids[at : at + ROWS]))
        kin.extend(part.rows)
        if part.fresh:
            yield from _keep(session, part.fresh)
        at += part.taken
        if said := progress.due(done + at):
            yield Send(said)
    return kin


def _keep(session: Session, fresh: Mapping[MessageId, bytes]) -> Generator[Effect, Any, None]:
    """Store what had to be derived; whether that can be done now changes nothing for the client."""

    def job(tx: WriteTx) -> None:
        tx.messages.keep_ancestry(fresh)

    try:
        yield Write(job, is_pure=True)
    except MailError as error:
        session.log.warning("cannot keep ancestries", messages=len(fresh), reason=str(error))


def _read(mailbox: MailboxId, uids: Sequence[int], tx: ReadTx) -> _Part:
    kin = Kin()
    fresh: dict[MessageId, bytes] = {}
    left = OCTETS
    for uid, message, packed, sent, arrived, subject, base, blob, size in tx.messages.rows(
        mailbox, uids, *_COLUMNS
    ):
        if packed is None:
            if left <= 0:
                return _Part(kin, uids.index(uid), fresh)
            try:
                header = tx.blobs.read(blob, 0, min(size, _HEADER))
            except Expunged:
                continue
            left -= len(header)
            packed = fresh[message] = derive_ancestry(header)
        kin.add(
            uid,
            unpack_ancestry(packed),
            arrived if sent is None else sent,
            (hash(collated(base)) or 1) if base else 0,
            subject != base and is_reply(subject),
        )
    return _Part(kin, len(uids), fresh)
