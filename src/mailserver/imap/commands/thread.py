"""THREAD: which messages match, put together into threads.

Spec: RFC 5256 §3, §4, §5; RFC 7162 §3.1.9.  Status: complete.
"""

from array import array
from dataclasses import dataclass
from functools import partial

from mailserver.imap.commands.search import parse_in
from mailserver.imap.conversation import Conversation, Send, Thread
from mailserver.imap.parser import Parser
from mailserver.imap.progress import Progress
from mailserver.imap.registry import State, announce, conversation
from mailserver.imap.searching.answer import joined
from mailserver.imap.searching.program import Program
from mailserver.imap.searching.run import Scope, find_selected, scope_of
from mailserver.imap.session import Session
from mailserver.imap.threads.algorithms import ALGORITHMS
from mailserver.imap.threads.kin import kin_of
from mailserver.imap.threads.kins import Kin
from mailserver.imap.threads.writing import written

for _name in ALGORITHMS:
    announce(f"THREAD={_name}", State.AUTHENTICATED)


@dataclass(frozen=True, slots=True)
class ThreadArgs:
    """algorithm: a key of ALGORITHMS.   program: None where the charset is not known.   is_uid: UIDs are asked for."""

    algorithm: str
    program: Program | None
    is_uid: bool


def parse(p: Parser) -> ThreadArgs:
    """SP thread-alg SP charset 1*(SP search-key) (RFC 5256 §5)."""
    algorithm = p.sp().word()
    if algorithm not in ALGORITHMS:
        raise p.error("unknown threading algorithm")
    charset = p.sp().astring()
    p.sp()
    return ThreadArgs(algorithm, parse_in(p, charset), p.is_uid)


@conversation("THREAD", state=State.SELECTED, parse=parse, uid_variant=True, expunges=False)
def thread(session: Session, args: ThreadArgs) -> Conversation:
    """One THREAD response (RFC 5256 §4).  The same question about a mailbox that is as it was is answered at once."""
    scope = scope_of(session)
    progress = Progress(session)
    found = yield from find_selected(session, args.program, scope, progress)
    kin, rows = yield from kin_of(session, scope, found, progress)
    question = args.algorithm, args.is_uid
    is_all = len(found) == len(scope.uids)
    uids, said = kin.said.get(question, (None, []))
    if not is_all or uids != scope.uids:
        said = yield Thread(partial(_threads, args, kin, rows, scope))
        if is_all and isinstance(scope.uids, array):
            kin.said[question] = scope.uids, said
    yield Send(said)
    return None


def _threads(args: ThreadArgs, kin: Kin, rows: "array[int]", scope: Scope) -> list[bytes]:
    forest = ALGORITHMS[args.algorithm](kin, rows)
    uids = array("I", [kin.uids[row] for row in rows])
    numbers = uids if args.is_uid else scope.numbers_of(uids)
    return joined(written(forest, numbers))
