"""UIDBATCHES: UIDs that part the selected mailbox into pieces of so many messages each.

Spec: RFC 10022 §3.1.  Status: complete; a mailbox has as many batches as it takes, so that TOOMANY is never said.
"""

from array import array
from dataclasses import dataclass
from typing import Final

from mailserver.imap import response
from mailserver.imap.conversation import Conversation, Send
from mailserver.imap.errors import Code
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, conversation
from mailserver.imap.session import Session

LEAST: Final = 500  #: messages in a batch; smaller ones would stand for message numbers


@dataclass(frozen=True, slots=True)
class BatchesArgs:
    """first, last: which batches, counted from 1; last is None for all."""

    size: int
    first: int
    last: int | None


def parse(p: Parser) -> BatchesArgs:
    """SP nz-number [SP nz-number ":" nz-number] (RFC 10022 §5)."""
    size = p.sp().nz_number()
    if not p.accept(b" "):
        return BatchesArgs(size, 1, None)
    first = p.nz_number()
    last = p.expect(b":").nz_number()
    if last < first:
        raise p.error("the batches are to be named in ascending order")
    return BatchesArgs(size, first, last)


@conversation("UIDBATCHES", state=State.SELECTED, parse=parse, capability="UIDBATCHES")
def uid_batches(session: Session, args: BatchesArgs) -> Conversation:
    """One response with the batches asked for, the newest messages first.  Raises TOOFEW for small ones."""
    if args.size < LEAST:
        raise Code("TOOFEW", f"A batch has at least {LEAST} messages")
    found = batches(session.view.uids, args.size)[args.first - 1 : args.last]
    ranges = ",".join([f"{high}:{low}" for high, low in found])
    tag = session.tag.decode("ascii")
    yield Send([response.line(f'UIDBATCHES (TAG "{tag}") {ranges}'.rstrip().encode("ascii"))])
    return None


def batches(uids: "array[int]", size: int) -> list[tuple[int, int]]:
    """(highest, lowest) UID of each batch of *size* of the ascending *uids*, from the newest on.

    They leave nothing out: each begins below the one before it, and the last goes down to 1.
    """
    out: list[tuple[int, int]] = []
    high = uids[-1] if uids else 0
    for end in range(len(uids), 0, -size):
        low = uids[end - size] if end > size else 1
        out.append((high, low))
        high = low - 1
    return out
