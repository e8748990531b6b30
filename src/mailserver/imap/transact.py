"""One transaction of a command, and what else the client is told after it.

Spec: RFC 3501 §5.2, §7.  Status: complete.
"""

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from mailserver.base.ids import ModSeq, Uid
from mailserver.imap.conversation import Effect, Read, Send, Thread, Write
from mailserver.imap.fetching.arrivals import arrivals
from mailserver.imap.fetching.plan import Plan
from mailserver.imap.response import Response, Tagged
from mailserver.imap.searching.contexts import updates
from mailserver.imap.session import Gone, Session
from mailserver.imap.snapshots import Snapshot, advance
from mailserver.imap.telling import Step, size, step
from mailserver.store.values import Delta

T = TypeVar("T")

#: messages that are looked at in the loop before a thread does it: some milliseconds
AT_ONCE: Final = 2_000

#: what runs in the transaction: yields responses, returns how the command ends
Work: TypeAlias = Callable[[Any], Generator[Response, None, Tagged | None]]


class _Said(NamedTuple):
    """What the work left behind in its thread."""

    responses: list[Response]
    end: Tagged | None
    news: Delta | None
    is_gone: bool  # the selected mailbox is no more


def transact(
    session: Session, work: Work, *, writes: bool, expunges: bool, may_unselect: bool = False
) -> Generator[Effect, Any, Tagged]:
    """Runs *work* in one transaction; sends its responses after COMMIT, then what changed in the selected mailbox.

    *work* may be run more than once and must change nothing outside of its transaction.

    Nothing of the session changes before the COMMIT, and nothing at all if it fails.
    expunges:      EXPUNGE responses may be sent now (RFC 3501 §7.4.1).
    may_unselect:  the work may delete the selected mailbox; anywhere else that it is gone raises Gone.
    """
    is_selected = session.selected is not None
    session.is_stale = False  # whatever is committed from here on sets it again

    def job(tx: Any) -> _Said:
        out: list[Response] = []
        end = _exhaust(work(tx), out)
        if not is_selected:
            return _Said(out, end, None, is_gone=False)
        if end is not None and end.news is not None:
            return _Said(out, end, end.news, is_gone=False)
        try:
            return _Said(out, end, session.news(tx), is_gone=False)
        except Gone:
            return _Said(out, end, None, is_gone=True)

    said: _Said = yield from _told_later(session, Write(job, is_pure=True) if writes else Read(job))
    out = said.responses
    if said.is_gone:
        if not may_unselect:
            raise Gone("The mailbox was deleted.")
        session.unselect()
    elif is_selected:
        known = said.end.known if said.end else None
        out += yield from tell(session, said.news, expunges=expunges, known=known)
        if out:
            session.view.sent = session.view.modseq
    if out:
        yield Send(out)
    return said.end or Tagged()


def catch_up(session: Session, *, expunges: bool) -> Generator[Effect, Any, None]:
    """Tell what changed in the selected mailbox, if somebody said that something did.  Raises Gone."""
    if session.selected is None or session.is_deaf:
        return
    out: list[Response] = []
    view = session.view
    if session.is_stale or view.sent > view.modseq:  # or it has seen what is newer than we know
        out = yield from tell(session, (yield from news(session)), expunges=expunges)
    elif expunges and view.gone:
        out = yield from tell(session, None, expunges=True)
    if out:
        yield Send(out)


def news(session: Session) -> Generator[Effect, Any, Delta | None]:
    """What happened in the selected mailbox since the client was told.  Raises Gone."""
    session.is_stale = False
    found: Delta | None = yield from _told_later(session, Read(session.news))
    return found


def _told_later(session: Session, effect: Effect) -> Generator[Effect, Any, Any]:
    """The result of *effect*; if it fails, the session stays stale: what it has missed comes with the next command."""
    try:
        return (yield effect)
    except Exception:
        session.is_stale = True
        raise


def tell(
    session: Session,
    delta: Delta | None,
    *,
    expunges: bool,
    known: Mapping[Uid, ModSeq] | None = None,
) -> Generator[Effect, Any, list[Response]]:
    """What the client is to hear of *delta*, which starts at the view's modseq.

    What expunges=False keeps back comes with the next call that allows it.  Much is worked out in a thread: nobody
    else changes the view meanwhile, since a session does one thing after the other.
    """
    view, observer = session.view, session.observer
    if session.is_deaf:
        session.is_stale = True
        return []
    if delta is None:
        if not (view.gone and expunges):
            return []
        delta = Delta(view.modseq, view.uidnext, [], [])
    whole = delta  # searches that are followed hear of everything (RFC 5267 §4.3)
    if observer is not None:
        delta = observer.filtered(delta)
    snapshots = session.server.snapshots
    first: Uid | None = None
    if delta.uidnext > view.uidnext:
        place = view.mailbox, view.uidvalidity
        first = (
            snapshots.claim(*place, view.uidnext, delta.uidnext)
            if view.takes_recent
            else snapshots.recent_from(*place, view.uidnext)
        )
    before = snapshots.before(view.mailbox, view.modseq, delta)

    def work() -> tuple[Snapshot | None, Step]:
        moved = None if before is None else advance(before, delta)
        return moved, step(
            view,
            delta,
            session.dialect,
            expunges=expunges,
            recent_from=first,
            shared=None if moved is None else moved.uids,
            known=known,
        )

    moved, done = yield from aside(size(view, delta), work)
    if moved is not None and moved is not before:
        snapshots.put(view.mailbox, moved)
    left: list[Response] = []
    joined: list[Response] = []
    fetches: list[tuple[Plan, list[Uid]]] = []
    if observer is not None and observer.plan is not None:
        fetches.append((observer.plan, observer.arrived(delta)))
    if view.contexts:
        left, joined, more = yield from updates(session, whole, done)
        fetches += more
    synced = view.synced
    out = [*left, *view.take(done)]
    if len(delta.flags) < len(whole.flags):  # not told, so not to be counted on (RFC 7162 §6)
        view.synced = synced
    if any(uids for _, uids in fetches):
        yield Send(out)
        yield from arrivals(session, fetches)
        return joined
    return [*out, *joined]


def aside(size: int, act: Callable[[], T]) -> Generator[Effect, Any, T]:
    """What *act* gives, a pure function that looks at *size* things: in a thread where they are many."""
    if size <= AT_ONCE:
        return act()
    done: T = yield Thread(act)
    return done


def _exhaust(work: Generator[Response, None, Tagged | None], out: list[Response]) -> Tagged | None:
    while True:
        try:
            out.append(next(work))
        except StopIteration as stop:
            end: Tagged | None = stop.value
            return end
