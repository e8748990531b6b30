r"""FETCH: what is stored about messages, and the messages.

Spec: RFC 3501 §6.4.5, §6.4.8, §7.4.2; RFC 3516 §4.3; RFC 5530 §3.  Status: complete.

A FETCH goes through the mailbox in batches: each is read in one short transaction and sent before the next is read, so
that neither a slow client nor a large answer holds anything.  \Seen is set in a small transaction of its own after the
batch was read; when that fails, as on a full disk, the mail can be read all the same.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from mailserver.base.errors import MailError
from mailserver.base.ids import MailboxId, MessageId, ModSeq, Uid
from mailserver.base.numset import NumSet
from mailserver.base.registry import scan
from mailserver.imap.conversation import Chunk, Conversation, Effect, Read, Send, Write
from mailserver.imap.fetching import batch, items
from mailserver.imap.fetching.batch import Batch
from mailserver.imap.fetching.chosen import Chosen, choose
from mailserver.imap.fetching.known_flags import MailboxFlags
from mailserver.imap.fetching.plan import Plan, parse_items
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, conversation
from mailserver.imap.response import Tagged
from mailserver.imap.session import Session
from mailserver.imap.transact import tell
from mailserver.store.flags import SEEN
from mailserver.store.tx import Read as ReadTx
from mailserver.store.tx import Write as WriteTx
from mailserver.store.values import FlagRow

#: messages that one transaction reads at most, and of how many it tells the flags
ROWS: Final = 1_000
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


def parse(p: Parser) -> FetchArgs:
    """SP sequence-set SP (macro / fetch-att / list of them) (RFC 3501 §9)."""
    return FetchArgs(p.sp().numset(), parse_items(p.sp()))


# messages may go while it runs; their numbers may not (RFC 3501 §7.4.1)
@conversation("FETCH", state=State.SELECTED, parse=parse, uid_variant=True, expunges=False)
def fetch(session: Session, args: FetchArgs) -> Conversation:
    """The responses, then NO if a message that has a number is gone or cannot be read (RFC 5530 §3)."""
    view, plan = session.view, args.plan
    chosen = choose(view.uids, view.spans(args.messages))
    marks = plan.sees and "s" in view.settable
    known: dict[Uid, ModSeq] = {}
    at = missing = damaged = encoded = 0
    by_flags = plan.is_flags_only and len(chosen) >= len(view) * FLAGS_SHARE
    while at < len(chosen):
        told: _Told | None = None
        if by_flags:
            told = yield from _flags(session, plan, chosen, at)
            by_flags = told is not None
        if told is None:
            part, recent = chosen.part(at, at + ROWS), view.recent_spans
            told = yield Read(partial(_read, view.mailbox, plan, part, recent, marks))
        got, chunks = told
        if marks:
            changed = yield from _mark(session, got)
            known |= {uid: row.modseq for uid, row in changed.items()}
            rows = got.rows.with_flags(changed)
            chunks = plan.responses(got.seqs, rows, got.pieces, changed)
        names = view.tell_keywords(got.rows.keywords()) if plan.tells_flags else []
        yield Send([*names, *chunks])
        if got.previews:
            yield from _keep(session, got.previews)
        at, missing, damaged = at + got.taken, missing + got.missing, damaged + len(got.damaged)
        encoded += got.encoded
        for uid in got.damaged:
            session.log.error("a stored message is damaged", mailbox=view.mailbox, uid=uid)
    if known:  # other sessions' changes come with our own; of these the client knows
        session.is_stale = False
        delta = yield Read(session.news)
        yield Send((yield from tell(session, delta, expunges=args.messages.is_uid, known=known)))
    if damaged:
        return Tagged("CORRUPTION", "Some of the messages are damaged.", "NO")
    if encoded:
        return Tagged("UNKNOWN-CTE", "Some of the parts are encoded in an unknown way.", "NO")
    if missing and not args.messages.is_uid:
        return Tagged("EXPUNGEISSUED", "Some of the messages are no longer there.", "NO")
    return None


def _flags(
    session: Session, plan: Plan, chosen: Chosen, at: int
) -> Generator[Effect, Any, _Told | None]:
    """A batch out of what is known of the whole mailbox's flags; None where that cannot be."""
    view, known = session.view, session.server.known_flags
    account, recent = session.account.id, view.recent_spans

    def job(tx: ReadTx) -> tuple[MailboxFlags, _Told] | None:
        flags = known.read(tx, view.mailbox, account)
        if flags is None or flags.uidvalidity != view.uidvalidity:
            return None
        part = chosen.part(at, at + (FLAGS_ROWS if flags.widest < FLAGS_SIZE else ROWS))
        got = batch.of_flags(flags, part, recent)
        return flags, (got, plan.responses(got.seqs, got.rows, got.pieces))

    found: tuple[MailboxFlags, _Told] | None = yield Read(job)
    if found is None:
        return None
    flags, told = found
    known.keep(view.mailbox, flags)
    return told


def _read(
    mailbox: MailboxId,
    plan: Plan,
    chosen: Chosen,
    recent: Sequence[tuple[int, int]],
    marks: bool,
    tx: ReadTx,
) -> _Told:
    """In a reader's thread: a batch, and its responses unless flags may still change in them."""
    got = batch.read(tx, mailbox, plan, chosen, recent)
    return got, () if marks else plan.responses(got.seqs, got.rows, got.pieces)


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
        return tx.messages.change_flags(mailbox, unseen, "add", SEEN)

    try:
        rows: list[FlagRow] = yield Write(mark)
    except MailError as error:
        session.log.warning("cannot set Seen", mailbox=mailbox, reason=str(error))
        return {}
    return {row.uid: row for row in rows}
