"""One transaction of a command, and what else the client is told after it.

Spec: RFC 3501 §5.2, §7.  Status: complete.
"""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeAlias

from mailserver.imap.conversation import Effect, Read, Send, Write
from mailserver.imap.response import Response, Tagged
from mailserver.imap.session import Gone, Session
from mailserver.store.values import Delta

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

    said: _Said = yield (Write(job, is_pure=True) if writes else Read(job))
    out = said.responses
    if said.is_gone:
        if not may_unselect:
            raise Gone("The mailbox was deleted.")
        session.unselect()
    elif is_selected:
        known = said.end.known if said.end else None
        out += session.tell(said.news, expunges=expunges, known=known)
    if out:
        yield Send(out)
    return said.end or Tagged()


def catch_up(session: Session, *, expunges: bool) -> Generator[Effect, Any, None]:
    """Tell what changed in the selected mailbox, if somebody said that something did.  Raises Gone."""
    if session.selected is None:
        return
    out: list[Response] = []
    if session.is_stale:
        session.is_stale = False
        out = session.tell((yield Read(session.news)), expunges=expunges)
    elif expunges and session.view.gone:
        out = session.tell(None, expunges=True)
    if out:
        yield Send(out)


def _exhaust(work: Generator[Response, None, Tagged | None], out: list[Response]) -> Tagged | None:
    while True:
        try:
            out.append(next(work))
        except StopIteration as stop:
            end: Tagged | None = stop.value
            return end
