r"""STORE: change flags.

Spec: RFC 3501 §6.4.6, §6.4.8; RFC 2180 §4.2; RFC 7162 §3.1.3 (UNCHANGEDSINCE); RFC 9585 §4.  Status: complete.
"""

from array import array
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from mailserver.base.errors import ReadOnly
from mailserver.base.ids import MailboxId, ModSeq, Uid
from mailserver.base.numset import NumSet, compress
from mailserver.imap import events, flags
from mailserver.imap.conversation import Conversation, Send
from mailserver.imap.flags import Flags
from mailserver.imap.parser import Parser
from mailserver.imap.progress import Progress
from mailserver.imap.registry import State, conversation
from mailserver.imap.response import Response, Tagged
from mailserver.imap.session import Session
from mailserver.imap.transact import aside, transact
from mailserver.imap.view import View
from mailserver.store.tx import Write
from mailserver.store.values import Delta, FlagRow

#: messages in one transaction: STORE need not be atomic, and nobody waits long behind a large one
SLICE = 1_000

_HOW: dict[str, Literal["add", "remove", "replace"]] = {"+": "add", "-": "remove", "": "replace"}


@dataclass(frozen=True, slots=True)
class StoreArgs:
    """is_silent: the client does not want to hear what it knows anyway.

    unchanged_since: only messages that have not changed after it (RFC 7162 §3.1.3).
    """

    messages: NumSet
    how: Literal["add", "remove", "replace"]
    flags: Flags
    is_silent: bool
    unchanged_since: ModSeq | None

    @property
    def needs(self) -> set[str]:
        """The rights without which the flags will not all be as the client says (RFC 4314 §4)."""
        return set("stw") if self.how == "replace" else flags.rights(self.flags)


@dataclass(frozen=True, slots=True)
class _Part(Tagged):
    """How one transaction ended.  failed: messages that had changed.    missing: how many were gone."""

    failed: Sequence[Uid] = ()
    missing: int = 0


def parse(p: Parser) -> StoreArgs:
    """SP sequence-set [SP "(" store-modifier ")"] SP store-att-flags (RFC 3501 §9; RFC 4466 §2.5; RFC 7162 §7)."""
    messages = p.sp().numset()
    p.sp()
    unchanged_since: ModSeq | None = None
    if p.accept(b"("):
        p.expect(b"UNCHANGEDSINCE")
        unchanged_since = ModSeq(p.sp().number64())
        p.expect(b")").sp()
    sign = "+" if p.accept(b"+") else "-" if p.accept(b"-") else ""
    p.expect(b"FLAGS")
    is_silent = p.accept(b".SILENT")
    names = p.sp().flag_list() if p.peek(b" (") else p.sp().tokens(Parser.flag)
    return StoreArgs(messages, _HOW[sign], flags.read(names, p.limits), is_silent, unchanged_since)


@conversation("STORE", state=State.SELECTED, parse=parse, uid_variant=True, expunges=False)
def store(session: Session, args: StoreArgs) -> Conversation:
    r"""FETCH with the new flags of every message that is there, unless silent.  Raises ReadOnly, LimitReached.

    Messages that another session expunged are passed over, and EXPUNGEISSUED tells of them: with NO, unless silent
    (RFC 2180 §4.2.1, §4.2.3).  Those that had changed are left alone, and MODIFIED names them (RFC 7162 §3.1.3).
    """
    if session.read_only:
        raise ReadOnly("The mailbox is open for reading only")
    is_uid = args.messages.is_uid
    view = session.view
    uids = yield from aside(view.work(args.messages), lambda: view.select(args.messages))
    if args.unchanged_since is not None:
        yield Send(session.enable("CONDSTORE"))
    missing, progress = 0, Progress(session, len(uids))
    failed = array("I")
    for start in range(0, len(uids), SLICE):
        part = uids[start : start + SLICE]
        end = yield from transact(
            session, partial(_change, session, part, args), writes=True, expunges=is_uid
        )
        assert isinstance(end, _Part)
        missing += end.missing
        failed.extend(end.failed)
        yield Send(progress.due(start + len(part)))
    status = "NO" if missing and not is_uid and not args.is_silent else "OK"
    if failed:
        named = yield from aside(len(failed), lambda: _named(view, failed, is_uid))
        text = "Some of the messages had changed, or are no longer there."
        return Tagged(f"MODIFIED {named}", text, status, is_told=True)
    if missing and not is_uid:
        text = "Some of the messages are no longer there."
        return Tagged("EXPUNGEISSUED", text, status, is_told=True)
    return Tagged(is_told=len(uids) > 0)


def _named(view: View, uids: Sequence[int], is_uid: bool) -> str:
    return compress(uids if is_uid else [seq for seq, _ in view.numbered(uids)])


def _change(
    session: Session, uids: Sequence[Uid], args: StoreArgs, tx: Write
) -> Generator[Response, None, Tagged]:
    """Says what does not come as news: flags that were like that before, modseqs of a silent change."""
    view, dialect = session.view, session.dialect
    news = session.news(tx)
    unknown = {row.uid for row in news.flags} if news else set()
    count = len(uids)
    failed: list[FlagRow] = []
    if args.unchanged_since is not None:
        uids, failed = _unchanged(tx, view.mailbox, uids, args)
    watched = events.before(session, tx, uids)
    rows = tx.messages.change_flags(
        view.mailbox, uids, args.how, args.flags.bits, args.flags.keywords
    )
    events.changed(session, tx, watched, rows)
    is_silent = args.is_silent and args.needs <= set(view.settable)
    missing = count - len(rows) - len(failed)
    still = [row.uid for row in failed]
    if (
        is_silent
        and news is None
        and not args.flags.keywords
        and not failed
        and not dialect.has_modseq
        and not view.contexts  # whose searches may find these messages now
    ):
        # all that happened is what the client wants to hear nothing of
        modseq = max((row.modseq for row in rows), default=view.modseq)
        nothing = Delta(max(modseq, view.modseq), view.uidnext, [], [])
        return _Part(news=nothing, missing=missing)
    known: dict[Uid, ModSeq] = {}
    for row in failed:  # so that the client need not ask why (RFC 7162 §3.1.3)
        if row.uid not in unknown and (seq := view.seq(row.uid)) is not None:
            yield view.told(row, seq, dialect)
    for row in rows:
        if row.modseq > view.modseq and not is_silent:
            continue  # it comes as news
        seq = view.seq(row.uid)
        if seq is None:
            continue
        if not is_silent:
            yield view.told(row, seq, dialect)
        elif row.uid not in unknown:
            known[row.uid] = row.modseq
            is_news = args.unchanged_since is not None or row.modseq > view.modseq
            if dialect.has_modseq and is_news:  # the flags it knows (RFC 7162 §3.1.3, §3.1.4.2)
                yield dialect.fetch(seq, row.uid, None, row.modseq)
    delta: Delta | None = None
    if news is None and not view.is_guest:  # whose \Seen may have changed elsewhere
        changed = [row for row in rows if row.modseq > view.modseq]
        modseq = max((row.modseq for row in changed), default=view.modseq)
        delta = Delta(modseq, view.uidnext, changed, [])
    return _Part(known=known, news=delta, failed=still, missing=missing)


def _unchanged(
    tx: Write, mailbox: MailboxId, uids: Sequence[Uid], args: StoreArgs
) -> tuple[list[Uid], list[FlagRow]]:
    """The messages that may be changed, and those that may not; neither has those that are gone.

    Deviates: RFC 7162 §3.1.12 would have us remember which flags each client knows; there is one modseq for all flags
    of a message, so that a change of one keeps a client from changing another without looking again.
    """
    since = args.unchanged_since or ModSeq(0)
    may: list[Uid] = []
    failed: list[FlagRow] = []
    for row in tx.messages.flags(mailbox, uids):
        if row.modseq <= since or (since == 0 and _are_absent(row, args)):
            may.append(row.uid)
        else:
            failed.append(row)
    return may, failed


def _are_absent(row: FlagRow, args: StoreArgs) -> bool:
    """Only keywords are to be changed that the message does not have; system flags always exist (RFC 7162 §3.1.3)."""
    if args.flags.bits or args.how == "replace" or not args.flags.keywords:
        return False
    present = set(row.keywords.lower().split())
    return present.isdisjoint(keyword.lower() for keyword in args.flags.keywords)
