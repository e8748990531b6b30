"""Runs a search program over a whole mailbox, slice by slice; what SEARCH, SORT, THREAD and ESEARCH have in common.

Spec: RFC 3501 §6.4.4; RFC 5182 §2.1, §2.4, §2.5; RFC 4731 §3.2; RFC 7162 §3.1.5; RFC 9585 §4.  Status: complete.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from mailserver.base.errors import MailError
from mailserver.base.ids import MailboxId
from mailserver.imap.conversation import Effect, Read, Send, Thread
from mailserver.imap.errors import Code
from mailserver.imap.progress import Progress
from mailserver.imap.searching.answer import PIECE, joined, numbered
from mailserver.imap.searching.bits import full, select
from mailserver.imap.searching.flag_sets import Flags
from mailserver.imap.searching.key import Slice
from mailserver.imap.searching.program import Known, Program
from mailserver.imap.searching.returning import Returning
from mailserver.imap.searching.scan import Scan
from mailserver.imap.session import Session
from mailserver.imap.sorting.pieces import in_order
from mailserver.store.tx import Read as ReadTx

#: messages that are looked at together
ROWS: Final = 4_000

#: keys times messages up to which all messages are glanced at together: sets of some megabytes
GLANCED: Final = 64_000_000

#: what BADCHARSET names; others are understood too
CHARSETS: Final = "US-ASCII UTF-8 ISO-8859-1 ISO-8859-15 WINDOWS-1252 KOI8-R ISO-2022-JP GB18030"

#: messages whose modseqs are read together
_MODSEQS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Scope:
    r"""Where a search looks.

    uids:    of all messages, ascending.        recent: spans of UIDs that have \Recent in this session.
    saved:   UIDs that "$" stands for.          now:    UTC epoch seconds.
    is_dense: no other message of the mailbox lies between these.
    flags:   what is known of theirs, in the selected mailbox.
    """

    mailbox: MailboxId
    uids: Sequence[int]
    recent: Sequence[tuple[int, int]] = ()
    saved: Sequence[int] = ()
    now: int = 0
    is_dense: bool = True
    flags: Flags | None = None

    def slice(self, start: int, end: int) -> Slice:
        """The messages at the places from *start* up to, and without, *end*."""
        uids = self.uids
        return Slice(
            uids[start:end],
            start + 1,
            len(uids),
            uids[-1] if uids else 0,
            self.recent,
            uids,
            self.saved,
            self.now,
            self.is_dense,
        )

    def first_after(self, uid: int) -> int:
        """The place of the first message with a UID above *uid*."""
        return bisect_right(self.uids, uid)

    def numbers_of(self, uids: Sequence[int]) -> Sequence[int]:
        """The sequence numbers of *uids*, ascending, which all are among these."""
        if len(uids) == len(self.uids):
            return range(1, len(uids) + 1)
        numbers, at = array("I"), 0
        for uid in uids:
            at = bisect_left(self.uids, uid, at)
            numbers.append(at + 1)
        return numbers


def scope_of(session: Session) -> Scope:
    """The selected mailbox as this client knows it now."""
    view, known = session.view, session.server.known_flags
    return Scope(
        view.mailbox,
        view.uids,
        view.recent_spans,
        view.saved,
        int(session.server.now()),
        flags=Flags(known, session.account.id, view.uidvalidity),
    )


def find(
    program: Program, scope: Scope, progress: Progress | None = None, done: int = 0
) -> Generator[Effect, Any, Sequence[int]]:
    """The places among *scope*'s UIDs of the messages that match, ascending and counted from 0.

    done: messages that the command has looked at before.
    """
    count = len(scope.uids)
    seen = Known(0, full(count))  # a mailbox of one slice is not looked at twice
    if ROWS < count <= GLANCED // max(1, len(program.keys)):
        glance: tuple[Known, Sequence[int] | None] = yield Read(partial(_glance, program, scope))
        seen, places = glance
        if places is not None:
            return places
    found = array("I")
    for start in range(0, count, ROWS):
        end = min(start + ROWS, count)
        surely, perhaps = (
            _part(seen.surely, count, start, end),
            _part(seen.perhaps, count, start, end),
        )
        if surely != perhaps:
            tried = Scan(program, scope.mailbox, scope.slice(start, end), scope.flags)
            while not tried.is_done:
                yield Read(tried.step)
                if progress is not None and (said := progress.due(done + start)):
                    yield Send(said)
            surely = tried.found
        found.extend(select(surely, range(start, end)))
    return found


def _glance(program: Program, scope: Scope, tx: ReadTx) -> tuple[Known, Sequence[int] | None]:
    """What is known of all messages at once; the places of those that match where that is everything."""
    count = len(scope.uids)
    seen = Scan(program, scope.mailbox, scope.slice(0, count), scope.flags).glance(tx)
    if seen.surely != seen.perhaps:
        return seen, None
    if seen.surely == full(count):
        return seen, range(count)
    return seen, array("I", select(seen.surely, range(count)))


def _part(bits: int, count: int, start: int, end: int) -> int:
    """Those of *bits*, a set of *count* messages, from place *start* up to, and without, *end*."""
    return bits >> (count - end) & full(end - start)


def saving(
    session: Session, returning: Returning | None, talk: Generator[Effect, Any, None]
) -> Generator[Effect, Any, None]:
    """*talk*; if it ends with NO although it was to save its result, nothing is saved any more (RFC 5182 §2.1)."""
    try:
        yield from talk
    except MailError:
        if returning is not None and returning.saves and session.selected is not None:
            session.view.saved = ()
        raise


def find_selected(
    session: Session, program: Program | None, scope: Scope, progress: Progress
) -> Generator[Effect, Any, Sequence[int]]:
    """`find` in the selected mailbox.

    program: None where the charset is not known; that raises BADCHARSET (RFC 3501 §6.4.4).
    """
    if program is None:
        raise Code(f"BADCHARSET ({CHARSETS})", "This charset is not known here.")
    if program.asks_modseq and not session.has_condstore:
        yield Send(session.enable("CONDSTORE"))  # RFC 7162 §3.1
    if session.view.is_guest:  # what is answered out of memory is answered to who may read
        yield Read(_look)
    found = yield from find(program, scope, progress)
    if scope.flags is not None and scope.flags.found is not None:
        most = session.limits.flagged_messages
        session.server.known_flags.keep(scope.mailbox, scope.flags.found, most)
    return found


def _look(tx: ReadTx) -> None:
    """A transaction for its own sake: a guest's rights are looked at in each (see `guests`)."""


def numbers(
    places: Sequence[int], uids: Sequence[int], *, is_uid: bool
) -> Generator[Effect, Any, Sequence[int]]:
    """The UIDs, or the sequence numbers, of the messages at *places* among *uids*, in their order."""
    if len(places) <= PIECE or isinstance(places, range):
        return numbered(places, uids, is_uid=is_uid)
    many: Sequence[int] = yield Thread(partial(numbered, places, uids, is_uid=is_uid))
    return many


def save(
    session: Session, returning: Returning | None, uids: Sequence[int]
) -> Generator[Effect, Any, None]:
    """Let "$" stand for the messages found, *uids* in their order, if that was asked for (RFC 5182 §2.4).

    Raises NOTSAVED where they are too many to be remembered (RFC 5182 §2.5).
    """
    if returning is None or not returning.saves:
        return
    view = session.view
    view.saved = ()
    named = returning.saved(uids)
    if len(named) > session.limits.saved_messages:
        raise Code("NOTSAVED", f"At most {session.limits.saved_messages} messages are remembered.")
    if len(named) == len(view.uids):
        view.saved = view.uids
    else:
        view.saved = yield Thread(lambda: array("I", in_order(named)))


def highest_modseq(
    program: Program, returning: Returning | None, mailbox: MailboxId, uids: Sequence[int]
) -> Generator[Effect, Any, int]:
    """The modseq that goes with the answer, of those of *uids*, in their order, that it names (RFC 4731 §3.2).

    0 for none: nothing was found, or the search did not ask for modseqs (RFC 7162 §3.1.5).
    """
    if not program.asks_modseq:
        return 0
    named = uids if returning is None else returning.with_modseq(uids)
    highest = 0
    for start in range(0, len(named), _MODSEQS):
        found: int = yield Read(partial(_highest, mailbox, sorted(named[start : start + _MODSEQS])))
        highest = max(highest, found)
    return highest


def _highest(mailbox: MailboxId, uids: Sequence[int], tx: ReadTx) -> int:
    return max((modseq for (modseq,) in tx.messages.rows(mailbox, uids, "modseq")), default=0)


def say(pieces: Callable[[], Iterator[bytes]], count: int) -> Generator[Effect, Any, None]:
    """Send what *pieces* makes of *count* results; much of it is put together in a thread."""
    if count <= PIECE:
        yield Send(joined(pieces()))
    else:
        yield Send((yield Thread(lambda: joined(pieces()))))
