"""An account's mail into a folder of files, as Maildir++ or mbox; run again, it goes on.

Status: complete.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Literal, NamedTuple

from mailserver.base.errors import Cannot, Corrupt, Expunged, MailError
from mailserver.base.ids import BlobId, MailboxId
from mailserver.moving import maildir, manifest, mbox
from mailserver.moving.line_ends import shape
from mailserver.moving.mail import PIECE, Box, Mail
from mailserver.moving.maildir import MaildirFolder
from mailserver.moving.manifest import Entry, Manifest
from mailserver.moving.mbox import MboxFile
from mailserver.store.store import Store
from mailserver.store.tx import Read
from mailserver.store.values import Account, Mailbox

Format = Literal["maildir", "mbox"]

ROWS: Final = 500  #: messages of one look into the store
SIZE: Final = 8_388_608  #: octets of them in memory
LARGE: Final = 1_048_576  #: larger messages are read a piece at a time
REPORT_S: Final = 2.0


@dataclass(slots=True)
class Result:
    """written: messages.    known: those that an earlier run had written.    failed: a line for each left out."""

    mailboxes: int = 0
    written: int = 0
    known: int = 0
    failed: list[str] = field(default_factory=list)


class _Row(NamedTuple):
    uid: int
    flags: int
    keywords: str
    internal_at: int
    size: int
    blob: BlobId
    data: bytes | None  # None: too large, to be read when it is written
    trouble: str


class Leaver:
    """Writes the mail of *account* below *folder*; `report` hears lines about the progress."""

    def __init__(
        self,
        store: Store,
        account: Account,
        folder: Path,
        kind: Format,
        report: Callable[[str], None],
    ) -> None:
        """Raises Cannot when *folder* holds something else."""
        self._store, self._account, self._report = store, account, report
        self._folder, self._kind = folder, kind
        self._before = _earlier(folder, account, kind)
        self._told = self._begun = time.monotonic()
        self.result = Result()

    def everything(self) -> Result:
        """All mailboxes.  Raises Cannot when a file cannot be written; what was written by then stays."""

        def look(tx: Read) -> tuple[list[Mailbox], set[str]]:
            boxes = [m for m in tx.mailboxes.all(self._account.id) if m.is_selectable]
            return boxes, set(tx.mailboxes.subscriptions(self._account.id))

        boxes, subscribed = self._store.read_now(look)
        entries: list[Entry] = []
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            manifest.write(self._folder, self._manifest(entries))
            for mailbox in boxes:
                entries.append(self._mailbox(mailbox, mailbox.name in subscribed, entries))
                manifest.write(self._folder, self._manifest(entries))
            if self._kind == "maildir":
                names = "".join(f"{_dotted(name)}\n" for name in sorted(subscribed))
                (self._folder / maildir.SUBSCRIPTIONS).write_text(names, "utf-8")
            os.sync()
        except OSError as error:
            raise Cannot(f"{error.filename or self._folder}: {error.strerror}") from error
        return self.result

    def _manifest(self, entries: Sequence[Entry]) -> Manifest:
        return Manifest(self._kind, self._account.address, tuple(entries))

    def _mailbox(self, mailbox: Mailbox, is_subscribed: bool, entries: Sequence[Entry]) -> Entry:
        taken = {entry.path for entry in entries}
        name = maildir.folder_name if self._kind == "maildir" else mbox.file_name
        path = name(mailbox.name, taken)
        box = Box(
            mailbox.name,
            path,
            mailbox.uidvalidity,
            mailbox.uidnext,
            mailbox.special_use,
            is_subscribed,
        )
        entry = Entry(box, path, mailbox.modseq)
        self.result.mailboxes += 1
        if self._kind == "mbox":
            if entry in self._before and (self._folder / path).exists():
                self.result.known += mailbox.exists
                return entry
            file = MboxFile(self._folder / path)
            try:
                for mail in self._mail(mailbox):
                    self._put(mailbox, mail, file)
                file.finish(mailbox.uidnext)
            finally:
                file.close()
            return entry
        folder = MaildirFolder(self._folder / path, box)
        for mail in self._mail(mailbox):
            self._put(mailbox, mail, folder)
        folder.finish(mailbox.uidnext)
        return entry

    def _put(self, mailbox: Mailbox, mail: Mail, to: MboxFile | MaildirFolder) -> None:
        try:
            if to.put(mail, shape(mail.octets())):
                self.result.written += 1
            else:
                self.result.known += 1
        except Expunged:
            return
        except Corrupt as error:
            self._fail(mailbox, mail.uid, str(error))
        now = time.monotonic()
        if now - self._told > REPORT_S:
            self._told = now
            rate = self.result.written / max(now - self._begun, 0.001)
            self._report(
                f"{mailbox.name}: {self.result.written} messages so far, {rate:.0f} a second"
            )

    def _fail(self, mailbox: Mailbox, uid: int, reason: str) -> None:
        line = f"{mailbox.name}, UID {uid}: {reason}"
        self.result.failed.append(line)
        self._report(f"left out: {line}")

    def _mail(self, mailbox: Mailbox) -> Iterator[Mail]:
        """The messages, UIDs ascending; what comes while this runs is for the next run."""
        at, last = 1, mailbox.uidnext - 1
        while at <= last:
            rows = self._store.read_now(lambda tx, at=at: _rows(tx, mailbox.id, at, last))  # type: ignore[misc]
            if not rows:
                return
            for row in rows:
                if row.trouble:
                    self._fail(mailbox, row.uid, row.trouble)
                    continue
                yield Mail(
                    row.uid,
                    "",
                    row.flags,
                    tuple(row.keywords.split()),
                    row.internal_at,
                    row.uid,
                    lambda row=row: self._octets(row),  # type: ignore[misc]
                )
            at = rows[-1].uid + 1

    def _octets(self, row: _Row) -> Iterator[bytes]:
        """Raises Expunged, Corrupt."""
        if row.data is not None:
            yield row.data
            return
        for at in range(0, row.size, PIECE):
            length = min(PIECE, row.size - at)
            data = self._store.read_now(lambda tx, at=at, n=length: tx.blobs.read(row.blob, at, n))  # type: ignore[misc]
            if len(data) != length:
                raise Corrupt("The stored message is damaged.")
            yield data


def _rows(tx: Read, mailbox: MailboxId, first: int, last: int) -> list[_Row]:
    columns = "uid", "flags", "keywords", "internal_at", "size", "blob"
    found: list[_Row] = []
    held = 0
    for row in islice(tx.messages.rows(mailbox, [(first, last)], *columns), ROWS):
        data, trouble = None, ""
        if row[4] <= LARGE:
            try:
                data = tx.blobs.read(row[5])
            except MailError as error:
                trouble = str(error)
            held += row[4]
        found.append(_Row._make((*row, data, trouble)))
        if held >= SIZE:
            break
    return found


def _earlier(folder: Path, account: Account, kind: str) -> Sequence[Entry]:
    """What an earlier run has written into *folder*.  Raises Cannot when it holds something else."""
    try:
        if not folder.exists() or not any(folder.iterdir()):
            return ()
    except OSError as error:
        raise Cannot(f"{folder}: {error.strerror}") from error
    found = manifest.read(folder)
    if found is None:
        raise Cannot(f"{folder} is not empty, and not from an export")
    if (found.address, found.format) != (account.address, kind):
        raise Cannot(f"{folder} holds an export of {found.address} as {found.format}")
    return found.entries


def _dotted(name: str) -> str:
    return name.replace("/", ".")
