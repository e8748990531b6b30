"""Feeds the text index: a bounded piece of work a call, in a thread that is not the loop's.

What is fed and how far it goes is one transaction of `search.db`.  Whatever ends it, a crash or a full disk, the next
call goes on where the index says that it is.  The short fields of all messages go first, also while mail is coming in:
they are in their rows, and most searches are for them.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from mailserver.base.errors import Corrupt, Expunged, TryLater
from mailserver.base.ids import AccountId, MessageId, ModSeq
from mailserver.base.limits import SearchLimits
from mailserver.base.log import Log
from mailserver.imap.searching.octets import Octets
from mailserver.imap.searching.texts import HEADER, Source, Texts, fields_of, texts_of
from mailserver.jobs.attached import Attached
from mailserver.store.feeding import Stand, Unfed
from mailserver.store.search_file import (
    FIELDS,
    TEXTS,
    Entry,
    Fed,
    Fields,
    Portion,
    SearchFile,
)
from mailserver.store.store import Store
from mailserver.store.tx import Read

MOST: Final = 1_000  #: messages whose texts are of one transaction
BEHIND: Final = 250  #: messages without their short fields from which on a piece takes no texts
HELD: Final = (
    4_000_000  #: characters of texts in one transaction, after which it takes no further message
)
FIELDS_MOST: Final = 4_000  #: messages whose short fields are of one transaction
ROWS: Final = 250  #: messages whose rows are held
SLICE_S: Final = 0.2  #: processor time that one call takes for reading
LONGEST_S: Final = (
    2.0  #: after which it reads no further message, however much of that it waited for documents
)
GONE: Final = 2_000  #: expunged messages of one transaction
BREATH_S: Final = 0.0002  #: how long the thread stands aside, so that the loop's gets its turn
BREATHS_S: Final = 0.001  #: how long it works between two breaths

NO_FIELDS: Final = (b"",) * len(FIELDS)  #: of a message that was not read
NO_TEXTS: Final = ("",) * len(TEXTS)

log = Log("search")

T = TypeVar("T")


class Feeder:
    """Brings `search.db` up to date with a store, piece by piece.  For one thread at a time; blocks.

    is_over: somebody wants it to end.      slice_s: processor time for what one call reads; then it is written.
    most_texts: messages whose texts one call takes; it takes none while others wait for their short fields.
    is_pressed: the same: somebody needs the interpreter more.
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
        self.most_texts = MOST
        self.is_pressed: Callable[[], bool] = lambda: False
        self._attached = Attached(store, limits, is_over) if reads_attachments else None
        self._file = SearchFile(store.path.parent)
        self._version: int | None = None
        self._is_full = False
        self._is_behind = False
        self._held = 0  # characters of texts
        self._breathed_at = self._ends_at = 0.0

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
        until, room = time.thread_time() + self.slice_s, FIELDS_MOST if self._is_room() else 0
        behind = sum(
            stands[account].last - (fed[account].fields if account in fed else account << 32)
            for account in waiting
        )
        texts = min(room, self.most_texts) if behind <= BEHIND else 0
        self._held, self._ends_at = 0, time.monotonic() + LONGEST_S
        portions: list[Portion] = []
        for account in waiting:
            portion = self._portion(account, stands[account], fed.get(account), until, room, texts)
            portions.append(portion)
            room -= len(portion.fields)
            texts -= len(portion.entries)
            if self._is_enough(until) or self._is_over():
                break
        self._file.feed([p for p in portions if p.before != p.after])
        is_done = len(portions) == len(waiting) and all(
            (p.after.upto, p.after.gone) == stands[p.account] for p in portions
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
        self,
        account: AccountId,
        stand: Stand,
        before: Fed | None,
        until: float,
        room: int,
        most_texts: int,
    ) -> Portion:
        """What is gone, and then what is new: fields of at most *room* messages, and texts of at most *most_texts*.

        No further ones after *until*.
        """
        nothing = MessageId(account << 32)
        start = before or Fed(nothing, nothing, stand.modseq)
        gone: Sequence[tuple[ModSeq, MessageId]] = ()
        gone_upto = stand.modseq
        if start.gone < stand.modseq:
            gone = self._store.read_now(partial(_gone, account, start.gone, stand.modseq))
            if len(gone) >= GONE:
                gone_upto = gone[-1][0]
        ids = [message for _, message in gone if message <= start.fields]
        fields, fields_upto = self._new(start.fields, stand.last, until, room, self._fields)
        entries, upto = self._new(start.upto, fields_upto, until, most_texts, self._entry)
        after = Fed(fields_upto, upto, gone_upto)
        return Portion(account, before, after, fields, entries, ids)

    def _new(
        self,
        start: MessageId,
        last: MessageId,
        until: float,
        room: int,
        read: Callable[[Unfed], T],
    ) -> tuple[list[T], MessageId]:
        """What *read* makes of the next messages after *start* up to *last*, and the id up to which they are all."""
        made: list[T] = []
        while start < last and room > 0:
            asked = min(room, ROWS)
            rows = self._store.read_now(partial(_after, start, last, asked))
            for row in rows:
                one = read(row)
                if self._is_over():  # perhaps in the middle of it
                    return made, start
                made.append(one)
                start = row.message
                if self._is_enough(until):
                    return made, start
            room -= len(rows)
            if len(rows) < asked:
                start = last
        return made, start

    def _is_enough(self, until: float) -> bool:
        """One piece of work has all that it should have, or took as long as it should."""
        return (
            time.thread_time() > until
            or self._held > HELD
            or time.monotonic() > self._ends_at
            or self.is_pressed()
        )

    def _fields(self, row: Unfed) -> Fields:
        """The short fields of one message; one that cannot be read is left to the search itself.  Raises TryLater."""
        self._breathe()
        try:
            return Fields(row.message, fields_of(_source(row), lambda: self._header(row)))
        except TryLater:
            raise
        except (Expunged, Corrupt) as error:  # of which `_entry` will tell
            return Fields(row.message, NO_FIELDS, str(error) or "unknown")
        except Exception as error:
            log.error("the fields of a message cannot be indexed", message=row.message, error=error)
            return Fields(row.message, NO_FIELDS, type(error).__name__)

    def _header(self, row: Unfed) -> bytes:
        size = min(row.header_size, HEADER)
        return self._store.read_now(lambda tx: tx.blobs.read(row.blob, 0, size))

    def _entry(self, row: Unfed) -> Entry:
        """What is kept of one message; one that cannot be read is left to the search itself.  Raises TryLater."""
        try:
            texts = self._store.read_now(partial(self._texts, row))
            attached = self._attached.text(row) if self._attached is not None else ""
        except TryLater:
            raise  # nothing is wrong with the message
        except Expunged as error:  # since its row was read; or else its file was lost
            return Entry(row.message, NO_TEXTS, str(error))
        except Corrupt as error:
            return self._left_out(row, str(error))
        except Exception as error:
            log.error("a message cannot be indexed", message=row.message, error=error)
            return self._left_out(row, type(error).__name__)
        self._held += len(texts.head) + len(texts.body) + len(attached)
        if texts.partly:
            log.info("not all of a message is indexed", message=row.message, reason=texts.partly)
        return Entry(row.message, (texts.head, texts.body, attached), texts.partly)

    def _left_out(self, row: Unfed, reason: str) -> Entry:
        log.warning("a message is not indexed", message=row.message, reason=reason)
        return Entry(row.message, NO_TEXTS, reason or "unknown")

    def _texts(self, row: Unfed, tx: Read) -> Texts:
        octets = Octets(tx, row.blob, row.size)
        for texts in texts_of(octets, _source(row), self._limits.text_size):
            if texts is not None:
                break
            self._breathe()
        assert texts is not None
        return texts

    def _breathe(self) -> None:
        """Stand aside if it is time to."""
        if time.monotonic() - self._breathed_at > BREATHS_S:
            time.sleep(BREATH_S)
            self._breathed_at = time.monotonic()

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


def _source(row: Unfed) -> Source:
    return Source(row.header_size, row.layout, row.envelope, row.subject)


def _after(start: MessageId, last: MessageId, most: int, tx: Read) -> list[Unfed]:
    return tx.feeding.after(start, last, most)


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
        if known is None or (known.upto, known.gone) != stand:
            waiting.append((stand.last - (known.upto if known else account << 32), account))
    return [account for _, account in sorted(waiting)]
