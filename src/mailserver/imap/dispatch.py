"""From one command line to all its responses: find the row, check the state, run the handler, tell what else changed.

Spec: RFC 3501 §3, §5.2, §5.5, §7.1; RFC 7162 §6; RFC 9586 §3.  Status: complete.

Commands of one connection run strictly one after the other, so no ambiguity between pipelined ones can arise
(RFC 9051 §5.5).
"""

from collections.abc import Generator
from typing import Any

from mailserver.base.errors import MailError, PeerError
from mailserver.base.ids import ModSeq
from mailserver.imap import errors, response
from mailserver.imap.conversation import Compress, Effect, Send, StartTls, Unauthenticate
from mailserver.imap.errors import UidRequired
from mailserver.imap.guests import as_guest
from mailserver.imap.parser import Parser
from mailserver.imap.registry import COMMANDS, Command, State
from mailserver.imap.response import Response, Tagged
from mailserver.imap.session import Gone, Session
from mailserver.imap.telling import highest_modseq
from mailserver.imap.transact import catch_up, transact


def answer(session: Session, line: bytes) -> Generator[Effect, Any, None]:
    """The conversation that answers the command *line*, to its tagged response.

    Errors that the driver throws in are those of its effects; whatever they are, the client gets one answer and the
    connection goes on, until `session.is_over`.
    """
    p = Parser(line, session.limits, is_utf8=session.is_utf8, is_uid_only=session.is_uid_only)
    tag = b"*"
    name = ""
    try:
        tag, name = _name(p)
        session.tag = tag
        row = COMMANDS.get(name)
        if row is None:
            raise PeerError(f"unknown command {name}")
        _check_state(session, row)
        args = row.parse(p)
        p.end()
        if session.observer is not None:
            session.observer.begins(name)
        # a search by message numbers keeps them true to its end (RFC 7162 §3.2.10.2)
        expunges = row.expunges and not (p.is_uid and p.has_numbers)
        end = yield from as_guest(session, _run(session, row, args, expunges))
        session.errors = 0
    except PeerError as error:
        yield from _bad(session, tag, error)
    except Gone as error:
        session.unselect()
        session.is_over = True
        yield Send([response.bye(str(error))])
    except MailError as error:
        said = response.tagged(tag, "NO", errors.code(error), str(error))
        yield Send([*_where_we_stand(session), said])
    except Exception as error:
        session.log.error("imap command failed", command=name, error=error)
        said = response.tagged(tag, "NO", "SERVERBUG", "Something went wrong here")
        yield Send([*_where_we_stand(session), said])
    else:
        out = session.enable(end.enables) if end.enables else []
        said = response.tagged(tag, end.status, end.code, end.text or f"{name} completed.")
        yield Send([*out, *_where_we_stand(session), said])
        if end.then == "starttls":
            yield StartTls()
        elif end.then == "compress":
            yield Compress()
        elif end.then == "unauthenticate":
            yield Unauthenticate()
        elif end.then == "close":
            session.is_over = True


def _where_we_stand(session: Session) -> list[Response]:
    """HIGHESTMODSEQ, where the client has seen modseqs beyond what it has been told in full (RFC 7162 §3.2, §6).

    Otherwise it would take the highest of them for the point up to which it knows everything.
    """
    view = session.selected
    if view is None:
        return []
    is_ahead = session.has_condstore and view.sent > view.synced
    view.sent = ModSeq(0)
    return [highest_modseq(view.synced)] if is_ahead else []


def _name(p: Parser) -> tuple[bytes, str]:
    tag = p.tag()
    try:
        name = p.sp().word()
        if name == "UID":
            name = f"UID {p.sp().word()}"
            p.is_uid = True
    except PeerError as error:
        raise _Tagged(tag, error) from None
    return tag, name


class _Tagged(PeerError):
    """A command that breaks off right behind its tag."""

    def __init__(self, tag: bytes, error: PeerError) -> None:
        super().__init__(str(error))
        self.tag = tag


def _bad(session: Session, tag: bytes, error: PeerError) -> Generator[Effect, Any, None]:
    """BAD, and the end of a connection that says nothing else."""
    if isinstance(error, _Tagged):
        tag = error.tag
    session.errors += 1
    text = str(error)
    said = response.tagged(tag, "BAD", errors.bad_code(error), text[:1].upper() + text[1:])
    yield Send([*_where_we_stand(session), said])
    if session.errors >= session.limits.errors:
        session.log.info("imap too many errors", errors=session.errors)
        session.is_over = True
        yield Send([response.bye("Too many errors")])


def _check_state(session: Session, row: Command) -> None:
    """Raises PeerError where the command is not valid now (RFC 3501 §3; RFC 9586 §3)."""
    if row.is_numbered and session.is_uid_only:
        raise UidRequired
    state = session.state
    if row.state is State.ANY or row.state is state:
        return
    if state is State.NOT_AUTHENTICATED:
        raise PeerError("log in first")
    if row.state is State.NOT_AUTHENTICATED:
        raise PeerError("already logged in")
    if row.state is State.SELECTED:
        raise PeerError("no mailbox is selected")


def _run(
    session: Session, row: Command, args: Any, expunges: bool
) -> Generator[Effect, Any, Tagged]:
    """The handler, of whichever shape; then what else there is to tell."""
    if row.run is not None:
        run = row.run
        return (
            yield from transact(
                session,
                lambda tx: run(session, args, tx),
                writes=row.writes,
                expunges=expunges,
                may_unselect=row.may_unselect,
            )
        )
    if row.talk is None:
        raise TypeError(f"{row.name} has no handler")
    end = yield from row.talk(session, args)
    if end is None or not end.is_told:
        yield from catch_up(session, expunges=expunges)
    return end or Tagged()
