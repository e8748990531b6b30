r"""STORE: change flags.

Spec: RFC 3501 §6.4.6, §6.4.8; RFC 2180 §4.2; RFC 9585 §4.  Status: complete.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from mailserver.base.errors import ReadOnly
from mailserver.base.ids import ModSeq, Uid
from mailserver.base.numset import NumSet
from mailserver.imap import flags
from mailserver.imap.conversation import Conversation, Send
from mailserver.imap.flags import Flags
from mailserver.imap.parser import Parser
from mailserver.imap.progress import Progress
from mailserver.imap.registry import State, conversation
from mailserver.imap.response import Response, Tagged
from mailserver.imap.session import Session
from mailserver.imap.transact import transact
from mailserver.store.tx import Write
from mailserver.store.values import Delta

#: messages in one transaction: STORE need not be atomic, and nobody waits long behind a large one
SLICE = 1_000

_HOW: dict[str, Literal["add", "remove", "replace"]] = {"+": "add", "-": "remove", "": "replace"}


@dataclass(frozen=True, slots=True)
class StoreArgs:
    """is_silent: the client does not want to hear what it knows anyway."""

    messages: NumSet
    how: Literal["add", "remove", "replace"]
    flags: Flags
    is_silent: bool

    @property
    def needs(self) -> set[str]:
        """The rights without which the flags will not all be as the client says (RFC 4314 §4)."""
        return set("stw") if self.how == "replace" else flags.rights(self.flags)


def parse(p: Parser) -> StoreArgs:
    """SP sequence-set SP store-att-flags (RFC 3501 §9)."""
    messages = p.sp().numset()
    p.sp()
    sign = "+" if p.accept(b"+") else "-" if p.accept(b"-") else ""
    p.expect(b"FLAGS")
    is_silent = p.accept(b".SILENT")
    names = p.sp().flag_list() if p.peek(b" (") else p.sp().tokens(Parser.flag)
    return StoreArgs(messages, _HOW[sign], flags.read(names, p.limits), is_silent)


@conversation("STORE", state=State.SELECTED, parse=parse, uid_variant=True, expunges=False)
def store(session: Session, args: StoreArgs) -> Conversation:
    r"""FETCH with the new flags of every message that is there, unless silent.  Raises ReadOnly, LimitReached.

    Messages that another session expunged are passed over, and EXPUNGEISSUED tells of them: with NO, unless silent
    (RFC 2180 §4.2.1, §4.2.3).
    """
    if session.read_only:
        raise ReadOnly("The mailbox is open for reading only")
    uids = session.view.select(args.messages)
    missing, progress = False, Progress(session, len(uids))
    for start in range(0, len(uids), SLICE):
        part = uids[start : start + SLICE]
        end = yield from transact(
            session,
            partial(_change, session, part, args),
            writes=True,
            expunges=args.messages.is_uid,
        )
        missing = missing or bool(end.code)
        yield Send(progress.due(start + len(part)))
    if missing and not args.messages.is_uid:
        status = "OK" if args.is_silent else "NO"
        text = "Some of the messages are no longer there."
        return Tagged("EXPUNGEISSUED", text, status, is_told=True)
    return Tagged(is_told=len(uids) > 0)


def _change(
    session: Session, uids: Sequence[Uid], args: StoreArgs, tx: Write
) -> Generator[Response, None, Tagged]:
    """Says what does not come as news: flags that were like that before."""
    view = session.view
    news = session.news(tx)
    unknown = {row.uid for row in news.flags} if news else set()
    rows = tx.messages.change_flags(
        view.mailbox, uids, args.how, args.flags.bits, args.flags.keywords
    )
    code = "" if len(rows) == len(uids) else "EXPUNGEISSUED"
    is_silent = args.is_silent and args.needs <= set(view.settable)
    if is_silent and news is None and not args.flags.keywords:
        # all that happened is what the client wants to hear nothing of
        modseq = max((row.modseq for row in rows), default=view.modseq)
        return Tagged(code, news=Delta(max(modseq, view.modseq), view.uidnext, [], []))
    known: dict[Uid, ModSeq] = {}
    if is_silent:
        known = {row.uid: row.modseq for row in rows if row.uid not in unknown}
    else:
        for row in rows:
            if row.modseq <= view.modseq and (seq := view.seq(row.uid)) is not None:
                yield view.told(row, seq, session.dialect)
    return Tagged(code, known=known)
