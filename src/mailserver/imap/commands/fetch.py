r"""FETCH: what is stored about messages, and the messages.

Spec: RFC 3501 §6.4.5, §6.4.8, §7.4.2; RFC 3516 §4.3; RFC 5530 §3.  Status: complete.

A FETCH goes through the mailbox in batches: each is read in one short transaction while the one before it is sent, and
the next is begun when both are done, so that neither a slow client nor a large answer holds anything.  \Seen is set in
a small transaction of its own after the batch was read, and nothing is read ahead then; when that fails, as on a full
disk, the mail can be read all the same.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeAlias

from mailserver.base.errors import MailError, PeerError
from mailserver.base.ids import MessageId, ModSeq, Uid
from mailserver.base.numset import NumSet
from mailserver.base.registry import scan
from mailserver.imap import events
from mailserver.imap.conversation import Chunk, Conversation, Effect, Read, Send, SendAndRead, Write
from mailserver.imap.fetching import batch, items
from mailserver.imap.fetching.batch import Batch
from mailserver.imap.fetching.chosen import Chosen, choose
from mailserver.imap.fetching.known_flags import MailboxFlags
from mailserver.imap.fetching.modifiers import Modifiers, parse_modifiers
from mailserver.imap.fetching.plan import Plan, parse_items
from mailserver.imap.parser import Parser
from mailserver.imap.progress import Progress
from mailserver.imap.registry import State, conversation
from mailserver.imap.response import Response, Tagged
from mailserver.imap.resync import left, spans_of
from mailserver.imap.session import Session
from mailserver.imap.transact import aside, news, tell
from mailserver.store.flags import SEEN
from mailserver.store.tx import Read as ReadTx
from mailserver.store.tx import Write as WriteTx
from mailserver.store.values import FlagRow

#: messages that one transaction reads at most, and of how many it tells the flags
ROWS: Final = 1_000
#: of how many of them the responses are written together: what that takes fits into a processor's cache
BLOCK: Final = 250
FLAGS_ROWS: Final = 10_000
#: octets of a message's keywords up to which it tells so many
FLAGS_SIZE: Final = 100
#: whoever wants the flags of at least this part of a mailbox gets them from what is known of all of it
FLAGS_SHARE: Final = 1 / 4

#: a batch and its responses, none while flags may still change in them
_Told: TypeAlias = tuple[Batch, Sequence[Chunk]]

scan(items)


@dataclass(frozen=True, slots=True)
class FetchArgs:
    """messages: sequence numbers as this client sees them, or UIDs after "UID"."""

    messages: NumSet
    plan: Plan
    modifiers: Modifiers


def parse(p: Parser) -> FetchArgs:
    """SP sequence-set SP (macro / fetch-att / list of them) [SP modifiers] (RFC 3501 §9; RFC 4466 §6)."""
    messages = p.sp().numset()
    plan, modifiers = parse_items(p.sp()), parse_modifiers(p)
    if modifiers.changed_since is not None:
        plan = plan.with_modseq()
    return FetchArgs(messages, plan, modifiers)


# messages may go while it runs; their numbers may not (RFC 3501 §7.4.1)
@conversation("FETCH", state=State.SELECTED, parse=parse, uid_variant=True, expunges=False)
def fetch(session: Session, args: FetchArgs) -> Conversation:
    """The responses, then NO if a message that has a number is gone or cannot be read (RFC 5530 §3)."""
    view, plan = session.view, args.plan
    chosen = yield from _choose(session, args)
    progress = Progress(session, len(chosen))
    marks = plan.sees and "s" in view.settable
    known: dict[Uid, ModSeq] = {}
    at = missing = damaged = encoded = 0
    by_flags = plan.is_flags_only and len(chosen) >= len(view) * FLAGS_SHARE
    told: Sequence[_Told] = []
    while at < len(chosen):
        if by_flags:
            told = yield from _flags(session, plan, chosen, at)
            by_flags = bool(told)
        if not told:
            told = yield Read(partial(_read, session, plan, chosen.part(at, at + ROWS), marks))
        said: list[Chunk] = []
        for got, chunks in told:
            if marks:
                changed = yield from _mark(session, got)
                known |= {uid: row.modseq for uid, row in changed.items()}
                got = replace(got, rows=got.rows.with_flags(changed))
                chunks = plan.responses(got.seqs, got.rows, got.pieces, session.dialect, changed)
            if plan.tells_flags:
                said += view.tell_keywords(got.rows.keywords())
            said += chunks
            if plan.tells_modseq:
                view.sent = max(view.sent, max(got.rows["modseq"], default=view.sent))
            at, missing = at + got.taken, missing + got.missing
            damaged, encoded = damaged + len(got.damaged), encoded + got.encoded
            for uid in got.damaged:
                session.log.error("a stored message is damaged", mailbox=view.mailbox, uid=uid)
        said += progress.due(at)
        previews, told = told[-1][0].previews, []
        if at < len(chosen) and not (marks or by_flags):
            part = chosen.part(at, at + ROWS)
            told = yield SendAndRead(said, partial(_read, session, plan, part, marks))
        else:
            yield Send(said)
        if previews:
            yield from _keep(session, previews)
    if known and session.has_condstore:
        view.sent = max(view.sent, *known.values())
    if known:  # other sessions' changes come with our own; of these the client knows
        delta = yield from news(session)
        yield Send((yield from tell(session, delta, expunges=args.messages.is_uid, known=known)))
    if damaged:
        return Tagged("CORRUPTION", "Some of the messages are damaged.", "NO")
    if encoded:
        return Tagged("UNKNOWN-CTE", "Some of the parts are encoded in an unknown way.", "NO")
    if missing and not args.messages.is_uid:
        return Tagged("EXPUNGEISSUED", "Some of the messages are no longer there.", "NO")
    return None


def _choose(session: Session, args: FetchArgs) -> Generator[Effect, Any, Chosen]:
    """The messages meant; with CHANGEDSINCE only the changed ones, after VANISHED for those that have left."""
    view, modifiers = session.view, args.modifiers
    if modifiers.vanished and not session.has_qresync:
        raise PeerError("QRESYNC has to be enabled first")  # RFC 7162 §3.2.6
    if args.plan.tells_modseq and (said := session.enable("CONDSTORE")):
        yield Send(said)
    spans = yield from aside(view.work(args.messages), lambda: view.spans(args.messages))
    chosen = choose(view.uids, spans)
    if modifiers.partial is not None:  # first, whatever has changed (RFC 9394 §3.4)
        chosen = chosen.part(*modifiers.partial.of(len(chosen)))
    since = modifiers.changed_since
    if since is None:
        return chosen
    asked = spans_of(args.messages, view.saved, view.uidnext) if modifiers.vanished else None

    def job(tx: ReadTx) -> tuple[Chosen, Sequence[Response]]:
        changed = set(tx.messages.changed_uids(view.mailbox, since))
        gone = left(tx, view.mailbox, view.uids, asked, since) if asked is not None else ()
        return chosen.among(changed), gone

    found: tuple[Chosen, Sequence[Response]] = yield Read(job)
    if found[1]:
        yield Send(found[1])
    return found[0]


def _flags(
    session: Session, plan: Plan, chosen: Chosen, at: int
) -> Generator[Effect, Any, Sequence[_Told]]:
    """A batch out of what is known of the whole mailbox's flags; () where that cannot be."""
    view, known = session.view, session.server.known_flags
    account, recent = session.account.id, _recent(session)

    def job(tx: ReadTx) -> tuple[MailboxFlags, _Told] | None:
        flags = known.read(tx, view.mailbox, account)
        if flags is None or flags.uidvalidity != view.uidvalidity:
            return None
        part = chosen.part(at, at + (FLAGS_ROWS if flags.widest < FLAGS_SIZE else ROWS))
        got = batch.of_flags(flags, part, recent)
        return flags, (got, plan.responses(got.seqs, got.rows, got.pieces, session.dialect))

    found: tuple[MailboxFlags, _Told] | None = yield Read(job)
    if found is None:
        return ()
    flags, told = found
    known.keep(view.mailbox, flags, session.limits.flagged_messages)
    return (told,)


def _read(session: Session, plan: Plan, chosen: Chosen, marks: bool, tx: ReadTx) -> Sequence[_Told]:
    """In a reader's thread: what of *chosen* fits into a transaction, and the responses.

    One batch, without responses, where flags may still change in them; one, too, of what is cut out of messages.
    """
    recent, mailbox = _recent(session), session.view.mailbox
    if marks:
        return ((batch.read(tx, mailbox, plan, chosen, recent), ()),)
    told: list[_Told] = []
    at = size = 0
    step = len(chosen) if plan.cuts else BLOCK
    while not told or (at < len(chosen) and size < batch.SIZE and not plan.cuts):
        got = batch.read(tx, mailbox, plan, chosen.part(at, at + step), recent)
        chunks = plan.responses(got.seqs, got.rows, got.pieces, session.dialect)
        told.append((got, chunks))
        at += got.taken
        size += sum([len(chunk) for chunk in chunks if isinstance(chunk, bytes)])
    return told


def _recent(session: Session) -> Sequence[tuple[int, int]]:
    r"""Spans of UIDs that have \Recent, as far as this client knows of such a thing (RFC 9051 Appendix E, 15)."""
    return session.view.recent_spans if session.dialect.has_recent else ()


def _keep(session: Session, previews: Mapping[MessageId, str]) -> Generator[Effect, Any, None]:
    """Have them told from the store the next time; a store that cannot write does no harm."""
    try:
        yield Write(lambda tx: tx.messages.keep_previews(previews), is_pure=True)
    except MailError as error:
        session.log.debug("previews not kept", reason=str(error))


def _mark(session: Session, got: Batch) -> Generator[Effect, Any, dict[Uid, FlagRow]]:
    r"""Set \Seen where it is not; the rows as they are now, by UID.

    A store that cannot write does not keep mail unread: then there are none.
    """
    mailbox = session.view.mailbox
    unseen = [Uid(u) for u, f in zip(got.rows.uids, got.rows["flags"], strict=True) if not f & SEEN]
    if not unseen:
        return {}

    def mark(tx: WriteTx) -> list[FlagRow]:
        watched = events.before(session, tx, unseen)
        rows = tx.messages.change_flags(mailbox, unseen, "add", SEEN)
        events.changed(session, tx, watched, rows)
        return rows

    try:
        rows: list[FlagRow] = yield Write(mark)
    except MailError as error:
        session.log.warning("cannot set Seen", mailbox=mailbox, reason=str(error))
        return {}
    return {row.uid: row for row in rows}
