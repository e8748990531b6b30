"""Feeds the text index: a bounded piece of work a call, in a thread that is not the loop's.

What is fed and how far it goes is one transaction of `search.db`.  Whatever ends it, a crash or a full disk, the next
call goes on where the index says that it is.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from mailserver.base.errors import Corrupt, Expunged, TryLater
from mailserver.base.ids import AccountId, MessageId, ModSeq
from mailserver.base.limits import SearchLimits
from mailserver.base.log import Log
from mailserver.imap.searching.octets import Octets
from mailserver.imap.searching.texts import Source, Texts, texts_of
from mailserver.jobs.attached import Attached
from mailserver.store.feeding import Stand, Unfed
from mailserver.store.search_file import FIELDS, TEXTS, Entry, Fed, Portion, SearchFile
from mailserver.store.store import Store
from mailserver.store.tx import Read

MOST: Final = 200  #: messages of one transaction
SLICE_S: Final = 0.2  #: about how long one call works
GONE: Final = 2_000  #: expunged messages of one transaction
BREATH_S: Final = 0.0002  #: between two messages, so that the loop's thread gets its turn

NOTHING: Final = ((b"",) * len(FIELDS), ("",) * len(TEXTS))  #: of a message that was not read

log = Log("search")


class Feeder:
    """Brings `search.db` up to date with a store, piece by piece.  For one thread at a time; blocks.

    is_over: somebody wants it to end.      slice_s: about how long one call works.
    """

    def __init__(
        self,
        store: Store,
        limits: SearchLimits,
        is_over: Callable[[], bool] = lambda: False,
        *,
        reads_attachments: bool = True,
    ) -> None:
        self._store, self._limits, self._is_over = store, limits, is_over
        self.slice_s = SLICE_S
        self._attached = Attached(store, limits, is_over) if reads_attachments else None
        self._file = SearchFile(store.path.parent)
        self._version: int | None = None
        self._is_full = False
        self._is_behind = False

    def some(self) -> bool:
        """Does some of what is to be done, if there is anything; whether there may be more.

        Raises sidefile.PASSING, sidefile.DAMAGED, TryLater.
        """
        known = self._version if self._file.is_current else None
        version, stands = self._store.read_now(_news(known))
        if stands is None:
            return False
        fed = self._file.fed()
        for account in self._file.remains() | (fed.keys() - stands.keys()):
            if not self._file.forget(account):
                return True
        waiting = _shortest_first(stands, fed)
        until, room = time.monotonic() + self.slice_s, MOST if self._is_room() else 0
        portions: list[Portion] = []
        for account in waiting:
            portion = self._portion(account, stands[account], fed.get(account), until, room)
            portions.append(portion)
            room -= len(portion.entries)
            if time.monotonic() > until or self._is_over():
                break
        self._file.feed([p for p in portions if p.before != p.after])
        is_done = len(portions) == len(waiting) and all(
            p.after == (stands[p.account].last, stands[p.account].modseq) for p in portions
        )
        self._tell(waiting, stands, fed, is_done=is_done)
        self._version = version if is_done or self._is_full else None
        return not is_done and not self._is_full

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        if self._attached is not None:
            self._attached.close()

    def _portion(
        self, account: AccountId, stand: Stand, before: Fed | None, until: float, room: int
    ) -> Portion:
        """What is gone, and then what is new: at most *room* messages, no further ones after *until*."""
        start = before or Fed(MessageId(account << 32), stand.modseq)
        gone: Sequence[tuple[ModSeq, MessageId]] = ()
        gone_upto = stand.modseq
        if start.gone < stand.modseq:
            gone = self._store.read_now(partial(_gone, account, start.gone, stand.modseq))
            if len(gone) >= GONE:
                gone_upto = gone[-1][0]
        entries, upto = self._new(start.upto, stand.last, until, room)
        ids = [message for _, message in gone if message <= start.upto]
        return Portion(account, before, Fed(upto, gone_upto), entries, ids)

    def _new(
        self, start: MessageId, last: MessageId, until: float, room: int
    ) -> tuple[list[Entry], MessageId]:
        """The next messages after *start*, and the id up to which they are all."""
        if start >= last or room <= 0:
            return [], start
        rows = self._store.read_now(lambda tx: tx.feeding.after(start, room))
        entries: list[Entry] = []
        for row in rows:
            entry = self._entry(row)
            if self._is_over():  # perhaps in the middle of it
                return entries, entries[-1].message if entries else start
            entries.append(entry)
            if time.monotonic() > until:
                return entries, row.message
        upto = max(last, rows[-1].message) if rows else last
        return entries, rows[-1].message if len(rows) == room else upto

    def _entry(self, row: Unfed) -> Entry:
        """What is kept of one message; one that cannot be read is left to the search itself.  Raises TryLater."""
        try:
            texts = self._store.read_now(partial(self._texts, row))
            attached = self._attached.text(row) if self._attached is not None else ""
        except TryLater:
            raise  # nothing is wrong with the message
        except Expunged as error:  # since its row was read; or else its file was lost
            return Entry(row.message, *NOTHING, str(error))
        except Corrupt as error:
            return self._left_out(row, str(error))
        except Exception as error:
            log.error("a message cannot be indexed", message=row.message, error=error)
            return self._left_out(row, type(error).__name__)
        if texts.partly:
            log.info("not all of a message is indexed", message=row.message, reason=texts.partly)
        return Entry(row.message, texts.fields, (texts.head, texts.body, attached), texts.partly)

    def _left_out(self, row: Unfed, reason: str) -> Entry:
        log.warning("a message is not indexed", message=row.message, reason=reason)
        return Entry(row.message, *NOTHING, reason or "unknown")

    def _texts(self, row: Unfed, tx: Read) -> Texts:
        source = Source(row.header_size, row.layout, row.envelope, row.subject)
        octets = Octets(tx, row.blob, row.size)
        for texts in texts_of(octets, source, self._limits.text_size):
            if texts is not None:
                break
            time.sleep(BREATH_S)
        assert texts is not None
        return texts

    def _tell(
        self,
        waiting: Sequence[AccountId],
        stands: dict[AccountId, Stand],
        fed: dict[AccountId, Fed],
        *,
        is_done: bool,
    ) -> None:
        """A word in the log when there is much to do, as after the file was lost, and when it is done."""
        if is_done:
            if self._is_behind:
                log.info("all messages are indexed")
            self._is_behind = False
        elif not self._is_behind:
            starts = {
                account: fed[account].upto if account in fed else account << 32
                for account in waiting
            }
            messages = sum(stands[account].last - start for account, start in starts.items())
            if messages > MOST:
                self._is_behind = True
                log.info("messages are being indexed", messages=messages, accounts=len(waiting))

    def _is_room(self) -> bool:
        """The file may grow; says so in the log when that changes."""
        is_full = self._file.size() >= self._limits.file_size
        if is_full and not self._is_full:
            log.warning(
                "search.db is full: new messages are searched without it",
                limit="limits.search.file_size",
            )
        self._is_full = is_full
        return not is_full


def _gone(
    account: AccountId, since: ModSeq, upto: ModSeq, tx: Read
) -> Sequence[tuple[ModSeq, MessageId]]:
    return tx.feeding.gone(account, since, upto, GONE)


def _news(known: int | None) -> Callable[[Read], tuple[int, dict[AccountId, Stand] | None]]:
    """A job: the version of the store, and where the accounts are, if it is not *known*."""

    def job(tx: Read) -> tuple[int, dict[AccountId, Stand] | None]:
        version = tx.feeding.version()
        return version, (None if version == known else tx.feeding.stands())

    return job


def _shortest_first(stands: dict[AccountId, Stand], fed: dict[AccountId, Fed]) -> list[AccountId]:
    """Accounts with something to do; nobody waits behind somebody's large import."""
    waiting: list[tuple[int, AccountId]] = []
    for account, stand in stands.items():
        known = fed.get(account)
        if known != (stand.last, stand.modseq):
            waiting.append((stand.last - (known.upto if known else account << 32), account))
    return [account for _, account in sorted(waiting)]
