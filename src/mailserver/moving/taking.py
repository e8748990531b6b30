"""Mail from a source into an account: batches that are one commit each, nothing twice, UIDs kept where they are free.

Spec: RFC 9051 §2.3.1.1 (UIDs); RFC 5788 §2 (keywords).  Status: complete.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mailserver.base.errors import Cannot, LimitReached, NotFound, OverQuota
from mailserver.base.ids import AccountId, MailboxId, Uid, UidValidity
from mailserver.base.limits import ImapLimits, MimeLimits
from mailserver.mime.derived import Derived
from mailserver.mime.scan import derive
from mailserver.moving.mail import Box, Mail, Source, Unreadable
from mailserver.store.blobs import Prepared
from mailserver.store.moved import Place
from mailserver.store.spool import Spool
from mailserver.store.store import Store
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account, Mailbox

ROWS: Final = 200  #: messages of one commit; whoever delivers waits no longer than for these
SIZE: Final = 8_388_608  #: octets of one commit
MEMORY: Final = 262_144  #: octets of a message in memory; more go through a file
REPORT_S: Final = 2.0


@dataclass(slots=True)
class Result:
    """What became of it all.  failed: a line for each message that was left out."""

    mailboxes: int = 0
    taken: int = 0
    known: int = 0
    failed: list[str] = field(default_factory=list)


class _Ready(NamedTuple):
    """A message that can be filed."""

    mail: Mail
    prepared: Prepared
    derived: Derived


class _Target(NamedTuple):
    """Where a mailbox's mail goes.

    keeps_uids:  its UIDVALIDITY is the source's.
    uidnext:     of the mailbox before anything came.
    compares:    the source has changed its UIDs: look whether a message is there already, by its octets.
    """

    mailbox: MailboxId
    name: str
    place: Place
    keeps_uids: bool
    uidnext: int
    compares: bool


class Taker:
    """Takes mail into *account*; `report` hears lines about the progress."""

    def __init__(
        self,
        store: Store,
        account: Account,
        report: Callable[[str], None],
        *,
        imap: ImapLimits | None = None,
        mime: MimeLimits | None = None,
    ) -> None:
        self._store, self._account, self._report = store, account, report
        self._limits = imap or ImapLimits()
        self._mime = mime or MimeLimits()
        self._threshold: int = store.read_now(
            lambda tx: tx.domains.get(account.domain_id).blob_threshold
        )
        self._told = self._begun = time.monotonic()
        self.result = Result()

    def everything(self, source: Source) -> Result:
        """All that *source* has.  Raises OverQuota, Cannot, TryLater; what was taken by then stays."""
        for box in source.boxes():
            self.box(source, box)
        return self.result

    def box(self, source: Source, box: Box) -> None:
        """What *source* has in *box* and has not given yet."""
        target = self.target(source.name, box)
        if target is None:
            return
        done = self._store.read_now(lambda tx: tx.moved.done(self._account.id, target.place))
        self.result.known += len(done)
        self.take(target, source.mail(box, done))
        if target.keeps_uids and box.uidnext:
            self._store.write_now(lambda tx: tx.moved.skip_to(target.mailbox, Uid(box.uidnext)))
        self.result.mailboxes += 1

    def target(self, source: str, box: Box) -> "_Target | None":
        """Where mail of *box* goes, made if it is not there; None where there can be no such mailbox."""
        place = Place(source, box.folder, box.uidvalidity)
        account = self._account.id

        def job(tx: Write) -> _Target:
            mailbox = _mailbox(tx, account, box)
            keeps = bool(box.uidvalidity) and tx.moved.adopt(
                mailbox.id, UidValidity(box.uidvalidity)
            )
            if box.is_subscribed:
                tx.mailboxes.subscribe(account, mailbox.name)
            compares = tx.moved.was_otherwise(account, place)
            return _Target(mailbox.id, mailbox.name, place, keeps, mailbox.uidnext, compares)

        try:
            return self._store.write_now(job)
        except (Cannot, LimitReached) as error:
            self._fail(box.name, str(error))
            return None

    def take(self, target: "_Target", mails: Iterable[Mail]) -> None:
        """File *mails*; those that cannot be read are left out, with a line."""
        batch: list[_Ready] = []
        size = 0
        try:
            for mail in mails:
                try:
                    ready = self._ready(mail)
                except Unreadable as error:
                    self._fail(mail.label, str(error))
                    continue
                batch.append(ready)
                size += ready.prepared.size
                if len(batch) >= ROWS or size >= SIZE:
                    self._commit(target, batch)
                    batch, size = [], 0
            self._commit(target, batch)
            batch = []
        finally:
            for ready in batch:
                ready.prepared.discard()

    def _ready(self, mail: Mail) -> _Ready:
        spool = Spool(self._store.spool_folder, MEMORY)
        try:
            for piece in mail.octets():
                spool.write(piece)
            body = spool.finish()
        finally:
            spool.discard()
        try:
            if not body.size:
                raise Unreadable("is empty")
            derived = derive(body.view(), self._mime)
            return _Ready(mail, self._store.prepare(body, self._threshold), derived)
        finally:
            body.discard()

    def _commit(self, target: "_Target", batch: Sequence[_Ready]) -> None:
        if not batch:
            return
        try:
            try:
                taken = self._store.write_now(lambda tx: self._file(tx, target, batch))
            except LimitReached as error:  # of keywords
                self._report(f"{target.name}: {error} They are left out.")
                bare = [_without_keywords(ready) for ready in batch]
                taken = self._store.write_now(lambda tx: self._file(tx, target, bare))
        except OverQuota:
            raise OverQuota(
                f"{self._account.address} has no room for more; {self.result.taken} messages are here. Give it a larger"
                " quota and run the command again, it goes on where it stopped"
            ) from None
        finally:
            for ready in batch:
                ready.prepared.discard()
        self.result.taken += taken
        self.result.known += len(batch) - taken
        now = time.monotonic()
        if now - self._told > REPORT_S:
            self._told = now
            rate = self.result.taken / max(now - self._begun, 0.001)
            self._report(f"{target.name}: {self.result.taken} messages so far, {rate:.0f} a second")

    def _file(self, tx: Write, target: "_Target", batch: Sequence[_Ready]) -> int:
        """How many were new."""
        taken = 0
        for mail, prepared, derived in batch:
            if target.compares and tx.moved.holds(target.mailbox, prepared.sha256):
                continue
            if target.keeps_uids and mail.uid:
                if mail.uid < target.uidnext and tx.moved.is_at(
                    target.mailbox, Uid(mail.uid), prepared.sha256
                ):
                    continue  # what was exported is still there
                tx.moved.skip_to(target.mailbox, Uid(mail.uid))
            tx.messages.add(
                self._account.id,
                target.mailbox,
                tx.blobs.put(prepared),
                derived,
                flags=mail.flags,
                keywords=[w for w in mail.keywords if _is_keyword(w, self._limits)],
                internal_at=mail.internal_at,
            )
            taken += 1
        tx.moved.note(self._account.id, target.place, [ready.mail.key for ready in batch])
        tx.mailboxes.claim_recent(target.mailbox)
        return taken

    def _fail(self, label: str, reason: str) -> None:
        line = f"{label}: {reason}"
        self.result.failed.append(line)
        self._report(f"left out: {line}")


def account_of(tx: Read, localpart: str, domain: str) -> Account:
    """The account to move mail of.  Raises NotFound."""
    account = tx.accounts.by_address(localpart, domain)
    if account is None:
        raise NotFound(f"no user {localpart}@{domain}")
    return account


def _mailbox(tx: Write, account: AccountId, box: Box) -> Mailbox:
    """The mailbox of this name, or the one for the same use, or a new one."""
    use = box.special_use
    used = {m.special_use: m for m in tx.mailboxes.all(account) if m.special_use is not None}
    found = tx.mailboxes.find(account, box.name)
    if found is not None and found.is_selectable:
        return found
    if use is not None and use in used and used[use].is_selectable:
        return used[use]
    return tx.mailboxes.create(account, box.name, None if use in used else use)


def _is_keyword(word: str, limits: ImapLimits) -> bool:
    """*word* can be one (RFC 3501 §9, flag-keyword)."""
    return (
        0 < len(word) <= limits.keyword_size
        and word.isascii()
        and word.isprintable()
        and not any(c in ' (){%*"\\]' for c in word)
    )


def _without_keywords(ready: _Ready) -> _Ready:
    mail = ready.mail
    bare = Mail(mail.key, mail.label, mail.flags, (), mail.internal_at, mail.uid, mail.octets)
    return ready._replace(mail=bare)
